"""Pixel upscalers: what spandrel makes, to the last bit; in tiles; and what is refused."""

from __future__ import annotations

import subprocess
import sys

import numpy
import pytest
from PIL import Image
from support import PROJECT, make_picture
from tiny import write_stable_diffusion
from tiny_upscalers import write_compact, write_esrgan

from desktop_app.core.errors import Cancelled, CheckpointError, DeviceError, OutOfMemory
from desktop_app.engine.pixel_upscaler import load_pixel_upscaler


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return write_esrgan(tmp_path_factory.mktemp("pixel") / "x4.safetensors")


@pytest.fixture
def upscaler(path):
    return load_pixel_upscaler(path, "cpu", "float32")


def ignore(tile, tiles):
    pass


def by_spandrel(path, picture):
    """What a script makes with spandrel's own loader."""
    import torch

    from desktop_app.engine.pixel_upscaler import _without_torchvision

    with _without_torchvision():
        from spandrel import ModelLoader

    pixels = torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)[None].float() / 255
    made = ModelLoader().load_from_file(path)(pixels)[0].permute(1, 2, 0)
    return Image.fromarray((made * 255).round().to(torch.uint8).numpy())


FILES = {
    "old ESRGAN": (write_esrgan, {"names": "old", "scale": 2}),
    "BSRGAN": (write_esrgan, {"names": "bsrgan"}),
    "Real-ESRGAN": (write_esrgan, {}),
    "Real-ESRGAN x2": (write_esrgan, {"scale": 2}),
    "one that mends": (write_esrgan, {"scale": 1}),
    "compact": (write_compact, {"scale": 3}),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_picture_is_enlarged_as_spandrel_does_it(tmp_path, kind):
    write, options = FILES[kind]
    path, picture = write(tmp_path / "it.safetensors", **options), make_picture((23, 18))
    upscaler = load_pixel_upscaler(path, "cpu", "float32")
    made = upscaler.upscale(picture, ignore)
    assert made.tobytes() == by_spandrel(path, picture).tobytes()
    assert made.size == (23 * upscaler.scale, 18 * upscaler.scale)
    assert upscaler.scale == options.get("scale", 4)


def test_names_that_training_programs_put_before_are_read_past(tmp_path):
    picture = make_picture((12, 12))
    plain, named = (write_esrgan(tmp_path / f"{n}x.safetensors", prefix=n) for n in ("", "params_ema."))
    made = [load_pixel_upscaler(path, "cpu", "float32").upscale(picture, ignore) for path in (plain, named)]
    assert made[0].tobytes() == made[1].tobytes()


def test_a_large_picture_is_made_in_tiles_that_are_counted(upscaler):
    told, picture = [], make_picture((70, 40))
    made = upscaler.upscale(picture, lambda *tile: told.append(tile), tile=48)
    assert told == [(1, 2), (2, 2)]
    assert made.size == (280, 160)
    assert upscaler.note == ""


def test_nobody_sees_where_tiles_meet(upscaler):
    for picture in (make_picture((140, 60)), Image.new("RGB", (140, 60), (90, 140, 60))):
        whole, tiled = (numpy.asarray(upscaler.upscale(picture, ignore, tile), dtype=int) for tile in (512, 96))
        assert numpy.abs(whole - tiled).max() <= 4
        assert numpy.abs(whole - tiled).mean() < 0.1


def test_a_cancelled_picture_leaves_nothing_behind(upscaler):
    picture = make_picture((70, 40))
    before = upscaler.upscale(picture, ignore, tile=48)
    for arguments in ({"on_tile": _cancel}, {"on_tile": ignore, "check": _cancel}):
        with pytest.raises(Cancelled):
            upscaler.upscale(picture, tile=48, **arguments)
    assert upscaler.upscale(picture, ignore, tile=48).tobytes() == before.tobytes()


def _cancel(*_tile):
    raise Cancelled


def test_where_memory_is_full_tiles_get_smaller_and_that_is_said(upscaler):
    def fill(_layer, given):
        if given[0].shape[-1] > 100:
            raise MemoryError("out of memory")

    upscaler._network.model.register_forward_pre_hook(fill)
    picture, told = make_picture((300, 80)), []
    made = upscaler.upscale(picture, lambda *tile: told.append(tile))
    assert made.size == (1200, 320)
    assert "tiles of 75 pixels" in upscaler.note
    assert told[-1] == (len(told), len(told))


def test_where_no_tile_is_small_enough_memory_is_full(upscaler):
    def fill(*_):
        raise MemoryError("out of memory")

    upscaler._network.model.register_forward_pre_hook(fill)
    with pytest.raises(OutOfMemory):
        upscaler.upscale(make_picture((300, 80)), ignore)


def test_half_precision_that_gives_no_numbers_is_done_in_full(path):
    import torch

    picture = make_picture((20, 20))
    half = load_pixel_upscaler(path, "cpu", "float16")
    assert half._network.dtype == torch.float16
    half._network.model.register_forward_hook(
        lambda layer, given, made: made * float("nan") if made.dtype == torch.float16 else made
    )
    full = load_pixel_upscaler(path, "cpu", "float32").upscale(picture, ignore)
    made = half.upscale(picture, ignore)
    assert numpy.abs(numpy.asarray(made, int) - numpy.asarray(full, int)).max() <= 2
    assert "full precision" in half.note
    assert half.upscale(picture, ignore).tobytes() == made.tobytes()
    assert "full precision" in half.note


def test_a_network_that_makes_no_numbers_is_told(upscaler):
    upscaler._network.model.model[0].bias.data.fill_(float("nan"))
    with pytest.raises(DeviceError, match="without content"):
        upscaler.upscale(make_picture((20, 20)), ignore)


def test_a_file_that_is_something_else_is_refused(tmp_path):
    unet = write_stable_diffusion(tmp_path / "sd") / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match="no pixel upscaler"):
        load_pixel_upscaler(unet, "cpu", "float32")


def test_a_network_that_lacks_a_layer_is_refused(tmp_path):
    from safetensors.torch import load_file, save_file

    path = write_esrgan(tmp_path / "it.safetensors")
    weights = load_file(path)
    del weights["body.1.rdb2.conv3.weight"]
    save_file(weights, tmp_path / "less.safetensors")
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        load_pixel_upscaler(tmp_path / "less.safetensors", "cpu", "float32")


def test_without_spandrel_it_is_said_how_to_install_it(path, monkeypatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "spandrel"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "spandrel", None)
    with pytest.raises(CheckpointError, match="one more package") as caught:
        load_pixel_upscaler(path, "cpu", "float32")
    assert 'pip install ".[upscalers]"' in caught.value.hint


BROKEN = """
import sys
from importlib.abc import MetaPathFinder

class Broken(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "torchvision":
            raise {error}("operator torchvision::nms does not exist")

sys.meta_path.insert(0, Broken())
from pathlib import Path
from desktop_app.engine.pixel_upscaler import load_pixel_upscaler
print(load_pixel_upscaler(Path(sys.argv[1]), "cpu", "float32").scale)
print([name for name in sys.modules if name.startswith("torchvision")])
"""


@pytest.mark.parametrize("error", ["ImportError", "RuntimeError"])
def test_a_torchvision_that_is_missing_or_broken_does_not_matter(path, error):
    command = [sys.executable, "-W", "error", "-c", BROKEN.format(error=error), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, timeout=100)
    assert done.stdout.splitlines() == ["4", "[]"], done.stderr
