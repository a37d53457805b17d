"""Outpainting: a picture with new room around it, filled so that inpainting can begin there. Pillow only."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter, ImageOps

from desktop_app.core.errors import ImageError
from desktop_app.core.image import MAX_PIXELS, MAX_SIDE

OVERLAP = 8
"""Pixels of the old picture beside the new room that may change too, so that no seam is left."""

BLUR_SHARE = 8
MIN_BLUR, MAX_BLUR = 2, 64
"""Far out the filling is blurred by this share of the new room, within these pixels."""

Size = tuple[int, int]


@dataclass(frozen=True)
class Margins:
    """New room on each side, in pixels of the picture."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is none."""
        return max(self.left, self.top, self.right, self.bottom) <= 0

    def around(self, size: Size) -> Size:
        """A picture's ``size`` with the new room."""
        return size[0] + self.left + self.right, size[1] + self.top + self.bottom


def check_room(size: Size, margins: Margins) -> None:
    """Raise `ImageError` when a picture of ``size`` would become larger than the program opens."""
    width, height = margins.around(size)
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        detail = f"{width} × {height} pixels; up to {MAX_PIXELS // 1_000_000} million are opened"
        raise ImageError("The picture would become too large", detail, "Give it less room.")


def extend(picture: Image.Image, margins: Margins) -> Image.Image:
    """``picture`` (RGB or RGBA) with its mirror image in the new room, sharp at the edge and blurred farther out.

    The mirror image carries the colours and the grain over the edge; the blur keeps its shapes from being taken for
    something that is to be painted. The pixels of ``picture`` are untouched. Raises `ImageError`.
    """
    check_room(picture.size, margins)
    mirrored = _mirrored(picture, margins)
    blurred = _blurred(mirrored, _blur_radius(margins))
    filled = Image.composite(blurred, mirrored, _distance(picture.size, margins))
    filled.paste(picture, (margins.left, margins.top))
    return filled


def extend_mask(mask: Image.Image | None, size: Size, margins: Margins, overlap: int) -> Image.Image:
    """The mask of the new room around a picture of ``size`` and of ``overlap`` pixels inside its edge, beside what
    ``mask`` (of that size, or None) marks already.
    """
    extended = Image.new("L", margins.around(size), 255)
    sides = ((margins.left, margins.right, size[0]), (margins.top, margins.bottom, size[1]))
    (left, right), (top, bottom) = (_inner(before, after, side, overlap) for before, after, side in sides)
    extended.paste(0, (left, top, right, bottom))
    if mask is not None:
        whole = Image.new("L", extended.size)
        whole.paste(mask, (margins.left, margins.top))
        extended = ImageChops.lighter(extended, whole)
    return extended


def _inner(before: int, after: int, side: int, overlap: int) -> tuple[int, int]:
    """Where what stays begins and ends along one side; at least a pixel of it is left."""
    inside = min(overlap, max((side - 1) // 2, 0))
    return before + (inside if before else 0), before + side - (inside if after else 0)


def _mirrored(picture: Image.Image, margins: Margins) -> Image.Image:
    """Tiles of the picture, every other one mirrored, so that edges meet their own mirror image."""
    width, height = picture.size
    mirrored = Image.new(picture.mode, margins.around(picture.size))
    for row in range(-(-margins.top // height) * -1, -(-margins.bottom // height) + 1):
        line = ImageOps.flip(picture) if row % 2 else picture
        for column in range(-(-margins.left // width) * -1, -(-margins.right // width) + 1):
            tile = ImageOps.mirror(line) if column % 2 else line
            mirrored.paste(tile, (margins.left + column * width, margins.top + row * height))
    return mirrored


def _blur_radius(margins: Margins) -> int:
    widest = max(margins.left, margins.top, margins.right, margins.bottom)
    return min(max(widest // BLUR_SHARE, MIN_BLUR), MAX_BLUR)


def _blurred(picture: Image.Image, radius: int) -> Image.Image:
    """Transparent pixels lend no colour to their neighbours."""
    blur = ImageFilter.BoxBlur(radius)
    if picture.mode != "RGBA":
        return picture.filter(blur).filter(blur)
    return picture.convert("RGBa").filter(blur).filter(blur).convert("RGBA")


def _distance(size: Size, margins: Margins) -> Image.Image:
    """Grey: 0 in the picture and at its edge, 255 from half of the new room outwards."""
    width, height = margins.around(size)
    across = Image.frombytes("L", (width, 1), _ramp(margins.left, size[0], margins.right))
    down = Image.frombytes("L", (1, height), _ramp(margins.top, size[1], margins.bottom))
    return ImageChops.lighter(across.resize((width, height)), down.resize((width, height)))


def _ramp(before: int, side: int, after: int) -> bytes:
    """A line of greys from the new room on one side, over the picture, to that on the other."""
    first = [min(510 * (before - x) // before, 255) for x in range(before)]
    last = [min(510 * (x + 1) // after, 255) for x in range(after)]
    return bytes(first + [0] * side + last)
