"""Whether control images fit the checkpoint that they shall steer, told before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATOR, ANNOTATORS, CONTROL_NET
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.family import Family
from desktop_app.core.kinds import StageKind
from desktop_app.core.request import Stage

Describe = Callable[[str], CheckpointInfo]
"""What is known of the checkpoint with a REF; raises `CheckpointError`."""

PARAM = "controls"
READ_MODE = ControlMode.DEPTH
"""What checkpoints read that read a control image themselves."""

_TEXT_WIDTHS = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 2048: "Stable Diffusion XL"}
"""For which checkpoints a ControlNet was trained, by the numbers that it reads for each token."""


def check_controls(
    controls: Sequence[Control],
    base: CheckpointInfo,
    family: Family,
    describe: Describe | None,
    *,
    has_init_image: bool = True,
) -> None:
    """Raise `RequestError` where one of ``controls`` cannot steer ``base``, a checkpoint of ``family``.

    Those that are off are not looked at. ``describe`` tells of ControlNets and annotators; where it is None, they are
    taken as they are.
    """
    active = [control for control in controls if control.is_on]
    if active and not family.takes(PARAM):
        reason = family.reason(PARAM).rstrip(".")
        raise _error("Control images have no effect", f"{base.label} ({family.label}): {reason}", "Switch them off.")
    if family.reads_controls:
        _check_read(active, base)
    for control in active:
        if control.image is None and not has_init_image:
            hint = "Open a picture to start from, or load one for the control image."
            raise _error("A control image has no picture to come from", _name(control), hint)
        _check_annotator(control, describe)
        if not family.reads_controls:
            _check_net(control, base, describe)


def check_control_stage(stage: Stage, family: Family) -> None:
    """Raise `RequestError` where a stage of this kind cannot follow control images, though others of ``family`` can."""
    if not any(control.is_on for control in stage.controls) or family.reads_controls:
        return
    kind = stage.kind
    if kind is StageKind.INPAINT and kind not in family.pipelines:
        kind = StageKind.IMAGE_TO_IMAGE
    if kind not in family.control_pipelines:
        detail = f"{family.label}: {stage.kind.value}"
        raise _error("Control images have no effect in this stage", detail, "Switch them off.")
    if kind is StageKind.IMAGE_TO_IMAGE and (stage.begin > 0 or stage.end < 1):
        detail = "with a picture to start from and control images, a stage runs to the end of its schedule"
        hint = "Let the refiner work over the finished picture, or switch the control images off."
        raise _error("The refiner cannot take over inside the schedule", detail, hint)


def unused_by_controls(controls: Sequence[Control], family: Family) -> tuple[str, ...]:
    """A sentence (without full stop) for each value of ``controls`` that the user has set and that has no effect."""
    if not family.reads_controls:
        return ()
    active = [control for control in controls if control.is_on]
    found = []
    if any(control.checkpoint for control in active):
        found.append(f"The ControlNet is not used. {family.label} reads the control image itself")
    if any((control.weight, control.start, control.end) != (1.0, 0.0, 1.0) for control in active):
        found.append(
            f"Weight, start and end of the control image are not used. {family.label} always follows it wholly"
        )
    return tuple(found)


def _check_read(active: Sequence[Control], base: CheckpointInfo) -> None:
    wanted = ANNOTATORS[READ_MODE].label
    if len(active) != 1:
        count = f"{len(active)} are on" if active else "none is on"
        hint = f"Switch one on, of the kind: {wanted}."
        raise _error("This checkpoint needs one control image", f"{base.label}: {count}", hint)
    if active[0].mode is not READ_MODE:
        detail = f"{base.label} does not read: {ANNOTATORS[active[0].mode].label}"
        raise _error("The control image is of the wrong kind", detail, f"Choose the kind: {wanted}.")


def _check_annotator(control: Control, describe: Describe | None) -> None:
    if not control.derive:
        return
    annotator = ANNOTATORS[control.mode]
    if not control.annotator and not annotator.light:
        raise _error(f"{annotator.label}: it needs a download", "", annotator.needs)
    info = _describe(describe, control.annotator, "annotator")
    if info and (info.family != ANNOTATOR or info.mode is not control.mode):
        what = f"is for: {ANNOTATORS[info.mode].label}" if info.mode else f"is of the family {info.family}"
        hint = f"Choose one for: {annotator.label}; or none."
        raise _error("The annotator does not fit the control image", f"{info.label} {what}", hint)


def _check_net(control: Control, base: CheckpointInfo, describe: Describe | None) -> None:
    if not control.checkpoint:
        hint = "Choose a ControlNet for it, or switch it off."
        if base.text_width and base.text_width not in _TEXT_WIDTHS:
            known = ", ".join(_TEXT_WIDTHS.values())
            hint = f"ControlNets are made for {known}: choose a checkpoint of those, or switch the control image off."
        raise _error("A control image has no ControlNet", _name(control), hint)
    info = _describe(describe, control.checkpoint, CONTROL_NET)
    if info is None:
        return
    if info.family != CONTROL_NET:
        detail = f"{info.label} is of the family {info.family}"
        raise _error("The checkpoint is no ControlNet", detail, "Choose one in the list of ControlNets.")
    if base.family not in info.fits or info.text_width != base.text_width:
        made_for = _TEXT_WIDTHS.get(info.text_width) or " or ".join(info.fits)
        detail = f"{info.label} is for {made_for}, {base.label} is {_TEXT_WIDTHS.get(base.text_width, base.family)}"
        if base.text_width != info.text_width:
            detail += f"; it reads {info.text_width} numbers for each token, the checkpoint {base.text_width}"
        hint = f"Choose a ControlNet that was made for {base.family}."
        raise _error("The ControlNet does not fit the checkpoint", detail, hint)


def _describe(describe: Describe | None, ref: str, what: str) -> CheckpointInfo | None:
    if describe is None or not ref:
        return None
    try:
        return describe(ref)
    except CheckpointError as e:
        raise _error(f"{what[0].upper()}{what[1:]}: {e.title}", e.detail, e.hint) from e


def _name(control: Control) -> str:
    return ANNOTATORS[control.mode].label


def _error(title: str, detail: str, hint: str) -> RequestError:
    return RequestError(title, detail, hint, param=PARAM)
