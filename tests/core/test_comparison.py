"""Comparison: which values several requests differ in, and where their pictures are in the grid."""

import dataclasses

import pytest
from PIL import Image, ImageChops
from support import make_request

from desktop_app.core.comparison import comparison_sheet, tell_apart
from desktop_app.core.conditions import Adapter, AdapterKind, Control
from desktop_app.core.contact_sheet import MAX_SIDE, contact_sheet, reduce
from desktop_app.core.control_modes import ControlMode
from desktop_app.core.kinds import StageKind

COLOURS = ["red", "lime", "blue", "yellow", "cyan", "magenta"]


def pictures(count):
    return [Image.new("RGB", (200, 200), colour) for colour in COLOURS[:count]]


def request(strength=0.5, guidance=5.0, seed=1):
    made = make_request(prompt="a cat", seed=seed)
    stage = dataclasses.replace(made.stages[0], strength=strength, guidance_scale=guidance)
    return dataclasses.replace(made, stages=(stage,))


def colour_places(sheet):
    """Left and top of each colour that is there, in the order of `COLOURS`."""
    return [box[:2] for colour in COLOURS if (box := _box_of(sheet, colour))]


def _box_of(sheet, colour):
    distance = ImageChops.difference(sheet, Image.new("RGB", sheet.size, colour)).convert("L")
    return distance.point(lambda value: 255 * (value == 0)).getbbox()


def test_two_values_that_differ_become_columns_and_rows_in_their_order():
    requests = [request(strength, guidance) for guidance in (9.0, 1.0) for strength in (0.8, 0.4)]
    places = colour_places(comparison_sheet(pictures(4), requests).image)
    assert places[3][0] < places[2][0]  # 0.4 is left of 0.8
    assert places[3][1] < places[1][1]  # 1 is above 9
    assert (places[0][0], places[0][1]) == (places[2][0], places[1][1])


def test_pictures_that_are_no_full_grid_keep_their_order_with_a_line_below_each():
    requests = [request(0.4, 1.0), request(0.8, 1.0), request(0.8, 9.0)]
    plain = comparison_sheet(pictures(3), [request(seed=seed) for seed in (1, 1, 1)]).image
    told = comparison_sheet(pictures(3), requests).image
    places = colour_places(told)
    assert places[0][1] == places[1][1] < places[2][1]
    assert places[0][0] == places[2][0] < places[1][0]
    assert told.height > plain.height  # nothing is written below pictures that do not differ


@pytest.mark.parametrize(
    ("prompts", "shown"),
    [
        (["a cat", "a dog"], ["a cat", "a dog"]),
        (["oil painting of a cat, very thick", "oil painting of a red dog, very thick"], ["… cat, …", "… red dog, …"]),
        (["a very old and quiet house", "a very old and quiet"], ["… quiet house", "… quiet"]),
        (["", "a very old and quiet house"], ["", "a very old and quiet house"]),
        (["one two three four five six"] * 2, ["one two three four five six"] * 2),
        (["one one one one one one one", "one one one one one one"], ["… one one", "… one"]),
    ],
)
def test_of_long_prompts_the_words_are_told_in_which_they_differ(prompts, shown):
    assert tell_apart(prompts) == shown


@pytest.mark.parametrize(
    "changes",
    [
        {"adapters": (Adapter(AdapterKind.LORA, "/loras/ink.safetensors", 0.5),)},
        {"controls": (Control(ControlMode.CANNY, weight=0.5),)},
    ],
)
def test_adapters_control_images_stages_and_sizes_are_told_too(changes):
    usual = request()
    stage = usual.stages[0]
    card = dataclasses.replace(stage, kind=StageKind.IMAGE_TO_IMAGE, is_card=True)
    others = [
        dataclasses.replace(usual, stages=(dataclasses.replace(stage, **changes),)),
        dataclasses.replace(usual, stages=(stage, card)),
        dataclasses.replace(usual, width=usual.width * 2),
    ]
    plain = comparison_sheet(pictures(2), [usual, usual]).image
    for other in others:
        assert comparison_sheet(pictures(2), [usual, other]).image.height > plain.height


def test_what_has_no_room_in_a_line_goes_on_in_the_next_ones():
    heights = [contact_sheet(pictures(1), 1, captions=["word " * count]).image.height for count in (1, 8, 20, 90)]
    assert heights[0] < heights[1] < heights[2] == heights[3]


def test_a_hundred_pictures_fit():
    some = [Image.new("RGB", (512, 512), "red")] * 100
    for shape in ((0.4, 0.6), (0.5,)):
        requests = [request(0.1 + 0.001 * (number % 50), shape[number // 50 % len(shape)]) for number in range(100)]
        assert max(comparison_sheet(some, requests).image.size) <= MAX_SIDE


def test_large_pictures_are_made_smaller_before_many_are_in_memory():
    assert reduce(Image.new("RGB", (6000, 4000)), 10).size == (819, 546)


def test_of_a_very_narrow_picture_a_line_stays():
    assert reduce(Image.new("RGB", (1, 9000)), 10).size == (1, 819)
    sheet = contact_sheet([Image.new("RGB", (1, 9000), "red"), Image.new("RGB", (64, 64), "blue")], 2).image
    assert _box_of(sheet, "red")
    assert reduce(Image.new("RGB", (600, 400)), 10).size == (600, 400)
