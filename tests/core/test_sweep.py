"""Sweeps: what people type as values, and the pictures that they ask for."""

import pytest
from PIL import Image
from support import make_request

from desktop_app.core.contact_sheet import MAX_SIDE, contact_sheet
from desktop_app.core.errors import RequestError
from desktop_app.core.params import Params
from desktop_app.core.sweep import Axis, read_axis, refuse_alike, sweep


@pytest.mark.parametrize(
    ("param", "text", "values"),
    [
        ("strength", "0.4, 0.6, 1.0", (0.4, 0.6, 1.0)),
        ("strength", "0.2..0.8 step 0.2", (0.2, 0.4, 0.6, 0.8)),
        ("guidance_scale", "0.1, 5, 10", (0.1, 5.0, 10.0)),
        ("guidance_scale", "1 .. 2 in 3", (1.0, 1.5, 2.0)),
        ("steps", "10,20", (10, 20)),
        ("seed", "1..4 step 1", (1, 2, 3, 4)),
        ("scheduler", "default, euler", ("default", "euler")),
        ("scheduler", "Euler a, ddim, DPM++ 2M Karras", ("euler_a", "ddim", "dpmpp_2m_karras")),
        ("prompt", "cat, dog, red fox", ("cat", "dog", "red fox")),
        ("prompt", '"cat, oil", "fox, ink"', ("cat, oil", "fox, ink")),
        ("strength", "0.8..0.2 step 0.3", (0.8, 0.5, 0.2)),
        ("steps", "1..10 in 3", (1, 6, 10)),
    ],
)
def test_values_are_read_as_people_write_them(param, text, values):
    axis = read_axis(param, text)
    assert axis.values == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("param", "text", "words"),
    [
        ("strength", "0.4", "fewer than two"),
        ("strength", "", "fewer than two"),
        ("strength", "0.4, 1.4", "not between"),
        ("strength", "0.4, cat", "not a number"),
        ("strength", "0.4, NaN", "not a number"),
        ("strength", "0.4, 0.4", "twice"),
        ("strength", "0.2..0.8 step 0", "0 values"),
        ("strength", "0..1 in 101", "101 values"),
        ("steps", "10, 10.5", "whole number"),
        ("steps", "1..10 step 2.5", "whole number"),
        ("steps", "1..3 in 10", "twice"),
        ("steps", "10, 1e99999999", "not between"),
        ("steps", "1..9 in " + "9" * 5000, "not a number"),
        ("scheduler", "default, magic", "magic"),
        ("width", "64, 128", "cannot be varied"),
    ],
)
def test_values_that_make_no_sense_are_refused_with_the_reason(param, text, words):
    with pytest.raises(RequestError, match="varied") as caught:
        read_axis(param, text)
    assert words in str(caught.value)
    assert caught.value.param == param
    assert caught.value.hint


@pytest.mark.parametrize("text", ["10-30", "10..30", "1-10 (+2)"])
def test_who_writes_a_range_in_another_way_is_told_how(text):
    with pytest.raises(RequestError) as caught:
        read_axis("steps", text)
    assert "0.2..0.8 step 0.2" in caught.value.hint


def test_all_pictures_have_one_seed_and_differ_in_the_axes_alone():
    axes = [read_axis("strength", "0.4, 1.0"), read_axis("guidance_scale", "1, 5, 10")]
    cells = sweep(Params(prompt="cat", count=4), axes, 7)
    assert [(cell.row, cell.column) for cell in cells] == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 0), (2, 1)]
    assert {(cell.params.seed, cell.params.count, cell.params.prompt) for cell in cells} == {(7, 1, "cat")}
    assert [(cell.params.strength, cell.params.guidance_scale) for cell in cells[:3]] == [(0.4, 1), (1.0, 1), (0.4, 5)]


def test_the_seed_itself_can_be_varied():
    assert [cell.params.seed for cell in sweep(Params(), [read_axis("seed", "1, 2")], 7)] == [1, 2]


def test_in_a_prompt_the_first_text_is_replaced():
    cells = sweep(Params(prompt="a cat, oil"), [read_axis("prompt", "cat, dog")], 7)
    assert [cell.params.prompt for cell in cells] == ["a cat, oil", "a dog, oil"]
    with pytest.raises(RequestError, match="not in it"):
        sweep(Params(prompt="a fox"), [read_axis("prompt", "cat, dog")], 7)


def test_too_many_pictures_and_the_same_value_twice_are_refused():
    wide = Axis("strength", tuple(index / 100 for index in range(50)))
    with pytest.raises(RequestError, match="too many"):
        sweep(Params(), [wide, read_axis("steps", "1, 2, 3")], 7)
    with pytest.raises(RequestError, match="different"):
        sweep(Params(), [wide, wide], 7)


def test_a_value_that_changes_nothing_is_refused():
    axes = [read_axis("strength", "0.4, 1.0"), read_axis("steps", "10, 20, 30")]
    refuse_alike(axes, [make_request(prompt=str(number)) for number in range(6)])
    with pytest.raises(RequestError, match="Strength cannot be varied"):
        refuse_alike(axes, [make_request(prompt=str(number // 2)) for number in range(6)])
    with pytest.raises(RequestError, match="Steps cannot be varied"):
        refuse_alike(axes, [make_request(prompt=str(number % 2)) for number in range(6)])


def test_a_sheet_has_each_picture_in_its_place_and_grey_where_there_is_none():
    colours = ["red", "lime", "", "blue"]
    pictures = [Image.new("RGB", (100, 80), colour) if colour else "" for colour in colours]
    sheet = contact_sheet(pictures, 2, column_labels=["A", "B"], row_labels=["one", "two"], title="A title").image
    counts = {colour: count for count, colour in sheet.getcolors(1_000_000)}
    assert counts[(255, 0, 0)] == counts[(0, 255, 0)] == counts[(0, 0, 255)] == 200 * 160
    assert 32000 <= counts[(225, 225, 225)] < 32200  # smoothed letters have that grey too
    assert (30, 30, 30) in counts


def test_a_grey_place_says_why_there_is_no_picture():
    made = Image.new("RGB", (200, 200), "red")
    empty, told = (contact_sheet([made, reason], 2).image for reason in ("", "The memory of the device is full"))
    assert told.size == empty.size
    assert (30, 30, 30) in {colour for _count, colour in told.getcolors(1_000_000)}
    assert (30, 30, 30) not in {colour for _count, colour in empty.getcolors(1_000_000)}


def test_long_labels_do_not_make_a_sheet_longer_than_its_limit():
    labels = ["x" * 9000, "two\nlines"]
    sheet = contact_sheet(
        [Image.new("RGB", (64, 64), "red")] * 2, 1, row_labels=labels, title="three\nlines\nof it"
    ).image
    assert sheet.width < 3 * 192


def test_a_sheet_of_large_pictures_stays_within_its_limit():
    sheet = contact_sheet([Image.new("RGB", (4000, 3000), "red")] * 9, 3, title="x" * 5000).image
    assert max(sheet.size) <= MAX_SIDE
    assert sheet.width / sheet.height == pytest.approx(4 / 3, rel=0.1)
