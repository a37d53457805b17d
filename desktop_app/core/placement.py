"""Placement: how an init image comes to the working size, and how the result goes back to the init image's own."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from PIL import Image

from desktop_app.core.params import MULTIPLE, PARAM_SPECS, Fit

Size = tuple[int, int]
Box = tuple[float, float, float, float]

LONGEST_SIDE = int(PARAM_SPECS["width"].maximum or 0)
"""Of a working size; a picture of an extreme shape loses its ends to it."""


@dataclass(frozen=True)
class Placement:
    """``box`` (left, top, right, bottom) in pixels of the init image is what is used of it; it comes to lie in
    ``inner``, in pixels of the working size. Sizes are (width, height).
    """

    source: Size
    working: Size
    fit: Fit
    box: Box
    inner: tuple[int, int, int, int]


def working_size(source: Size, native: int, multiple: int = MULTIPLE) -> Size:
    """The size for a picture of size ``source`` with a checkpoint trained on ``native`` × ``native`` pixels: both sides
    multiples of ``multiple``, an area of about ``native`` squared, and an aspect ratio as near as can be.
    """
    if source[0] < source[1]:  # so that a picture on its side gets the same size on its side
        height, width = working_size((source[1], source[0]), native, multiple)
        return width, height
    ratio = source[0] / source[1]
    area = (native / multiple) ** 2
    longest = LONGEST_SIDE // multiple
    columns = min(round(math.sqrt(area * ratio)), longest)
    candidates = {
        (width, height)
        for width in range(max(columns - 1, 1), min(columns + 2, longest) + 1)
        for height in {max(math.floor(width / ratio), 1), max(math.ceil(width / ratio), 1)}
    }
    width, height = min(candidates, key=lambda size: (_cost(size, ratio, area), size))
    return width * multiple, height * multiple


def _cost(size: Size, ratio: float, area: float) -> float:
    """Twofold stretch costs as much as fourfold or quarter area, so the shape comes first."""
    return abs(math.log(size[0] / size[1] / ratio)) + 0.5 * abs(math.log(size[0] * size[1] / area))


def plan_placement(source: Size, working: Size, fit: Fit) -> Placement:
    """How a picture of size ``source`` fits ``working``."""
    whole_box = (0.0, 0.0, float(source[0]), float(source[1]))
    whole_inner = (0, 0, *working)
    if fit is Fit.CROP:
        return Placement(source, working, fit, _crop_box(source, working), whole_inner)
    if fit is Fit.PAD:
        return Placement(source, working, fit, whole_box, _inner_box(source, working))
    return Placement(source, working, fit, whole_box, whole_inner)


MAX_STRETCH = 1.05
"""So much a picture with a mask may be stretched on one side, so that none of it is cropped."""


def masked_fit(source: Size, working: Size, fit: Fit) -> Fit:
    """How a picture with a mask comes to the working size: it is not cropped where it fits nearly."""
    stretch = (working[0] * source[1]) / (working[1] * source[0])
    is_near = max(stretch, 1 / stretch) <= MAX_STRETCH
    return Fit.SCALE if fit is Fit.CROP and is_near else fit


def _crop_box(source: Size, working: Size) -> Box:
    """Whole pixels of the init image, so that what is given back lies exactly on it."""
    scale = min(source[0] / working[0], source[1] / working[1])
    width, height = (min(max(round(side * scale), 1), limit) for side, limit in zip(working, source, strict=True))
    left, top = (source[0] - width) // 2, (source[1] - height) // 2
    return float(left), float(top), float(left + width), float(top + height)


def _inner_box(source: Size, working: Size) -> tuple[int, int, int, int]:
    scale = min(working[0] / source[0], working[1] / source[1])
    width, height = (min(max(round(side * scale), 1), limit) for side, limit in zip(source, working, strict=True))
    left, top = (working[0] - width) // 2, (working[1] - height) // 2
    return left, top, left + width, top + height


def close_up(box: tuple[int, int, int, int], size: Size, working: Size) -> Placement:
    """How ``box`` of a picture of ``size`` comes to be seen alone, grown to the shape of ``working`` as far as the
    picture reaches.
    """
    width, height = box[2] - box[0], box[3] - box[1]
    wanted = max(width, round(height * working[0] / working[1])), max(height, round(width * working[1] / working[0]))
    left, right = _grow(box[0], box[2], wanted[0], size[0])
    top, bottom = _grow(box[1], box[3], wanted[1], size[1])
    grown = (float(left), float(top), float(right), float(bottom))
    return Placement(size, working, Fit.SCALE, grown, (0, 0, *working))


def _grow(low: int, high: int, wanted: int, limit: int) -> tuple[int, int]:
    length = min(wanted, limit)
    low = min(max(low - (length - (high - low)) // 2, 0), limit - length)
    return low, low + length


def beside(seen: Placement | None, source: Size, working: Size, fit: Fit) -> Placement:
    """How another picture, of size ``source``, comes to ``working`` where a run has ``seen`` of its init image: one
    that `lies_on` that is seen as it is; any other one fills the frame as ``fit`` says.
    """
    if seen is None or not lies_on(seen, source):
        return plan_placement(source, working, fit)
    across, down = source[0] / seen.source[0], source[1] / seen.source[1]
    left, top, right, bottom = seen.box
    return replace(seen, source=source, box=(left * across, top * down, right * across, bottom * down))


def lies_on(seen: Placement, source: Size) -> bool:
    """Whether a picture of size ``source`` has the shape of the init image, each side rounded; in a close-up it nearly
    has, as one whose sides are multiples of 64: it can show the part only if it lies on the whole.
    """
    whole = seen.source
    if seen.fit is Fit.SCALE and seen.box != (0.0, 0.0, float(whole[0]), float(whole[1])):
        stretch = source[0] * whole[1] / (source[1] * whole[0])
        return max(stretch, 1 / stretch) <= MAX_STRETCH
    small, large = sorted((source, whole))
    return any(abs(small[one] * large[two] / large[one] - small[two]) <= 1 for one, two in ((0, 1), (1, 0)))


def place(image: Image.Image, placement: Placement) -> Image.Image:
    """``image``, RGB at the source's size, at the working size; the same pixels where the sizes are equal."""
    left, top, right, bottom = placement.inner
    scaled = _resize(image, (right - left, bottom - top), placement.box)
    if scaled.size == placement.working:
        return scaled
    return _extend(scaled, placement)


def _extend(image: Image.Image, placement: Placement) -> Image.Image:
    """The outermost pixels drawn out to the edges."""
    left, top, right, bottom = placement.inner
    width, height = placement.working
    padded = Image.new(image.mode, placement.working)
    padded.paste(image, (left, top))
    for box, to in (
        ((left, top, left + 1, bottom), (0, top, left, bottom)),
        ((right - 1, top, right, bottom), (right, top, width, bottom)),
    ):
        _stretch(padded, box, to)
    for box, to in (
        ((0, top, width, top + 1), (0, 0, width, top)),
        ((0, bottom - 1, width, bottom), (0, bottom, width, height)),
    ):
        _stretch(padded, box, to)
    return padded


def _stretch(image: Image.Image, box: tuple[int, int, int, int], to: tuple[int, int, int, int]) -> None:
    size = (to[2] - to[0], to[3] - to[1])
    if min(size) > 0:
        image.paste(image.crop(box).resize(size, Image.Resampling.NEAREST), to[:2])


def take_back(
    result: Image.Image, placement: Placement, alpha: Image.Image | None = None, *, own_size: bool = True
) -> Image.Image:
    """``result``, RGB at the working size or a multiple of it, at `taken_back_size`; with the part of ``alpha``, a band
    at the source's size, that was used.
    """
    size = taken_back_size(placement, result.size, own_size=own_size)
    if is_enlarged(placement, result.size) or own_size:
        inner = _inner_part(result, placement)
        taken = _resize(inner, size, (0.0, 0.0, float(inner.width), float(inner.height)))
        alpha = alpha.crop(placement.box) if alpha else None
    else:
        taken = result
        alpha = place(alpha.convert("RGB"), placement).getchannel("R") if alpha else None
    if alpha is None:
        return taken
    whole = taken.copy()
    whole.putalpha(_resize(alpha, size, (0.0, 0.0, float(alpha.width), float(alpha.height))))
    return whole


def is_enlarged(placement: Placement, size: Size) -> bool:
    """Whether a result of ``size`` came out of an upscaler."""
    return size != placement.working


def taken_back_size(placement: Placement | None, size: Size, *, own_size: bool) -> Size:
    """Size in which a result of ``size`` is handed out: that of the used part of the init image, or as it came.

    What an upscaler made larger keeps the size that it made, without what was padded, and unstretched.
    """
    if placement is None:
        return size
    if not is_enlarged(placement, size):
        return used_size(placement) if own_size else size
    scale = size[0] / placement.working[0]
    left, top, right, bottom = placement.inner
    inner = round((right - left) * scale), round((bottom - top) * scale)
    if placement.fit is not Fit.SCALE:
        return inner
    used = used_size(placement)
    grown = math.sqrt(inner[0] * inner[1] / (used[0] * used[1]))
    return max(round(used[0] * grown), 1), max(round(used[1] * grown), 1)


def used_size(placement: Placement) -> Size:
    """Size of the part of the init image that is used."""
    left, top, right, bottom = placement.box
    return round(right - left), round(bottom - top)


def _inner_part(result: Image.Image, placement: Placement) -> Image.Image:
    if placement.inner == (0, 0, *placement.working):
        return result
    scale = result.width / placement.working[0]
    left, top, right, bottom = (round(side * scale) for side in placement.inner)
    return result.crop((left, top, right, bottom))


def _resize(image: Image.Image, size: Size, box: Box) -> Image.Image:
    if size == image.size and box == (0.0, 0.0, float(size[0]), float(size[1])):
        return image
    return image.resize(size, Image.Resampling.LANCZOS, box)
