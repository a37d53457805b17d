"""What can be chosen for a control image: which ControlNets and annotators there are, which of them fit, and which of
the usual ones would have to be downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATOR, ANNOTATORS, CONTROL_NET
from desktop_app.core.controls import READ_MODE, check_controls
from desktop_app.core.errors import RequestError
from desktop_app.core.families import SD, SDXL, family_named
from desktop_app.core.family import Family
from desktop_app.studio.request_texts import checkpoint_name

_USUAL_FOR = {768: SD, 2048: SDXL}
"""The family whose usual ControlNets a checkpoint takes, by the numbers that it is told of each token."""

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+(@[\w./-]+)?")


@dataclass(frozen=True)
class Choice:
    """One entry of a list: a REF (empty for the light way), what to call it, a ``tip``, whether it has to be downloaded
    first, and the ``reason`` why it cannot be used, empty where it can.
    """

    ref: str
    label: str
    tip: str = ""
    is_missing: bool = False
    reason: str = ""


def control_nets(control: Control, base: CheckpointInfo | None, infos: Sequence[CheckpointInfo]) -> tuple[Choice, ...]:
    """The ControlNets for ``control`` on the checkpoint ``base``: those that fit, the usual ones, then the others."""
    nets = [info for info in infos if info.family == CONTROL_NET]
    here = [Choice(info.ref, info.label, str(info.path), reason=_misfit(info, base)) for info in nets]
    usual = ANNOTATORS[control.mode].control_nets.get(_USUAL_FOR.get(base.text_width, ""), ()) if base else ()
    fitting = sorted((each for each in here if not each.reason), key=lambda each: each.ref not in usual)
    others = [each for each in here if each.reason]
    return _with_used(control.checkpoint, [*fitting, *_missing(usual, nets), *others])


def annotators(control: Control, infos: Sequence[CheckpointInfo]) -> tuple[Choice, ...]:
    """The ways to make the control image: the light one if there is one, those that are here, the usual ones."""
    known = ANNOTATORS[control.mode]
    light = [Choice("", known.light, known.light_note)] if known.light else []
    fitting = [info for info in infos if info.family == ANNOTATOR and info.mode is control.mode]
    here = [Choice(info.ref, info.label, str(info.path)) for info in fitting]
    return _with_used(control.annotator, [*light, *here, *_missing(known.annotators, fitting)])


def suggested(control: Control, base: CheckpointInfo | None, infos: Sequence[CheckpointInfo]) -> Control:
    """``control`` with the ControlNet that is most likely meant, and with an annotator where there is no light way:
    one that is here before one that would have to be downloaded.
    """
    family = family_of(base)
    if family and family.reads_controls:
        return replace(control, checkpoint="")
    known, bare = ANNOTATORS[control.mode], replace(control, checkpoint="", annotator="")
    nets = [each for each in control_nets(bare, base, infos) if not each.reason]
    named = [each for each in nets if each.is_missing or _names(each, control.mode)]
    chosen = named[0].ref if named else ""
    ways = annotators(bare, infos)
    annotator = "" if known.light or not ways else ways[0].ref
    return replace(control, checkpoint=chosen, annotator=annotator)


def usual_mode(base: CheckpointInfo | None) -> ControlMode:
    """What a new control image is for a start."""
    family = family_of(base)
    return READ_MODE if family and family.reads_controls else ControlMode.CANNY


def family_of(base: CheckpointInfo | None) -> Family | None:
    """The family of the checkpoint that paints, as far as it is known."""
    return family_named(base.family) if base else None


def missing_refs(control: Control, base: CheckpointInfo | None, infos: Sequence[CheckpointInfo]) -> tuple[str, ...]:
    """REFs of the hub that ``control`` needs and that are not among ``infos``."""
    family = family_of(base)
    needs = [] if family and family.reads_controls else [control.checkpoint]
    if control.derive:
        needs.append(control.annotator)
    known = {info.ref for info in infos}
    return tuple(dict.fromkeys(ref for ref in needs if ref not in known and _HUB_ID.fullmatch(ref)))


def _misfit(net: CheckpointInfo, base: CheckpointInfo | None) -> str:
    family = family_of(base)
    if base is None or family is None:
        return ""
    try:
        check_controls([Control(READ_MODE, checkpoint=net.ref, derive=False)], base, family, lambda _ref: net)
    except RequestError as e:
        return e.detail
    return ""


def _missing(refs: Sequence[str], here: Sequence[CheckpointInfo]) -> list[Choice]:
    known = {info.ref for info in here}
    return [Choice(ref, checkpoint_name(ref), ref, is_missing=True) for ref in refs if ref not in known]


def _with_used(ref: str, choices: list[Choice]) -> tuple[Choice, ...]:
    """The one in use is among them, known or not."""
    if not ref or any(each.ref == ref for each in choices):
        return tuple(choices)
    return (*choices, Choice(ref, checkpoint_name(ref), ref, is_missing=_HUB_ID.fullmatch(ref) is not None))


def _names(choice: Choice, mode: ControlMode) -> bool:
    """Whether it is one of the usual ones for ``mode``, or says so in its name."""
    if any(choice.ref in refs for refs in ANNOTATORS[mode].control_nets.values()):
        return True
    name = f"{choice.ref} {choice.label}".lower()
    return any(word in name for word in _NAMES.get(mode, (mode.value,)))


_NAMES = {
    ControlMode.SCRIBBLE: ("scribble", "softedge", "hed"),
    ControlMode.SEGMENTATION: ("seg",),
    ControlMode.LINE_ART: ("lineart", "line-art", "line_art"),
    ControlMode.POSE: ("pose",),
}
