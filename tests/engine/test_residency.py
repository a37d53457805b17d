"""Which checkpoints stay in memory, what they share, and what is given back."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path

import pytest

from desktop_app.core.engine import EngineOptions
from desktop_app.core.errors import CheckpointError
from desktop_app.core.memory import MemoryPlan, MemoryUse
from desktop_app.core.request import StageKind
from desktop_app.engine.devices import DeviceMemory, choose_device, choose_dtype, device_memory
from desktop_app.engine.residency import Residency

GB = 10**9
MODULES = ("unet", "vae", "text_encoder")


class SmallMachine(Residency):
    """A CPU with as much free memory as the test says."""

    free = 100 * GB

    def _memory(self, device: str) -> DeviceMemory:
        return DeviceMemory(self.free, 0, 100 * GB)


@pytest.fixture(scope="module")
def folders(tmp_path_factory, tiny_checkpoint) -> list[Path]:
    """Three checkpoints of one size."""
    from tiny import write_stable_diffusion

    parent = tmp_path_factory.mktemp("residency")
    return [tiny_checkpoint, *(write_stable_diffusion(parent / f"{seed}", seed=seed) for seed in (1, 2))]


@pytest.fixture
def residency(tmp_path):
    machine = SmallMachine("cpu", disk=tmp_path / "disk")
    yield machine
    machine.clear()


def loaded(residency: Residency) -> list[Path]:
    return [folder for folder, _ in residency._residents]


def live_bytes() -> int:
    """Of all tensors that anything refers to, each storage once."""
    import torch

    gc.collect()
    tensors = [each for each in gc.get_objects() if isinstance(each, torch.Tensor)]
    storages = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def test_pipelines_of_one_checkpoint_share_every_part_and_take_no_more_memory(residency, folders):
    before = live_bytes()
    resident = residency.get(folders[0])
    first, second = resident.pipelines[StageKind.IMAGE_TO_IMAGE], resident.pipelines[StageKind.TEXT_TO_IMAGE]
    assert first is not second
    assert all(getattr(first, part) is getattr(second, part) for part in MODULES)
    assert resident.offload.size_bytes <= live_bytes() - before <= resident.offload.size_bytes * 1.02


def test_the_same_checkpoint_is_loaded_once(residency, folders):
    assert residency.get(folders[0]) is residency.get(folders[0])
    assert residency.has(folders[0])
    assert not residency.has(folders[1])


def test_the_least_recently_used_leave_when_they_would_take_more_than_the_budget(tmp_path, folders):
    one = Residency("cpu", disk=tmp_path).get(folders[0]).offload.size_bytes
    residency = SmallMachine("cpu", budget=int(2.5 * one), disk=tmp_path)
    for folder in (folders[0], folders[1], folders[0], folders[2]):
        residency.get(folder)
    assert loaded(residency) == [folders[0], folders[2]]
    residency._budget = 10 * one
    residency.get(folders[1])
    assert len(loaded(residency)) == 3
    residency.clear()


def test_others_leave_when_what_is_free_is_not_enough(residency, folders):
    for folder in folders[:2]:
        residency.get(folder)
    residency.free = 13 * 10**6
    residency.plan(folders[0], (64, 64))
    residency.get(folders[0])
    assert loaded(residency) == [folders[1], folders[0]]
    residency.plan(folders[0], (192, 192))
    residency.get(folders[0])
    assert loaded(residency) == [folders[0]]


def test_twenty_switches_leave_memory_as_it_was(tmp_path, folders):
    residency = SmallMachine("cpu", budget=1, disk=tmp_path)
    residency.get(folders[0])
    before, gone = live_bytes(), []
    for number in range(20):
        unet = residency.get(folders[(number + 1) % 2]).pipelines[StageKind.TEXT_TO_IMAGE].unet
        gone.append(weakref.ref(unet))
        del unet
    assert live_bytes() == pytest.approx(before, rel=0.01)
    assert [ref() is None for ref in gone] == [True] * 19 + [False]
    residency.clear()
    assert gone[-1]() is None


def test_twenty_switches_between_offloaded_checkpoints_leave_memory_and_disk_as_they_were(tmp_path, folders):
    residency = SmallMachine("cpu", budget=1, disk=tmp_path / "disk")
    residency.configure(EngineOptions(plan=MemoryPlan.GROUP_OFFLOAD))
    residency.get(folders[0])
    before = live_bytes()
    for number in range(20):
        residency.get(folders[(number + 1) % 3])
    assert len(list((tmp_path / "disk").iterdir())) == len(loaded(residency))
    residency.get(folders[0])
    assert live_bytes() <= before * len(loaded(residency)) * 1.01
    residency.clear()
    assert not list((tmp_path / "disk").iterdir())


@pytest.mark.parametrize(
    ("free", "side", "use"),
    [
        (100 * GB, 1024, MemoryUse()),
        (1.5 * GB, 1024, MemoryUse(is_tiled=True)),
        (8 * 10**6, 64, MemoryUse(MemoryPlan.GROUP_OFFLOAD)),
    ],
)
def test_the_plan_follows_what_is_free_and_is_told(residency, folders, free, side, use):
    residency.free = free
    residency.plan(folders[0], (side, side))
    assert residency.get(folders[0]).offload.plan is use.plan
    assert residency._use((folders[0], "float32")) == use
    assert residency.notes == (
        []
        if use == MemoryUse()
        else [f"Memory is short for this checkpoint and size; the picture was made {use.label}."]
    )


def test_a_checkpoint_that_is_in_memory_already_counts_as_free(residency, folders):
    residency.plan(folders[0], (64, 64))
    first = residency.get(folders[0])
    residency.free = 17 * 10**6
    residency.plan(folders[0], (64, 64))
    assert residency.get(folders[0]) is first


def test_a_plan_of_the_users_own_is_taken_whatever_is_free(residency, folders):
    residency.configure(EngineOptions(plan=MemoryPlan.GROUP_OFFLOAD))
    residency.plan(folders[0], (64, 64))
    assert residency.get(folders[0]).offload.plan is MemoryPlan.GROUP_OFFLOAD
    assert residency.notes == []
    residency.configure(EngineOptions())
    residency.plan(folders[0], (64, 64))
    assert residency.get(folders[0]).offload.plan is MemoryPlan.RESIDENT


@pytest.mark.parametrize("plan", [MemoryPlan.MODEL_OFFLOAD, MemoryPlan.SEQUENTIAL])
def test_a_plan_that_needs_a_card_is_told_where_there_is_none(residency, folders, plan):
    residency.configure(EngineOptions(plan=plan))
    residency.plan(folders[0], (64, 64))
    assert residency.get(folders[0]).offload.plan is MemoryPlan.RESIDENT
    made = "the picture was made all in memory."
    assert residency.notes == [f"Without a graphics card nothing can run {plan.label}; {made}"]


def test_a_folder_that_is_no_checkpoint_is_told_when_it_is_loaded(residency, tmp_path):
    residency.plan(tmp_path, (64, 64))
    with pytest.raises(CheckpointError):
        residency.get(tmp_path)


def test_the_status_tells_free_memory_number_format_and_attention(residency):
    status = residency.status()
    assert (status.device, status.dtype, status.memory_free) == ("cpu", "float32", residency.free)
    assert status.ram_free > 0
    assert status.attention == "PyTorch SDPA (xFormers not installed)"


def test_a_machine_without_a_card_computes_in_full_precision():
    assert choose_device() == "cpu"
    assert choose_dtype("cpu") == "float32"
    memory = device_memory("cpu")
    assert 0 < memory.free < memory.total
    assert memory.used > 0
