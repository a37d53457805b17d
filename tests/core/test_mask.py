"""Masks as a whole: growing, filling, and reading them from pictures."""

import random

import pytest
from PIL import Image, ImageChops, ImageDraw

from desktop_app.core import mask as masks
from desktop_app.core.errors import ImageError
from desktop_app.core.image import load_image
from desktop_app.core.image_ref import hash_pixels


def make_mask(size=(60, 40), box=(20, 15, 30, 25)):
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def slow_growth(mask, pixels):
    """By the definition: each point becomes a square, then a square on its corner (for up to 2 pixels a square)."""
    diagonal = min(round((1 - 0.5**0.5) * pixels), (pixels - 1) // 2)
    straight = pixels - 2 * diagonal
    grown = Image.new("L", mask.size)
    marked = [divmod(n, mask.width)[::-1] for n, value in enumerate(mask.tobytes()) if value]
    for x, y in marked:
        for a in range(-diagonal, diagonal + 1):
            for b in range(-diagonal, diagonal + 1):
                left, top = x + a + b - straight, y + a - b - straight
                grown.paste(255, (left, top, left + 2 * straight + 1, top + 2 * straight + 1))
    return grown


@pytest.mark.parametrize("pixels", [1, 2, 3, 4, 9])
def test_growing_makes_an_octagon_of_a_point(pixels):
    point = make_mask(box=(30, 20, 31, 21))
    grown = masks.grow(point, pixels)
    assert grown.getbbox() == (30 - pixels, 20 - pixels, 31 + pixels, 21 + pixels)
    assert grown.tobytes() == slow_growth(point, pixels).tobytes()


def test_growing_at_the_edge_stays_in_the_picture():
    assert masks.grow(make_mask(box=(0, 0, 3, 3)), 5).getbbox() == (0, 0, 8, 8)


def test_shrinking_takes_from_each_side_but_not_from_the_pictures_edge():
    assert masks.shrink(make_mask(), 3).getbbox() == (23, 18, 27, 22)
    assert masks.shrink(make_mask(box=(0, 0, 60, 10)), 3).getbbox() == (0, 0, 60, 7)


def test_shrinking_undoes_growing_of_a_rectangle():
    assert masks.shrink(masks.grow(make_mask(), 6), 6).tobytes() == make_mask().tobytes()


def test_soft_edges_stay_soft_when_grown():
    mask = make_mask().point([value // 2 for value in range(256)])
    assert masks.grow(mask, 4).getextrema() == (0, 127)


def test_nothing_grows_from_nothing():
    empty = Image.new("L", (9, 9))
    assert masks.grow(empty, 4).getbbox() is masks.shrink(empty, 4).getbbox() is None


def test_a_flood_stays_in_the_region_of_the_colour():
    picture = Image.new("RGB", (60, 40), (200, 30, 30))
    picture.paste((20, 20, 20), (20, 0, 24, 40))
    flooded = masks.flood(picture, (5, 5), 10)
    assert flooded.getbbox() == (0, 0, 20, 40)
    assert masks.flood(picture, (50, 5), 10).getbbox() == (24, 0, 60, 40)
    assert masks.flood(picture, (5, 5), 200).getbbox() == (0, 0, 60, 40)


def test_a_flood_is_the_one_that_pillow_makes_pixel_by_pixel():
    chance = random.Random(3)
    for number in range(20):
        picture = Image.frombytes("L", (31, 23), bytes(chance.choice((0, 0, 255)) for _ in range(31 * 23)))
        at = (chance.randrange(31), chance.randrange(23))
        wanted = picture.convert("RGB")
        ImageDraw.floodfill(wanted, at, (7, 8, 9))
        is_filled = [255 if pixel == (7, 8, 9) else 0 for pixel in wanted.get_flattened_data()]
        assert list(masks.flood(picture, at, 0).tobytes()) == is_filled, number


def test_what_is_transparent_has_no_colour_of_its_own():
    picture = Image.new("RGBA", (20, 10), (255, 0, 0, 0))
    picture.paste((0, 255, 0, 0), (10, 0, 20, 10))
    assert masks.flood(picture, (1, 1), 0).getbbox() == (0, 0, 20, 10)


def test_a_flood_beside_the_picture_is_refused():
    with pytest.raises(ImageError, match="Nothing was filled"):
        masks.flood(Image.new("RGB", (5, 5)), (5, 0), 3)


def test_holes_are_filled_and_bays_are_not():
    mask = make_mask(box=(10, 10, 40, 30))
    mask.paste(0, (15, 15, 20, 20))
    mask.paste(0, (30, 20, 40, 25))
    filled = masks.fill_holes(mask)
    assert filled.getpixel((17, 17)) == 255
    assert filled.getpixel((35, 22)) == filled.getpixel((2, 2)) == 0


def test_what_is_transparent_becomes_the_mask():
    picture = Image.new("RGBA", (20, 10), (1, 2, 3, 255))
    picture.putpixel((4, 5), (1, 2, 3, 0))
    picture.putpixel((5, 5), (1, 2, 3, 155))
    mask = masks.from_alpha(picture)
    assert (mask.getpixel((4, 5)), mask.getpixel((5, 5)), mask.getpixel((6, 5))) == (255, 100, 0)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_picture_without_transparent_parts_has_no_such_mask(mode):
    with pytest.raises(ImageError, match="transparent"):
        masks.from_alpha(Image.new(mode, (4, 4), "white"))


def test_any_grey_survives_the_way_through_a_picture():
    grey = Image.frombytes("L", (16, 16), bytes(range(256)))
    assert masks.from_picture(grey.convert("RGB")).tobytes() == grey.tobytes()


@pytest.mark.parametrize("size", [(16, 16), (3, 700)])
def test_an_encoded_mask_has_the_hash_that_its_picture_will_have(size):
    grey = Image.effect_noise(size, 200)
    encoded = masks.encode(grey)
    loaded = load_image(encoded.content)
    assert (encoded.size, encoded.sha256) == (loaded.size, hash_pixels(loaded))
    assert masks.from_picture(loaded).tobytes() == grey.tobytes()


def test_white_paint_on_a_transparent_picture_is_the_mask():
    picture = Image.new("RGBA", (10, 10), (255, 255, 255, 0))
    picture.paste((255, 255, 255, 255), (2, 3, 5, 6))
    assert masks.from_picture(picture).getbbox() == (2, 3, 5, 6)


def test_two_masks_are_joined_and_taken_away():
    one, other = make_mask(box=(0, 0, 20, 20)), make_mask(box=(10, 0, 30, 20))
    assert masks.join(one, other).getbbox() == (0, 0, 30, 20)
    assert masks.take_away(one, other).getbbox() == (0, 0, 10, 20)
    assert ImageChops.difference(masks.invert(masks.invert(one)), one).getbbox() is None
