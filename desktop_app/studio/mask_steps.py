"""Steps of undo of a mask: plain pixels at first, so that nobody waits for them, and packed soon after, on the pool."""

from __future__ import annotations

import errno
import logging
import tempfile
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import mul
from typing import IO

from PIL import Image, ImageChops
from PySide6.QtCore import QPoint, QRect, QSize
from PySide6.QtGui import QImage

from desktop_app.studio.qimage import grey_view, to_grey

log = logging.getLogger(__name__)

TILE = 512
"""Side of the squares in which changes are kept."""

LARGE_PATCH = 64 * 1024
"""Bytes. Changes that need more are kept on the disk: the list of what can be undone is long."""

Place = tuple[int, int]
"""Column and row of a square."""

Weights = Mapping[Place, int]
"""The sum of the pixels of each square in which something is marked."""


@dataclass(frozen=True)
class Swap:
    """The pixels of ``rect`` before and after a change. Nobody paints on these images."""

    rect: QRect
    before: QImage
    after: QImage


@dataclass(frozen=True)
class Patch:
    """What a piece of the mask has more than before (modulo 256)."""

    rect: QRect
    flat: int
    """The difference, where it is the same everywhere."""
    load: Callable[[], bytes] | None
    """Gives the packed differences, where they are not."""

    def difference(self) -> Image.Image:
        """Grey, of the size of ``rect``."""
        size = (self.rect.width(), self.rect.height())
        if self.load is None:
            return Image.new("L", size, self.flat)
        return Image.frombytes("L", size, zlib.decompress(self.load()))


@dataclass(eq=False)
class Step:
    """A change of the mask within ``rect``, to be undone and done again. Lives in the GUI thread."""

    rect: QRect
    before: Weights
    after: Weights
    swaps: Sequence[Swap]
    """None any more once it is packed."""
    patches: Sequence[Patch] = field(default_factory=tuple)


@dataclass(frozen=True)
class NewMask:
    """A mask that is to take the place of another, from which it differs within ``rect`` only."""

    image: QImage
    weights: Weights
    rect: QRect


class PatchFile:
    """Keeps packed differences, the large ones on the disk as long as there is room. For any thread."""

    def __init__(self) -> None:
        self._file: IO[bytes] | None = None
        self._lock = threading.Lock()

    @property
    def is_used(self) -> bool:
        """Whether something is on the disk."""
        return self._file is not None

    def keep(self, packed: bytes) -> Callable[[], bytes]:
        """How to get ``packed`` again. It stays in memory where the disk has no room for it."""
        try:
            at = self._write(packed) if len(packed) >= LARGE_PATCH else None
        except OSError as e:
            log.info("A step of undo is kept in memory: %s", e)
            at = None
        file, length = self._file, len(packed)
        if file is None or at is None:
            return lambda: packed

        def load() -> bytes:
            with self._lock:
                file.seek(at)
                return file.read(length)

        return load

    def close(self) -> None:
        """Let go what is on the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _write(self, packed: bytes) -> int:
        """Where in the file it is now. Raises `OSError`."""
        with self._lock:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="underpaint-mask-", buffering=0)  # noqa: SIM115 - see `close`
            at = self._file.seek(0, 2)
            if self._file.write(packed) < len(packed):
                raise OSError(errno.ENOSPC, "the disk is full")
            return at


def places_in(rect: QRect) -> list[Place]:
    """The squares that ``rect`` touches."""
    columns = range(rect.left() // TILE, rect.right() // TILE + 1)
    return [(x, y) for y in range(rect.top() // TILE, rect.bottom() // TILE + 1) for x in columns]


def tile_at(place: Place, whole: QRect) -> QRect:
    """The pixels of the square ``place`` that lie within ``whole``: a mask, or a part of one."""
    return QRect(QPoint(place[0] * TILE, place[1] * TILE), QSize(TILE, TILE)) & whole


def crop(image: QImage, rect: QRect) -> Image.Image:
    """A copy of a part that lies within a grey image."""
    return grey_view(image).crop(_box(rect))


def weigh(image: QImage, places: Iterable[Place]) -> dict[Place, int]:
    """The weights of ``places``; 0 where nothing is marked."""
    return {place: weight_of(crop(image, tile_at(place, image.rect()))) for place in places}


def weight_of(mask: Image.Image) -> int:
    """The sum of its pixels."""
    return sum(map(mul, range(256), mask.histogram()))


def marked(weights: Weights) -> Weights:
    """Those of ``weights`` where something is marked."""
    return {place: weight for place, weight in weights.items() if weight}


def new_mask(mask: Image.Image, before: Image.Image) -> NewMask:
    """``mask``, ready to take the place of ``before``, which has its size. For any thread."""
    rect = QRect()
    whole = QRect(0, 0, mask.width, mask.height)
    for place in places_in(whole):
        tile = tile_at(place, whole)
        box = ImageChops.difference(before.crop(_box(tile)), mask.crop(_box(tile))).getbbox()
        if box is not None:
            rect |= _rect(box).translated(tile.topLeft())
    image = to_grey(mask)
    return NewMask(image, marked(weigh(image, places_in(whole))), rect)


def pack(swaps: Sequence[Swap], file: PatchFile) -> list[Patch]:
    """What ``swaps`` change, in little room. For the pool."""
    pieces = (_piece(swap, place, file) for swap in swaps for place in places_in(swap.rect))
    return [patch for patch in pieces if patch is not None]


def _piece(swap: Swap, place: Place, file: PatchFile) -> Patch | None:
    tile = tile_at(place, swap.rect)
    inside = tile.translated(-swap.rect.topLeft())
    difference = ImageChops.subtract_modulo(crop(swap.after, inside), crop(swap.before, inside))
    box = difference.getbbox()
    if box is None:
        return None
    rect, part = _rect(box).translated(tile.topLeft()), difference.crop(box)
    least, most = part.getextrema()
    if least == most:
        return Patch(rect, part.crop((0, 0, 1, 1)).tobytes()[0], None)
    return Patch(rect, 0, file.keep(zlib.compress(part.tobytes(), 1)))


def _box(rect: QRect) -> tuple[int, int, int, int]:
    return rect.left(), rect.top(), rect.left() + rect.width(), rect.top() + rect.height()


def _rect(box: tuple[int, int, int, int]) -> QRect:
    return QRect(box[0], box[1], box[2] - box[0], box[3] - box[1])
