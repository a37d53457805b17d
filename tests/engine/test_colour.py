"""Colour match: statistics of the root picture, and pictures that have them already stay as they are."""

import numpy
import pytest
from PIL import Image, ImageChops, ImageStat
from support import make_picture

from desktop_app.core.conditions import ColourMatch
from desktop_app.engine import colour
from desktop_app.engine.colour import _to_lab, match_colours


def toned(picture, factors):
    bands = [
        band.point(lambda value, factor=factor: round(value * factor))
        for band, factor in zip(picture.split(), factors, strict=True)
    ]
    return Image.merge("RGB", bands)


ROOT = make_picture((48, 40), "RGB", 3)


def largest_difference(first, second):
    return max(high for _low, high in ImageChops.difference(first, second).getextrema())


def test_off_gives_the_very_same_picture():
    assert match_colours(ROOT, make_picture((9, 9), "RGB", 1), ColourMatch.OFF) is ROOT


@pytest.mark.parametrize("match", [ColourMatch.LUMINANCE, ColourMatch.LAB])
def test_a_picture_matched_to_itself_does_not_change(match):
    assert largest_difference(match_colours(ROOT, ROOT, match), ROOT) <= 1


def test_a_darkened_picture_gets_its_light_back_and_a_tinted_one_its_colours():
    dark = toned(ROOT, (0.7, 0.7, 0.7))
    light = match_colours(dark, ROOT, ColourMatch.LUMINANCE)
    assert abs(_to_lab(light)[..., 0].mean() - _to_lab(ROOT)[..., 0].mean()) < 2.5
    tinted = toned(ROOT, (1.0, 0.8, 0.7))
    before, after = (
        numpy.abs(_to_lab(each).mean((0, 1)) - _to_lab(ROOT).mean((0, 1))).max()
        for each in (tinted, match_colours(tinted, ROOT, ColourMatch.LAB))
    )
    assert after < 2.5 < before


def test_luminance_alone_leaves_the_hues():
    tinted = toned(ROOT, (1.0, 0.6, 0.5))
    hues = [
        _to_lab(each)[..., 1:].mean((0, 1)) for each in (tinted, match_colours(tinted, ROOT, ColourMatch.LUMINANCE))
    ]
    assert numpy.abs(hues[0] - hues[1]).max() < 4


def test_a_flat_picture_is_no_division_by_zero():
    flat = Image.new("RGB", (8, 8), (90, 90, 90))
    matched = match_colours(flat, ROOT, ColourMatch.LAB)
    assert len(set(ImageStat.Stat(matched).extrema)) >= 1
    assert matched.getextrema()[0][0] == matched.getextrema()[0][1]


def test_a_picture_is_matched_piece_by_piece_as_it_is_at_once(monkeypatch):
    picture = toned(ROOT, (1.0, 0.8, 0.7))
    whole = match_colours(picture, ROOT, ColourMatch.LAB)
    monkeypatch.setattr(colour, "ROWS", 7)
    assert largest_difference(match_colours(picture, ROOT, ColourMatch.LAB), whole) == 0


def test_it_can_be_stopped_between_two_pieces(monkeypatch):
    monkeypatch.setattr(colour, "ROWS", 7)
    seen = []

    def check():
        seen.append(1)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        match_colours(ROOT, ROOT, ColourMatch.LAB, check)
    assert len(seen) == 2
