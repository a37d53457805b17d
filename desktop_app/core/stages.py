"""From the values of the controls to the stages that they ask for, with a prior or a refiner where one is chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.families import family_named
from desktop_app.core.family import MARKS, REFINER_PARAMS, Family
from desktop_app.core.params import (
    DEFAULT_SCHEDULER,
    PARAM_SPECS,
    Params,
    clean_text,
    handover_step,
    strength_for,
)
from desktop_app.core.request import Stage, StageKind
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.core.weighting import parse

Describe = Callable[[str], CheckpointInfo]
"""What is known of the checkpoint with a REF; raises `CheckpointError`."""

USUAL = Params()


@dataclass(frozen=True)
class Staging:
    """``stages`` of a run, the denoising steps that each will do, and ``unused``: a sentence (without full stop) for
    each value that the user has set and that has no effect. Working sides, in pixels, are multiples of all
    ``multiples``.
    """

    stages: tuple[Stage, ...]
    steps: tuple[int, ...]
    unused: tuple[str, ...]
    multiples: tuple[int, ...]


def plan_stages(params: Params, info: CheckpointInfo, describe: Describe | None, *, has_init_image: bool) -> Staging:
    """The stages for ``params`` with the checkpoint ``info``. ``describe`` tells of the second checkpoint; where it is
    None, that is taken as it is. Raises `RequestError`.
    """
    family = family_of_checkpoint(info)
    _check_kind(has_init_image, info, family)
    stage = _first_stage(params, info, family, has_init_image=has_init_image)
    if stage.prior and describe:
        _check_prior(family, _describe(describe, stage.prior, "prior"))
    unused = _unused(params, family, has_init_image=has_init_image)
    if not (params.refiner and family.takes("refiner")):
        _check_steps(params, steps_of(stage, family))
        return Staging((stage,), (steps_of(stage, family),), unused, (info.multiple,))
    refiner = _describe(describe, params.refiner, "refiner") if describe else info
    if describe:
        _check_refiner(family, refiner)
    stages = _add_refiner(params, stage, family_of_checkpoint(refiner))
    multiples = (info.multiple, refiner.multiple)
    return Staging(stages, tuple(steps_of(each, family) for each in stages), unused, multiples)


def family_of_checkpoint(info: CheckpointInfo) -> Family:
    """Its family. Raises `RequestError` for one that this version does not know."""
    family = family_named(info.family)
    if family is None:
        raise RequestError("The family of the checkpoint is not known", info.family, "Choose another.", "checkpoint")
    return family


def steps_of(stage: Stage, family: Family) -> int:
    """Denoising steps that ``stage`` runs on a checkpoint of ``family``."""
    if stage.begin > 0 or stage.end < 1:
        return stage.effective_steps
    return family.effective_steps(stage.kind, stage.steps, stage.strength)


def refuse_unused(names: Iterable[str], params: Params, info: CheckpointInfo) -> None:
    """Raise `RequestError` when one of ``names``, fields of ``params`` that were given expressly, has no effect."""
    reasons = _reasons(params, family_of_checkpoint(info))
    for name in names:
        is_plain = name == "scheduler" and params.scheduler == DEFAULT_SCHEDULER
        if (reason := reasons[name]) and not is_plain:
            title = f"{PARAM_SPECS[name].label} has no effect"
            hint = "Leave it out, or choose another checkpoint."
            raise RequestError(title, f"{info.label} ({info.family}): {reason.rstrip('.')}", hint, param=name)


# Stages ------------------------------------------------------------------------------------------


def _first_stage(params: Params, info: CheckpointInfo, family: Family, *, has_init_image: bool) -> Stage:
    """The one that the checkpoint itself runs, to the end of its schedule."""
    stage = Stage(
        kind=StageKind.IMAGE_TO_IMAGE if has_init_image else StageKind.TEXT_TO_IMAGE,
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
    if has_init_image and family.takes("strength"):
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


def _add_refiner(params: Params, base: Stage, family: Family) -> tuple[Stage, Stage]:
    """Both stages: the refiner takes over inside the schedule, or works over the finished picture."""
    refiner = replace(base, kind=StageKind.IMAGE_TO_IMAGE, checkpoint=params.refiner)
    if not family.takes("original_width"):
        refiner = replace(refiner, original_width=None, original_height=None)
    if params.refiner_strength > 0:
        refiner = replace(refiner, strength=params.refiner_strength)
        if refiner.effective_steps < 1:
            least = _at_least(strength_for(params.steps, 1))
            raise RequestError(
                "The refiner would run no step",
                f"{params.steps} steps at refiner strength {params.refiner_strength:g} are less than one",
                f"Raise the refiner strength to {least}, or take more steps.",
                param="refiner_strength",
            )
        _check_steps(params, base.effective_steps)
        return base, refiner
    _check_share(params, base)
    share = params.refiner_share
    return replace(base, end=share), replace(refiner, strength=1.0, begin=share)


def _at_least(share: float) -> str:
    return f"{int(share * 1000 + 0.999) / 1000:g}"


# Checks ------------------------------------------------------------------------------------------


def _check_kind(has_init_image: bool, info: CheckpointInfo, family: Family) -> None:
    if not family.kinds:
        raise RequestError(
            "This checkpoint paints nothing by itself",
            f"{info.label} ({info.family}) only reads the prompt for another checkpoint",
            "Choose the checkpoint that paints; this one is its prior.",
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


def _check_steps(params: Params, steps: int) -> None:
    if steps < 1:
        raise RequestError(
            "No step would run",
            f"{params.steps} steps at strength {params.strength:g} is less than one denoising step",
            f"Raise the strength to {_at_least(strength_for(params.steps, 1))} or more, or take more steps.",
            param="strength",
        )


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


def _unused(params: Params, family: Family, *, has_init_image: bool) -> tuple[str, ...]:
    """A sentence for each value that differs from the usual one and has no effect."""
    reasons = _reasons(params, family)
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


def _reasons(params: Params, family: Family) -> dict[str, str]:
    """By field of `Params`, why it has no effect; empty where it has."""
    reasons = {name: family.reason(name) for name in PARAM_SPECS}
    if family.takes("refiner") and not params.refiner:
        reasons |= dict.fromkeys((*REFINER_PARAMS[1:], *MARKS), "No refiner is chosen.")
    return reasons
