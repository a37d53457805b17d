"""The two upscalers of diffusers: what plain diffusers makes, to the last bit; and tiles that nobody sees."""

from __future__ import annotations

from dataclasses import replace

import numpy
import pytest
from engine_runs import NEVER, Recorder
from PIL import Image
from support import make_picture, make_ref, make_request
from tiny import write_stable_diffusion
from tiny_upscalers import write_latent_upscaler, write_x4_upscaler

from desktop_app.core.errors import Cancelled, RequestError
from desktop_app.core.families import UPSCALER, family_named
from desktop_app.core.request import Stage, StageKind
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.engine.schedulers import make_scheduler
from desktop_app.engine.tiles import spans
from desktop_app.engine.upscale import decode, largest_call, upscale_latents, upscale_pixels
from desktop_app.engine.weighting import read_stage

DOUBLE = Stage(StageKind.LATENT_UPSCALE, "tiny", "the cat", "dog", steps=3, guidance_scale=5.0)
FOURFOLD = Stage(StageKind.UPSCALE, "tiny", "the cat", "dog", steps=3, guidance_scale=5.0, noise_level=30)


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("upscalers")
    return write_latent_upscaler(root / "x2"), write_x4_upscaler(root / "x4")


@pytest.fixture(scope="module")
def doubling(folders):
    import torch

    return load_pipelines(folders[0], torch.float32, "cpu")[StageKind.LATENT_UPSCALE]


@pytest.fixture(scope="module")
def fourfold(folders):
    import torch

    return load_pipelines(folders[1], torch.float32, "cpu")[StageKind.UPSCALE]


@pytest.fixture
def plain(folders):
    """Pipelines as a script would load them, by their folder's name."""
    from diffusers import DiffusionPipeline

    loaded = {folder.name: DiffusionPipeline.from_pretrained(folder, local_files_only=True) for folder in folders}
    for pipeline in loaded.values():
        pipeline.set_progress_bar_config(disable=True)
    return loaded


def noise(seed=7):
    import torch

    return torch.Generator("cpu").manual_seed(seed)


def ignore(step, total, latents):
    pass


class Steps(list):
    """Writes down what is told of steps; raises at ``end``."""

    def __init__(self, end=0):
        super().__init__()
        self.end = end

    def __call__(self, step, total, latents):
        self.append((step, total))
        if step == self.end:
            raise Cancelled


# Twice, in latents -------------------------------------------------------------------------------


def usual(stage):
    return {
        "prompt": stage.prompt,
        "negative_prompt": stage.negative_prompt,
        "num_inference_steps": stage.steps,
        "guidance_scale": stage.guidance_scale,
        "generator": noise(),
    }


def test_a_picture_is_doubled_as_plain_diffusers_does_it(doubling, plain):
    picture = make_picture((96, 64))
    made = upscale_latents(doubling, DOUBLE, picture, noise(), ignore)
    assert made.shape == (1, 4, 16, 24)
    script = plain["x2"](image=picture, output_type="np", **usual(DOUBLE)).images
    assert numpy.array_equal(decode(doubling, made), script)
    assert script.shape == (1, 128, 192, 3)


def test_latents_are_doubled_as_plain_diffusers_does_it(doubling, plain, tmp_path):
    import torch

    latents = torch.randn(1, 4, 8, 12, generator=noise(1))
    made = upscale_latents(doubling, DOUBLE, latents, noise(), ignore)
    assert torch.equal(made, plain["x2"](image=latents, output_type="latent", **usual(DOUBLE)).images)


def test_steps_of_doubling_are_counted_and_without_guidance_too(doubling):
    steps = Steps()
    upscale_latents(
        doubling, replace(DOUBLE, guidance_scale=0.0, negative_prompt=""), make_picture((64, 64)), noise(), steps
    )
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_cancelled_doubling_leaves_nothing_behind(doubling):
    import torch

    picture = make_picture((64, 64))
    before = upscale_latents(doubling, DOUBLE, picture, noise(), ignore)
    with pytest.raises(Cancelled):
        upscale_latents(doubling, DOUBLE, picture, noise(), Steps(end=2))
    assert torch.equal(upscale_latents(doubling, DOUBLE, picture, noise(), ignore), before)


@pytest.mark.parametrize("size", [(96, 72), (32, 64), (80, 80)])
def test_sides_that_cannot_be_doubled_are_refused(doubling, size):
    import torch

    with pytest.raises(RequestError, match="cannot double") as caught:
        upscale_latents(doubling, DOUBLE, make_picture(size), noise(), ignore)
    assert "multiples of 32, and at least 64" in caught.value.detail
    with pytest.raises(RequestError):
        upscale_latents(doubling, DOUBLE, torch.zeros(1, 4, size[1] // 8, size[0] // 8), noise(), ignore)


def test_latents_that_are_not_numbers_are_noticed(doubling):
    import torch

    latents = torch.full((1, 4, 8, 8), float("nan"))
    assert upscale_latents(doubling, DOUBLE, latents, noise(), ignore) is None
    assert decode(doubling, latents) is None
    assert decode(doubling, None) is None


# Four times, in pixels ---------------------------------------------------------------------------


def test_a_small_picture_is_enlarged_in_one_call_as_plain_diffusers_does_it(fourfold, plain):
    picture, steps = make_picture((24, 16)), Steps()
    made = upscale_pixels(fourfold, FOURFOLD, picture, noise(), steps)
    script = plain["x4"](image=picture, noise_level=30, output_type="np", **usual(FOURFOLD)).images
    assert numpy.array_equal(made, script)
    assert made.shape == (1, 64, 96, 3)
    assert steps == [(1, 3), (2, 3), (3, 3)]


def test_a_picture_of_any_size_comes_out_exactly_four_times_as_large(fourfold):
    assert upscale_pixels(fourfold, FOURFOLD, make_picture((19, 9)), noise(), ignore).shape == (1, 36, 76, 3)
    tiled = upscale_pixels(fourfold, FOURFOLD, make_picture((37, 18)), noise(), ignore, tile=16, overlap=4)
    assert tiled.shape == (1, 72, 148, 3)


def test_weighted_prompts_are_taken(fourfold, plain):
    family, picture = family_named(UPSCALER), make_picture((16, 16))
    stage, prompts = read_stage(fourfold, family, replace(FOURFOLD, prompt="the (cat:1.4)"))
    assert set(prompts) == {"prompt_embeds", "negative_prompt_embeds"}
    made = upscale_pixels(fourfold, stage, picture, noise(), ignore, prompts=prompts)
    assert not numpy.array_equal(made, upscale_pixels(fourfold, stage, picture, noise(), ignore))
    arguments = {name: value for name, value in usual(FOURFOLD).items() if not name.endswith("prompt")} | prompts
    assert numpy.array_equal(made, plain["x4"](image=picture, noise_level=30, output_type="np", **arguments).images)


def test_steps_are_counted_over_all_tiles(fourfold):
    steps = Steps()
    upscale_pixels(fourfold, FOURFOLD, make_picture((40, 16)), noise(), steps, tile=16, overlap=4)
    assert steps == [(step, 9) for step in range(1, 10)]


@pytest.mark.parametrize("name", ["heun", "dpmpp_2m", "euler"])
def test_steps_are_counted_exactly_with_other_schedulers(fourfold, monkeypatch, name):
    steps = Steps()
    monkeypatch.setattr(fourfold, "scheduler", make_scheduler(name, fourfold.scheduler))
    upscale_pixels(fourfold, FOURFOLD, make_picture((24, 16)), noise(), steps, tile=16, overlap=4)
    assert steps == [(step, 6) for step in range(1, 7)]


def test_a_cancelled_enlargement_leaves_nothing_behind(fourfold):
    def enlarge(on_step):
        return upscale_pixels(fourfold, FOURFOLD, make_picture((40, 16)), noise(), on_step, tile=16, overlap=4)

    before = enlarge(ignore)
    with pytest.raises(Cancelled):
        enlarge(Steps(end=5))
    assert "add_noise" not in vars(fourfold.low_res_scheduler)
    assert numpy.array_equal(enlarge(ignore), before)


def test_one_large_tile_and_many_small_ones_show_the_same_picture(fourfold):
    picture = make_picture((48, 48))
    whole = upscale_pixels(fourfold, FOURFOLD, picture, noise(), ignore)
    tiled = upscale_pixels(fourfold, FOURFOLD, picture, noise(), ignore, tile=32, overlap=8)
    other = upscale_pixels(fourfold, FOURFOLD, make_picture((48, 48), seed=3), noise(), ignore, tile=32, overlap=8)
    assert numpy.abs(tiled - whole).mean() < numpy.abs(tiled - other).mean()


def test_no_step_at_a_seam_is_larger_than_within_the_tiles(fourfold):
    flat = Image.new("RGB", (56, 32), (90, 140, 60))
    made = upscale_pixels(fourfold, FOURFOLD, flat, noise(), ignore, tile=32, overlap=8)[0]
    steps = numpy.abs(numpy.diff(made, axis=1)).mean(axis=(0, 2))
    edges = {4 * edge - 1 for place in spans(56, 32, 8) for edge in place if 0 < edge < 56}
    inner = [step for column, step in enumerate(steps) if column not in edges]
    assert edges
    assert max(steps[column] for column in edges) <= max(inner)


def test_a_noise_level_beyond_the_training_is_refused(fourfold):
    with pytest.raises(RequestError, match="noise level") as caught:
        upscale_pixels(fourfold, replace(FOURFOLD, noise_level=400), make_picture((16, 16)), noise(), ignore)
    assert caught.value.param == "noise_level"


def test_pixels_that_are_not_numbers_are_noticed_in_any_tile(fourfold, folders):
    import torch

    broken = load_pipelines(folders[1], torch.float32, "cpu")[StageKind.UPSCALE]
    broken.vae.decoder.conv_out.bias.data.fill_(float("nan"))
    for size in ((16, 16), (24, 16)):
        assert upscale_pixels(broken, FOURFOLD, make_picture(size), noise(), ignore, tile=16, overlap=4) is None


def test_half_precision_enlarges_without_a_word(folders):
    import torch

    half = load_pipelines(folders[1], torch.float16, "cpu")[StageKind.UPSCALE]
    made = upscale_pixels(half, FOURFOLD, make_picture((24, 16)), noise(), ignore, tile=16, overlap=4)
    assert made.shape == (1, 64, 96, 3)
    assert half.vae.dtype == torch.float16


def test_memory_is_planned_for_one_tile():
    assert largest_call(StageKind.UPSCALE, 1024, 200) == (1024, 800)
    assert largest_call(StageKind.LATENT_UPSCALE, 1024, 200) == (2048, 400)


def test_latents_of_stable_diffusion_go_through_both(doubling, fourfold, tmp_path):
    import torch

    base = load_pipelines(write_stable_diffusion(tmp_path / "sd"), torch.float32, "cpu")[StageKind.TEXT_TO_IMAGE]
    arguments = {"prompt": "the cat", "width": 64, "height": 64, "num_inference_steps": 2, "output_type": "latent"}
    latents = base(**arguments, generator=noise()).images
    doubled = decode(doubling, upscale_latents(doubling, DOUBLE, latents, noise(), ignore))
    picture = doubling.numpy_to_pil(doubled)[0]
    assert upscale_pixels(fourfold, FOURFOLD, picture, noise(), ignore, tile=64).shape == (1, 512, 512, 3)


def test_a_run_plans_its_memory_for_one_tile_of_a_large_picture(own_engine, folders, tmp_path):
    picture = make_ref(tmp_path / "wide.png", make_picture((320, 16)))
    stage = replace(FOURFOLD, checkpoint=str(folders[1]), steps=1)
    request = replace(make_request(picture), stages=(stage,), width=320, height=16)
    recorder = Recorder()
    assert own_engine.run(request, recorder, NEVER).image.size == (1280, 64)
    assert recorder.steps == [1, 2]
    assert own_engine._workshop.residency._sizes[folders[1]] == (1024, 64)
