"""Kandinsky 2.2 that reads a map of depth: its pipelines are the older kind, and are called as the newer ones are."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
from support import make_picture
from tiny_control import write_depth_decoder
from tiny_kandinsky import WIDTH

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import Stage, StageKind
from desktop_app.engine.arguments import arguments
from desktop_app.engine.controls import ControlNets, control_arguments
from desktop_app.engine.offload import Offload
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.engine.residency import Resident
from desktop_app.store.any_checkpoint import family_at, stamp_of
from desktop_app.store.checkpoints import CheckpointStore

DEPTH = make_picture((128, 64), seed=1)
INIT = make_picture((128, 64), seed=2)
KINDS = [StageKind.TEXT_TO_IMAGE, StageKind.IMAGE_TO_IMAGE]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_depth_decoder(tmp_path_factory.mktemp("kandinsky") / "depth", "org/prior")


@pytest.fixture(scope="module")
def resident(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Resident:
    import torch

    pipelines = load_pipelines(folder, torch.float32, "cpu")
    offload = Offload(pipelines.values(), MemoryPlan.RESIDENT, "cpu", tmp_path_factory.mktemp("disk"))
    return Resident(pipelines, next(iter(pipelines.values())).scheduler, "float32", offload, stamp_of(folder))


def embeddings() -> dict:
    import torch

    made = torch.randn(2, WIDTH, generator=torch.Generator().manual_seed(1))
    return {"image_embeds": made[:1], "negative_image_embeds": made[1:]}


def ours(resident: Resident, folder: Path, kind: StageKind, on_step_end=None, guidance: float = 4.0) -> numpy.ndarray:
    import torch

    family = family_at(folder)
    controls = (Control(ControlMode.DEPTH),)
    stage = Stage(kind, str(folder), "", strength=0.5, steps=6, guidance_scale=guidance, controls=controls)
    pipeline = ControlNets(Path, "cpu").pipeline(resident, family, stage)
    return pipeline(
        **arguments(family, stage, INIT, DEPTH.size),
        **control_arguments(family, stage, [DEPTH]),
        **embeddings(),
        generator=torch.Generator().manual_seed(5),
        callback_on_step_end=on_step_end or (lambda pipeline, step, timestep, tensors: tensors),
        callback_on_step_end_tensor_inputs=["latents"],
        output_type="np",
    ).images


def script(resident: Resident, kind: StageKind, guidance: float) -> numpy.ndarray:
    """What a plain script of diffusers makes; image-to-image takes width for height in 0.42.1."""
    import diffusers
    import torch

    hint = torch.from_numpy(numpy.array(DEPTH)).float().permute(2, 0, 1)[None] / 255
    usual = {"hint": hint, "num_inference_steps": 6, "guidance_scale": guidance, "output_type": "np", **embeddings()}
    parts = {name: getattr(resident.pipelines[kind], name) for name in ("unet", "scheduler", "movq")}
    generator = torch.Generator().manual_seed(5)
    if kind is StageKind.TEXT_TO_IMAGE:
        return diffusers.KandinskyV22ControlnetPipeline(**parts)(
            **usual, width=128, height=64, generator=generator
        ).images
    pipeline = diffusers.KandinskyV22ControlnetImg2ImgPipeline(**parts)
    return pipeline(**usual, image=INIT, strength=0.5, width=64, height=128, generator=generator).images


@pytest.mark.parametrize("guidance", [4.0, 1.0])
@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_those_of_diffusers_bit_for_bit(resident, folder, kind, guidance):
    made = ours(resident, folder, kind, guidance=guidance)
    assert made.shape == (1, 64, 128, 3)
    assert (made == script(resident, kind, guidance)).all()


@pytest.mark.parametrize(("kind", "count"), [(StageKind.TEXT_TO_IMAGE, 6), (StageKind.IMAGE_TO_IMAGE, 3)])
def test_each_step_is_told_with_their_number_and_latents(resident, folder, kind, count):
    told = []

    def note(pipeline, step, timestep, tensors):
        told.append((step, pipeline.num_timesteps, tuple(tensors["latents"].shape)))
        return tensors

    ours(resident, folder, kind, note)
    assert told == [(step, count, (1, 4, 8, 16)) for step in range(count)]


def test_a_cancel_stops_it_and_leaves_it_as_it_was(resident, folder):
    def stop(pipeline, step, timestep, tensors):
        raise Cancelled

    before = ours(resident, folder, KINDS[0])
    with pytest.raises(Cancelled):
        ours(resident, folder, KINDS[0], stop)
    assert (ours(resident, folder, KINDS[0]) == before).all()


def test_the_control_image_counts(resident, folder, monkeypatch):
    before = ours(resident, folder, KINDS[0])
    monkeypatch.setattr(f"{__name__}.DEPTH", make_picture((128, 64), seed=9))
    assert not (ours(resident, folder, KINDS[0]) == before).all()


def test_it_is_found_checked_and_described(paths, folder):
    store = CheckpointStore(paths)
    assert store.resolve(str(folder)) == folder
    info = store.describe(str(folder))
    assert (info.family, info.prior, info.multiple) == ("Kandinsky 2.2 depth", "org/prior", 64)
    assert set(info.kinds) == set(KINDS)
    assert {part.name for part in info.parts} == {"unet", "movq"}


def test_one_that_does_not_take_depth_as_it_says_is_refused(paths, tmp_path):
    import json

    folder = write_depth_decoder(tmp_path / "depth")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "in_channels": 4}))
    with pytest.raises(CheckpointError, match="another task"):
        CheckpointStore(paths).resolve(str(folder))
