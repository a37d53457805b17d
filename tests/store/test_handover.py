"""What goes from stage to stage, on tiny checkpoints."""

from __future__ import annotations

import json
import os
import shutil

import pytest
from safetensors.torch import load_file, save_file
from support import STARTER
from tiny import write_stable_diffusion
from tiny_flow import write_stable_diffusion_3
from tiny_kandinsky import write_decoder

from desktop_app.core.handover import (
    FROM_PIXELS,
    MASKED,
    NOT_COMPARED,
    ON_PIXELS,
    OTHER_CHANNELS,
    OTHER_VAE,
    OWN_LATENTS,
    SAME_VAE,
    Handover,
)
from desktop_app.core.request import Stage, StageKind
from desktop_app.store.handover import describe_handover
from desktop_app.store.same_part import has_same_vae

IMAGE, TEXT, INPAINT = StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE, StageKind.INPAINT
LATENT, UPSCALE, PIXELS = StageKind.LATENT_UPSCALE, StageKind.UPSCALE, StageKind.PIXEL_UPSCALE
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return write_stable_diffusion(tmp_path_factory.mktemp("handover") / "one", safety_checker=False)


@pytest.fixture
def other(one, tmp_path):
    """A copy, for the test to change."""
    return shutil.copytree(one, tmp_path / "other")


@pytest.fixture(scope="module")
def upscaler(one):
    """With the VAE of ``one``, by what its index says."""
    folder = shutil.copytree(one, one.parent / "upscaler")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(
        json.dumps({**index, "_class_name": "StableDiffusionLatentUpscalePipeline"})
    )
    return folder


def change_vae(folder, change):
    """Write its VAE's tensors anew, as ``change`` makes them."""
    file = folder / "vae" / WEIGHTS
    tensors = {name: change(tensor).contiguous() for name, tensor in load_file(file).items()}
    save_file(tensors, file, {"format": "pt", "written": "anew"})


def stage(kind, **changes):
    return Stage(kind, "somewhere", "a cat", **changes)


def handover(path, kind, next_path, next_kind, **changes):
    return describe_handover(path, stage(kind), next_path, stage(next_kind, **changes))


@pytest.mark.parametrize("kind", [IMAGE, TEXT])
@pytest.mark.parametrize("following", [IMAGE, LATENT])
def test_latents_go_on_where_the_vae_is_the_same(one, other, upscaler, kind, following):
    target = upscaler if following is LATENT else other
    assert handover(one, kind, target, following) == Handover(True, SAME_VAE)
    assert handover(one, kind, target, following).words == "latents: same VAE"


def test_image_to_image_knows_only_latents_of_four_channels():
    assert handover(STARTER, IMAGE, STARTER, IMAGE) == Handover(False, OTHER_CHANNELS)


def test_a_latent_upscaler_hands_its_own_latents_on(one, upscaler):
    assert handover(upscaler, LATENT, one, IMAGE) == Handover(True, SAME_VAE)


def test_pixels_go_on_where_the_vae_is_another(one, other):
    change_vae(other, lambda tensor: tensor + 0.1)
    assert handover(one, IMAGE, other, IMAGE) == Handover(False, OTHER_VAE)


@pytest.mark.parametrize("following", [UPSCALE, PIXELS, INPAINT])
def test_some_kinds_of_stage_always_take_pixels(one, following):
    assert handover(one, IMAGE, one, following) == Handover(False, ON_PIXELS)


@pytest.mark.parametrize(("kind", "reason"), [(UPSCALE, FROM_PIXELS), (PIXELS, FROM_PIXELS), (INPAINT, MASKED)])
def test_some_kinds_of_stage_have_only_pixels_to_give(one, kind, reason):
    assert handover(one, kind, one, IMAGE) == Handover(False, reason)


def test_a_refiner_takes_over_inside_the_schedule(one, other):
    change_vae(other, lambda tensor: tensor + 0.1)
    assert handover(one, IMAGE, other, IMAGE, begin=0.8).words == "latents: takes over at 0.8 of the schedule"


def test_kandinsky_and_transformers_take_and_give_pixels(one, tmp_path):
    kandinsky = write_decoder(tmp_path / "kandinsky")
    flow = write_stable_diffusion_3(tmp_path / "flow", has_t5=False)
    for each in (kandinsky, flow):
        assert handover(one, IMAGE, each, IMAGE) == Handover(False, OWN_LATENTS)
        assert handover(each, IMAGE, one, IMAGE) == Handover(False, OWN_LATENTS)


def test_a_file_and_a_folder_are_said_not_to_be_compared(one, tmp_path, monkeypatch):
    file = tmp_path / "checkpoint.safetensors"
    file.write_bytes(b"")
    monkeypatch.setattr("desktop_app.store.handover.family_at", lambda _path: describe_family(one))
    assert handover(one, IMAGE, file, IMAGE) == Handover(False, NOT_COMPARED)


def describe_family(folder):
    from desktop_app.store.checkpoint_index import read_family

    return read_family(folder)


def test_the_plain_weights_and_the_same_rounded_to_half_are_one_vae(one, other):
    change_vae(other, lambda tensor: tensor.half())
    assert has_same_vae(one, other)
    change_vae(other, lambda tensor: tensor * 1.01)
    assert not has_same_vae(one, other)


def test_old_names_of_tensors_and_what_a_configuration_leaves_out_make_no_other_vae(one, other):
    file = other / "vae" / WEIGHTS
    names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(file)
    for new, old in names.items():
        tensors = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in tensors.items()}
    assert any(".query." in name for name in tensors)
    save_file(tensors, file)
    config = json.loads((other / "vae" / "config.json").read_text())
    del config["scaling_factor"]
    (other / "vae" / "config.json").write_text(json.dumps({**config, "sample_size": 512}))
    assert has_same_vae(one, other)


def test_a_changed_file_is_looked_at_anew(one, other):
    assert has_same_vae(one, other)
    change_vae(other, lambda tensor: -tensor)
    assert not has_same_vae(one, other)


def test_what_was_compared_once_is_known_until_a_file_changes(one, other, monkeypatch):
    files = [folder / "vae" / WEIGHTS for folder in (one, other)]
    for file in files:
        os.utime(file, (1_700_000_000, 1_700_000_000))
    assert has_same_vae(one, other)
    with monkeypatch.context() as patch:
        patch.setattr("desktop_app.store.same_part._has_same_bytes", lambda *_: pytest.fail("compared twice"))
        assert has_same_vae(one, other)
    os.utime(files[1], (1_700_000_001, 1_700_000_001))
    change_vae(other, lambda tensor: -tensor)
    assert not has_same_vae(one, other)
