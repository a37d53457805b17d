"""From the values of the controls to the stages that they ask for: the first, with a prior or a refiner where one is
chosen, and those of the chain.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from desktop_app.core.adapter import DescribeAdapter, active, check_adapters, named_for_good, unused_adapters
from desktop_app.core.chain_stages import add_cards, taken_by_cards
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Adapter, Control
from desktop_app.core.controls import check_control_stage, check_controls, unused_by_controls
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.families import family_named
from desktop_app.core.family import MARKS, REFINER_PARAMS, Family
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER, PARAM_SPECS, Params, clean_text
from desktop_app.core.planned import Describe, Planned
from desktop_app.core.request import Stage
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.core.steps import check_runs, handover_step, least_strength
from desktop_app.core.weighting import parse

USUAL = Params()

_OF_THE_FIRST_STAGE = (
    "strength",
    "guidance_scale",
    "steps",
    "scheduler",
    "original_width",
    "original_height",
    "controls",
    *REFINER_PARAMS,
)


@dataclass(frozen=True)
class Staging:
    """The stages of a run, in ``planned``, and ``unused``: a sentence (without full stop) for each value that the user
    has set and that has no effect.
    """

    planned: tuple[Planned, ...]
    unused: tuple[str, ...]

    @property
    def stages(self) -> tuple[Stage, ...]:
        """As the request has them."""
        return tuple(each.stage for each in self.planned)


def plan_stages(
    params: Params,
    info: CheckpointInfo,
    describe: Describe | None,
    describe_adapter: DescribeAdapter | None = None,
    *,
    has_init_image: bool,
    has_mask: bool = False,
) -> Staging:
    """The stages for ``params`` with the checkpoint ``info``. ``describe`` tells of the other checkpoints and
    ``describe_adapter`` of adapters; where it is None, they are taken as they are. Raises `RequestError`.
    """
    if not params.first_stage:
        return _plan_cards(params, info, describe, describe_adapter, has_init_image=has_init_image, has_mask=has_mask)
    family = family_of_checkpoint(info)
    kind = _choose_kind(info, family, has_init_image=has_init_image, has_mask=has_mask)
    own = _own_stages(params, Planned(_first_stage(params, info, family, kind), info, family), describe)
    check_controls(params.controls, info, family, describe, has_init_image=has_init_image)
    check_adapters(params.adapters, info, family, describe_adapter)
    own[0] = own[0].with_stage(replace(own[0].stage, controls=_on(params.controls)))
    check_control_stage(own[0].stage, family)
    planned = add_cards(params, own, info, describe, has_mask=has_mask)
    adapters = active(params.adapters)
    named = named_for_good(adapters, describe_adapter)
    planned = [_adapt(each, params.checkpoint, named) for each in planned]
    unused = (
        *_unused(params, family, taken_by_cards(params, info, describe), has_init_image=has_init_image),
        *unused_by_controls(params.controls, family),
        *(unused_adapters(adapters, _prompts(planned), describe_adapter) if describe_adapter else ()),
    )
    return Staging(tuple(planned), unused)


def _plan_cards(
    params: Params,
    info: CheckpointInfo,
    describe: Describe | None,
    describe_adapter: DescribeAdapter | None,
    *,
    has_init_image: bool,
    has_mask: bool,
) -> Staging:
    """The stages of the chain alone, the first one being off."""
    _check_skipping(params, has_init_image=has_init_image)
    planned = add_cards(params, [], info, describe, has_mask=has_mask)
    adapters = active(params.adapters)
    is_adapted = any(_takes_adapters(each, params.checkpoint) for each in planned)
    if is_adapted:
        check_adapters(adapters, info, family_of_checkpoint(info), describe_adapter)
        named = named_for_good(adapters, describe_adapter)
        planned = [_adapt(each, params.checkpoint, named) for each in planned]
    unused = []
    if _on(params.controls):
        unused.append("Control images are not used. The first stage, which follows them, is off")
    if adapters and not is_adapted:
        unused.append("Adapters are not used. No stage runs with the checkpoint that they were chosen for")
    if has_mask and not any(each.stage.kind is StageKind.INPAINT for each in planned):
        unused.append("The mask is not used. No stage paints inside it")
    if is_adapted and describe_adapter:
        unused += unused_adapters(adapters, _prompts(planned), describe_adapter)
    return Staging(tuple(planned), tuple(unused))


def _on(controls: tuple[Control, ...]) -> tuple[Control, ...]:
    return tuple(control for control in controls if control.is_on)


def _adapt(planned: Planned, checkpoint: str, adapters: tuple[Adapter, ...]) -> Planned:
    """The stage with ``adapters``, if it runs on the ``checkpoint`` that they were chosen for."""
    if not _takes_adapters(planned, checkpoint):
        return planned
    return planned.with_stage(replace(planned.stage, adapters=adapters))


def _takes_adapters(planned: Planned, checkpoint: str) -> bool:
    return planned.stage.checkpoint == checkpoint and planned.stage.kind not in UPSCALES


def _prompts(planned: list[Planned]) -> list[str]:
    return [text for each in planned for text in (each.stage.prompt, each.stage.negative_prompt)]


def _own_stages(params: Params, first: Planned, describe: Describe | None) -> list[Planned]:
    """What the controls say without the chain: one stage, and its refiner."""
    family, stage = first.family, first.stage
    assert family is not None
    if stage.prior and describe:
        _check_prior(family, _describe(describe, stage.prior, "prior"))
    if not (params.refiner and family.takes("refiner")):
        check_runs(params.steps, params.strength, first.steps)
        return [first]
    refiner = _describe(describe, params.refiner, "refiner") if describe else first.info
    if describe:
        _check_refiner(family, refiner)
    return _add_refiner(params, first, refiner, family_of_checkpoint(refiner))


def _check_skipping(params: Params, *, has_init_image: bool) -> None:
    if not has_init_image:
        hint = "Open a picture, or switch the first stage on."
        raise RequestError("The chain has no picture to begin with", "the first stage is off", hint, "first_stage")
    if not any(card.is_on for card in params.chain):
        hint = "Switch it on, or add a stage to the chain."
        raise RequestError("No stage would run", "the first stage is off, and no other is on", hint, "first_stage")


def family_of_checkpoint(info: CheckpointInfo) -> Family:
    """Its family. Raises `RequestError` for one that this version does not know."""
    family = family_named(info.family)
    if family is None:
        raise RequestError("The family of the checkpoint is not known", info.family, "Choose another.", "checkpoint")
    return family


def refuse_unused(names: Iterable[str], params: Params, info: CheckpointInfo, describe: Describe | None = None) -> None:
    """Raise `RequestError` when one of ``names``, fields of ``params`` that were given expressly, has no effect."""
    reasons = _reasons(params, family_of_checkpoint(info), taken_by_cards(params, info, describe))
    if not params.first_stage:
        reasons |= {name: "The first stage is off." for name in _OF_THE_FIRST_STAGE if name in reasons}
    for name in names:
        is_plain = name == "scheduler" and params.scheduler == DEFAULT_SCHEDULER
        if (reason := reasons[name]) and not is_plain:
            title = f"{PARAM_SPECS[name].label} has no effect"
            is_off = not params.first_stage and name in _OF_THE_FIRST_STAGE
            hint = f"Leave it out, or {'switch the first stage on' if is_off else 'choose another checkpoint'}."
            raise RequestError(title, f"{info.label} ({info.family}): {reason.rstrip('.')}", hint, param=name)


# Stages ------------------------------------------------------------------------------------------


def _first_stage(params: Params, info: CheckpointInfo, family: Family, kind: StageKind) -> Stage:
    """The one that the checkpoint itself runs, to the end of its schedule."""
    stage = Stage(
        kind=kind,
        checkpoint=params.checkpoint,
        prompt=clean_text(params.prompt),
        steps=params.steps,
        scheduler=_scheduler(params, family),
    )
    names = ("guidance_scale", "prior_steps", "prior_guidance_scale", "original_width", "original_height", *MARKS)
    taken = {name: getattr(params, name) for name in names if family.takes(name)}
    if family.takes("negative_prompt"):
        taken["negative_prompt"] = clean_text(params.negative_prompt)
    if family.prior:
        taken["prior"] = params.prior or info.prior
    if kind is not StageKind.TEXT_TO_IMAGE and family.takes("strength"):
        taken["strength"] = params.strength
    return replace(stage, **taken)


def _scheduler(params: Params, family: Family) -> str:
    if not family.takes("scheduler"):
        return DEFAULT_SCHEDULER
    if family.schedulers and params.scheduler not in family.schedulers:
        known = ", ".join(SCHEDULERS[name].label for name in family.schedulers)
        detail = f"{params.scheduler} does not run with {family.label}"
        raise RequestError("The scheduler does not fit the checkpoint", detail, f"Choose one of: {known}.", "scheduler")
    return params.scheduler


def _add_refiner(params: Params, first: Planned, info: CheckpointInfo, family: Family) -> list[Planned]:
    """Both stages: the refiner takes over inside the schedule, or works over the finished picture."""
    base = first.stage
    kind = StageKind.INPAINT if base.kind is StageKind.INPAINT else StageKind.IMAGE_TO_IMAGE
    refiner = Planned(replace(base, kind=kind, checkpoint=params.refiner), info, family)
    if not family.takes("original_width"):
        refiner = refiner.with_stage(replace(refiner.stage, original_width=None, original_height=None))
    if params.refiner_strength > 0:
        refiner = refiner.with_stage(replace(refiner.stage, strength=params.refiner_strength))
        if refiner.stage.effective_steps < 1:
            raise RequestError(
                "The refiner would run no step",
                f"{params.steps} steps at refiner strength {params.refiner_strength:g} are less than one",
                f"Raise the refiner strength to {least_strength(params.steps)}, or take more steps.",
                param="refiner_strength",
            )
        check_runs(params.steps, params.strength, base.effective_steps)
        return [first, refiner]
    if kind is StageKind.INPAINT:
        hint = "Choose a second pass over the picture, or remove the mask."
        raise RequestError("The refiner cannot take over inside a mask", "", hint, param="refiner")
    _check_share(params, base)
    share = params.refiner_share
    taken_over = replace(refiner.stage, strength=1.0, begin=share)
    return [first.with_stage(replace(base, end=share)), refiner.with_stage(taken_over)]


# Checks ------------------------------------------------------------------------------------------


def _choose_kind(info: CheckpointInfo, family: Family, *, has_init_image: bool, has_mask: bool) -> StageKind:
    """What the first stage does. A checkpoint that cannot inside a mask paints all, and only that part is used."""
    if not family.kinds:
        raise RequestError(
            "This checkpoint paints nothing by itself",
            f"{info.label} ({info.family}) only reads the prompt for another checkpoint",
            "Choose the checkpoint that paints; this one is its prior.",
            param="checkpoint",
        )
    if has_init_image and has_mask and {StageKind.INPAINT, StageKind.IMAGE_TO_IMAGE} & set(info.kinds):
        return StageKind.INPAINT
    if StageKind.INPAINT in info.kinds and len(info.kinds) == 1:
        raise RequestError(
            "This checkpoint paints only inside a mask",
            f"{info.label} ({info.family}) is for inpainting",
            "Open a picture and paint a mask over what shall change, or choose another checkpoint.",
            param="checkpoint",
        )
    if not has_init_image and StageKind.TEXT_TO_IMAGE not in info.kinds:
        raise RequestError(
            "This checkpoint needs a picture to start from",
            f"{info.label} ({info.family}) cannot paint from the prompt alone",
            "Open a picture, or choose another checkpoint.",
            param="checkpoint",
        )
    if has_init_image and StageKind.IMAGE_TO_IMAGE not in info.kinds:
        raise RequestError(
            "This checkpoint takes no picture to start from",
            f"{info.label} ({info.family}) paints from the prompt alone",
            "Remove the init image, or choose another checkpoint.",
            param="checkpoint",
        )
    return StageKind.IMAGE_TO_IMAGE if has_init_image else StageKind.TEXT_TO_IMAGE


def _check_share(params: Params, base: Stage) -> None:
    """Both sides of the handover must have a step; the refiner has one, since its share is less than 1."""
    at = handover_step(params.steps, params.refiner_share)
    if at <= base.first_step:
        skipped = f", and the strength leaves out the first {base.first_step}" if base.first_step else ""
        raise RequestError(
            "The refiner would take over before the first step",
            f"{params.refiner_share:g} of {params.steps} steps are {at}{skipped}",
            "Let the refiner take over later, raise the strength, or take more steps.",
            param="refiner_share",
        )


def _check_prior(family: Family, prior: CheckpointInfo) -> None:
    if prior.family != family.prior:
        raise RequestError(
            "The prior does not fit the checkpoint",
            f"{prior.label} is of the family {prior.family}",
            f"Choose one of the family {family.prior}, or none: then the usual one is taken.",
            param="prior",
        )


def _check_refiner(family: Family, refiner: CheckpointInfo) -> None:
    if refiner.family not in family.refiners:
        raise RequestError(
            "The refiner does not fit the checkpoint",
            f"{refiner.label} is of the family {refiner.family}",
            f"Choose one of these families: {', '.join(reversed(family.refiners))}.",
            param="refiner",
        )


def _describe(describe: Describe, ref: str, param: str) -> CheckpointInfo:
    try:
        return describe(ref)
    except CheckpointError as e:
        raise RequestError(f"{PARAM_SPECS[param].label}: {e.title}", e.detail, e.hint, param=param) from e


def _unused(params: Params, family: Family, by_cards: frozenset[str], *, has_init_image: bool) -> tuple[str, ...]:
    """A sentence for each value that differs from the usual one and has no effect."""
    reasons = _reasons(params, family, by_cards)
    if not has_init_image:
        reasons["strength"] = ""
    changed = [name for name, reason in reasons.items() if reason and getattr(params, name) != getattr(USUAL, name)]
    sentences = tuple(f"{PARAM_SPECS[name].label} is not used. {reasons[name]}".rstrip(".") for name in changed)
    return (*sentences, *_unread_weights(params, family))


def _unread_weights(params: Params, family: Family) -> tuple[str, ...]:
    """A sentence where prompts have weights that are not read as such."""
    prompts = (params.prompt, params.negative_prompt if family.takes("negative_prompt") else "")
    if family.takes_weights or all(parse(prompt).is_plain for prompt in prompts):
        return ()
    return ("Weights are not used. This family of checkpoints reads brackets and signs in the prompt as plain text",)


def _reasons(params: Params, family: Family, by_cards: frozenset[str]) -> dict[str, str]:
    """By field of `Params`, why it has no effect; empty where it has, as those have that cards take, ``by_cards``."""
    reasons = {name: family.reason(name) for name in PARAM_SPECS}
    if family.takes("refiner") and not params.refiner:
        reasons |= dict.fromkeys((*REFINER_PARAMS[1:], *MARKS), "No refiner is chosen.")
    return {name: "" if name in by_cards else reason for name, reason in reasons.items()}
