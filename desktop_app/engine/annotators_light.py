"""Control images by plain arithmetic, without any download. Each takes RGB pixels and gives as many.

Strokes and lines are computed as the usual programs for ControlNet do it, whose checkpoints were trained on such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PIL import Image, ImageFilter

OnStep = Callable[[int, int], None]

STROKE_BLURS = (0.5, 5.0)
"""Standard deviations, in pixels, of the two blurs whose difference is a stroke."""

STROKE_DEPTH = 16
"""How much darker than its surroundings, of 255, a stroke has to be in every band."""

LINE_BLUR = 6.0
LINE_NOISE, LINE_FLOOR, LINE_LEVEL = 8, 16, 127
"""Of 255: what is no line, the least that the median of all lines is taken for, and what it is made to."""

TILE_HALVINGS = 3
COLOURS = 12
FLAT_GREY = 128


def strokes(picture: Image.Image, on_step: OnStep) -> Image.Image:
    """White strokes on black, where ``picture`` is darker than around."""
    import numpy

    pixels = numpy.asarray(picture, dtype=numpy.float32)
    sharp = blur(pixels, STROKE_BLURS[0], lambda: on_step(0, 3))
    soft = blur(pixels, STROKE_BLURS[1], lambda: on_step(1, 3))
    on_step(2, 3)
    depth = (soft - sharp).min(axis=2)
    return _grey((depth > STROKE_DEPTH).astype(numpy.uint8) * 255)


def lines(picture: Image.Image, on_step: OnStep) -> Image.Image:
    """Thin dark lines of ``picture`` as light ones on black; the median line comes out half white."""
    import numpy

    pixels = numpy.asarray(picture, dtype=numpy.float32)
    soft = blur(pixels, LINE_BLUR, lambda: on_step(0, 2))
    on_step(1, 2)
    depth = (soft - pixels).min(axis=2).clip(0, 255)
    found = depth[depth > LINE_NOISE]
    level = max(LINE_FLOOR, float(numpy.median(found))) if found.size else LINE_FLOOR
    return _grey((depth / level * LINE_LEVEL).clip(0, 255).astype(numpy.uint8))


def tile(picture: Image.Image, on_step: OnStep) -> Image.Image:
    """``picture`` with sides shortened to an eighth, and back."""
    on_step(0, 1)
    across, down = (max(1, side >> TILE_HALVINGS) for side in picture.size)
    return picture.resize((across, down), Image.Resampling.BOX).resize(picture.size, Image.Resampling.BICUBIC)


def luminance_depth(picture: Image.Image, on_step: OnStep) -> Image.Image | None:
    """Brightness, softened so that textures make no relief, from black to white; None where it is all the same."""
    import numpy

    on_step(0, 1)
    soft = picture.convert("L").filter(ImageFilter.GaussianBlur(max(picture.size) / 128))
    return depth_map(numpy.asarray(soft, dtype=numpy.float32))


def depth_map(depth: Any) -> Image.Image | None:
    """``depth`` (height, width), greater is nearer, as grey from black to white; None where it is all the same."""
    import numpy

    least, most = float(depth.min()), float(depth.max())
    if not most > least:
        return None
    return _grey(((depth - depth.min()) / (depth.max() - depth.min()) * 255).astype(numpy.uint8))


def flat(size: tuple[int, int]) -> Image.Image:
    """All of it at the same depth."""
    return Image.new("RGB", size, (FLAT_GREY,) * 3)


def areas(picture: Image.Image, on_step: OnStep) -> Image.Image:
    """``picture`` in few colours, without specks: each area has the mean of the colours in it."""
    import numpy

    on_step(0, 2)
    soft = picture.filter(ImageFilter.MedianFilter(5))
    on_step(1, 2)
    few = soft.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=4, dither=Image.Dither.NONE)
    numbers = Image.fromarray(numpy.asarray(few)).filter(ImageFilter.ModeFilter(7))
    numbers.putpalette(few.getpalette() or [])
    return numbers.convert("RGB")


def blur(pixels: Any, deviation: float, on_pass: Callable[[], None]) -> Any:
    """Gaussian blur of ``pixels`` (height, width, bands; float32); ``on_pass`` is called before each of two passes.

    The kernel reaches four deviations far; outside, the picture is mirrored at its border's pixels.
    """
    import numpy

    reach = round(deviation * 4)
    weights = numpy.exp(-0.5 * (numpy.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(numpy.float32)
    for axis in (0, 1):
        on_pass()
        padding = [(reach, reach) if each == axis else (0, 0) for each in range(3)]
        padded = numpy.pad(pixels, padding, mode="reflect")
        length = pixels.shape[axis]
        pixels = sum(weight * _cut(padded, axis, at, length) for at, weight in enumerate(weights))
    return pixels


def _grey(pixels: Any) -> Image.Image:
    return Image.fromarray(pixels).convert("RGB")


def _cut(pixels: Any, axis: int, at: int, length: int) -> Any:
    return pixels[at : at + length] if axis == 0 else pixels[:, at : at + length]
