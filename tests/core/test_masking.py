"""Masks: soft edges that end, the part that is looked at, and what is laid over."""

import random

import pytest
from PIL import Image, ImageChops

from desktop_app.core.errors import ImageError
from desktop_app.core.masking import check_mask, lay_over, masked_box, seen_box, soften


def make_mask(size=(200, 100), box=(50, 30, 120, 80)):
    mask = Image.new("L", size)
    mask.paste(255, box)
    return mask


def noise(size, seed):
    return Image.frombytes("RGB", size, random.Random(seed).randbytes(size[0] * size[1] * 3))


@pytest.mark.parametrize("feather", [0, 1, 2, 3, 7])
def test_a_soft_edge_reaches_as_far_as_it_says(feather):
    assert soften(make_mask(), feather).getbbox() == (50 - feather, 30 - feather, 120 + feather, 80 + feather)


def test_a_wide_soft_edge_reaches_no_farther_than_it_says():
    left, top, right, bottom = soften(make_mask(), 20).getbbox()
    assert 30 <= left < 35
    assert 10 <= top < 15
    assert 135 < right <= 140
    assert 95 < bottom <= 100


def test_without_feather_the_mask_stays_as_it_is():
    assert soften(make_mask(), 0).tobytes() == make_mask().tobytes()


def test_outside_the_soft_mask_every_byte_is_the_originals_in_50_random_masks():
    chance = random.Random(5)
    for number in range(50):
        size = (chance.randint(9, 90), chance.randint(9, 90))
        box = sorted(chance.sample(range(size[0]), 2)), sorted(chance.sample(range(size[1]), 2))
        mask = soften(make_mask(size, (box[0][0], box[1][0], box[0][1], box[1][1])), chance.randint(0, 9))
        original, painted = noise(size, number), noise(size, number + 1000)
        result = lay_over(original, painted, mask)
        changed = ImageChops.difference(original, result).convert("L").point([0] + [255] * 255)
        outside = mask.point([255] + [0] * 255)
        assert ImageChops.multiply(changed, outside).getbbox() is None
        assert ImageChops.difference(result, painted).convert("L").getbbox() is not None


def test_the_box_has_the_soft_edge_and_the_surroundings_and_ends_at_the_picture():
    assert masked_box(make_mask(), 5, 10) == (35, 15, 135, 95)
    assert masked_box(make_mask(), 5, 1000) == (0, 0, 200, 100)


def test_a_mask_of_another_size_or_without_anything_marked_is_refused():
    with pytest.raises(ImageError, match="does not fit"):
        check_mask(make_mask(), (200, 101))
    with pytest.raises(ImageError, match="empty"):
        check_mask(Image.new("L", (20, 10)), (20, 10))
    check_mask(make_mask(), (200, 100))


def test_the_part_that_is_seen_is_that_of_the_whole_softened_mask_in_50_random_masks():
    chance = random.Random(6)
    for _ in range(50):
        mask = Image.new("L", (chance.randint(20, 60), chance.randint(20, 60)))
        for _ in range(chance.randint(1, 3)):
            left, top = chance.randrange(mask.width), chance.randrange(mask.height)
            mask.paste(
                chance.choice((1, 90, 255)), (left, top, left + chance.randint(1, 30), top + chance.randint(1, 30))
            )
        feather, padding = chance.randint(0, 12), chance.randint(0, 9)
        soft = soften(mask, feather)
        assert seen_box(mask, feather, padding) == masked_box(soft if soft.getbbox() else mask, 0, padding)


def test_of_a_mask_without_anything_all_is_seen():
    assert seen_box(Image.new("L", (30, 20)), 3, 4) == (0, 0, 30, 20)
