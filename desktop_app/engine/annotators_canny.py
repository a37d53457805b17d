"""Canny's edges (1986), computed as OpenCV computes them, as those were that the ControlNets were trained on; no pixel
differs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TANGENT_22 = 13573
"""tan(22.5 degrees) times 2**15."""

_LOOK = 64
"""After so many steps along the edges it is asked whether to go on."""


def canny(pixels: Any, low: int, high: int, on_step: Callable[[int, int], None]) -> Any:
    """The edges in ``pixels`` (height, width, 3; uint8) as (height, width) of 0 and 255.

    An edge goes on while the gradient is above the lower threshold, and counts where it is above the higher one
    somewhere. Gradients are |dx| + |dy| of Sobel's 3 x 3, up to 2040, of the band in which they are greatest.
    """
    import numpy

    low, high = min(low, high), max(low, high)
    on_step(0, 3)
    across, down = _gradients(pixels)
    size = numpy.abs(across) + numpy.abs(down)
    band = size.argmax(axis=2)[..., None]
    across, down, size = (numpy.take_along_axis(each, band, axis=2)[..., 0] for each in (across, down, size))
    on_step(1, 3)
    edges = _ridges(across, down, size) & (size > low)
    on_step(2, 3)
    found = _follow(edges, edges & (size > high), on_step)
    on_step(3, 3)
    return found.astype(numpy.uint8) * 255


def _gradients(pixels: Any) -> tuple[Any, Any]:
    """Sobel's differences across and down; outside, the picture goes on as its border is."""
    import numpy

    padded = numpy.pad(pixels.astype(numpy.int32), ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = padded[:-2] + 2 * padded[1:-1] + padded[2:]
    columns = padded[:, :-2] + 2 * padded[:, 1:-1] + padded[:, 2:]
    return rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2]


def _ridges(across: Any, down: Any, size: Any) -> Any:
    """Where the gradient is greater than at both neighbours in its own direction, of four."""
    import numpy

    padded = numpy.pad(size, 1)

    def at(row: int, column: int) -> Any:
        return padded[1 + row : 1 + row + size.shape[0], 1 + column : 1 + column + size.shape[1]]

    slope, steepness = numpy.abs(across) * TANGENT_22, numpy.abs(down) << 15
    is_flat = steepness < slope
    is_steep = steepness > slope + (numpy.abs(across) << 16)
    flat = (size > at(0, -1)) & (size >= at(0, 1))
    steep = (size > at(-1, 0)) & (size >= at(1, 0))
    falling = (size > at(-1, -1)) & (size > at(1, 1))
    rising = (size > at(-1, 1)) & (size > at(1, -1))
    slanted = numpy.where((across ^ down) < 0, rising, falling)
    return numpy.select([is_flat, is_steep], [flat, steep], slanted)


def _follow(edges: Any, strong: Any, on_step: Callable[[int, int], None]) -> Any:
    """The ``edges`` that touch a ``strong`` one, be it over others."""
    import numpy

    is_open = numpy.pad(edges & ~strong, 1)
    found = numpy.pad(strong, 1)
    width = found.shape[1]
    around = numpy.array([row * width + column for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column])
    still, reached = is_open.reshape(-1), found.reshape(-1)
    front, step = numpy.flatnonzero(found), 0
    while front.size:
        near = (front[:, None] + around).reshape(-1)
        front = numpy.unique(near[still[near]])
        still[front], reached[front] = False, True
        step += 1
        if step % _LOOK == 0:
            on_step(2, 3)
    return found[1:-1, 1:-1]
