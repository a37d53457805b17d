"""Tiles cover the picture, and nobody sees where they meet."""

from __future__ import annotations

from itertools import pairwise

import numpy
import pytest

from desktop_app.engine.tiles import Tiling, shares, spans

SIDES = pytest.mark.parametrize(
    ("side", "tile", "overlap"), [(1024, 256, 32), (257, 256, 32), (60, 16, 4), (600, 256, 200), (90, 128, 16)]
)


@SIDES
def test_tiles_reach_from_edge_to_edge_and_overlap(side, tile, overlap):
    places = spans(side, tile, overlap)
    assert (places[0][0], places[-1][1]) == (0, side)
    assert all(end - begin == min(tile, side) for begin, end in places)
    assert all(first[1] - second[0] >= overlap for first, second in pairwise(places))


@SIDES
def test_the_shares_of_one_pixel_are_one_together(side, tile, overlap):
    places = spans(side, tile, overlap)
    total = numpy.zeros(3 * side)
    for (begin, end), share in zip(places, shares(places, 3), strict=True):
        total[3 * begin : 3 * end] += share
    assert numpy.allclose(total, 1, atol=1e-6)


def test_a_flat_picture_stays_flat_where_tiles_meet():
    tiling = Tiling((70, 50), 2, 32, 8)
    canvas = tiling.canvas()
    for tile in tiling:
        left, top, right, bottom = tile.box
        tiling.lay(canvas, tile, numpy.full((2 * (bottom - top), 2 * (right - left), 3), 0.4, dtype=numpy.float32))
    assert canvas.shape == (100, 140, 3)
    assert numpy.abs(canvas - 0.4).max() < 1e-6


def test_tiles_that_differ_fade_into_each_other():
    tiling = Tiling((48, 16), 1, 32, 16)
    canvas = tiling.canvas()
    for number, tile in enumerate(tiling):
        tiling.lay(canvas, tile, numpy.full((16, 32, 3), float(number), dtype=numpy.float32))
    steps = numpy.diff(canvas[0, :, 0])
    assert len(tiling) == 2
    assert (canvas[0, 0, 0], canvas[0, -1, 0]) == (0, 1)
    assert 0 <= steps.min() <= steps.max() < 0.07
