"""Residency: the device, its number format, and which checkpoints' pipelines stay in memory."""

from __future__ import annotations

import gc
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import OutOfMemory
from desktop_app.core.request import StageKind
from desktop_app.engine.faults import loading
from desktop_app.engine.pipelines import load_pipelines

MAX_RESIDENT = 2
"""Checkpoints that stay in memory: the one in use and the one before it."""


def choose_device() -> str:
    """The accelerator that torch finds, else the CPU."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


@dataclass(frozen=True)
class Resident:
    """A checkpoint in memory. ``scheduler`` is its own one, never run; runs get copies."""

    pipelines: dict[StageKind, Any]
    scheduler: Any
    dtype: str


class Residency:
    """Loads checkpoints and lets the least recently used go. One thread."""

    def __init__(self, device: str) -> None:
        self.device = device
        self._residents: OrderedDict[tuple[Path, str], Resident] = OrderedDict()

    @property
    def dtype(self) -> str:
        """Half precision on CUDA, where it is faster and halves the memory; full precision elsewhere."""
        return "float16" if self.device == "cuda" else "float32"

    def has(self, folder: Path) -> bool:
        """Whether ``folder`` is in memory as runs use it."""
        return (folder, self.dtype) in self._residents

    def get(self, folder: Path, dtype: str = "") -> Resident:
        """The checkpoint in ``folder``, loaded if need be. Raises `CheckpointError`, `OutOfMemory`."""
        key = (folder, dtype or self.dtype)
        if key not in self._residents:
            self._make_room()
            try:
                self._residents[key] = self._load(*key)
            except OutOfMemory:
                self.clear()
                self._residents[key] = self._load(*key)
        self._residents.move_to_end(key)
        return self._residents[key]

    def clear(self) -> None:
        """Let everything go, and give the device's memory back."""
        self._residents.clear()
        free_memory()

    def status(self) -> EngineStatus:
        """Device and memory now."""
        import diffusers
        import torch

        used, total, name = _memory(self.device)
        # str, because torch's version is of a class of its own, whose unpickling would import torch in the window.
        versions = {"torch": str(torch.__version__), "diffusers": diffusers.__version__}
        return EngineStatus(self.device, name, used, total, versions)

    def _load(self, folder: Path, dtype: str) -> Resident:
        import torch

        with loading(folder):
            pipelines = load_pipelines(folder, getattr(torch, dtype), self.device)
            return Resident(pipelines, pipelines[StageKind.IMAGE_TO_IMAGE].scheduler, dtype)

    def _make_room(self) -> None:
        while len(self._residents) >= MAX_RESIDENT:
            self._residents.popitem(last=False)
            free_memory()


def free_memory() -> None:
    """Collect what nobody refers to, and hand the device's cached memory back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _memory(device: str) -> tuple[int, int, str]:
    """Bytes in use, bytes in all, and the device's name."""
    import platform

    import psutil
    import torch

    if device == "cuda":
        free, total = torch.cuda.mem_get_info()
        return total - free, total, torch.cuda.get_device_name()
    name = platform.processor() or platform.machine()
    return psutil.Process().memory_info().rss, psutil.virtual_memory().total, name
