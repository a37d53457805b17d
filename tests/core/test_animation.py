"""Animations of the stages of a chain."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageChops, ImageStat
from support import make_picture

from desktop_app.core.animation import FORMATS, HOLD, encode_animation
from desktop_app.core.errors import ImageError


def frames_of(content):
    with Image.open(io.BytesIO(content)) as image:
        for number in range(image.n_frames):
            image.seek(number)
            image.load()
            yield image.convert("RGB"), image.info.get("duration")


@pytest.mark.parametrize("format", FORMATS)
def test_every_picture_is_a_frame_and_the_last_one_stays(format):
    pictures = [make_picture((40, 30), seed=seed) for seed in range(3)]
    content = encode_animation(pictures, 0.5, format)
    found = list(frames_of(content))
    assert [duration for _frame, duration in found] == [500, 500, 500 * HOLD]
    for (frame, _duration), picture in zip(found, pictures, strict=True):
        differences = [sum(ImageStat.Stat(ImageChops.difference(frame, each)).mean) for each in pictures]
        assert min(differences) == differences[pictures.index(picture)] < 40
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.info["loop"]) == (format, 0)


@pytest.mark.parametrize("format", FORMATS)
def test_all_get_the_size_of_the_last_one(format):
    pictures = [make_picture((20, 15)), make_picture((80, 60), seed=1)]
    assert {frame.size for frame, _ in frames_of(encode_animation(pictures, 1, format))} == {(80, 60)}


def test_transparent_parts_become_white():
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    (frame, _), *_others = frames_of(encode_animation([clear, make_picture((16, 16))], 1, "WEBP"))
    assert frame.getpixel((8, 8)) == (255, 255, 255)


def test_one_picture_is_an_animation_too():
    assert len(list(frames_of(encode_animation([make_picture()], 1, "GIF")))) == 1


@pytest.mark.parametrize(
    ("pictures", "seconds", "format", "words"),
    [
        ([], 1, "GIF", "no picture"),
        ([make_picture()], 1, "MP4", "none of GIF, WEBP"),
        ([make_picture()], 0, "GIF", "not between"),
        ([make_picture()], float("nan"), "GIF", "not between"),
        ([Image.new("RGB", (16_384, 1))], 1, "WEBP", "the most that WEBP"),
    ],
)
def test_what_cannot_be_made_is_told(pictures, seconds, format, words):
    with pytest.raises(ImageError, match=words):
        encode_animation(pictures, seconds, format)
