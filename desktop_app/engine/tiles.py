"""Tiles: where a picture is cut into overlapping pieces, and how those fade into each other when they come back."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Span = tuple[int, int]
"""Where a tile begins and ends along one side, in pixels."""


@dataclass(frozen=True)
class Tile:
    """``box`` is left, top, right and bottom in the picture; ``share`` (height, width, 1), ``scale`` times as large,
    what it gives of each finished pixel.
    """

    box: tuple[int, int, int, int]
    share: Any


class Tiling:
    """Tiles of ``tile`` pixels a side that overlap by ``overlap`` pixels at least, of a picture of ``size`` whose
    sides come back ``scale`` times as long.
    """

    def __init__(self, size: tuple[int, int], scale: int, tile: int, overlap: int) -> None:
        self._columns, self._rows = (spans(side, tile, overlap) for side in size)
        self._scale = scale
        self._size = size

    def __len__(self) -> int:
        return len(self._columns) * len(self._rows)

    def __iter__(self) -> Iterator[Tile]:
        for (top, bottom), down in zip(self._rows, shares(self._rows, self._scale), strict=True):
            for (left, right), across in zip(self._columns, shares(self._columns, self._scale), strict=True):
                yield Tile((left, top, right, bottom), (down[:, None] * across[None, :])[:, :, None])

    def canvas(self) -> Any:
        """What `lay` adds to (height, width, 3): nothing so far."""
        import numpy

        width, height = self._size
        return numpy.zeros((height * self._scale, width * self._scale, 3), dtype=numpy.float32)

    def lay(self, canvas: Any, tile: Tile, pixels: Any) -> None:
        """Add the finished ``pixels`` (height, width, 3) of ``tile`` to ``canvas``."""
        left, top, right, bottom = (edge * self._scale for edge in tile.box)
        canvas[top:bottom, left:right] += pixels * tile.share


def spans(side: int, tile: int, overlap: int) -> list[Span]:
    """Along a ``side``: all of one length, evenly spread, from edge to edge."""
    if side <= tile:
        return [(0, side)]
    count = math.ceil((side - tile) / (tile - overlap)) + 1
    begins = [round(number * (side - tile) / (count - 1)) for number in range(count)]
    return [(begin, begin + tile) for begin in begins]


def shares(places: Sequence[Span], scale: int) -> list[Any]:
    """For each place along a side the share of each finished pixel that its tile gives: it rises from the neighbour's
    edge to its own and falls likewise, and all shares of one pixel are 1 together.
    """
    import numpy

    weights = [numpy.ones(scale * (end - begin)) for begin, end in places]
    for (first, second), (before, after) in zip(pairwise(places), pairwise(weights), strict=True):
        width = scale * (first[1] - second[0])
        ramp = (numpy.arange(width) + 0.5) / width
        before[-width:] *= ramp[::-1]
        after[:width] *= ramp
    total = numpy.zeros(scale * places[-1][1])
    for (begin, end), weight in zip(places, weights, strict=True):
        total[scale * begin : scale * end] += weight
    return [
        (weight / total[scale * begin : scale * end]).astype(numpy.float32)
        for (begin, end), weight in zip(places, weights, strict=True)
    ]
