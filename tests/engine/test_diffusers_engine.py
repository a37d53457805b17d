"""DiffusersEngine against diffusers itself, and what it does when the device or the checkpoint fails."""

from __future__ import annotations

import gc
import json
import shutil
import weakref
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from engine_runs import NEVER, Recorder, paint
from PIL import Image
from support import STARTER, make_request

from desktop_app.core.errors import CheckpointError, DeviceError, OutOfMemory
from desktop_app.core.request import StageKind, hash_pixels
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.engine.diffusers_engine import DiffusersEngine


@pytest.fixture(scope="module")
def bare(diffusers_engine):
    """Diffusers without us, on the starter checkpoint."""
    import torch
    from diffusers import AutoPipelineForImage2Image

    torch.set_num_threads(1)
    pipeline = AutoPipelineForImage2Image.from_pretrained(STARTER, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def tiny_engine(tiny_checkpoint):
    engine = DiffusersEngine(lambda ref: tiny_checkpoint, threads=1)
    yield engine
    engine.close()


def unet_of(engine: DiffusersEngine):
    residency = engine._workshop.residency
    assert residency is not None
    resident = next(reversed(residency._residents.values()))
    return resident.pipelines[StageKind.TEXT_TO_IMAGE].unet


def test_image_to_image_is_bit_for_bit_what_diffusers_makes(diffusers_engine, bare, init_ref):
    import torch

    ref = init_ref((64, 64))
    request = make_request(ref, negative_prompt="dog", steps=10, strength=0.6)
    expected = bare(
        prompt=request.stages[0].prompt,
        negative_prompt="dog",
        image=Image.open(ref.path),
        strength=0.6,
        num_inference_steps=10,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]
    assert paint(diffusers_engine, request).tobytes() == expected.tobytes()


def test_what_half_precision_cannot_hold_is_painted_in_full_without_both_in_memory(tmp_path, tiny_checkpoint):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_checkpoint, tmp_path / "loud")
    weights = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    weights["decoder.conv_in.bias"] += 1e5  # more than float16 can hold
    save_file(weights, folder / "vae" / "diffusion_pytorch_model.safetensors")
    engine = DiffusersEngine(lambda ref: folder, threads=1)
    residency = engine._start().residency
    residency.dtype, residency._budget = "float16", 1
    unets: list[weakref.ref] = []
    alive: list[int] = []

    def look(step: int) -> None:
        unets.append(weakref.ref(unet_of(engine)))
        alive.append(len({id(unet()) for unet in unets if unet() is not None}))

    result = engine.run(make_request(), Recorder(at_step=look), NEVER)
    engine.close()
    assert any("full precision" in note for note in result.notes)
    assert (result.environment["dtype"], max(alive), len(alive)) == ("float32", 1, 10)


def test_a_checkpoint_that_was_trained_on_in_its_folder_is_loaded_anew(tmp_path, tiny_checkpoint):
    from tiny import write_stable_diffusion

    folder, other = tmp_path / "mine", write_stable_diffusion(tmp_path / "later", safety_checker=False, seed=5)
    shutil.copytree(tiny_checkpoint, folder)
    engine = DiffusersEngine(lambda ref: other if ref == "other" else folder, threads=1)
    before, expected = paint(engine, make_request()), paint(engine, make_request(checkpoint="other"))
    shutil.rmtree(folder)
    shutil.copytree(other, folder)
    after = paint(engine, make_request())
    engine.close()
    assert after.tobytes() == expected.tobytes() != before.tobytes()


def test_text_to_image_is_bit_for_bit_what_diffusers_makes(diffusers_engine, bare):
    import torch
    from diffusers import AutoPipelineForText2Image

    expected = AutoPipelineForText2Image.from_pipe(bare)(
        prompt="lemon, cartoon icon, white background",
        width=64,
        height=48,
        num_inference_steps=4,
        guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(7),
    ).images[0]
    assert paint(diffusers_engine, make_request(height=48)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_runs_and_leaves_the_checkpoint_as_it_was(diffusers_engine, init_ref, name):
    request = make_request(init_ref(), steps=6)
    before = hash_pixels(paint(diffusers_engine, request))
    recorder = Recorder()
    result = diffusers_engine.run(make_request(init_ref(), steps=6, scheduler=name), recorder, NEVER)
    assert recorder.steps == list(range(1, result.steps_run[0] + 1))
    assert bool(result.notes) is (result.steps_run != (3,))
    assert hash_pixels(paint(diffusers_engine, request)) == before


def test_a_checkpoint_with_a_safety_checker_runs_without_it(tiny_engine, init_ref):
    result = tiny_engine.run(make_request(init_ref()), Recorder(), NEVER)
    assert result.image.getbbox() is not None


def test_a_scheduler_that_needs_more_passes_says_so(tiny_engine, init_ref):
    recorder = Recorder()
    result = tiny_engine.run(make_request(init_ref(), steps=4, strength=0.5), recorder, NEVER)
    assert result.steps_run == (3,)
    assert recorder.steps == [1, 2, 3]
    assert result.notes == ("The scheduler took 3 passes for 2 steps.",)


def test_values_that_are_no_numbers_are_never_given_as_a_picture(tiny_engine):
    import torch

    tiny_engine.warm_up("tiny")
    torch.nn.init.constant_(unet_of(tiny_engine).conv_out.bias, float("nan"))
    with pytest.raises(DeviceError, match="without content"):
        paint(tiny_engine, make_request(scheduler="ddim"))


def test_a_full_memory_is_told_and_the_next_run_is_as_before(tiny_engine):
    import torch

    request = make_request(scheduler="ddim")
    before = hash_pixels(paint(tiny_engine, request))

    def run_out(module, inputs):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    handle = torch.nn.modules.module.register_module_forward_pre_hook(run_out)
    with handle, pytest.raises(OutOfMemory, match="memory is full: 2 GiB more"):
        paint(tiny_engine, request)
    assert hash_pixels(paint(tiny_engine, request)) == before


def test_a_real_allocation_that_is_too_large_is_a_full_memory():
    import torch

    from desktop_app.engine.faults import is_out_of_memory, running

    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert is_out_of_memory(caught.value)
    with pytest.raises(OutOfMemory, match=r"[\d.]+ GB more would have been needed"), running():
        raise caught.value
    assert not is_out_of_memory(RuntimeError("shapes cannot be multiplied"))


def test_a_checkpoint_whose_parts_do_not_fit_is_told(tiny_checkpoint, tmp_path):
    folder = tmp_path / "misfit"
    shutil.copytree(tiny_checkpoint, folder)
    shutil.copy(STARTER / "unet" / "diffusion_pytorch_model.safetensors", folder / "unet")
    engine = DiffusersEngine(lambda ref: folder, threads=1)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        paint(engine, make_request())


@pytest.mark.parametrize(
    ("part", "logged"),
    [("unet", "were not initialized"), ("vae", "were not initialized"), ("text_encoder", "LOAD REPORT")],
)
def test_weights_that_are_not_in_the_file_are_missed(tiny_checkpoint, tmp_path, expect_log, part, logged):
    from safetensors.torch import load_file, save_file

    expect_log(logged)
    folder = tmp_path / "lacking"
    shutil.copytree(tiny_checkpoint, folder)
    [file] = (folder / part).glob("*.safetensors")
    weights = load_file(file)
    lost = sorted(weights)[len(weights) // 2]
    del weights[lost]
    save_file(weights, file)
    with pytest.raises(CheckpointError, match=f"{part} lacks"):
        paint(DiffusersEngine(lambda ref: folder, threads=1), make_request())


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("tokenizer/tokenizer.json", {"model": {}}),
        ("tokenizer/tokenizer.json", {"normalizer": {"type": "None such"}}),
        ("unet/config.json", {"norm_num_groups": 0}),
        ("text_encoder/config.json", {"num_hidden_layers": "many"}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 0}),
    ],
)
def test_whatever_a_library_makes_of_a_damaged_file_is_told_as_the_checkpoints_fault(tmp_path, file, change):
    folder = tmp_path / "damaged"
    shutil.copytree(STARTER, folder)
    data = json.loads((folder / file).read_text())
    (folder / file).write_text(json.dumps({**data, **change}))
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        paint(DiffusersEngine(lambda ref: folder, threads=1), make_request())


def test_switching_checkpoints_does_not_gather_them_in_memory(tiny_checkpoint, tmp_path):
    folders = [tmp_path / f"copy{number}" for number in range(4)]
    for folder in folders:
        shutil.copytree(tiny_checkpoint, folder)
    engine = DiffusersEngine(Path, threads=1)
    request = make_request(steps=1)
    for folder in folders * 3:
        paint(engine, replace(request, stages=(replace(request.stages[0], checkpoint=str(folder)),)))
    gc.collect()
    first = psutil.Process().memory_info().rss
    for folder in folders * 3:
        paint(engine, replace(request, stages=(replace(request.stages[0], checkpoint=str(folder)),)))
    gc.collect()
    engine.close()
    assert psutil.Process().memory_info().rss - first < 40e6
