"""Masks: where a picture shall change, how softly, and putting what was painted there onto the picture. Pillow only.

A mask is a grey picture (mode L): 0 stays as it is, 255 shall change.
"""

from __future__ import annotations

from PIL import Image, ImageFilter

from desktop_app.core.errors import ImageError

Box = tuple[int, int, int, int]
Size = tuple[int, int]


def soften(mask: Image.Image, feather: int) -> Image.Image:
    """``mask`` with edges that go over within ``feather`` pixels on either side; farther away nothing changes.

    Three averages over squares, whose sides together reach just that far: nearly a bell, but with an end.
    """
    for radius in _radii(feather):
        mask = mask.filter(ImageFilter.BoxBlur(radius))
    return mask


def _radii(feather: int) -> list[int]:
    return [radius for radius in (feather // 3 + (part < feather % 3) for part in range(3)) if radius > 0]


def check_mask(mask: Image.Image, size: Size) -> None:
    """Raise `ImageError` unless ``mask`` has ``size`` and marks something."""
    if mask.size != size:
        detail = f"it has {mask.width} × {mask.height} pixels, the picture {size[0]} × {size[1]}"
        raise ImageError("The mask does not fit the init image", detail, "Make a mask of the same size.")
    if mask.getextrema() == (0, 0):
        raise ImageError("The mask is empty", "nothing is marked to change", "Paint over what shall change.")


def masked_box(mask: Image.Image, feather: int, padding: int) -> Box:
    """What of the picture is to be seen to paint the masked part: the part, its soft edge, and ``padding`` around."""
    found = mask.getbbox()
    assert found, "an empty mask was let through"
    return widened(found, feather + padding, mask.size)


def seen_box(mask: Image.Image, feather: int, padding: int) -> Box:
    """The `masked_box` of ``mask`` once it is softened by ``feather``, without softening all of it. Where nothing would
    be left, it is taken as it is.
    """
    near = widened(mask.getbbox() or (0, 0, *mask.size), feather, mask.size)
    part = mask.crop(near)
    left, top, right, bottom = soften(part, feather).getbbox() or (0, 0, *part.size)
    return widened((near[0] + left, near[1] + top, near[0] + right, near[1] + bottom), padding, mask.size)


def widened(box: Box, reach: int, size: Size) -> Box:
    """``box`` and ``reach`` pixels around it, as far as a picture of ``size`` goes."""
    left, top, right, bottom = box
    return max(left - reach, 0), max(top - reach, 0), min(right + reach, size[0]), min(bottom + reach, size[1])


def lay_over(original: Image.Image, painted: Image.Image, mask: Image.Image) -> Image.Image:
    """``painted`` on ``original`` (both RGB or RGBA of one mode and size) as far as the softened ``mask`` says.

    Where the mask is 0 every byte is the original's, where it is 255 the painted one's.
    """
    return Image.composite(painted, original, mask)
