"""A chain as an animation: every stage in order, all of one size, in a file of its own."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chain_cases import make_chain, make_chain_result
from PIL import Image, ImageSequence
from support import make_picture

from desktop_app.core.errors import ImageError, StoreError
from desktop_app.studio.chain_animation import AnimationOrder, write_animation


@pytest.fixture
def photo(gallery):
    return gallery.keep_init_image(make_picture((64, 64), "RGBA", seed=50), "cat.png")


@pytest.fixture
def order(gallery, photo, tmp_path):
    """Of a chain of three, whose last stage has doubled the size."""
    request = make_chain(photo)
    result = replace(make_chain_result(request), image=make_picture((128, 128), seed=9))
    return AnimationOrder(gallery.save(request, result), tmp_path / "chain.webp", "WEBP", 0.5)


def frames_of(path) -> list[Image.Image]:
    with Image.open(path) as picture:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(picture)]


def difference(one: Image.Image, other: Image.Image) -> float:
    """Mean over all bands, 0-255."""
    pairs = zip(one.tobytes(), other.convert("RGB").resize(one.size).tobytes(), strict=True)
    values = [abs(a - b) for a, b in pairs]
    return sum(values) / len(values)


@pytest.mark.parametrize("kind", ["WEBP", "GIF"])
def test_shows_the_init_image_and_every_stage_in_order(gallery, order, kind):
    write_animation(gallery, replace(order, format=kind))
    frames = frames_of(order.path)
    stages = [Image.open(stage.path) for stage in gallery.stages_of(order.variation.id)]
    assert [frame.size for frame in frames] == [(128, 128)] * 4
    assert all(difference(frame, stage) < 12 for frame, stage in zip(frames[1:], stages, strict=True))


def test_may_leave_out_the_init_image_and_be_smaller(gallery, order):
    write_animation(gallery, replace(order, with_init=False, longest_side=32))
    assert [frame.size for frame in frames_of(order.path)] == [(32, 32)] * 3


def test_a_picture_of_another_shape_gets_bars_and_is_not_stretched(gallery, tmp_path):
    wide = gallery.keep_init_image(Image.new("RGB", (64, 16), "white"), "wide.png")
    request = make_chain(wide)
    variation = gallery.save(request, make_chain_result(request))
    write_animation(gallery, AnimationOrder(variation, tmp_path / "chain.webp", "WEBP"))
    first = frames_of(tmp_path / "chain.webp")[0]
    assert max(first.getpixel((32, 4))) < 20
    assert min(first.getpixel((32, 32))) > 235


def test_a_stage_whose_file_is_gone_is_told(gallery, order):
    gallery.stages_of(order.variation.id)[1].path.unlink()
    with pytest.raises(ImageError):
        write_animation(gallery, order)
    assert not order.path.exists()


def test_a_folder_that_is_not_there_is_told(gallery, order, tmp_path):
    with pytest.raises(StoreError):
        write_animation(gallery, replace(order, path=tmp_path / "nowhere" / "chain.gif"))
