"""Stable Diffusion XL with its refiner, against two calls of diffusers, on tiny checkpoints."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest
from engine_runs import NEVER, Recorder, shares_of
from PIL import Image
from tiny import write_stable_diffusion_xl

from desktop_app.core.chain import Card
from desktop_app.core.engine import Phase
from desktop_app.core.errors import CheckpointError
from desktop_app.core.params import Params
from desktop_app.core.planning import build_request, plan_run
from desktop_app.core.request import request_from_json
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.store.checkpoints import CheckpointStore

STEPS = 10
USUAL = {"prompt": "the cat", "negative_prompt": "dog", "num_inference_steps": STEPS, "guidance_scale": 4.0}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return write_stable_diffusion_xl(tmp_path_factory.mktemp("xl") / "base")


@pytest.fixture(scope="module")
def refiner(tmp_path_factory):
    """With the base's own VAE."""
    return write_stable_diffusion_xl(tmp_path_factory.mktemp("xl") / "refiner", is_refiner=True)


@pytest.fixture(scope="module")
def other_refiner(tmp_path_factory, refiner):
    """A refiner whose VAE is another one, with the same configuration."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("xl") / "other"
    shutil.copytree(refiner, folder)
    file = folder / "vae" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    tensors["decoder.conv_out.bias"] += 0.1
    save_file(tensors, file, {"format": "pt"})
    return folder


@pytest.fixture
def store(paths):
    return CheckpointStore(paths)


@pytest.fixture
def engine(store):
    engine = DiffusersEngine(store.resolve, threads=1)
    yield engine
    engine.close()


@pytest.fixture
def make(base, store):
    """Makes requests by way of the plan, as the window and the command line do."""

    def make(init_image=None, **changes):
        usual = Params("the cat", "dog", guidance_scale=4.0, steps=STEPS, width=64, height=64, checkpoint=str(base))
        params = replace(usual, **{name: _plain(value) for name, value in changes.items()})
        info = store.describe(params.checkpoint)
        facts = plan_run(params, init_image.size if init_image else None, info, store.describe)
        return build_request(params, init_image, info, 7, store.describe), facts

    return make


def _plain(value):
    return value if isinstance(value, int | float | str | tuple | None) else str(value)


def bare(name, folder):
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipeline = getattr(diffusers, name).from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def chain(base, refiner, first, second, picture=None, scheduler=""):
    """The picture of two calls of diffusers, which share a generator; arguments of the one and of the other."""
    import diffusers
    import torch

    noise = torch.Generator("cpu").manual_seed(7)
    start = {"image": picture} if picture else {"width": 64, "height": 64}
    kind = "StableDiffusionXLImg2ImgPipeline"
    pipelines = bare(kind if picture else "StableDiffusionXLPipeline", base), bare(kind, refiner)
    for pipeline in pipelines if scheduler else ():
        pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config)
    made = pipelines[0](**USUAL, **start, **first, generator=noise)
    return pipelines[1](**USUAL, **second, image=made.images, generator=noise).images[0]


@pytest.mark.parametrize("share", [0.8, 0.5])
def test_a_refiner_takes_over_as_in_two_calls_of_diffusers(engine, make, base, refiner, share):
    ours, facts = make(refiner=refiner, refiner_share=share)
    result = engine.run(ours, Recorder(), NEVER)
    theirs = chain(base, refiner, {"denoising_end": share, "output_type": "latent"}, {"denoising_start": share})
    assert result.image.tobytes() == theirs.tobytes()
    assert result.steps_run == facts.stage_steps == (STEPS * share, STEPS - STEPS * share)
    assert result.notes == ()


@pytest.mark.parametrize(
    ("name", "theirs"), [("euler_a", "EulerAncestralDiscreteScheduler"), ("heun", "HeunDiscreteScheduler")]
)
def test_both_stages_draw_their_noise_from_one_generator(engine, make, base, refiner, name, theirs):
    ours, _ = make(refiner=refiner, refiner_share=0.5, scheduler=name)
    shares = {"denoising_end": 0.5, "output_type": "latent"}, {"denoising_start": 0.5}
    expected = chain(base, refiner, *shares, scheduler=theirs)
    assert engine.run(ours, Recorder(), NEVER).image.tobytes() == expected.tobytes()


def test_a_card_that_takes_over_makes_the_refiner_s_picture(engine, make, refiner):
    card = Card(checkpoint=str(refiner), begin=0.8, guidance_scale=4.0)
    as_card, facts = make(chain=(card,))
    as_refiner, _ = make(refiner=refiner, refiner_share=0.8)
    assert facts.stage_steps == (8, 2)
    results = [engine.run(each, Recorder(), NEVER) for each in (as_card, as_refiner)]
    assert results[0].image.tobytes() == results[1].image.tobytes()


@pytest.mark.parametrize("strength", [0.8, 0.6])
def test_a_refiner_takes_over_on_an_init_image_too(engine, make, base, refiner, init_ref, strength):
    ref = init_ref((64, 64))
    ours, facts = make(ref, refiner=refiner, refiner_share=0.8, strength=strength)
    result = engine.run(ours, Recorder(), NEVER)
    first = {"strength": strength, "denoising_end": 0.8, "output_type": "latent"}
    theirs = chain(base, refiner, first, {"denoising_start": 0.8}, Image.open(ref.path))
    assert result.image.tobytes() == theirs.tobytes()
    assert result.steps_run == facts.stage_steps == (int(STEPS * strength) - 2, 2)


def test_a_second_pass_gets_the_pixels_where_the_vaes_differ(engine, make, base, other_refiner):
    ours, facts = make(refiner=other_refiner, refiner_strength=0.3)
    result = engine.run(ours, Recorder(), NEVER)
    assert result.image.tobytes() == chain(base, other_refiner, {}, {"strength": 0.3}).tobytes()
    assert result.steps_run == facts.stage_steps == (10, 3)
    assert result.notes == (
        "The refiner got the picture's pixels: the checkpoints are not known to have the same VAE.",
    )


def test_a_second_pass_gets_the_latents_where_the_vaes_are_equal(engine, make, base, refiner, init_ref):
    ref = init_ref((64, 64))
    ours, facts = make(ref, refiner=refiner, refiner_strength=0.3, strength=0.5)
    result = engine.run(ours, Recorder(), NEVER)
    first = {"strength": 0.5, "output_type": "latent"}
    theirs = chain(base, refiner, first, {"strength": 0.3}, Image.open(ref.path))
    assert result.image.tobytes() == theirs.tobytes()
    assert result.steps_run == facts.stage_steps == (5, 3)
    assert result.notes == ("The refiner got the latents themselves: both checkpoints have the same VAE.",)


def test_the_base_can_be_its_own_refiner(engine, make, base):
    ours, _ = make(refiner=base, refiner_share=0.5)
    theirs = chain(base, base, {"denoising_end": 0.5, "output_type": "latent"}, {"denoising_start": 0.5})
    assert engine.run(ours, Recorder(), NEVER).image.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("scheduler", ["default", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "unipc", "euler_a"])
@pytest.mark.parametrize(("steps", "share"), [(6, 0.5), (7, 0.8), (30, 0.8), (2, 0.5)])
def test_the_steps_that_run_are_the_planned_ones(engine, make, refiner, scheduler, steps, share):
    ours, facts = make(refiner=refiner, refiner_share=share, steps=steps, scheduler=scheduler)
    result = engine.run(ours, Recorder(), NEVER)
    assert result.steps_run == facts.stage_steps
    assert sum(result.steps_run) == facts.effective_steps == steps
    assert result.notes == ()


def test_progress_counts_each_stage_by_itself_and_decodes_once(engine, make, refiner):
    recorder, request = Recorder(), make(refiner=refiner)[0]
    engine.run(request, recorder, NEVER)
    told = [(event.stage, event.step, event.total) for event in recorder.events if event.phase is Phase.DENOISING]
    assert told == [(0, step, 8) for step in range(1, 9)] + [(1, 1, 2), (1, 2, 2)]
    assert [event.stage for event in recorder.events if event.phase is Phase.DECODING] == [1]
    assert {event.stages for event in recorder.events} == {2}
    shares = shares_of(request, recorder.events)
    assert shares == sorted(shares)


CONDITIONS = [
    ("base", {"original_width": 512, "original_height": 256}, {"original_size": (256, 512)}),
    ("refiner", {"original_width": 512, "original_height": 256}, {"original_size": (256, 512)}),
    ("refiner", {"aesthetic_score": 9.0}, {"aesthetic_score": 9.0}),
    ("refiner", {"negative_aesthetic_score": 5.0}, {"negative_aesthetic_score": 5.0}),
]


@pytest.mark.parametrize(("name", "changes", "theirs"), CONDITIONS)
def test_finer_conditions_are_told_as_to_diffusers(engine, make, init_ref, request, name, changes, theirs):
    import torch

    ref, folder = init_ref((64, 64)), request.getfixturevalue(name)
    ours, _ = make(ref, checkpoint=folder, strength=0.5, **changes)
    usual, _ = make(ref, checkpoint=folder, strength=0.5)
    picture = {"image": Image.open(ref.path), "strength": 0.5, "generator": torch.Generator("cpu").manual_seed(7)}
    expected = bare("StableDiffusionXLImg2ImgPipeline", folder)(**USUAL, **picture, **theirs).images[0].tobytes()
    assert engine.run(ours, Recorder(), NEVER).image.tobytes() == expected
    assert engine.run(usual, Recorder(), NEVER).image.tobytes() != expected


def test_finer_conditions_reach_both_stages(engine, make, base, refiner):
    ours, _ = make(refiner=refiner, original_width=512, original_height=256, aesthetic_score=9.0)
    size, latent = {"original_size": (256, 512)}, {"output_type": "latent"}
    second = {**size, "denoising_start": 0.8, "aesthetic_score": 9.0}
    theirs = chain(base, refiner, {**size, "denoising_end": 0.8, **latent}, second)
    assert engine.run(ours, Recorder(), NEVER).image.tobytes() == theirs.tobytes()


def test_a_refiner_whose_latents_are_scaled_otherwise_cannot_take_over(engine, make, refiner, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(refiner, folder)
    config = json.loads((folder / "vae" / "config.json").read_text())
    (folder / "vae" / "config.json").write_text(json.dumps({**config, "scaling_factor": 0.18215}))
    with pytest.raises(CheckpointError, match="does not fit"):
        engine.run(make(refiner=folder)[0], Recorder(), NEVER)
    assert engine.run(make(refiner=folder, refiner_strength=0.3)[0], Recorder(), NEVER).steps_run == (10, 3)


@pytest.mark.parametrize("way", [{"refiner_share": 0.7}, {"refiner_strength": 0.3}])
def test_a_request_with_a_refiner_comes_back_from_its_plain_data_and_from_its_values(
    make, base, refiner, store, init_ref, way
):
    ref = init_ref((64, 64))
    ours, _ = make(ref, refiner=refiner, aesthetic_score=9.0, strength=0.8, **way)
    again = request_from_json(json.loads(json.dumps(ours.to_json())), {ref.sha256: ref.path})
    assert again == ours
    assert build_request(again.to_params(), ref, store.describe(str(base)), 7, store.describe) == ours
