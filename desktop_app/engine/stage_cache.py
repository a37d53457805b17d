"""StageCache: what the stages of earlier runs have made, so that a run whose first stages are the same begins after
them.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.errors import StudioError
from desktop_app.core.request import Stage
from desktop_app.engine.framing import Picture
from desktop_app.engine.handover import Latents
from desktop_app.store.any_checkpoint import Stamp

BUDGET = 512 * 1024 * 1024
"""Bytes of main memory that the outputs of stages may take."""

BYTES_A_PIXEL = 4
"""Of a picture in Pillow's memory, RGB or RGBA."""

Stamps = tuple[tuple[Path, Stamp], ...]
"""The files that a stage is made with, and what they were like."""


@dataclass(frozen=True)
class StageOutput:
    """What a ``stage`` has made: the ``picture``, None where it is unfinished, and its ``latents``, None where they
    mean nothing to another stage; the state of the ``noise`` after it; and what is told of it: the denoising ``steps``
    that it ran, its ``notes``, and the number format ``dtype`` that the run had come to. ``stamps`` are those of the
    files that it was made with.
    """

    stage: Stage
    picture: Picture | None
    latents: Latents | None
    noise: Any
    steps: int
    notes: tuple[str, ...]
    stamps: Stamps
    dtype: str

    @property
    def size_bytes(self) -> int:
        """What it takes of main memory."""
        values = self.latents.values if self.latents else None
        image = self.picture.image if self.picture else None
        held = int(values.numel() * values.element_size()) if values is not None else 0
        return held + (image.width * image.height * BYTES_A_PIXEL if image else 0)


class StageCache:
    """The least recently used go first; of one chain the last ones, since those before them can be gone on from.
    ``stamps_of`` tells which files a stage would be made with now; what was made with others is not used. One thread.
    """

    def __init__(self, stamps_of: Callable[[Stage], Stamps], budget: int = BUDGET) -> None:
        self._stamps_of = stamps_of
        self._budget = budget
        self._outputs: OrderedDict[str, StageOutput] = OrderedDict()
        self._chain: list[str] = []

    @property
    def keys(self) -> frozenset[str]:
        """The keys of what is there and can be used; see `desktop_app.core.stage_keys`."""
        stages = {_naming_files(output.stage): output.stage for output in self._outputs.values()}
        known = {names: self._stamps_now(stage) for names, stage in stages.items()}
        outputs = self._outputs.items()
        return frozenset(key for key, output in outputs if known[_naming_files(output.stage)] == output.stamps)

    def begin(self, keys: Sequence[str]) -> list[StageOutput]:
        """Of the stages with ``keys``, in their order, the first ones that need not be run. Those are left out whose
        files have changed since, or that would be made with others.
        """
        found: list[StageOutput] = []
        self._chain = []
        for key in keys:
            output = self._outputs.get(key)
            if output is None or self._stamps_now(output.stage) != output.stamps:
                self._outputs.pop(key, None)
                break
            self._chain.append(key)
            found.append(output)
        self._use_chain()
        return found

    def keep(self, key: str, output: StageOutput) -> None:
        """Remember what the next stage of the chain that was begun has made, as far as there is room."""
        before = list(self._chain)
        self._chain.append(key)
        if output.size_bytes > self._budget or not all(each in self._outputs for each in before):
            return
        self._outputs[key] = output
        self._use_chain()
        while self._outputs and sum(each.size_bytes for each in self._outputs.values()) > self._budget:
            self._outputs.popitem(last=False)

    def _stamps_now(self, stage: Stage) -> Stamps | None:
        """None where a file is not there any more, which the run of the stage tells."""
        with contextlib.suppress(StudioError):
            return self._stamps_of(stage)
        return None

    def _use_chain(self) -> None:
        for key in reversed(self._chain):
            if key in self._outputs:
                self._outputs.move_to_end(key)

    def clear(self) -> None:
        """Forget everything."""
        self._outputs.clear()
        self._chain = []


def _naming_files(stage: Stage) -> tuple[object, ...]:
    """What of ``stage`` says with which files it is made: most of the many stages of a sweep have that in common."""
    return stage.checkpoint, stage.prior, stage.controls, stage.adapters
