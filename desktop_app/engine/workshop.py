"""Workshop: what runs have in common, since they come one after the other: what is in memory, and where files are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desktop_app.core.adapter import FindAdapter
from desktop_app.core.engine import CheckpointPath
from desktop_app.engine.adapters import drop
from desktop_app.engine.controls import ControlNets
from desktop_app.engine.residency import Residency
from desktop_app.engine.stage_cache import StageCache
from desktop_app.store.any_checkpoint import Stamp, stamp_of


@dataclass
class Workshop:
    """``find_checkpoint`` and ``find_adapter`` resolve what requests name."""

    residency: Residency
    find_checkpoint: CheckpointPath
    find_adapter: FindAdapter
    controls: ControlNets
    cache: StageCache = field(default_factory=StageCache)
    _pixel_upscaler: tuple[Path, Stamp, Any] | None = None

    def pixel_upscaler(self, path: Path) -> Any:
        """The one in the file ``path``; the last one used stays in memory. Raises `CheckpointError`."""
        from desktop_app.engine.pixel_upscaler import load_pixel_upscaler

        stamp = stamp_of(path)
        if self._pixel_upscaler is None or self._pixel_upscaler[:2] != (path, stamp):
            self._pixel_upscaler = None
            loaded = load_pixel_upscaler(path, self.residency.device, self.residency.dtype)
            self._pixel_upscaler = (path, stamp, loaded)
        return self._pixel_upscaler[2]

    def make_room(self, path: Path) -> None:
        """Memory is full: let go of what can be loaded again beside the checkpoint at ``path``."""
        self._pixel_upscaler = None
        self.controls.drop()
        for resident in self.residency.loaded(path):
            drop(resident)

    def clear(self) -> None:
        """Give all memory back, but for what the stages have made."""
        self._pixel_upscaler = None
        self.controls.drop()
        self.residency.clear()
