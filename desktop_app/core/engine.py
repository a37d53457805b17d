"""The Engine protocol: what turns a request into a picture, and what it tells meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from desktop_app.core.request import Request


class Phase(Enum):
    """What a running job is doing."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    LOADING = "loading"
    ENCODING = "encoding"
    DENOISING = "denoising"
    DECODING = "decoding"
    SAVING = "saving"


@dataclass(frozen=True)
class Progress:
    """One event of a run. ``step`` of ``total`` is counted within the phase of stage ``stage`` of ``stages``.

    In `Phase.DENOISING` there is exactly one event per denoising step done (``step`` 1 to ``total``); other phases
    send one event when they begin, with 0 of 0. ``preview`` is a small RGB picture nobody mutates, or None.
    """

    phase: Phase
    stage: int = 0
    stages: int = 1
    step: int = 0
    total: int = 0
    preview: Image.Image | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Result:
    """A finished picture (RGB or RGBA, nobody mutates it) and how it came about.

    ``steps_run`` has the denoising steps of each stage, ``seconds`` the whole run, ``notes`` one plain sentence for
    each thing that was changed to make it run, ``environment`` versions, device, dtype and thread count.
    """

    image: Image.Image
    steps_run: tuple[int, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class EngineStatus:
    """What an engine runs on: ``device`` as torch names it, memory in bytes (0 where unknown)."""

    device: str = ""
    device_name: str = ""
    memory_used: int = 0
    memory_total: int = 0
    versions: dict[str, str] = field(default_factory=dict)


class CancelFlag(Protocol):
    """Read by the engine at every step; a ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Whether the run shall stop now."""


ReportProgress = Callable[[Progress], None]
CheckpointPath = Callable[[str], Path]
"""Resolves a REF to a folder in diffusers layout, or raises `CheckpointError`."""


class Engine(Protocol):
    """Runs requests, one at a time, on one thread. `run` blocks; the other methods may be called between runs."""

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """Make the picture. Raises `Cancelled` within one denoising step of ``cancel``, or a `StudioError`."""

    def warm_up(self, checkpoint: str | None = None) -> None:
        """Start, import and (if given) load ``checkpoint``, so that the first run need not. Never raises."""

    def status(self) -> EngineStatus:
        """Device and memory now."""

    def close(self) -> None:
        """Free everything. A closed engine starts again at the next run."""
