"""Placement: working sizes, and the way there and back."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support import make_picture

from desktop_app.core.params import Fit
from desktop_app.core.placement import (
    LONGEST_SIDE,
    beside,
    close_up,
    place,
    plan_placement,
    take_back,
    used_size,
    working_size,
)

sides = st.integers(1, 400)
sizes = st.tuples(sides, sides)
working_sizes = st.tuples(st.integers(1, 16), st.integers(1, 16)).map(lambda size: (size[0] * 8, size[1] * 8))


@pytest.mark.parametrize(
    ("source", "native", "expected"),
    [
        ((512, 512), 64, (64, 64)),
        ((64, 64), 64, (64, 64)),
        ((600, 400), 64, (72, 48)),
        ((400, 600), 64, (48, 72)),
        ((4000, 3000), 512, (592, 440)),
        ((1920, 1080), 512, (680, 384)),
        ((512, 512), 512, (512, 512)),
        ((30_000, 1), 512, (8192, 8)),
    ],
)
def test_the_working_size_follows_the_init_image(source, native, expected):
    assert working_size(source, native) == expected


@given(st.tuples(st.integers(1, 30_000), st.integers(1, 30_000)), st.sampled_from([64, 512, 1024]))
def test_a_working_size_is_a_multiple_and_can_be_painted(source, native):
    width, height = working_size(source, native)
    assert (width % 8, height % 8) == (0, 0)
    assert min(width, height) >= 8
    assert max(width, height) <= LONGEST_SIDE
    assert working_size(source[::-1], native) == (height, width)


@given(st.floats(0.4, 2.5), st.sampled_from([512, 1024]))
def test_usual_shapes_are_kept_within_two_per_cent(ratio, native):
    source = (round(3000 * ratio), 3000)
    width, height = working_size(source, native)
    assert abs(math.log(width / height / (source[0] / source[1]))) < 0.02
    assert 0.7 < width * height / native**2 < 1.4


@given(sizes, working_sizes, st.sampled_from(Fit))
def test_a_placed_picture_has_the_working_size_and_a_result_the_own_size(source, working, fit):
    placement = plan_placement(source, working, fit)
    placed = place(make_picture(source), placement)
    assert placed.size == working
    assert take_back(placed, placement).size == used_size(placement)


@given(sizes, working_sizes)
def test_only_cropping_changes_the_own_size(source, working):
    for fit in (Fit.PAD, Fit.SCALE):
        assert used_size(plan_placement(source, working, fit)) == source
    cropped = used_size(plan_placement(source, working, Fit.CROP))
    assert cropped[0] == source[0] or cropped[1] == source[1]
    assert cropped[0] <= source[0]
    assert cropped[1] <= source[1]


@pytest.mark.parametrize("fit", Fit)
def test_a_picture_of_the_working_size_is_not_touched(fit):
    picture = make_picture((64, 48))
    placement = plan_placement((64, 48), (64, 48), fit)
    assert place(picture, placement).tobytes() == picture.tobytes()
    assert take_back(picture, placement).tobytes() == picture.tobytes()


def test_cropping_cuts_equally_on_both_sides():
    placement = plan_placement((100, 50), (64, 64), Fit.CROP)
    assert placement.box == (25, 0, 75, 50)


def test_padding_draws_the_edge_out():
    picture = Image.new("RGB", (64, 32), (10, 200, 30))
    picture.paste((250, 0, 0), (0, 0, 64, 1))
    placed = place(picture, plan_placement((64, 32), (64, 64), Fit.PAD))
    assert placed.getpixel((30, 0)) == (250, 0, 0)
    assert placed.getpixel((30, 63)) == (10, 200, 30)
    assert placed.getpixel((30, 32)) == (10, 200, 30)


def test_the_part_of_alpha_that_was_used_is_given_back():
    alpha = Image.linear_gradient("L").rotate(90).resize((100, 50))
    placement = plan_placement((100, 50), (64, 64), Fit.CROP)
    result = take_back(make_picture((64, 64)), placement, alpha)
    assert result.size == (50, 50)
    assert result.getchannel("A").tobytes() == alpha.crop((25, 0, 75, 50)).tobytes()


def test_going_there_and_back_keeps_the_picture_in_its_place():
    picture = Image.new("RGB", (200, 100), "white")
    picture.paste("black", (100, 0, 200, 100))
    for fit in Fit:
        placement = plan_placement(picture.size, (64, 64), fit)
        back = take_back(place(picture, placement), placement)
        middle = back.width // 2
        assert back.getpixel((middle - 12, 40))[0] > 200
        assert back.getpixel((middle + 12, 40))[0] < 55


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("times", [0.5, 2])
def test_the_same_picture_smaller_or_larger_comes_to_lie_on_it(fit, times):
    seen = plan_placement((300, 200), (64, 64), fit)
    found = beside(seen, (round(300 * times), round(200 * times)), (64, 64), fit)
    assert found.box == tuple(side * times for side in seen.box)
    assert (found.inner, found.working) == (seen.inner, seen.working)


def test_a_picture_of_another_shape_fills_the_frame():
    seen = plan_placement((300, 200), (64, 64), Fit.CROP)
    assert beside(seen, (300, 220), (64, 64), Fit.PAD) == plan_placement((300, 220), (64, 64), Fit.PAD)
    assert beside(None, (300, 200), (64, 64), Fit.CROP) == seen


@pytest.mark.parametrize(("source", "box"), [((592, 440), (148, 110, 296, 220)), ((440, 440), (0, 0, 440, 440))])
def test_in_a_close_up_a_picture_of_nearly_the_same_shape_lies_on_the_whole(source, box):
    seen = close_up((1000, 750, 2000, 1500), (4000, 3000), (64, 48))
    assert seen.box == (1000, 750, 2000, 1500)
    assert beside(seen, source, (64, 64), Fit.CROP).box == box
