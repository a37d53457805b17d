"""StageCache: what the stages of earlier runs have made, so that a run whose first stages are the same begins after
them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.engine.framing import Picture
from desktop_app.engine.handover import Latents
from desktop_app.store.any_checkpoint import Stamp, stamp_of

BUDGET = 512 * 1024 * 1024
"""Bytes of main memory that the outputs of stages may take."""

BYTES_A_PIXEL = 4
"""Of a picture in Pillow's memory, RGB or RGBA."""


@dataclass(frozen=True)
class StageOutput:
    """What a stage has made: the ``picture``, None where it is unfinished, and its ``latents``, None where they mean
    nothing to another stage; the state of the ``noise`` after it; and what is told of it: the denoising ``steps`` that
    it ran, its ``notes``, and the number format ``dtype`` that the run had come to. ``stamps`` are those of the files
    that it and the stages before it were made with.
    """

    picture: Picture | None
    latents: Latents | None
    noise: Any
    steps: int
    notes: tuple[str, ...]
    stamps: tuple[tuple[Path, Stamp], ...]
    dtype: str

    @property
    def size_bytes(self) -> int:
        """What it takes of main memory."""
        values = self.latents.values if self.latents else None
        image = self.picture.image if self.picture else None
        held = int(values.numel() * values.element_size()) if values is not None else 0
        return held + (image.width * image.height * BYTES_A_PIXEL if image else 0)


class StageCache:
    """The least recently used go first; of one chain the last ones, since those before them can be gone on from. One
    thread.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        self._budget = budget
        self._outputs: OrderedDict[str, StageOutput] = OrderedDict()
        self._chain: list[str] = []

    @property
    def keys(self) -> frozenset[str]:
        """The keys of what is there; see `desktop_app.core.stage_keys`."""
        return frozenset(self._outputs)

    def begin(self, keys: Sequence[str]) -> list[StageOutput]:
        """Of the stages with ``keys``, in their order, the first ones that need not be run. Those are left out whose
        files have changed since.
        """
        found: list[StageOutput] = []
        self._chain = []
        for key in keys:
            output = self._outputs.get(key)
            if output is None or any(stamp_of(path) != stamp for path, stamp in output.stamps):
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

    def _use_chain(self) -> None:
        for key in reversed(self._chain):
            if key in self._outputs:
                self._outputs.move_to_end(key)

    def clear(self) -> None:
        """Forget everything."""
        self._outputs.clear()
        self._chain = []
