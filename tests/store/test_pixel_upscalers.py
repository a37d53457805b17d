"""Pixel upscalers: what a file's header tells of them, and what is refused."""

from __future__ import annotations

import pytest
from safetensors.numpy import save_file
from tiny_upscalers import write_compact, write_esrgan

from desktop_app.core.errors import CheckpointError
from desktop_app.core.kinds import StageKind
from desktop_app.store.pixel_upscalers import (
    Architecture,
    describe_pixel_upscaler,
    is_pixel_upscaler,
    read_pixel_upscaler,
)


def write_header(path, **shapes):
    """A file with tensors of these shapes; two underscores stand for a dot."""
    import numpy

    save_file({name.replace("__", "."): numpy.zeros(shape, "float16") for name, shape in shapes.items()}, path)
    return path


@pytest.mark.parametrize(
    ("names", "scale"),
    [(names, scale) for names in ("old", "bsrgan") for scale in (1, 2, 4, 8)]
    + [("real", scale) for scale in (1, 2, 4)],
)
def test_the_scale_is_read_from_the_header(tmp_path, names, scale):
    path = write_esrgan(tmp_path / "it.safetensors", names=names, scale=scale)
    assert is_pixel_upscaler(path)
    found = read_pixel_upscaler(path)
    assert (found.architecture, found.scale) == (Architecture.ESRGAN, scale)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_scale_of_a_compact_one_is_read_from_its_last_layer(tmp_path, scale):
    found = read_pixel_upscaler(write_compact(tmp_path / "it.safetensors", scale=scale))
    assert (found.architecture, found.scale) == (Architecture.COMPACT, scale)


def test_a_pixel_upscaler_is_described_as_a_stage_that_enlarges(tmp_path):
    path = write_esrgan(tmp_path / "4x-Sharp.safetensors")
    info = describe_pixel_upscaler("4x-Sharp.safetensors", path)
    assert (info.label, info.family, info.kinds) == ("4x-Sharp", "Pixel upscaler", (StageKind.PIXEL_UPSCALE,))
    assert (info.scale, info.multiple, info.native_size, info.max_tokens) == (4, 1, 0, 0)
    assert info.parts[0].parameters > 400_000
    assert info.size_bytes == path.stat().st_size
    assert not info.can_paint


@pytest.mark.parametrize("prefix", ["", "module.", "netG.", "params_ema.", "params."])
def test_what_stands_before_every_name_is_left_out(tmp_path, prefix):
    found = read_pixel_upscaler(write_esrgan(tmp_path / "it.safetensors", prefix=prefix))
    assert (found.prefix, found.scale) == (prefix, 4)


@pytest.mark.parametrize("write", [write_esrgan, write_compact])
@pytest.mark.parametrize("channels", [1, 4])
def test_one_for_other_pictures_is_refused(tmp_path, write, channels):
    path = write(tmp_path / "it.safetensors", channels=channels)
    assert is_pixel_upscaler(path)
    with pytest.raises(CheckpointError, match="not supported") as caught:
        read_pixel_upscaler(path)
    assert f"{channels} channels" in caught.value.detail


def test_a_file_of_another_kind_is_none(tmp_path):
    path = write_header(tmp_path / "vae.safetensors", encoder__conv_in__weight=(4, 3, 3, 3))
    assert not is_pixel_upscaler(path)
    with pytest.raises(CheckpointError, match="no pixel upscaler"):
        read_pixel_upscaler(path)


def test_an_adapter_with_similar_names_is_none(tmp_path):
    layers = {f"body__{number}__weight": (4, 4, 3, 3) for number in range(3)}
    assert not is_pixel_upscaler(write_header(tmp_path / "adapter.safetensors", **layers))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 a pickle", b"\x08" + bytes(7) + b"{}      x"])
def test_a_damaged_file_is_told(tmp_path, content):
    path = tmp_path / "it.safetensors"
    path.write_bytes(content)
    assert not is_pixel_upscaler(path)
    with pytest.raises(CheckpointError, match="damaged"):
        read_pixel_upscaler(path)


def test_a_file_that_is_gone_is_told(tmp_path):
    assert not is_pixel_upscaler(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_pixel_upscaler(tmp_path / "none.safetensors")


@pytest.mark.parametrize("first", [(8,), (0, 3, 3, 3)])
def test_a_layer_that_is_none_is_damage(tmp_path, first):
    others = dict.fromkeys(("body__0__rdb1__conv1__weight", "conv_body__weight", "conv_last__weight"), (8, 8, 3, 3))
    path = write_header(tmp_path / "it.safetensors", conv_first__weight=first, **others)
    with pytest.raises(CheckpointError, match="damaged"):
        read_pixel_upscaler(path)


@pytest.mark.parametrize("number", [50, 9999, 123456789])
def test_a_scale_beyond_all_measure_is_refused(tmp_path, number):
    others = dict.fromkeys(("body__0__rdb1__conv1__weight", "conv_body__weight"), (8, 8, 3, 3))
    path = write_header(
        tmp_path / "it.safetensors",
        conv_first__weight=(8, 3, 3, 3),
        conv_last__weight=(3, 8, 3, 3),
        **{f"conv_up{number}__weight": (8, 8, 3, 3)},
        **others,
    )
    with pytest.raises(CheckpointError, match="not supported"):
        read_pixel_upscaler(path)


def test_compressed_weights_are_refused(tmp_path):
    import numpy

    path = write_esrgan(tmp_path / "it.safetensors")
    from safetensors.numpy import load_file

    save_file({name: weight.astype(numpy.int8) for name, weight in load_file(path).items()}, path)
    with pytest.raises(CheckpointError, match="not supported") as caught:
        read_pixel_upscaler(path)
    assert "compressed (I8)" in caught.value.detail
