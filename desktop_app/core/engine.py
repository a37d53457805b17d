"""The Engine protocol: what turns a request into a picture, and what it tells meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from desktop_app.core.conditions import Control
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request

ATTENTIONS = {
    "": "automatic",
    "sdpa": "PyTorch SDPA",
    "xformers": "xFormers",
    "flash": "FlashAttention",
    "sage": "SageAttention",
}
"""Ways to compute attention that can be asked for, and their names: they differ in speed, hardly in pixels."""


class Phase(Enum):
    """What a running job is doing."""

    STARTING = "starting"
    DOWNLOADING = "downloading"
    DERIVING = "deriving"
    LOADING = "loading"
    ENCODING = "encoding"
    DENOISING = "denoising"
    DECODING = "decoding"
    UPSCALING = "upscaling"
    SAVING = "saving"


@dataclass(frozen=True)
class Progress:
    """One event of a run. ``step`` of ``total`` is counted within the phase of stage ``stage`` of ``stages``.

    In `Phase.DENOISING` there is exactly one event per denoising step done (``step`` 1 to ``total``); other phases
    send one event when they begin, with 0 of 0, and `Phase.ENCODING` one more for each step of a prior, as does
    `Phase.DERIVING` for each step of an annotator. ``preview`` is a small RGB picture nobody mutates, or None.
    """

    phase: Phase
    stage: int = 0
    stages: int = 1
    step: int = 0
    total: int = 0
    preview: Image.Image | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Intermediate:
    """The picture, as `Result.image` is, that stage number ``stage`` (from 0) of a chain had made."""

    stage: int
    image: Image.Image


@dataclass(frozen=True)
class Result:
    """A finished picture (RGB or RGBA, nobody mutates it) and how it came about.

    ``intermediates`` are the pictures of the stages before the last, in order; a stage that hands an unfinished picture
    on has none. ``reused`` is how many of the first stages were not run again, since what they make was still there.
    ``steps_run`` has the denoising steps of each stage, also of those, ``seconds`` the whole run, ``notes`` one plain
    sentence for each thing that was changed to make it run, ``environment`` versions, device, dtype and thread count.
    """

    image: Image.Image
    steps_run: tuple[int, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    intermediates: tuple[Intermediate, ...] = ()
    reused: int = 0


@dataclass(frozen=True)
class Derived:
    """A control image (RGB, nobody mutates it), and a ``note``: one plain sentence on how it was made where that is not
    what was asked for by name, or empty.
    """

    image: Image.Image
    note: str = ""


@dataclass(frozen=True)
class EngineStatus:
    """What an engine runs on: ``device`` as torch names it, memory in bytes (0 where unknown).

    ``memory_free`` is what the device could still take, ``ram_free`` the same of main memory: what the engine holds
    itself is not in it. ``dtype`` is the number format that runs use, ``attention`` one line on how attention is
    computed and what else is there for it. ``stage_keys`` are those (see `desktop_app.core.stage_keys`) of the stages
    whose pictures are still there, so that they need not be run again.
    """

    device: str = ""
    device_name: str = ""
    memory_used: int = 0
    memory_total: int = 0
    versions: dict[str, str] = field(default_factory=dict)
    memory_free: int = 0
    ram_free: int = 0
    dtype: str = ""
    attention: str = ""
    stage_keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class EngineOptions:
    """How an engine shall run, beside what it runs: no part of a request, since the picture is the same.

    ``plan`` is where the weights shall be, None to let the free memory decide; ``attention`` a key of `ATTENTIONS`.
    """

    plan: MemoryPlan | None = None
    attention: str = ""


class CancelFlag(Protocol):
    """Read by the engine at every step; a ``threading.Event`` is one."""

    def is_set(self) -> bool:
        """Whether the run shall stop now."""


ReportProgress = Callable[[Progress], None]
CheckpointPath = Callable[[str], Path]
"""Resolves a REF to a folder in diffusers layout, or raises `CheckpointError`."""


class Engine(Protocol):
    """Runs requests, one at a time, on one thread. `run` and `derive` block; the other methods may be called between
    them.
    """

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """Make the picture. Raises `Cancelled` within one denoising step of ``cancel``, or a `StudioError`."""

    def derive(
        self,
        control: Control,
        picture: ImageRef,
        report: ReportProgress,
        cancel: CancelFlag,
        *,
        placement: Placement | None = None,
    ) -> Derived:
        """The control image that a run would make of ``picture`` for ``control``, at the working size to which
        ``placement`` brings it; None: at the picture's own. Its ``image``, weight and share of the schedule have no
        say.

        Raises `Cancelled` within one step of the annotator, or a `StudioError`.
        """

    def configure(self, options: EngineOptions) -> None:
        """Use ``options`` from the next run on. Starts nothing, and returns at once."""

    def warm_up(self, checkpoint: str | None = None) -> None:
        """Start, import and (if given) load ``checkpoint``, so that the first run need not. Never raises."""

    def status(self) -> EngineStatus:
        """Device and memory now."""

    def close(self) -> None:
        """Free everything. A closed engine starts again at the next run."""
