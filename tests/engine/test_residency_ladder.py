"""A full memory in the middle of a run: the job goes on with less, says so, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest
from engine_runs import NEVER, SAME, Recorder, distance, paint
from support import PROJECT, make_request

from desktop_app.core.engine import EngineOptions
from desktop_app.core.errors import Cancelled, OutOfMemory
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import hash_pixels
from desktop_app.engine.diffusers_engine import DiffusersEngine

STEPS = 4
PASSES = 5
"""Times that the denoiser runs in four steps of PNDM."""

TILED = "Memory was full; the picture was made all in memory, decoded in tiles."
LAYERS = "Memory was full; the picture was made layer by layer, decoded in tiles."


def shapes() -> list[Callable[[], BaseException]]:
    """A full memory as torch tells of it on a card and on the CPU, and Python itself."""
    import torch

    text = "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"
    return [lambda: torch.OutOfMemoryError("CUDA out of memory."), lambda: RuntimeError(text), MemoryError]


@contextlib.contextmanager
def full_memory(part: str, *, at: int = 1, times: int = 1, shape: int = 0) -> Iterator[list[int]]:
    """Parts of class ``part`` find memory full at their ``at``-th pass, in ``times`` runs. Tells the passes of each."""
    import torch

    error, passes, failures = shapes()[shape], [0], 0

    def run_out(module, inputs):
        nonlocal failures
        if type(module).__name__ != part:
            return
        passes[-1] += 1
        if passes[-1] == at and failures < times:
            failures += 1
            passes.append(0)
            raise error()

    with torch.nn.modules.module.register_module_forward_pre_hook(run_out):
        yield passes


@pytest.fixture
def engine(tiny_checkpoint, tmp_path):
    engine = DiffusersEngine(lambda ref: tiny_checkpoint, threads=1, offload_dir=tmp_path / "disk")
    yield engine
    engine.close()
    assert not list(tmp_path.glob("disk/*"))


@pytest.mark.parametrize("shape", range(3))
@pytest.mark.parametrize("at", range(1, PASSES + 1))
def test_memory_that_is_full_at_any_pass_costs_no_job_and_no_pixel(engine, at, shape):
    request = make_request(steps=STEPS)
    expected = hash_pixels(paint(engine, request))
    recorder = Recorder()
    with full_memory("UNet2DConditionModel", at=at, shape=shape):
        result = engine.run(request, recorder, NEVER)
    assert hash_pixels(result.image) == expected
    assert result.steps_run == (PASSES,)
    assert TILED in result.notes
    assert recorder.steps[-PASSES:] == list(range(1, PASSES + 1))
    assert hash_pixels(paint(engine, request)) == expected


@pytest.mark.parametrize("part", ["CLIPTextModel", "UNet2DConditionModel", "Decoder"])
def test_when_tiles_are_not_enough_layers_come_from_the_disk(engine, init_ref, part):
    request = make_request(init_ref(), steps=STEPS)
    expected = paint(engine, request)
    with full_memory(part, times=2):
        result = engine.run(request, Recorder(), NEVER)
    assert distance(result.image, expected) < SAME
    assert [note for note in result.notes if "Memory" in note] == [LAYERS]


def test_when_the_decoder_runs_out_the_picture_is_decoded_in_tiles(engine):
    request = make_request(steps=STEPS, width=128, height=128)
    whole = paint(engine, request)
    with full_memory("Decoder"):
        result = engine.run(request, Recorder(), NEVER)
    assert TILED in result.notes
    assert 0 < distance(whole, result.image) < 0.01


def test_when_nothing_smaller_is_left_the_job_fails_with_a_hint_and_the_next_one_succeeds(engine):
    request = make_request(steps=STEPS)
    expected = hash_pixels(paint(engine, request))
    with full_memory("UNet2DConditionModel", times=100) as passes, pytest.raises(OutOfMemory) as caught:
        paint(engine, request)
    assert len(passes) == 1 + 3
    assert "Nothing smaller is left to try." in caught.value.hint
    result = engine.run(request, Recorder(), NEVER)
    assert hash_pixels(result.image) == expected
    assert not [note for note in result.notes if "Memory" in note]


def test_what_did_not_fit_is_not_tried_again(engine):
    request = make_request(steps=STEPS)
    with full_memory("UNet2DConditionModel", times=2):
        paint(engine, request)
    with full_memory("UNet2DConditionModel", times=0) as passes:
        result = engine.run(request, Recorder(), NEVER)
    assert passes == [PASSES]
    assert any("layer by layer" in note for note in result.notes)
    engine.configure(EngineOptions())
    assert not any("layer by layer" in note for note in engine.run(request, Recorder(), NEVER).notes)


def test_other_checkpoints_go_before_the_running_one_gets_less(tmp_path, tiny_checkpoint):
    from tiny import write_stable_diffusion

    other = write_stable_diffusion(tmp_path / "other", seed=4)
    folders = {"one": tiny_checkpoint, "other": other}
    engine = DiffusersEngine(folders.__getitem__, threads=1, offload_dir=tmp_path / "disk")
    for ref in folders:
        paint(engine, make_request(steps=STEPS, checkpoint=ref))
    with full_memory("UNet2DConditionModel") as passes:
        result = engine.run(make_request(steps=STEPS, checkpoint="other"), Recorder(), NEVER)
    assert len(passes) == 2
    assert not [note for note in result.notes if "Memory" in note]
    assert engine._workshop.residency is not None
    assert [folder for folder, _ in engine._workshop.residency._residents] == [other]
    engine.close()


def test_the_end_of_a_prompt_that_is_not_read_is_told_once(tmp_path):
    from tiny_flow import write_flux

    folder = write_flux(tmp_path / "flux")
    engine = DiffusersEngine(lambda ref: folder, threads=1, offload_dir=tmp_path / "disk")
    words = " ".join(f"lemon{number}" for number in range(400))
    with full_memory("FluxTransformer2DModel", times=2):
        result = engine.run(make_request(steps=STEPS, prompt=words), Recorder(), NEVER)
    (note,) = [note for note in result.notes if "not read" in note]
    assert "399" in note.replace(" ", "")
    engine.close()


def test_a_cancel_while_less_memory_is_tried_stops_the_job(engine):
    cancel = threading.Event()
    request = make_request(steps=STEPS)
    expected = hash_pixels(paint(engine, request))
    recorder = Recorder(at_step=lambda step: cancel.set() if recorder.steps.count(1) == 2 else None)
    with full_memory("UNet2DConditionModel", at=2), pytest.raises(Cancelled):
        engine.run(request, recorder, cancel)
    assert recorder.steps == [1, 1]
    assert hash_pixels(paint(engine, request)) == expected


def test_the_users_own_plan_gives_the_same_picture_and_is_kept(engine):
    request = make_request(steps=STEPS)
    expected = paint(engine, request)
    engine.configure(EngineOptions(plan=MemoryPlan.GROUP_OFFLOAD))
    result = engine.run(request, Recorder(), NEVER)
    assert distance(result.image, expected) < SAME
    assert not [note for note in result.notes if "memory" in note.lower()]
    assert engine._workshop.residency is not None
    assert next(iter(engine._workshop.residency._residents.values())).offload.plan is MemoryPlan.GROUP_OFFLOAD


def test_a_way_of_attention_that_is_not_installed_is_told(engine):
    request = make_request(steps=STEPS)
    expected = hash_pixels(paint(engine, request))
    engine.configure(EngineOptions(attention="xformers"))
    for _ in range(2):
        result = engine.run(request, Recorder(), NEVER)
        assert hash_pixels(result.image) == expected
        assert "xFormers is not installed; PyTorch's own attention was used." in result.notes


LIMITED = """
import resource, sys
from pathlib import Path
import psutil
from engine_runs import NEVER, Recorder
from support import make_request
from desktop_app.engine.diffusers_engine import DiffusersEngine

folder, disk, megabytes = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
engine = DiffusersEngine(lambda ref: folder, threads=1, offload_dir=disk)
engine.warm_up("tiny")
engine.run(make_request(steps=1), Recorder(), NEVER)
limit = psutil.Process().memory_info().vms + megabytes * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
result = engine.run(make_request(steps=1, width=512, height=512), Recorder(), NEVER)
print(result.image.size, *result.notes)
engine.close()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the limit on memory is Linux's")
@pytest.mark.parametrize(("megabytes", "told"), [(2000, ""), (85, TILED)])
def test_a_memory_that_is_really_too_small_costs_no_job(tiny_checkpoint, tmp_path, megabytes, told):
    command = [sys.executable, "-c", LIMITED, tiny_checkpoint, tmp_path / "disk", str(megabytes)]
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}:{PROJECT / 'tests'}", "MALLOC_ARENA_MAX": "1"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == f"(512, 512) {told}".strip()
