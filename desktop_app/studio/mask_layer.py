"""MaskLayer: where the init image shall change. Painted on in place, undone piece by piece."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from PIL import Image, ImageChops
from PySide6.QtCore import QObject, QRect, QSize, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QUndoStack

from desktop_app.core.errors import StudioError
from desktop_app.studio.edits import EditMask
from desktop_app.studio.mask_steps import (
    NewMask,
    Patch,
    PatchFile,
    Place,
    Step,
    Swap,
    Weights,
    crop,
    marked,
    new_mask,
    pack,
    places_in,
    tile_at,
    weigh,
    weight_of,
)
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.qimage import from_grey, grey_view, to_grey

log = logging.getLogger(__name__)

PACK_MS = 700
"""So long the steps of undo stay plain pixels, while what was done is being shown."""

Draw = Callable[[QPainter], None]


class MaskLayer(QObject):
    """Lives in the GUI thread. Grey, of the init image's size: 0 stays, 255 shall change. Without a picture there is
    no mask either.

    What is painted shows at once and becomes one step of undo with `commit`. Nothing copies the whole mask for it, and
    steps are packed on the pool.
    """

    changed = Signal(QRect)
    """The pixels that are others now."""
    replaced = Signal()
    """A mask of another picture."""
    state_changed = Signal()
    """Empty, or no longer so; or what is marked is more or less than before. Not while it is being painted."""

    def __init__(self, undo_stack: QUndoStack, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._undo_stack = undo_stack
        self._image = QImage()
        self._before: dict[Place, QImage] = {}
        self._weights: Weights = {}
        self._file = PatchFile()
        self._unpacked: list[Step] = []
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PACK_MS)
        self._pause.timeout.connect(self.pack)
        self._packer = PoolRunner(self, serial=True)
        self._packer.finished.connect(self._on_packed)
        self._packer.failed.connect(self._on_pack_failed)
        self.revision = 0
        """Counts what was done to it; equal numbers mean equal masks."""

    # What there is --------------------------------------------------------------------------------

    @property
    def size(self) -> QSize | None:
        """That of the init image; None without one."""
        return None if self._image.isNull() else self._image.size()

    @property
    def is_empty(self) -> bool:
        """Whether nothing is marked, so that there is no mask for a run. A stroke counts when it is ended."""
        return not self._weights

    @property
    def coverage(self) -> float:
        """The marked share of the picture, 0 to 1."""
        if self._image.isNull():
            return 0.0
        return sum(self._weights.values()) / (255 * self._image.width() * self._image.height())

    @property
    def is_painted_on(self) -> bool:
        """Whether something was painted since the last `commit`."""
        return bool(self._before)

    def crop(self, rect: QRect) -> Image.Image:
        """A copy of a part that lies within the picture."""
        return crop(self._image, rect)

    def copy(self) -> Image.Image:
        """A copy of the whole mask. Raises `ImageError` without a picture."""
        return from_grey(self._image)

    def snapshot(self) -> QImage | None:
        """The mask as it is now, for another thread, or None when it is empty. It is copied by the next stroke only."""
        return None if self.is_empty else QImage(self._image)

    # Painting -------------------------------------------------------------------------------------

    def paint(self, rect: QRect, draw: Draw) -> None:
        """Let ``draw`` paint within ``rect``, in pixels of the picture. White shall change, black stays."""
        seen = rect & self._image.rect()
        if seen.isEmpty():
            return
        for place in places_in(seen):
            if place not in self._before:
                self._before[place] = self._image.copy(self._tile(place))
        painter = QPainter(self._image)
        painter.setClipRect(seen)
        draw(painter)
        painter.end()
        self._tell(seen)

    def commit(self, text: str) -> None:
        """Make what was painted one step of undo, called ``text``."""
        before, self._before = self._before, {}
        swaps: dict[Place, Swap] = {}
        for place, old in before.items():
            new = self._image.copy(self._tile(place))
            if new != old:
                swaps[place] = Swap(self._tile(place), old, new)
        if swaps:
            weights = {place: weight_of(grey_view(swap.after)) for place, swap in swaps.items()}
            rect = _united(swap.rect for swap in swaps.values())
            self._push(text, list(swaps.values()), marked({**self._weights, **weights}), rect)

    def abandon(self) -> None:
        """Take back what was painted since the last `commit`."""
        before, self._before = self._before, {}
        for place, old in before.items():
            self._put(self._tile(place), old)
        if before:
            self._tell(_united(self._tile(place) for place in before))

    def replace(self, text: str, mask: Image.Image) -> None:
        """Let the mask be ``mask``, of the picture's size, in one step of undo."""
        self.abandon()
        self.take(text, new_mask(mask, self.copy()))

    def take(self, text: str, new: NewMask) -> None:
        """Let the mask be ``new``, which was made from what it is now, in one step of undo. Moves no pixels."""
        self.abandon()
        if not new.rect.isEmpty():
            swap = Swap(self._image.rect(), QImage(self._image), QImage(new.image))
            self._image = QImage(new.image)
            self._tell(new.rect)
            self._push(text, [swap], new.weights, new.rect)

    def clear(self, text: str) -> None:
        """Mark nothing, in one step of undo."""
        if not self.is_empty:
            blank = QImage(self._image.size(), self._image.format())
            blank.fill(0)
            self.take(text, NewMask(blank, {}, _united(self._tile(place) for place in self._weights)))

    # For the document -----------------------------------------------------------------------------

    def show(self, size: QSize | None, image: QImage | None) -> None:
        """Be the mask ``image`` of a picture of ``size``, or an empty one; not undone here."""
        self._before = {}
        self._image = QImage()
        if size is not None:
            self._image = image or QImage(size, QImage.Format.Format_Grayscale8)
            if image is None:
                self._image.fill(0)
        self.revision += 1
        self._weights = marked(weigh(self._image, places_in(self._image.rect()))) if image is not None else {}
        self.replaced.emit()
        self.state_changed.emit()

    def close(self) -> None:
        """Let the thread end, and what is kept on the disk go."""
        self._pause.stop()
        self._packer.wait()
        self._file.close()

    # Steps of undo --------------------------------------------------------------------------------

    def pack(self) -> None:
        """Let the pool pack the steps that are plain pixels."""
        steps, self._unpacked = self._unpacked, []
        for step in steps:
            self._packer.start(step, partial(pack, step.swaps, self._file))

    def _push(self, text: str, swaps: Sequence[Swap], weights: Weights, rect: QRect) -> None:
        step = Step(rect, self._weights, weights, swaps)
        self._weights = weights
        self._unpacked.append(step)
        if not self._pause.isActive():
            self._pause.start()
        self._undo_stack.push(EditMask(text, self._do, step))
        self.state_changed.emit()

    def _do(self, step: Step, *, is_undone: bool) -> None:
        """Do ``step``, or undo it."""
        self.abandon()
        for swap in step.swaps:
            self._put(swap.rect, swap.before if is_undone else swap.after)
        change = ImageChops.subtract_modulo if is_undone else ImageChops.add_modulo
        for patch in step.patches:
            self._put(patch.rect, to_grey(change(self.crop(patch.rect), patch.difference())))
        self._weights = step.before if is_undone else step.after
        self._tell(step.rect)
        self.state_changed.emit()

    def _put(self, rect: QRect, pixels: QImage) -> None:
        if rect == self._image.rect():
            self._image = QImage(pixels)
            return
        painter = QPainter(self._image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.topLeft(), pixels)
        painter.end()

    def _on_packed(self, step: Step, patches: list[Patch]) -> None:
        step.swaps, step.patches = (), patches

    def _on_pack_failed(self, _step: Step, error: StudioError) -> None:
        """It stays as it is."""
        log.warning("A step of undo cannot be packed: %s", error.detail)

    def _tell(self, rect: QRect) -> None:
        self.revision += 1
        self.changed.emit(rect)

    def _tile(self, place: Place) -> QRect:
        return tile_at(place, self._image.rect())


def _united(rects: Iterable[QRect]) -> QRect:
    united = QRect()
    for rect in rects:
        united = united | rect
    return united
