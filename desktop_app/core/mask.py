"""Editing masks as a whole: growing, filling, reading them from other pictures. Pillow only.

A mask is a grey picture (mode L): 0 stays as it is, 255 shall change. Nothing here changes what it is given.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageOps

from desktop_app.core.errors import ImageError
from desktop_app.core.image import encode_png
from desktop_app.core.image_ref import hash_pixels
from desktop_app.core.masking import widened

Point = tuple[int, int]
Size = tuple[int, int]

DIAGONAL_SHARE = 1 - 0.5**0.5
"""How much of a growth goes along the diagonals, so that a point grows to a regular octagon."""

HALF = 128
"""From this value on a pixel counts as marked where there is only yes and no."""

_RUN = re.compile(rb"\xff+")


def invert(mask: Image.Image) -> Image.Image:
    """What stayed shall change, and the other way round."""
    return ImageChops.invert(mask)


def grow(mask: Image.Image, pixels: int) -> Image.Image:
    """``mask`` with everything that is marked larger by ``pixels`` on each side; soft edges stay soft."""
    found = mask.getbbox()
    if found is None or pixels <= 0:
        return mask
    box = widened(found, pixels, mask.size)
    grown = mask.copy()
    grown.paste(_grown(mask.crop(box), pixels), box[:2])
    return grown


def shrink(mask: Image.Image, pixels: int) -> Image.Image:
    """``mask`` with everything that is marked smaller by ``pixels`` on each side, but not at the picture's edge."""
    found = mask.getbbox()
    if found is None or pixels <= 0:
        return mask
    box = widened(found, 1, mask.size)
    shrunk = mask.copy()
    shrunk.paste(invert(_grown(invert(mask.crop(box)), pixels)), box[:2])
    return shrunk


def flood(picture: Image.Image, at: Point, tolerance: int) -> Image.Image:
    """The mask of the region around ``at`` whose colour is that of ``at``, within ``tolerance`` (0 to 255) a band.

    Of what is transparent the colour does not count. Raises `ImageError` for a point beside the picture.
    """
    if not (0 <= at[0] < picture.width and 0 <= at[1] < picture.height):
        raise ImageError("Nothing was filled", "That point is beside the picture.", "Click into the picture.")
    similar = Image.new("L", picture.size, 255)
    for band in _bands(picture):
        wanted = band.crop((*at, at[0] + 1, at[1] + 1)).tobytes()[0]
        table = [255 if abs(value - wanted) <= tolerance else 0 for value in range(256)]
        similar = ImageChops.darker(similar, band.point(table))
    return _connected(similar, [at])


def fill_holes(mask: Image.Image) -> Image.Image:
    """``mask`` with the areas filled that are marked all around."""
    free = mask.point([255 if value < HALF else 0 for value in range(256)])
    width, height = mask.size
    border = [(x, y) for y in (0, height - 1) for x in range(width)]
    border += [(x, y) for x in (0, width - 1) for y in range(height)]
    outside = _connected(free, border)
    return ImageChops.lighter(mask, ImageChops.subtract(free, outside))


def join(mask: Image.Image, other: Image.Image) -> Image.Image:
    """What either marks."""
    return ImageChops.lighter(mask, other)


def take_away(mask: Image.Image, other: Image.Image) -> Image.Image:
    """What ``mask`` marks and ``other`` does not."""
    return ImageChops.darker(mask, ImageChops.invert(other))


def from_alpha(picture: Image.Image) -> Image.Image:
    """The mask of what is transparent in ``picture``. Raises `ImageError` where nothing is."""
    if "A" not in picture.getbands() or picture.getchannel("A").getextrema() == (255, 255):
        hint = "Open a picture with transparent parts, or paint the mask."
        raise ImageError("Nothing of the init image is transparent", "", hint)
    return ImageChops.invert(picture.getchannel("A"))


def from_picture(picture: Image.Image) -> Image.Image:
    """The mask that any ``picture`` tells: its brightness; what is transparent stays."""
    grey = picture.convert("RGB").convert("L")
    return ImageChops.multiply(grey, picture.getchannel("A")) if "A" in picture.getbands() else grey


def fitted(mask: Image.Image, size: Size) -> Image.Image:
    """``mask`` brought to ``size``."""
    return mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)


@dataclass(frozen=True)
class EncodedMask:
    """A mask as a picture that can be kept: ``content`` is a grey PNG of ``size``, ``sha256`` the hash of what the
    loader makes of it, which is RGB with three equal bands.
    """

    content: bytes
    sha256: str
    size: Size


def encode(mask: Image.Image) -> EncodedMask:
    """``mask``, ready to be kept. Of a large one it takes a moment."""
    return EncodedMask(encode_png(mask), hash_pixels(mask, "RGB"), mask.size)


def _grown(mask: Image.Image, pixels: int) -> Image.Image:
    """Each point of ``mask`` grown to an octagon: along the two axes, then along the two diagonals. The way to a place
    may lead past the edge, so there is room around meanwhile.
    """
    size = mask.size
    mask = ImageOps.expand(mask, pixels)
    diagonal = min(round(DIAGONAL_SHARE * pixels), (pixels - 1) // 2)
    straight = pixels - 2 * diagonal
    for (across, down), length in (((1, 0), straight), ((0, 1), straight), ((1, 1), diagonal), ((1, -1), diagonal)):
        for sign in (1, -1):
            mask = _drawn_out(mask, (sign * across, sign * down), length)
    return mask.crop((pixels, pixels, pixels + size[0], pixels + size[1]))


def _drawn_out(mask: Image.Image, step: Point, length: int) -> Image.Image:
    """Each point of ``mask`` drawn out to a line of ``length`` steps. Each pass doubles what the last one reached."""
    reached = 0
    while reached < length:
        shift = min(reached + 1, length - reached)
        moved = Image.new("L", mask.size)
        moved.paste(mask, (shift * step[0], shift * step[1]))
        mask = ImageChops.lighter(mask, moved)
        reached += shift
    return mask


def _bands(picture: Image.Image) -> tuple[Image.Image, ...]:
    return picture.convert("RGBa").split() if "A" in picture.getbands() else picture.convert("RGB").split()


class _Runs:
    """The runs of 255 in the lines of a picture, found line by line when they are asked for."""

    def __init__(self, picture: Image.Image) -> None:
        self._width = picture.width
        self._pixels = picture.tobytes()
        self._lines: dict[int, tuple[list[int], list[int]]] = {}
        self._seen: dict[int, bytearray] = {}

    def take(self, y: int, start: int, end: int) -> list[Point]:
        """The runs of line ``y`` that share a column with ``start`` to ``end`` and were not taken before."""
        starts, ends = self._line(y)
        seen, found = self._seen[y], []
        number = bisect_right(ends, start)
        while number < len(starts) and starts[number] < end:
            if not seen[number]:
                seen[number] = 1
                found.append((starts[number], ends[number]))
            number += 1
        return found

    def _line(self, y: int) -> tuple[list[int], list[int]]:
        if y not in self._lines:
            first = y * self._width
            matches = list(_RUN.finditer(self._pixels, first, first + self._width))
            self._lines[y] = ([m.start() - first for m in matches], [m.end() - first for m in matches])
            self._seen[y] = bytearray(len(matches))
        return self._lines[y]


def _connected(picture: Image.Image, seeds: Iterable[Point]) -> Image.Image:
    """What is 255 in ``picture`` (which has only 0 and 255) and hangs together with one of ``seeds``."""
    width, height = picture.size
    runs, found = _Runs(picture), bytearray(width * height)
    waiting = [(y, start, end) for x, y in seeds for start, end in runs.take(y, x, x + 1)]
    while waiting:
        y, start, end = waiting.pop()
        found[y * width + start : y * width + end] = b"\xff" * (end - start)
        for other in (y - 1, y + 1):
            if 0 <= other < height:
                waiting += [(other, *run) for run in runs.take(other, start, end)]
    return Image.frombytes("L", picture.size, bytes(found))
