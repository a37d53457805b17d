"""Judging: whether a checkpoint fits into this machine's memory, from what its engine last said of itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from desktop_app.core.engine import EngineStatus
from desktop_app.core.memory import Choice, PartSize, Verdict, choose_plan, main_memory

USUAL_SIDE = 768
"""Of a picture, in pixels, where a checkpoint's native size is not known."""


@dataclass(frozen=True)
class Judgement:
    """How a checkpoint would run, ``side`` pixels wide and high, on ``device``; ``main_bytes`` are of main memory."""

    choice: Choice
    side: int
    device: str
    main_bytes: int = 0

    @property
    def verdict(self) -> Verdict:
        """Whether this machine's memory is enough."""
        return self.choice.verdict


Judge = Callable[[Sequence[PartSize], int], Judgement]
"""Judges parts at a native size."""


def judge_by(status: EngineStatus) -> Judge | None:
    """A judge for the machine that ``status`` tells of; None where it does not tell of memory."""
    if not status.device or not status.memory_free:
        return None
    dtype_bytes = 4 if status.dtype == "float32" else 2
    device = f"{status.device_name} ({status.device})" if status.device_name else status.device
    is_cpu = status.device == "cpu"

    def judge(parts: Sequence[PartSize], native_size: int) -> Judgement:
        side = native_size or USUAL_SIDE
        free_ram = status.memory_free if is_cpu else status.ram_free
        choice = choose_plan(parts, (side, side), dtype_bytes, status.memory_free, free_ram, is_cpu=is_cpu)
        return Judgement(choice, side, device, main_memory(parts, dtype_bytes, choice.plan, is_cpu=is_cpu))

    return judge


def most_free(before: EngineStatus | None, now: EngineStatus) -> EngineStatus:
    """``now``, with the most memory that was ever free: what a loaded checkpoint takes is given back for another."""
    if before is None or before.device != now.device:
        return now
    device, ram = max(before.memory_free, now.memory_free), max(before.ram_free, now.ram_free)
    return replace(now, memory_free=device, ram_free=ram)
