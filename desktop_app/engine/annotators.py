"""Annotators: what makes a control image of a picture, the light way or by an installed checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from PIL import Image

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATORS
from desktop_app.core.engine import CheckpointPath
from desktop_app.core.errors import RequestError
from desktop_app.engine.annotators_canny import canny
from desktop_app.engine.annotators_learned import annotate
from desktop_app.engine.annotators_light import OnStep, areas, flat, lines, luminance_depth, strokes, tile

FLAT_NOTE = "The picture has no near and far that could be told: its depth is the same everywhere."


def derive(
    control: Control, picture: Image.Image, find_checkpoint: CheckpointPath, on_step: OnStep
) -> tuple[Image.Image, str]:
    """The control image of ``picture``, both RGB and of one size, and a sentence to be told with it, or an empty one.

    A picture that is a control image already stays as it is. ``on_step`` is told what is done of what there is to do;
    it may raise, which ends the work. Raises `RequestError`, `CheckpointError`, `OutOfMemory`.
    """
    if not control.derive:
        return picture, ""
    if control.annotator:
        made = annotate(control.mode, find_checkpoint(control.annotator), picture, on_step)
        return (made, "") if made else (flat(picture.size), FLAT_NOTE)
    if control.mode is ControlMode.CANNY:
        return _edges(control, picture, on_step), ""
    if control.mode not in _LIGHT:
        annotator = ANNOTATORS[control.mode]
        raise RequestError(f"{annotator.label}: it needs a download", "", annotator.needs, param="controls")
    made = _LIGHT[control.mode](picture, on_step)
    on_step(1, 1)
    return (made, ANNOTATORS[control.mode].light_note) if made else (flat(picture.size), FLAT_NOTE)


def _edges(control: Control, picture: Image.Image, on_step: OnStep) -> Image.Image:
    import numpy

    return Image.fromarray(canny(numpy.asarray(picture), control.low, control.high, on_step)).convert("RGB")


_LIGHT: Mapping[ControlMode, Callable[[Image.Image, OnStep], Image.Image | None]] = MappingProxyType(
    {
        ControlMode.DEPTH: luminance_depth,
        ControlMode.SCRIBBLE: strokes,
        ControlMode.SEGMENTATION: areas,
        ControlMode.LINE_ART: lines,
        ControlMode.TILE: tile,
    }
)
