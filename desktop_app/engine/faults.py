"""Faults of torch and of the libraries above it, told in the user's words."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator
from pathlib import Path

from desktop_app.core.errors import Cancelled, CheckpointError, DeviceLost, OutOfMemory, StudioError

log = logging.getLogger(__name__)

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")
_WANTED = re.compile(r"tried to allocate ([\d.]+) (bytes|[KMG]iB)", re.IGNORECASE)
"""How the allocators of torch say how much they could not get."""

_SMALLER = "Choose a smaller size, or close other programs that use this device."


def is_out_of_memory(e: BaseException) -> bool:
    """Whether ``e`` says that memory is full. On the CPU torch says so in a plain RuntimeError."""
    import torch

    if isinstance(e, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(e, RuntimeError) and any(text in str(e).lower() for text in _NO_MEMORY)


@contextlib.contextmanager
def loading(folder: Path) -> Iterator[None]:
    """What goes wrong inside is told as `CheckpointError`, or as `OutOfMemory`.

    Every kind of exception: damaged files make the libraries raise whatever their code happens to meet, and the
    tokenizers a bare ``Exception``.
    """
    try:
        yield
    except (StudioError, Cancelled, ImportError):
        raise
    except Exception as e:
        if is_out_of_memory(e):
            raise _no_memory("The checkpoint does not fit into memory", e) from e
        log.info("%s cannot be loaded", folder, exc_info=e)
        detail = f"{folder.name}: {_first_line(e)}"
        raise CheckpointError("The checkpoint cannot be loaded", detail, "Fetch it again, or choose another.") from e


@contextlib.contextmanager
def running() -> Iterator[None]:
    """What the device does wrong inside is told as `DeviceError`; any other fault is left as it is."""
    import torch

    try:
        yield
    except (StudioError, Cancelled):
        raise
    except (RuntimeError, MemoryError) as e:
        if is_out_of_memory(e):
            raise _no_memory("The memory is full", e) from e
        if isinstance(e, torch.AcceleratorError):
            raise DeviceLost("The device has failed", _first_line(e), "Try again; the engine starts anew.") from e
        raise


def _no_memory(title: str, e: BaseException) -> OutOfMemory:
    wanted = _WANTED.search(str(e))
    if not wanted:
        return OutOfMemory(title, _first_line(e), _SMALLER)
    amount = _in_words(int(wanted[1])) if wanted[2] == "bytes" else f"{wanted[1]} {wanted[2]}"
    return OutOfMemory(title, f"{amount} more would have been needed", _SMALLER)


def _in_words(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _first_line(e: BaseException) -> str:
    return (str(e).strip().splitlines() or [type(e).__name__])[0][:300]
