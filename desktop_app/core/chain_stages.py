"""From the cards of a chain to the stages that they ask for."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from desktop_app.core.chain import Card, card_from_json, with_inherited
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.families import LATENT_UPSCALER, UPSCALER, family_named
from desktop_app.core.family import MARKS, PRIOR_PARAMS, Family
from desktop_app.core.kinds import FACTORS, UPSCALES, StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER, MAX_PROMPT_CHARS, Params, clean_text
from desktop_app.core.planned import Describe, Planned, steps_of
from desktop_app.core.request import Stage
from desktop_app.core.steps import handover_step, least_strength

_UPSCALERS = {StageKind.LATENT_UPSCALE: LATENT_UPSCALER, StageKind.UPSCALE: UPSCALER}


@dataclass(frozen=True)
class _Place:
    """A card and where it stands: ``index`` from 0 in `Params.chain`; ``number`` from 1 among the stages that run.
    ``prior`` is the one that was chosen for it.
    """

    card: Card
    index: int
    number: int
    prior: str = ""

    def error(self, title: str, detail: str, hint: str) -> RequestError:
        """An error that is shown in the card."""
        return RequestError(title, f"stage {self.number}: {detail}", hint, param=f"chain.{self.index}")


def add_cards(
    params: Params, planned: list[Planned], info: CheckpointInfo, describe: Describe | None, *, has_mask: bool
) -> list[Planned]:
    """``planned``, the stages so far, and those of the cards that are on. ``info`` is the first checkpoint's, which
    cards without one of their own use too. Raises `RequestError` with ``param`` "chain.0", "chain.1", ...
    """
    stages = list(planned)
    for index, card in enumerate(params.chain):
        if card.is_on:
            place = _Place(card, index, len(stages) + 1, _chosen_prior(params, card, info))
            _check_values(place)
            known = _describe(place, info, describe)
            _check(place, known, has_picture=bool(stages) or not params.first_stage, has_mask=has_mask)
            if card.refines:
                stages[-1] = _cut(place, known, stages)
            stages.append(_plan(params, place, known, stages, describe))
    return stages


def taken_by_cards(params: Params, info: CheckpointInfo, describe: Describe | None) -> frozenset[str]:
    """The fields of `Params` beside the prompts that cards take although the first stage may not."""
    taken: set[str] = set()
    for card in params.chain:
        if card.is_on and card.kind is not StageKind.PIXEL_UPSCALE:
            with contextlib.suppress(CheckpointError):
                family = family_named((describe(card.checkpoint) if card.checkpoint and describe else info).family)
                taken |= set(PRIOR_PARAMS) if family and family.prior else set()
                taken |= set(MARKS) if family and set(MARKS) & set(family.keywords) else set()
    return frozenset(taken)


def _check_values(place: _Place) -> None:
    """Raise `RequestError` where a value is out of its range, as it may be in a file of anybody."""
    try:
        card_from_json(place.card.to_json())
    except (KeyError, TypeError, ValueError) as e:
        raise place.error("A value of the stage is out of range", str(e), "Correct it in the card.") from e
    for text in (place.card.prompt, place.card.negative_prompt):
        if len(text or "") > MAX_PROMPT_CHARS:
            detail = f"{len(text or ''):,} characters, at most {MAX_PROMPT_CHARS:,} are taken"
            raise place.error("The prompt of the stage is too long", detail, "Shorten it.")


def _chosen_prior(params: Params, card: Card, info: CheckpointInfo) -> str:
    """That of the first stage where it has the same checkpoint, and any where the first stage takes none."""
    first = family_named(info.family)
    is_own = card.checkpoint in ("", params.checkpoint)
    return params.prior if is_own or not (first and first.prior) else ""


def _describe(place: _Place, info: CheckpointInfo, describe: Describe | None) -> CheckpointInfo:
    """What is known of the card's checkpoint; where nobody can be asked, it is taken as it must be."""
    card = place.card
    if not card.checkpoint:
        if card.kind in UPSCALES and card.kind not in info.kinds:
            title = "A stage of the chain has no checkpoint"
            raise place.error(title, f"{card.kind.value} needs one of its own", "Choose one in the card.")
        return info
    if describe is None:
        family = _UPSCALERS.get(card.kind, info.family)
        return replace(info, ref=card.checkpoint, family=family, kinds=(card.kind,))
    try:
        return describe(card.checkpoint)
    except CheckpointError as e:
        raise place.error(e.title, e.detail, e.hint) from e


def _check(place: _Place, info: CheckpointInfo, *, has_picture: bool, has_mask: bool) -> None:
    card, kind = place.card, place.card.kind
    can_cut = kind is StageKind.INPAINT and StageKind.IMAGE_TO_IMAGE in info.kinds
    if kind not in info.kinds and not can_cut:
        possible = ", ".join(each.value for each in info.kinds) or "nothing by itself"
        raise place.error(
            "The checkpoint cannot run this stage",
            f"{info.label} ({info.family}) does {possible}, not {kind.value}",
            "Choose another checkpoint or another kind of stage.",
        )
    if kind is StageKind.INPAINT and not has_mask:
        hint = "Paint a mask over what shall change, or switch the card off."
        raise place.error("There is no mask", "it paints inside the mask only", hint)
    if card.refines and not has_picture:
        raise place.error("There is nothing to refine", "no stage runs before it", "Switch the first stage on.")


def _cut(place: _Place, info: CheckpointInfo, stages: list[Planned]) -> Planned:
    """The stage before a card on the checkpoint ``info`` that takes over from it, ending where that begins."""
    if not stages:
        raise place.error("There is nothing to take over", "no stage runs before it", "Switch the first stage on.")
    before, share = stages[-1], place.card.begin
    stage = before.stage
    if stage.kind in (*UPSCALES, StageKind.INPAINT) or before.family is None or before.family.decoder != "vae":
        detail = f"{before.info.label} does {stage.kind.value}, and ends with a finished picture"
        raise place.error("This stage cannot be taken over", detail, "Choose image-to-image for the card.")
    if info.family not in before.family.refiners:
        who = before.family.refiners
        detail = f"{info.label} ({info.family}) cannot go on with what {before.info.label} leaves unfinished"
        hint = f"Take one of these families: {', '.join(reversed(who))}. " if who else ""
        raise place.error("The checkpoint cannot take over", detail, f"{hint}Image-to-image goes on from any picture.")
    at = handover_step(stage.steps, share)
    if at <= stage.first_step or at >= stage.steps:
        detail = f"{share:g} of {stage.steps} steps are {at}, and the stage before begins at {stage.first_step}"
        raise place.error("No step would be left on one side", detail, "Choose another share, or take more steps.")
    return before.with_stage(replace(stage, end=share))


def _plan(
    params: Params, place: _Place, info: CheckpointInfo, before: list[Planned], describe: Describe | None
) -> Planned:
    card = place.card
    if card.kind is StageKind.PIXEL_UPSCALE:
        stage = Stage(card.kind, card.checkpoint, "", steps=1, is_card=True)
        return Planned(stage, info, None, factor=info.scale)
    family = family_named(info.family)
    if family is None:
        raise place.error("The family of the checkpoint is not known", info.family, "Choose another.")
    if family.reads_controls:
        hint = "Let it run the first stage, or choose another checkpoint."
        raise place.error("This checkpoint needs a control image", f"{info.label} in a stage that has none", hint)
    stage = _stage(params, place, info, family)
    if card.refines:
        stage = replace(stage, steps=before[-1].stage.steps, strength=1.0, begin=card.begin)
    elif steps_of(stage, family) < 1:
        detail = f"{card.steps} steps at strength {card.strength:g} are less than one"
        hint = f"Raise its strength to {least_strength(card.steps)} or more, or take more steps."
        raise place.error("A stage of the chain would run no step", detail, hint)
    if family.prior:
        _check_prior(place, info, family, stage.prior, describe)
    return Planned(stage, info, family, factor=FACTORS.get(card.kind, 1))


def _check_prior(place: _Place, info: CheckpointInfo, family: Family, ref: str, describe: Describe | None) -> None:
    if not ref:
        detail, hint = f"{info.label} names none", "Choose one for the first stage: the card takes it too."
        raise place.error("The checkpoint has no prior", detail, hint)
    if describe is None:
        return
    try:
        prior = describe(ref)
    except CheckpointError as e:
        raise place.error(f"Prior: {e.title}", e.detail, e.hint) from e
    if prior.family != family.prior:
        detail = f"{prior.label} is of the family {prior.family}, {info.label} needs one of {family.prior}"
        raise place.error("The prior does not fit the checkpoint", detail, "Choose another prior, or none.")


def _stage(params: Params, place: _Place, info: CheckpointInfo, family: Family) -> Stage:
    card = place.card
    values = {name: getattr(card, name) for name in ("guidance_scale", "strength") if family.takes(name)}
    if card.kind is StageKind.UPSCALE:
        values["noise_level"] = card.noise_level
    if family.takes("negative_prompt"):
        values["negative_prompt"] = _own(card.negative_prompt, params.negative_prompt)
    if family.prior:
        values["prior"] = place.prior or info.prior
        values |= {name: getattr(params, name) for name in ("prior_steps", "prior_guidance_scale")}
    if any(name in family.keywords for name in MARKS):
        values |= {name: getattr(params, name) for name in MARKS}
    return Stage(
        kind=card.kind,
        checkpoint=card.checkpoint or params.checkpoint,
        prompt=_own(card.prompt, params.prompt),
        steps=card.steps,
        scheduler=_scheduler(place, family),
        is_card=True,
        **values,
    )


def _own(text: str | None, inherited: str) -> str:
    """What a card says instead of the ``inherited`` text, for which ``{prompt}`` stands in it."""
    return clean_text(inherited if text is None else with_inherited(text, inherited))


def _scheduler(place: _Place, family: Family) -> str:
    name = place.card.scheduler
    if not family.takes("scheduler") or name == DEFAULT_SCHEDULER:
        return DEFAULT_SCHEDULER
    if family.schedulers and name not in family.schedulers:
        detail = f"{name} does not run with {family.label}"
        raise place.error("The scheduler does not fit the checkpoint", detail, "Choose another scheduler in the card.")
    return name
