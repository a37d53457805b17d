"""Residency: which checkpoints' pipelines stay in memory, each under which memory plan. One thread."""

from __future__ import annotations

import contextlib
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.engine import EngineOptions, EngineStatus
from desktop_app.core.errors import CheckpointError, OutOfMemory
from desktop_app.core.memory import (
    PLANS,
    Choice,
    MemoryPlan,
    MemoryUse,
    PartSize,
    cheaper,
    choose_plan,
    estimate,
    plans_for,
)
from desktop_app.core.request import StageKind
from desktop_app.engine import attention
from desktop_app.engine.devices import DeviceMemory, choose_dtype, device_memory, device_name, free_memory
from desktop_app.engine.faults import loading
from desktop_app.engine.offload import Offload
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.store.any_checkpoint import Stamp, sizes_at, stamp_of

DEVICE_SHARE = 0.9
RAM_SHARE = 0.6
"""Of a graphics card's memory, or of the machine's, that checkpoints may stay in between runs."""

USUAL_SIZE = (768, 768)
"""Pixels of the picture that is planned for before one is asked for."""

MORE = 1.1
"""A plan that did not fit is tried again when so many times the memory of then is there."""


@dataclass(frozen=True)
class Resident:
    """A checkpoint in memory. ``scheduler`` is its own one, never run; runs get copies. ``stamp`` is that of the files
    which it was loaded from, ``note`` what is to be told of how.
    """

    pipelines: dict[StageKind, Any]
    scheduler: Any
    dtype: str
    offload: Offload
    stamp: Stamp
    note: str = ""


@dataclass(frozen=True)
class _Shortage:
    """Memory was full: ``use`` is what a picture of ``pixels`` needs where no more than ``available`` bytes are."""

    use: MemoryUse
    pixels: int
    available: int


_Key = tuple[Path, str]
"""Folder and number format."""


class Residency:
    """Loads checkpoints, and lets the least recently used go when they would take more than ``budget`` bytes.

    ``budget`` is by default a share of the device's memory (of the machine's, where weights wait there). ``disk`` is a
    folder for weights that have no room in memory.
    """

    def __init__(self, device: str, *, budget: int | None = None, disk: Path | None = None) -> None:
        self.device = device
        self.dtype = choose_dtype(device)
        self.notes: list[str] = []
        """What is to be told of the memory with the result of the stage that was planned last."""
        self._budget = budget
        self._disk = disk or Path(tempfile.gettempdir()) / "underpaint"
        self._options = EngineOptions()
        self._residents: OrderedDict[_Key, Resident] = OrderedDict()
        self._sizes: dict[Path, tuple[int, int]] = {}
        self._uses: dict[_Key, MemoryUse] = {}
        self._known: dict[Path, tuple[PartSize, ...]] = {}
        self._shortages: dict[Path, _Shortage] = {}
        self._is_loading = False

    # Plans ----------------------------------------------------------------------------------------

    def configure(self, options: EngineOptions) -> None:
        """See `Engine.configure`."""
        if options.attention != self._options.attention:
            self.clear()
        self._options = options
        self._shortages.clear()

    def plan(self, folder: Path, size: tuple[int, int]) -> None:
        """Choose how the checkpoint in ``folder`` runs for a picture of ``size``, width and height in pixels."""
        self._sizes[folder] = size
        self._drop_changed(folder)
        self._uses = {key: use for key, use in self._uses.items() if key[0] != folder}
        use = self._use((folder, self.dtype))
        self.notes = []
        if self._options.plan and self._options.plan is not use.plan:
            wanted = self._options.plan.label
            self.notes.append(f"Without a graphics card nothing can run {wanted}; the picture was made {use.label}.")
        elif not self._options.plan and use != MemoryUse():
            self.notes.append(f"Memory is short for this checkpoint and size; the picture was made {use.label}.")

    def _drop_changed(self, folder: Path) -> None:
        """Let go of what was loaded from files that are others by now: a training writes into one folder again."""
        keys = [key for key in self._residents if key[0] == folder]
        stamp = stamp_of(folder) if keys else None
        self._drop(*(key for key in keys if self._residents[key].stamp != stamp))
        if not any(key in self._residents for key in keys):
            self._known.pop(folder, None)

    def step_down(self, folder: Path, full: OutOfMemory) -> None:
        """Choose the next cheaper way, since memory was ``full``. Raises it when there is none.

        The first thing to go are other checkpoints, the next ones are tiles and the plans after that.
        """
        key, was_loading = self._last(folder), self._is_loading
        use = self._uses[key]
        others = [other for other in self._residents if other != key]
        steps = [step for step in cheaper(use, is_cpu=self._is_cpu) if step.plan is not use.plan or not was_loading]
        if others:
            steps = [use]
        elif not steps:
            self.clear()
            self._shortages.pop(folder, None)  # whatever filled the memory may be gone when the next job comes
            raise OutOfMemory(full.title, full.detail, f"Nothing smaller is left to try. {full.hint}")
        self._drop(*(self._residents if steps[0].plan is not use.plan else others))
        free_memory()
        self._uses = {each: steps[0] if each[0] == folder else use for each, use in self._uses.items()}
        if not others:
            width, height = self._sizes[folder]
            self._shortages[folder] = _Shortage(steps[0], width * height, self._available())
            self.notes = [f"Memory was full; the picture was made {steps[0].label}."]

    def _last(self, folder: Path) -> _Key:
        """The key of ``folder`` that was used last."""
        return [key for key in self._uses if key[0] == folder][-1]

    @property
    def _is_cpu(self) -> bool:
        return self.device == "cpu"

    def _use(self, key: _Key) -> MemoryUse:
        if key not in self._uses:
            self._uses[key] = self._choose(key)
        return self._uses[key]

    def _choose(self, key: _Key) -> MemoryUse:
        choice = self._free_choice(key)
        use = choice.use
        shortage = self._shortages.get(key[0])
        width, height = self._size(key[0])
        if shortage and width * height >= shortage.pixels and self._available() <= shortage.available * MORE:
            plan = max(use.plan, shortage.use.plan, key=PLANS.index)
            return MemoryUse(plan, is_tiled=use.is_tiled or shortage.use.is_tiled)
        loaded = self._residents.get(key)
        if loaded and not self._options.plan and loaded.offload.plan is MemoryPlan.RESIDENT is not use.plan:
            tiled = MemoryUse(MemoryPlan.RESIDENT, is_tiled=True)
            return tiled if self._peak(key, tiled) <= self._available() else use
        return use

    def _free_choice(self, key: _Key) -> Choice:
        wanted = self._options.plan
        if wanted not in plans_for(is_cpu=self._is_cpu):
            wanted = None
        return choose_plan(
            self._parts(key[0]),
            self._size(key[0]),
            _bytes_of(key[1]),
            self._available(),
            self._memory("cpu").free + sum(self._held(key, is_device=self._is_cpu) for key in self._residents),
            is_cpu=self._is_cpu,
            plan=wanted,
        )

    def _parts(self, folder: Path) -> tuple[PartSize, ...]:
        """Sizes of the parts in ``folder``; none where they cannot be read, which loading it will tell of."""
        if folder not in self._known:
            with contextlib.suppress(CheckpointError, OSError):
                self._known[folder] = sizes_at(folder)
        return self._known.get(folder, ())

    def _size(self, folder: Path) -> tuple[int, int]:
        return self._sizes.get(folder, USUAL_SIZE)

    def _peak(self, key: _Key, use: MemoryUse) -> int:
        width, height = self._size(key[0])
        return estimate(self._parts(key[0]), width, height, _bytes_of(key[1]), use.plan, is_tiled=use.is_tiled)

    # What is in memory ----------------------------------------------------------------------------

    def has(self, folder: Path) -> bool:
        """Whether ``folder`` is in memory as runs use it."""
        key = (folder, self.dtype)
        return key in self._residents and self._residents[key].offload.plan is self._use(key).plan

    def loaded(self, folder: Path) -> list[Resident]:
        """What of ``folder`` is in memory, in whatever number format."""
        return [resident for key, resident in self._residents.items() if key[0] == folder]

    def get(self, folder: Path, dtype: str = "") -> Resident:
        """The checkpoint in ``folder``, loaded if need be. Raises `CheckpointError`, `OutOfMemory`."""
        key = (folder, dtype or self.dtype)
        use = self._use(key)
        self._is_loading = True
        if key in self._residents and self._residents[key].offload.plan is not use.plan:
            self._drop(key)
        self._make_room(key, use)
        if key not in self._residents:
            self._residents[key] = self._load(*key, use.plan)
        self._is_loading = False
        self._residents.move_to_end(key)
        resident = self._residents[key]
        resident.offload.set_tiles(is_tiled=use.is_tiled)
        if resident.note and resident.note not in self.notes:
            self.notes.append(resident.note)
        return resident

    def clear(self) -> None:
        """Let everything go, and give the device's memory back."""
        self._drop(*self._residents)
        free_memory()

    def _drop(self, *keys: _Key) -> None:
        for key in keys:
            self._residents.pop(key).offload.close()
        if keys:
            free_memory()

    def _load(self, folder: Path, dtype: str, plan: MemoryPlan) -> Resident:
        import torch

        device = self.device if plan is MemoryPlan.RESIDENT else "cpu"
        stamp = stamp_of(folder)
        with loading(folder):
            pipelines = load_pipelines(folder, getattr(torch, dtype), device)
            scheduler = next(iter(pipelines.values())).scheduler
            note = attention.use(pipelines.values(), self._options.attention)
            offload = Offload(pipelines.values(), plan, self.device, self._disk)
            return Resident(pipelines, scheduler, dtype, offload, stamp, note)

    def _make_room(self, key: _Key, use: MemoryUse) -> None:
        """Let others go, the least recently used first, until the checkpoint and the picture fit."""
        is_device = use.plan is MemoryPlan.RESIDENT
        peak = self._peak(key, use)
        needed = sum(part.parameters for part in self._parts(key[0])) * _bytes_of(key[1])
        own = self._held(key, is_device=True) if key in self._residents else 0
        for other in [other for other in self._residents if other != key]:
            held = sum(self._held(each, is_device=is_device) for each in self._residents if each != key)
            is_over = held + needed > self._limit(is_device=is_device) and self._held(other, is_device=is_device)
            is_short = peak > self._memory(self.device).free + own and self._held(other, is_device=True)
            if is_over or is_short:
                self._drop(other)

    def _held(self, key: _Key, *, is_device: bool) -> int:
        """Bytes that a resident holds, of the device's memory or of the machine's."""
        offload = self._residents[key].offload
        if self._is_cpu:
            return offload.size_bytes if offload.plan is MemoryPlan.RESIDENT else 0
        return offload.size_bytes if is_device is (offload.plan is MemoryPlan.RESIDENT) else 0

    def _limit(self, *, is_device: bool) -> int:
        if self._budget is not None:
            return self._budget
        if is_device and not self._is_cpu:
            return int(self._memory(self.device).total * DEVICE_SHARE)
        return int(self._memory("cpu").total * RAM_SHARE)

    def _available(self) -> int:
        """Bytes of the device that a run could have: what is free, and what could be let go."""
        memory = self._memory(self.device)
        return min(memory.total, memory.free + sum(self._held(key, is_device=True) for key in self._residents))

    def _memory(self, device: str) -> DeviceMemory:
        return device_memory(device)

    def status(self) -> EngineStatus:
        """Device and memory now."""
        import diffusers
        import torch

        memory = self._memory(self.device)
        # str, because torch's version is of a class of its own, whose unpickling would import torch in the window.
        versions = {"torch": str(torch.__version__), "diffusers": diffusers.__version__}
        return EngineStatus(
            self.device,
            device_name(self.device),
            memory.used,
            memory.total,
            versions,
            memory.free,
            self._memory("cpu").free,
            self.dtype,
            attention.describe(self._options.attention, self.device),
        )


def _bytes_of(dtype: str) -> int:
    return 4 if dtype == "float32" else 2
