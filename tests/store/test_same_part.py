"""Whether two checkpoints have the same VAE, by their contents, on tiny folders and single files."""

from __future__ import annotations

import json
import shutil

import pytest
from safetensors.numpy import load_file, save_file

from desktop_app.store.same_part import has_same_vae


@pytest.fixture
def folder(tmp_path):
    """Only what is compared: a VAE's configuration and weights."""
    import numpy

    vae = tmp_path / "one" / "vae"
    vae.mkdir(parents=True)
    (vae / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL", "scaling_factor": 0.13025}))
    save_file({"conv": numpy.arange(6, dtype="float32")}, vae / "diffusion_pytorch_model.safetensors")
    return tmp_path / "one"


@pytest.fixture
def other(folder, tmp_path):
    """A copy, for the test to change."""
    return shutil.copytree(folder, tmp_path / "other")


def change(path, **tensors):
    save_file({**load_file(path), **tensors}, path)


def test_a_copy_is_the_same_wherever_it_came_from(folder, other):
    config = json.loads((other / "vae" / "config.json").read_text())
    (other / "vae" / "config.json").write_text(json.dumps({**config, "_name_or_path": "/elsewhere"}))
    assert has_same_vae(folder, folder)
    assert has_same_vae(folder, other)


def test_another_weight_or_another_scale_makes_it_another(folder, other):
    weights = other / "vae" / "diffusion_pytorch_model.safetensors"
    change(weights, conv=load_file(weights)["conv"][::-1].copy())
    assert not has_same_vae(folder, other)
    shutil.copytree(folder / "vae", other / "vae", dirs_exist_ok=True)
    assert has_same_vae(folder, other)
    (other / "vae" / "config.json").write_text(json.dumps({"scaling_factor": 0.18215}))
    assert not has_same_vae(folder, other)


def test_of_single_files_only_the_vae_is_compared(tmp_path):
    import numpy

    vae = {"first_stage_model.a": numpy.arange(4.0), "first_stage_model.b": numpy.ones((2, 2), "float16")}
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    save_file({**vae, "model.diffusion_model.x": numpy.zeros(3)}, one)
    save_file({**vae, "model.diffusion_model.x": numpy.ones(7), "conditioner.y": numpy.ones(2)}, two)
    assert has_same_vae(one, two)
    change(two, **{"first_stage_model.a": numpy.arange(4.0)[::-1].copy()})
    assert not has_same_vae(one, two)
    change(two, **{"first_stage_model.a": numpy.arange(4.0).astype("float32")})
    assert not has_same_vae(one, two)


def test_what_cannot_be_compared_is_not_the_same(folder, tmp_path):
    import numpy

    file, empty, broken = tmp_path / "one.safetensors", tmp_path / "two.safetensors", tmp_path / "three.safetensors"
    save_file({"first_stage_model.a": numpy.ones(1)}, file)
    save_file({"something": numpy.ones(1)}, empty)
    broken.write_bytes(b"not a checkpoint at all")
    shutil.copy(empty, tmp_path / "copy.safetensors")
    for pair in ((folder, file), (file, broken), (empty, tmp_path / "copy.safetensors"), (folder, tmp_path / "gone")):
        assert not has_same_vae(*pair)
