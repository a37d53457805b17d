"""CheckpointStore: what is told of a checkpoint, and what is refused before anything is loaded."""

from __future__ import annotations

import json
import shutil

import pytest
from support import STARTER

from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoints import CheckpointStore


@pytest.fixture
def store(paths):
    return CheckpointStore(paths)


@pytest.fixture
def copy(tmp_path):
    """A copy of the starter that a test may damage."""
    folder = tmp_path / "mine"
    shutil.copytree(STARTER, folder)
    return folder


def edit(path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_the_starter_is_whole_and_described(store):
    assert store.resolve("starter") == STARTER
    info = store.describe("starter")
    assert (info.native_size, info.multiple, info.max_tokens) == (64, 4, 24)
    assert info.label.startswith("Starter")
    assert 10e6 < info.size_bytes < 50e6


def test_a_folder_is_found_by_path_and_by_name(store, paths, copy):
    assert store.resolve(str(copy)) == copy
    shutil.copytree(copy, paths.checkpoints / "other")
    assert store.resolve("other") == paths.checkpoints / "other"
    assert [info.label for info in store.list()][1:] == ["other"]


def test_a_folder_that_cannot_be_described_is_left_out_of_the_list(store, paths, copy):
    shutil.copytree(copy, paths.checkpoints / "broken")
    (paths.checkpoints / "broken" / "unet" / "config.json").write_text("{")
    assert len(store.list()) == 1
    found = store.survey()[str(paths.checkpoints / "broken")]
    assert isinstance(found, CheckpointError)


def test_a_damaged_starter_does_not_hide_the_others(store, paths, copy, monkeypatch):
    shutil.copytree(copy, paths.checkpoints / "other")
    monkeypatch.setattr("desktop_app.store.checkpoints.resources_dir", lambda: paths.data_dir)
    assert [info.label for info in store.list()] == ["other"]


def test_a_disk_that_refuses_is_told(store, copy, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    (copy / "model_index.json").unlink()
    with pytest.raises(CheckpointError, match="cannot be read"):
        store.resolve(str(copy))


def damage_weights(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


def lengthen_weights(folder):
    with (folder / "vae" / "diffusion_pytorch_model.safetensors").open("ab") as file:
        file.write(b"more")


def lead_out(folder):
    (folder / "unet" / "config.json").unlink()
    (folder / "unet" / "config.json").symlink_to("/etc/hostname")


def link_to_itself(folder):
    (folder / "unet" / "config.json").unlink()
    (folder / "unet" / "config.json").symlink_to("config.json")


def only_pickles(folder):
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))


DAMAGES = {
    "cut weights": (damage_weights, "damaged"),
    "long weights": (lengthen_weights, "damaged"),
    "no weights": (lambda f: (f / "unet" / "diffusion_pytorch_model.safetensors").unlink(), "damaged"),
    "pickles": (only_pickles, "unsafe"),
    "no config": (lambda f: (f / "vae" / "config.json").unlink(), "damaged"),
    "no tokenizer": (lambda f: shutil.rmtree(f / "tokenizer"), "damaged"),
    "a link out": (lead_out, "leads out"),
    "a link to itself": (link_to_itself, "damaged"),
    "strange class": (lambda f: edit(f / "model_index.json", unet=["os", "system"]), "not known"),
    "strange part": (lambda f: edit(f / "model_index.json", spy=["builtins", "eval"]), "not known"),
    "other family": (lambda f: edit(f / "model_index.json", _class_name="StableCascadePipeline"), "not supported"),
    "no index": (lambda f: (f / "model_index.json").unlink(), "no checkpoint"),
    "for instructions": (lambda f: edit(f / "unet" / "config.json", in_channels=7), "another task"),
    "channels that are none": (lambda f: edit(f / "vae" / "config.json", latent_channels={}), "damaged"),
    "no json": (lambda f: (f / "model_index.json").write_text("{"), "damaged"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_or_unsafe_checkpoint_is_refused_with_its_reason(store, copy, name):
    damage, words = DAMAGES[name]
    damage(copy)
    with pytest.raises(CheckpointError, match=words) as caught:
        store.resolve(str(copy))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("stable-diffusion-v1-5/stable-diffusion-v1-5", "not on this machine"),
        ("model.ckpt", "unsafe"),
        ("model.safetensors", "cannot be found"),
        ("/no/such/folder", "cannot be found"),
        ("", "cannot be found"),
        ("a\0b", "cannot be found"),
        ("~nobody-at-all/x", "."),
    ],
)
def test_what_is_no_folder_is_told_by_its_kind(store, ref, words):
    with pytest.raises(CheckpointError, match=words):
        store.resolve(ref)


def test_of_a_file_that_is_gone_no_folder_is_offered_instead(store):
    with pytest.raises(CheckpointError) as caught:
        store.resolve("/upscalers/x4.safetensors")
    assert caught.value.hint == "Put the file there again, or choose another one."
