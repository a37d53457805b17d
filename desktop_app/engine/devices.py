"""Devices: which one there is, which number format it runs, and how much memory it has."""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DeviceMemory:
    """Bytes: ``free`` is what could be allocated now, ``used`` what is in use, by whomever on an accelerator, by this
    process on the CPU.
    """

    free: int
    used: int
    total: int


def choose_device() -> str:
    """The accelerator that torch finds, else the CPU. AMD's cards are "cuda" too: torch for ROCm calls them so."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if torch.xpu.is_available():
        return "xpu"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def choose_dtype(device: str) -> str:
    """The number format that runs use on ``device``.

    Cards that compute in bfloat16 do so: it has float32's range, so that nothing overflows. Older ones take float16,
    and so do Apple's, whose memory is the machine's (diffusers' guide for them leaves it at float32; not tried here):
    what overflows is made again in float32. The CPU takes float32: the two others are twenty times slower without
    instructions for them, and another format is another picture.
    """
    import torch

    if device == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    if device == "xpu":
        return "bfloat16" if torch.xpu.is_bf16_supported(including_emulation=False) else "float16"
    return "float16" if device == "mps" else "float32"


def device_name(device: str) -> str:
    """The device as its maker calls it; with the version of ROCm on AMD's cards."""
    import torch

    if device == "cuda":
        hip = torch.version.hip
        return str(torch.cuda.get_device_name()) + (f" (ROCm {hip})" if hip else "")
    if device == "xpu":
        return str(torch.xpu.get_device_name())
    return platform.processor() or platform.machine()


def device_memory(device: str) -> DeviceMemory:
    """Memory of ``device`` now; of the CPU it is the machine's."""
    import psutil
    import torch

    if device in ("cuda", "xpu"):
        free, total = getattr(torch, device).mem_get_info()
        cached = _cached(torch, device)
        return DeviceMemory(free + cached, total - free - cached, total)
    machine = psutil.virtual_memory()
    if device == "mps":
        total, used = torch.mps.recommended_max_memory(), torch.mps.driver_allocated_memory()
        return DeviceMemory(min(total - used, machine.available), used, total)
    return DeviceMemory(machine.available, psutil.Process().memory_info().rss, machine.total)


def _cached(torch: Any, device: str) -> int:
    """Bytes that torch holds back for its own next tensors."""
    backend = getattr(torch, device)
    return int(backend.memory_reserved() - backend.memory_allocated())


def free_memory() -> None:
    """Collect what nobody refers to, and hand memory that is held back to the device and the system."""
    import torch

    gc.collect()
    for backend in (torch.cuda, torch.xpu):
        if backend.is_available():
            backend.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc keeps what was freed, unless asked
        if trim:
            trim(0)
