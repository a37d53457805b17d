"""Deriving: from a picture to the control image that a run follows, and that the window shows before it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from PIL import Image

from desktop_app.core.conditions import Control
from desktop_app.core.engine import CancelFlag, CheckpointPath, Derived, Phase, Progress, ReportProgress
from desktop_app.core.errors import Cancelled, ImageError, OutOfMemory
from desktop_app.core.image import flatten, load_image
from desktop_app.core.image_ref import ImageRef, hash_pixels
from desktop_app.core.placement import Placement, place
from desktop_app.engine.annotators import derive

log = logging.getLogger(__name__)


def derive_ref(
    control: Control,
    picture: ImageRef,
    find_checkpoint: CheckpointPath,
    report: ReportProgress,
    cancel: CancelFlag,
    *,
    placement: Placement | None = None,
    make_room: Callable[[], None] = lambda: None,
) -> Derived:
    """See `Engine.derive`. ``make_room`` frees what the memory holds beside: it is called when that is full."""
    check(cancel)
    report(Progress(Phase.DERIVING))
    placed = placed_picture(picture, placement)
    try:
        return derive_image(control, placed, find_checkpoint, report, cancel)
    except OutOfMemory as e:
        log.info("%s: the checkpoints make room for the annotator", e)
    make_room()
    return derive_image(control, placed, find_checkpoint, report, cancel)


def derive_image(
    control: Control,
    picture: Image.Image,
    find_checkpoint: CheckpointPath,
    report: ReportProgress,
    cancel: CancelFlag,
) -> Derived:
    """The control image of ``picture``, RGB at the working size, in the same size; itself where it is one already.

    Raises `Cancelled` within one step of the annotator, or a `StudioError`.
    """

    def on_step(step: int, total: int) -> None:
        check(cancel)
        report(Progress(Phase.DERIVING, step=step, total=total))
        check(cancel)

    check(cancel)
    if not control.derive:
        return Derived(picture)
    image, note = derive(control, picture, find_checkpoint, on_step)
    check(cancel)
    return Derived(image, note)


def placed_picture(ref: ImageRef, placement: Placement | None = None) -> Image.Image:
    """The picture of a control as RGB, brought to a working size by ``placement``. Raises `ImageError`."""
    picture = load_image(ref.path, ref.name)
    if hash_pixels(picture) != ref.sha256:
        raise ImageError(
            "The picture of a control image has changed since it was chosen",
            ref.name or ref.path.name,
            "Open the picture again.",
        )
    flat = flatten(picture)
    return place(flat, placement) if placement else flat


def check(cancel: CancelFlag) -> None:
    """Raise `Cancelled` when the work shall stop."""
    if cancel.is_set():
        raise Cancelled
