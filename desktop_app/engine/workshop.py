"""Workshop: what runs have in common, since they come one after the other: what is in memory, and where files are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desktop_app.core.adapter import FindAdapter
from desktop_app.core.adapter import active as active_adapters
from desktop_app.core.engine import CheckpointPath
from desktop_app.core.request import Stage
from desktop_app.engine.adapters import drop
from desktop_app.engine.controls import ControlNets
from desktop_app.engine.controls import active as active_controls
from desktop_app.engine.residency import Residency
from desktop_app.engine.stage_cache import StageCache, Stamps
from desktop_app.store.any_checkpoint import Stamp, family_at, stamp_of


@dataclass
class Workshop:
    """``find_checkpoint`` and ``find_adapter`` resolve what requests name."""

    residency: Residency
    find_checkpoint: CheckpointPath
    find_adapter: FindAdapter
    controls: ControlNets
    cache: StageCache = field(init=False)
    _pixel_upscaler: tuple[Path, Stamp, Any] | None = None

    def __post_init__(self) -> None:
        self.cache = StageCache(self.stamps_of)

    def stamps_of(self, stage: Stage) -> Stamps:
        """The files that ``stage`` is made with, as they are now. Raises `StudioError` where one is not there."""
        path = self.find_checkpoint(stage.checkpoint)
        refs = [stage.prior]
        for control in active_controls(stage):
            reads_itself = family_at(path).reads_controls
            refs += [control.annotator if control.derive else "", "" if reads_itself else control.checkpoint]
        paths: list[Path | None] = [path, *(self.find_checkpoint(ref) for ref in refs if ref)]
        for found in map(self.find_adapter, active_adapters(stage.adapters)):
            paths += [found.path, found.info.image_encoder]
        return tuple((each, stamp_of(each)) for each in paths if each)

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
