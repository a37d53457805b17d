"""Faults of torch and of the libraries above it, told in the user's words."""

from __future__ import annotations

import contextlib
import logging
import re
import warnings
from collections.abc import Iterator
from pathlib import Path

from desktop_app.core.errors import Cancelled, CheckpointError, DeviceLost, OutOfMemory, RequestError, StudioError

log = logging.getLogger(__name__)

_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "std::bad_alloc")
_WANTED = re.compile(r"tried to allocate ([\d.]+) (bytes|[KMG]iB)", re.IGNORECASE)
"""How the allocators of torch say how much they could not get."""

_LOUD = ("diffusers", "transformers", "peft")
"""Libraries that warn of every adapter that says nothing of some part, and of weights that they take for missing."""

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
def loading_adapter(label: str) -> Iterator[None]:
    """What goes wrong inside is told as `RequestError` or `OutOfMemory`: every kind of exception, as in `loading`."""
    try:
        yield
    except (StudioError, Cancelled, ImportError):
        raise
    except Exception as e:
        if is_out_of_memory(e):
            raise _no_memory("The adapter does not fit into memory", e) from e
        log.info("%s cannot be loaded", label, exc_info=e)
        hint = "It may be for another checkpoint, or damaged: switch it off, or fetch it again."
        raise RequestError("The adapter cannot be loaded", f"{label}: {_first_line(e)}", hint, "adapters") from e


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Inside, the libraries say nothing: what they say of adapters is told by us, or is a false alarm."""
    loggers = [logging.getLogger(name) for name in _LOUD]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


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
