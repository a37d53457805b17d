"""Plans applied to real pipelines: the picture stays the same, run after run, also after one that was stopped."""

from __future__ import annotations

import gc
from pathlib import Path
from types import SimpleNamespace

import pytest
from engine_runs import SAME, distance
from PIL import Image
from support import make_picture

from desktop_app.core.errors import OutOfMemory
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import StageKind
from desktop_app.engine.offload import Offload, _takes_memory, sweep
from desktop_app.engine.pipelines import load_pipelines

RUNNABLE = [MemoryPlan.RESIDENT, MemoryPlan.GROUP_OFFLOAD, MemoryPlan.MODEL_OFFLOAD]
"""Without a graphics card; the last one with the CPU in the place of one."""


class StoppedError(Exception):
    """Raised in the middle of a run."""


@pytest.fixture(scope="module")
def xl_checkpoint(tmp_path_factory, tiny_checkpoint):
    from tiny import write_stable_diffusion_xl

    return write_stable_diffusion_xl(tmp_path_factory.mktemp("checkpoints") / "xl")


@pytest.fixture(scope="module")
def half_checkpoint(tmp_path_factory, tiny_checkpoint):
    """With 16 bits a weight in its files: in full precision it is not read from them as it is used."""
    from tiny import write_stable_diffusion

    return write_stable_diffusion(tmp_path_factory.mktemp("checkpoints") / "half", variant="fp16")


def load(folder: Path):
    import torch

    return load_pipelines(folder, torch.float32, "cpu")


def run(pipeline, kind: StageKind, *, seed: int = 3, side: int = 64, stop_at: int | None = None):
    """The picture; ``stop_at`` is the step after which the run is stopped."""
    import torch

    def step(pipeline, number, timestep, tensors):
        if number == stop_at:
            raise StoppedError
        return tensors

    picture = {} if kind is StageKind.TEXT_TO_IMAGE else {"image": make_picture((side, side)), "strength": 0.7}
    if kind is StageKind.INPAINT:
        picture["mask_image"] = Image.new("L", (side, side), 255)
    size = {} if kind is StageKind.IMAGE_TO_IMAGE else {"width": side, "height": side}
    options = {"num_inference_steps": 4, "callback_on_step_end": step, **picture, **size}
    return pipeline(prompt="the cat", generator=torch.Generator().manual_seed(seed), **options).images[0]


def resident_pictures(folder: Path) -> dict[StageKind, Image.Image]:
    return {kind: run(pipeline, kind) for kind, pipeline in load(folder).items()}


@pytest.mark.parametrize("plan", RUNNABLE)
@pytest.mark.parametrize("checkpoint", ["tiny_checkpoint", "half_checkpoint", "xl_checkpoint"])
def test_every_plan_gives_the_same_picture_for_every_kind_of_stage_twice(request, tmp_path, plan, checkpoint):
    folder = request.getfixturevalue(checkpoint)
    expected = resident_pictures(folder)
    pipelines = load(folder)
    offload = Offload(pipelines.values(), plan, "cpu", tmp_path)
    for kind, pipeline in [*pipelines.items()] * 2:
        with offload.using(pipeline):
            assert distance(run(pipeline, kind), expected[kind]) < SAME
    offload.close()


@pytest.mark.parametrize("plan", RUNNABLE)
def test_a_run_after_one_that_was_stopped_gives_the_same_picture(tiny_checkpoint, tmp_path, plan):
    expected = resident_pictures(tiny_checkpoint)
    pipelines = load(tiny_checkpoint)
    offload = Offload(pipelines.values(), plan, "cpu", tmp_path)
    for kind, pipeline in pipelines.items():
        with pytest.raises(StoppedError), offload.using(pipeline):
            run(pipeline, kind, stop_at=1)
        with offload.using(pipeline):
            assert distance(run(pipeline, kind), expected[kind]) < SAME
    offload.close()


def test_a_run_that_fails_inside_a_layer_leaves_it_usable(tiny_checkpoint, tmp_path):
    pipelines = load(tiny_checkpoint)
    pipeline = pipelines[StageKind.TEXT_TO_IMAGE]
    offload = Offload(pipelines.values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path)
    before = run(pipeline, StageKind.TEXT_TO_IMAGE)

    def fail(module, inputs):
        raise StoppedError

    handle = pipeline.unet.mid_block.resnets[0].conv1.register_forward_pre_hook(fail)
    with handle, pytest.raises(StoppedError), offload.using(pipeline):
        run(pipeline, StageKind.TEXT_TO_IMAGE)
    assert run(pipeline, StageKind.TEXT_TO_IMAGE) == before
    offload.close()


def test_weights_are_on_the_disk_while_they_wait_and_gone_after(half_checkpoint, tmp_path):
    pipelines = load(half_checkpoint)
    offload = Offload(pipelines.values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path / "disk")
    files = list((tmp_path / "disk").rglob("*.safetensors"))
    assert 0.9 * offload.size_bytes < sum(file.stat().st_size for file in files)
    parts = [part for pipeline in pipelines.values() for part in (pipeline.unet, pipeline.vae, pipeline.text_encoder)]
    assert not any(_takes_memory(weight) for part in parts for weight in part.parameters())
    offload.close()
    assert not list((tmp_path / "disk").iterdir())


def test_weights_that_are_read_from_the_checkpoints_files_are_not_written_again(tiny_checkpoint, tmp_path):
    Offload(load(tiny_checkpoint).values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path / "disk")
    assert not list((tmp_path / "disk").rglob("*.safetensors"))


def test_two_checkpoints_on_one_disk_do_not_take_each_others_weights(half_checkpoint, tmp_path):
    from tiny import write_stable_diffusion

    other = write_stable_diffusion(tmp_path / "other", seed=5, variant="fp16")
    kind = StageKind.TEXT_TO_IMAGE
    expected = [resident_pictures(folder)[kind] for folder in (half_checkpoint, other)]
    loaded = [load(folder) for folder in (half_checkpoint, other)]
    offloads = [Offload(each.values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path / "disk") for each in loaded]
    assert all(distance(run(each[kind], kind), picture) < SAME for each, picture in zip(loaded, expected, strict=True))
    assert distance(*expected) > SAME
    for offload in offloads:
        offload.close()


def test_tiles_change_the_decoder_of_all_pipelines_and_can_be_taken_back(tiny_checkpoint, tmp_path):
    pipelines = load(tiny_checkpoint)
    kind = StageKind.TEXT_TO_IMAGE
    whole = run(pipelines[kind], kind, side=128)
    offload = Offload(pipelines.values(), MemoryPlan.RESIDENT, "cpu", tmp_path)
    offload.set_tiles(is_tiled=True)
    tiled = run(pipelines[kind], kind, side=128)
    assert pipelines[StageKind.IMAGE_TO_IMAGE].vae.use_tiling
    assert tiled != whole
    offload.set_tiles(is_tiled=False)
    assert run(pipelines[kind], kind, side=128) == whole


def test_tiles_are_smaller_than_the_pictures_of_stable_diffusion_xl(tmp_path):
    from diffusers import AutoencoderKL, DiffusionPipeline

    class Bare(DiffusionPipeline):
        def __init__(self, vae):
            super().__init__()
            self.register_modules(vae=vae)

    vae = AutoencoderKL(
        block_out_channels=(32, 32, 32, 32),
        sample_size=1024,
        **{"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4},
    )
    Offload([Bare(vae)], MemoryPlan.RESIDENT, "cpu", tmp_path).set_tiles(is_tiled=True)
    assert (vae.tile_sample_min_size, vae.tile_latent_min_size) == (512, 64)


def test_a_decoder_that_knows_no_tiles_is_left_as_it_is(tmp_path):
    offload = Offload([kandinsky_decoder()], MemoryPlan.RESIDENT, "cpu", tmp_path)
    offload.set_tiles(is_tiled=True)
    offload.set_tiles(is_tiled=False)


def kandinsky_decoder():
    """Kandinsky 2.2's decoder, tiny and random."""
    import torch
    from diffusers import DDPMScheduler, KandinskyV22Pipeline, UNet2DConditionModel, VQModel

    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=8,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        attention_head_dim=8,
        cross_attention_dim=32,
        encoder_hid_dim=32,
        encoder_hid_dim_type="image_proj",
        addition_embed_type="image",
        resnet_time_scale_shift="scale_shift",
    )
    movq = VQModel(
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"),
        block_out_channels=(32, 64),
        num_vq_embeddings=12,
        norm_type="spatial",
        vq_embed_dim=4,
        latent_channels=4,
    )
    pipeline = KandinskyV22Pipeline(unet=unet, movq=movq, scheduler=DDPMScheduler())
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def paint_kandinsky(pipeline) -> Image.Image:
    import torch

    embeds = torch.linspace(-1, 1, 32)[None]
    result = pipeline(
        image_embeds=embeds,
        negative_image_embeds=-embeds,
        width=64,
        height=64,
        num_inference_steps=3,
        generator=torch.Generator().manual_seed(1),
    )
    return result.images[0]


@pytest.mark.parametrize("plan", RUNNABLE)
def test_kandinskys_decoder_gives_the_same_picture_by_every_plan(tmp_path, plan):
    expected = paint_kandinsky(kandinsky_decoder())
    pipeline = kandinsky_decoder()
    offload = Offload([pipeline], plan, "cpu", tmp_path)
    for _ in range(2):
        with offload.using(pipeline):
            assert distance(paint_kandinsky(pipeline), expected) < SAME
    offload.close()


def test_weights_that_are_read_outside_a_forward_pass_keep_their_content(tmp_path):
    import torch
    from diffusers import DiffusionPipeline, PriorTransformer

    class Bare(DiffusionPipeline):
        _exclude_from_cpu_offload = ["prior"]

        def __init__(self, prior):
            super().__init__()
            self.register_modules(prior=prior)

    prior = PriorTransformer(num_attention_heads=2, attention_head_dim=12, embedding_dim=16, num_layers=1)
    prior.clip_std.data = torch.randn(1, 2**15)
    kept = prior.clip_std.clone()
    Offload([Bare(prior)], MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path).close()
    assert torch.equal(prior.clip_std, kept)


def test_layers_that_share_weights_keep_them(tmp_path):
    import torch
    from diffusers import DiffusionPipeline

    class Tied(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = torch.nn.Embedding(8, 4), torch.nn.Linear(4, 8, bias=False)
            self.second.weight = self.first.weight

    class Bare(DiffusionPipeline):
        def __init__(self, text_encoder):
            super().__init__()
            self.register_modules(text_encoder=text_encoder)

    part = Tied()
    kept = part.second(part.first(torch.arange(8)))
    Offload([Bare(part)], MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path).close()
    assert torch.equal(part.second(part.first(torch.arange(8))), kept)


def test_a_full_disk_is_told_before_anything_is_written(half_checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=1))
    with pytest.raises(OutOfMemory, match=r"which has 0\.0 GB free"):
        Offload(load(half_checkpoint).values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_an_ended_process_has_left_on_the_disk_is_removed(tmp_path):
    left, own, foreign = (tmp_path / name for name in ("weights-999999999-a", "weights-1-b", "pictures"))
    for folder in (left, own, foreign):
        folder.mkdir()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == [foreign, own]


def test_an_offloaded_checkpoint_leaves_memory_with_its_last_reference(half_checkpoint, tmp_path):
    import weakref

    pipelines = load(half_checkpoint)
    offload = Offload(pipelines.values(), MemoryPlan.GROUP_OFFLOAD, "cpu", tmp_path)
    gone = weakref.ref(pipelines[StageKind.TEXT_TO_IMAGE].unet)
    offload.close()
    del pipelines, offload
    gc.collect()
    assert gone() is None
