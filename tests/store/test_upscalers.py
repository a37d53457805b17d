"""Upscalers in the checkpoints folder: what is told of them, and what is refused."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from tiny import write_stable_diffusion
from tiny_upscalers import write_esrgan, write_latent_upscaler, write_x4_upscaler

from desktop_app.core.errors import CheckpointError
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import UPSCALER_ELEMENTS
from desktop_app.store.checkpoint_care import remove, verify
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.file_import import import_file


@pytest.fixture
def store(paths):
    return CheckpointStore(paths)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("upscalers")
    return write_latent_upscaler(root / "x2"), write_x4_upscaler(root / "x4")


@pytest.fixture
def x2(folders, tmp_path):
    return shutil.copytree(folders[0], tmp_path / "x2")


@pytest.fixture
def x4(folders, tmp_path):
    return shutil.copytree(folders[1], tmp_path / "x4")


def edit(path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_latent_upscaler_says_what_sides_it_can_double(store, x2):
    assert store.resolve(str(x2)) == x2
    info = store.describe(str(x2))
    assert (info.family, info.kinds) == ("Latent upscaler", (StageKind.LATENT_UPSCALE,))
    assert (info.multiple, info.native_size, info.max_tokens) == (32, 512, 77)
    assert not info.can_paint
    edit(x2 / "unet" / "config.json", block_out_channels=[32, 64, 64])
    assert store.describe(str(x2)).multiple == 16


def test_the_upscaler_x4_says_what_it_is(store, x4):
    assert store.resolve(str(x4)) == x4
    info = store.describe(str(x4))
    assert (info.family, info.kinds) == ("Upscaler x4", (StageKind.UPSCALE,))
    assert (info.multiple, info.native_size) == (4, 64)
    assert {part.name: part.elements for part in info.parts}["unet"] == UPSCALER_ELEMENTS
    assert not info.can_paint


def test_an_upscaler_without_its_second_scheduler_is_refused(store, x4):
    index = json.loads((x4 / "model_index.json").read_text())
    del index["low_res_scheduler"]
    (x4 / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="does not name low_res_scheduler"):
        store.describe(str(x4))


def test_a_second_scheduler_of_a_strangers_class_is_refused(store, x4):
    edit(x4 / "model_index.json", low_res_scheduler=["evil", "DDPMScheduler"])
    with pytest.raises(CheckpointError, match="class that is not known"):
        store.resolve(str(x4))


@pytest.mark.parametrize("blocks", [None, [32], "many"])
def test_blocks_that_cannot_be_counted_are_damage(store, x2, blocks):
    edit(x2 / "unet" / "config.json", block_out_channels=blocks)
    with pytest.raises(CheckpointError, match="list of the blocks"):
        store.describe(str(x2))


def test_a_checkpoint_that_only_calls_itself_an_upscaler_is_refused(store, tmp_path):
    folder = write_stable_diffusion(tmp_path / "sd")
    edit(folder / "model_index.json", _class_name="StableDiffusionLatentUpscalePipeline")
    with pytest.raises(CheckpointError, match="another task") as caught:
        store.describe(str(folder))
    assert "no checkpoint of the family Latent upscaler" in caught.value.hint


@pytest.mark.parametrize("kind", ["x2", "x4"])
def test_upscalers_are_listed_and_offered_as_what_they_are(store, paths, folders, kind):
    folder = folders[0] if kind == "x2" else folders[1]
    shutil.copytree(folder, paths.checkpoints / kind)
    assert [info.kinds for info in store.list() if not info.can_paint] == [store.describe(kind).kinds]


def test_an_upscaler_whose_second_scheduler_is_gone_is_damaged(store, x4):
    (x4 / "low_res_scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        store.resolve(str(x4))


# Files -------------------------------------------------------------------------------------------


@pytest.fixture
def imported(paths, tmp_path):
    """A pixel upscaler in the checkpoints folder."""
    source = write_esrgan(tmp_path / "4x-Sharp.safetensors")
    return import_file(source, paths.checkpoints, lambda progress: None, threading.Event())


def test_a_pixel_upscaler_is_brought_in_and_found_like_other_files(store, imported):
    assert store.resolve("4x-Sharp.safetensors") == imported
    info = store.describe(str(imported))
    assert (info.family, info.scale, info.kinds) == ("Pixel upscaler", 4, (StageKind.PIXEL_UPSCALE,))
    assert [each.label for each in store.list() if each.scale] == ["4x-Sharp"]


def test_a_pixel_upscaler_is_verified_and_removed_like_other_files(paths, imported):
    assert verify(paths, str(imported), lambda progress: None, threading.Event()) == []
    imported.write_bytes(imported.read_bytes()[:-1] + b"x")
    assert verify(paths, str(imported), lambda progress: None, threading.Event()) == [imported.name]
    assert remove(paths, str(imported)) > 1_000_000
    assert not list(paths.checkpoints.glob("4x-Sharp*"))


def test_a_pixel_upscaler_for_other_pictures_is_not_brought_in(paths, tmp_path):
    source = write_esrgan(tmp_path / "grey.safetensors", channels=1)
    with pytest.raises(CheckpointError, match="not supported"):
        import_file(source, paths.checkpoints, lambda progress: None, threading.Event())
    assert not list(paths.checkpoints.glob("grey*"))
