"""Each family against diffusers itself, on tiny checkpoints in its layout."""

from __future__ import annotations

import json
import shutil

import pytest
from engine_runs import NEVER, Recorder, paint
from PIL import Image
from support import make_request
from tiny import write_stable_diffusion, write_stable_diffusion_xl

from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.params import Params
from desktop_app.core.planning import plan_run
from desktop_app.store.checkpoints import CheckpointStore


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Stable Diffusion XL."""
    return write_stable_diffusion_xl(tmp_path_factory.mktemp("xl") / "base")


@pytest.fixture(scope="module")
def refiner(tmp_path_factory):
    """Its refiner."""
    return write_stable_diffusion_xl(tmp_path_factory.mktemp("xl") / "refiner", is_refiner=True)


def bare(name, folder):
    """Diffusers without us."""
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipeline = getattr(diffusers, name).from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def seed():
    import torch

    return torch.Generator("cpu").manual_seed(7)


@pytest.mark.parametrize("name", ["base", "refiner"])
def test_image_to_image_of_xl_is_bit_for_bit_what_diffusers_makes(own_engine, init_ref, request, name):
    folder = request.getfixturevalue(name)
    ref = init_ref((64, 64))
    ours = make_request(ref, checkpoint=str(folder), prompt="the cat", negative_prompt="dog", steps=5, strength=0.6)
    expected = bare("StableDiffusionXLImg2ImgPipeline", folder)(
        prompt="the cat",
        negative_prompt="dog",
        image=Image.open(ref.path),
        strength=0.6,
        num_inference_steps=5,
        guidance_scale=4.0,
        generator=seed(),
    ).images[0]
    assert paint(own_engine, ours).tobytes() == expected.tobytes()


def test_text_to_image_of_xl_is_bit_for_bit_what_diffusers_makes(own_engine, base):
    ours = make_request(checkpoint=str(base), prompt="the cat", steps=3)
    expected = bare("StableDiffusionXLPipeline", base)(
        prompt="the cat", width=64, height=64, num_inference_steps=3, guidance_scale=4.0, generator=seed()
    ).images[0]
    assert paint(own_engine, ours).tobytes() == expected.tobytes()


def test_a_checkpoint_that_has_the_fp16_variant_alone_is_loaded_as_diffusers_does(own_engine, tmp_path, paths):
    import torch
    from diffusers import StableDiffusionPipeline

    folder = write_stable_diffusion(tmp_path / "half", safety_checker=False, variant="fp16")
    assert not list(folder.rglob("*model.safetensors"))
    theirs = StableDiffusionPipeline.from_pretrained(folder, variant="fp16", dtype=torch.float32, safety_checker=None)
    theirs.set_progress_bar_config(disable=True)
    arguments = {"width": 64, "height": 64, "num_inference_steps": 3, "guidance_scale": 4.0}
    expected = theirs("the cat", generator=seed(), **arguments).images[0]
    assert (
        paint(own_engine, make_request(checkpoint=str(folder), prompt="the cat", steps=3)).tobytes()
        == expected.tobytes()
    )
    assert 1e6 < CheckpointStore(paths).describe(str(folder)).size_bytes < 4.2e6


def test_where_one_part_has_no_plain_weights_the_variant_is_loaded(own_engine, tmp_path, paths):
    folder = write_stable_diffusion(tmp_path / "mixed", safety_checker=False)
    half = write_stable_diffusion(tmp_path / "half", safety_checker=False, variant="fp16")
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    shutil.copy(half / "unet" / "diffusion_pytorch_model.fp16.safetensors", folder / "unet")
    assert CheckpointStore(paths).resolve(str(folder)) == folder
    assert paint(own_engine, make_request(checkpoint=str(folder), steps=2)).size == (64, 64)


def test_a_preview_of_xl_comes_while_it_paints(own_engine, base):
    recorder = Recorder()
    own_engine.run(make_request(checkpoint=str(base), steps=2), recorder, NEVER)
    assert [event.preview.size for event in recorder.events if event.preview][-1] == (8, 8)


def test_families_are_told_apart_by_their_text_encoders(paths, base, refiner):
    store = CheckpointStore(paths)
    assert [store.describe(str(folder)).family for folder in (base, refiner)] == [
        "Stable Diffusion XL",
        "Stable Diffusion XL refiner",
    ]
    info = store.describe(str(refiner))
    assert info.tokenizer == refiner / "tokenizer_2"
    assert info.max_tokens == 77


def test_a_refiner_without_a_picture_is_refused_before_it_runs(paths, refiner):
    info = CheckpointStore(paths).describe(str(refiner))
    with pytest.raises(RequestError, match="needs a picture") as caught:
        plan_run(Params(prompt="cat"), None, info)
    assert caught.value.param == "checkpoint"
    assert plan_run(Params(prompt="cat"), (64, 64), info).working_size == (64, 64)


@pytest.mark.parametrize(
    ("part", "words"), [("text_encoder_2", "text_encoder_2"), ("tokenizer_2", "tokenizer"), ("unet", "damaged")]
)
def test_a_part_of_xl_that_is_gone_is_missed(paths, base, tmp_path, part, words):
    folder = tmp_path / "xl"
    shutil.copytree(base, folder)
    shutil.rmtree(folder / part)
    with pytest.raises(CheckpointError, match=words):
        CheckpointStore(paths).resolve(str(folder))


def test_an_index_of_xl_without_any_text_encoder_is_damaged(paths, base, tmp_path):
    folder = tmp_path / "xl"
    shutil.copytree(base, folder)
    index = json.loads((folder / "model_index.json").read_text())
    del index["text_encoder"], index["text_encoder_2"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="does not name text_encoder"):
        CheckpointStore(paths).resolve(str(folder))
