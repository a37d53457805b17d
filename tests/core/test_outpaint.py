"""Outpainting: new room that begins with the picture's own colours, and the mask of it."""

import pytest
from PIL import Image
from support import make_picture

from desktop_app.core.errors import ImageError
from desktop_app.core.outpaint import Margins, extend, extend_mask

MARGINS = Margins(10, 20, 300, 5)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_the_picture_itself_keeps_every_byte_and_its_mode(mode):
    picture = make_picture((90, 60), mode)
    extended = extend(picture, MARGINS)
    assert (extended.mode, extended.size) == (mode, (400, 85))
    assert extended.crop((10, 20, 100, 80)).tobytes() == picture.tobytes()


def test_beside_the_edge_lies_its_mirror_image():
    picture = make_picture((90, 60))
    extended = extend(picture, Margins(right=40))
    edge = [extended.getpixel((90, y)) for y in range(60)]
    assert max(abs(a - b) for y in range(60) for a, b in zip(edge[y], picture.getpixel((89, y)), strict=True)) < 40


def test_all_of_the_new_room_is_filled_however_wide():
    white = Image.new("RGB", (7, 5), "white")
    assert extend(white, Margins(50, 30, 20, 10)).getextrema() == ((255, 255),) * 3


def test_transparent_edges_lend_no_colour():
    picture = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    picture.paste((0, 0, 255, 255), (0, 0, 20, 40))
    reds = extend(picture, Margins(top=30)).crop((0, 0, 19, 30)).getchannel("R")
    assert reds.getextrema() == (0, 0)


def test_the_mask_marks_the_new_room_and_a_little_of_the_old():
    mask = extend_mask(None, (90, 60), Margins(left=10, bottom=5), 8)
    assert mask.size == (100, 65)
    assert mask.getpixel((17, 30)) == mask.getpixel((50, 52)) == 255
    assert mask.getpixel((18, 30)) == mask.getpixel((50, 51)) == mask.getpixel((99, 0)) == 0


def test_what_was_marked_stays_marked_where_it_is_now():
    before = Image.new("L", (90, 60))
    before.paste(200, (40, 30, 45, 35))
    mask = extend_mask(before, (90, 60), Margins(10, 20, 0, 0), 4)
    assert mask.crop((50, 50, 55, 55)).getextrema() == (200, 200)
    assert mask.getpixel((60, 60)) == 0


def test_a_tiny_picture_keeps_a_pixel_that_stays():
    mask = extend_mask(None, (3, 3), Margins(4, 4, 4, 4), 64)
    assert mask.crop((4, 4, 7, 7)).getextrema() == (0, 255)


def test_a_picture_that_grows_beyond_what_can_be_opened_is_refused():
    with pytest.raises(ImageError, match="too large"):
        extend(Image.new("RGB", (100, 100)), Margins(right=30_000))
