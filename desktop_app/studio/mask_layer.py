"""MaskLayer: where the init image shall change. Painted on in place, undone piece by piece."""

from __future__ import annotations

import errno
import logging
import tempfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageChops
from PySide6.QtCore import QObject, QPoint, QRect, QSize, Signal
from PySide6.QtGui import QImage, QPainter, QUndoStack

from desktop_app.studio.edits import EditMask
from desktop_app.studio.qimage import from_grey, grey_view, to_grey

log = logging.getLogger(__name__)

TILE = 512
"""Side of the squares in which changes are kept."""

LARGE_PATCH = 64 * 1024
"""Bytes. Changes that need more are kept on the disk: the list of what can be undone is long."""

Draw = Callable[[QPainter], None]


@dataclass(frozen=True)
class Patch:
    """What a square of the mask has more than before (modulo 256), packed."""

    rect: QRect
    load: Callable[[], bytes]

    def difference(self) -> Image.Image:
        """Grey, of the size of ``rect``."""
        pixels = zlib.decompress(self.load())
        return Image.frombytes("L", (self.rect.width(), self.rect.height()), pixels)


class MaskLayer(QObject):
    """Lives in the GUI thread. Grey, of the init image's size: 0 stays, 255 shall change. Without a picture there is
    no mask either.

    What is painted shows at once and becomes one step of undo with `commit`. Nothing copies the whole mask for it.
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
        self._before: dict[tuple[int, int], QImage] = {}
        self._weights: dict[tuple[int, int], int] = {}
        self._large: IO[bytes] | None = None
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
        box = (rect.left(), rect.top(), rect.left() + rect.width(), rect.top() + rect.height())
        return grey_view(self._image).crop(box)

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
        for place in self._tiles(seen):
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
        patches = [patch for place, old in before.items() if (patch := self._patch(place, old)) is not None]
        if patches:
            self._weigh(before)
            self._undo_stack.push(EditMask(text, self._add, patches))
            self.state_changed.emit()

    def abandon(self) -> None:
        """Take back what was painted since the last `commit`."""
        before, self._before = self._before, {}
        for place, old in before.items():
            self._put(self._tile(place), grey_view(old))

    def replace(self, text: str, mask: Image.Image) -> None:
        """Let the mask be ``mask``, of the picture's size, in one step of undo."""
        self.abandon()
        everything = list(self._tiles(self._image.rect()))
        for place in everything:
            tile = self._tile(place)
            new = mask.crop((tile.left(), tile.top(), tile.left() + tile.width(), tile.top() + tile.height()))
            old = self._image.copy(tile)
            if ImageChops.difference(grey_view(old), new).getbbox() is not None:
                self._before[place] = old
                self._put(tile, new)
        self.commit(text)

    def clear(self, text: str) -> None:
        """Mark nothing, in one step of undo."""
        if self.size is not None and not self.is_empty:
            self.replace(text, Image.new("L", self._image.size().toTuple()))

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
        self._weights = {}
        if image is not None:
            self._weigh(self._tiles(self._image.rect()))
        self.replaced.emit()
        self.state_changed.emit()

    def close(self) -> None:
        """Let go what is kept on the disk."""
        if self._large is not None:
            self._large.close()
            self._large = None

    # Patches --------------------------------------------------------------------------------------

    def _patch(self, place: tuple[int, int], old: QImage) -> Patch | None:
        tile = self._tile(place)
        difference = ImageChops.subtract_modulo(self.crop(tile), grey_view(old))
        box = difference.getbbox()
        if box is None:
            return None
        rect = QRect(tile.left() + box[0], tile.top() + box[1], box[2] - box[0], box[3] - box[1])
        return Patch(rect, self._keep(zlib.compress(difference.crop(box).tobytes(), 1)))

    def _keep(self, packed: bytes) -> Callable[[], bytes]:
        """How to get ``packed`` again. It stays in memory where the disk has no room for it."""
        try:
            at = self._write(packed) if len(packed) >= LARGE_PATCH else None
        except OSError as e:
            log.info("A step of undo is kept in memory: %s", e)
            at = None
        file, length = self._large, len(packed)
        if file is None or at is None:
            return lambda: packed

        def load() -> bytes:
            file.seek(at)
            return file.read(length)

        return load

    def _write(self, packed: bytes) -> int:
        """Where in the file it is now. Raises `OSError`."""
        if self._large is None:
            self._large = tempfile.TemporaryFile(prefix="underpaint-mask-", buffering=0)  # noqa: SIM115 - see `close`
        at = self._large.seek(0, 2)
        if self._large.write(packed) < len(packed):
            raise OSError(errno.ENOSPC, "the disk is full")
        return at

    def _add(self, patches: Iterable[Patch], *, is_undone: bool) -> None:
        """Do, or undo, what ``patches`` say."""
        self.abandon()
        change = ImageChops.subtract_modulo if is_undone else ImageChops.add_modulo
        places: set[tuple[int, int]] = set()
        for patch in patches:
            self._put(patch.rect, change(self.crop(patch.rect), patch.difference()))
            places.update(self._tiles(patch.rect))
        self._weigh(places)
        self.state_changed.emit()

    def _put(self, rect: QRect, pixels: Image.Image) -> None:
        painter = QPainter(self._image)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(rect.topLeft(), to_grey(pixels))
        painter.end()
        self._tell(rect)

    def _tell(self, rect: QRect) -> None:
        self.revision += 1
        self.changed.emit(rect)

    def _weigh(self, places: Iterable[tuple[int, int]]) -> None:
        for place in places:
            histogram = self.crop(self._tile(place)).histogram()
            weight = sum(value * count for value, count in enumerate(histogram))
            if weight:
                self._weights[place] = weight
            else:
                self._weights.pop(place, None)

    def _tile(self, place: tuple[int, int]) -> QRect:
        return QRect(QPoint(place[0] * TILE, place[1] * TILE), QSize(TILE, TILE)) & self._image.rect()

    def _tiles(self, rect: QRect) -> Iterable[tuple[int, int]]:
        columns = range(rect.left() // TILE, rect.right() // TILE + 1)
        return [(x, y) for y in range(rect.top() // TILE, rect.bottom() // TILE + 1) for x in columns]
