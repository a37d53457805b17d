"""DiffusersEngine: runs requests with the pipelines of diffusers, in this process and thread."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop_app import __version__
from desktop_app.core.adapter import FindAdapter
from desktop_app.core.conditions import Control
from desktop_app.core.engine import (
    CancelFlag,
    CheckpointPath,
    Derived,
    EngineOptions,
    EngineStatus,
    Phase,
    Progress,
    ReportProgress,
    Result,
)
from desktop_app.core.errors import Cancelled, OutOfMemory, StudioError
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request
from desktop_app.engine.controls import ControlNets
from desktop_app.engine.deriving import derive_ref
from desktop_app.engine.devices import choose_device
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.residency import Residency
from desktop_app.engine.run import Run
from desktop_app.engine.workshop import Workshop
from desktop_app.store.adapters import find_in_place


class DiffusersEngine:
    """One thread. torch is imported at the first use, which takes seconds.

    ``threads`` is torch's number of threads on the CPU (its own choice if None): another number gives a picture that
    differs in the last bits. ``device`` is found by itself if None. ``offload_dir`` is for weights that have no room in
    memory. ``find_adapter`` resolves what a request calls an adapter.
    """

    def __init__(
        self,
        find_checkpoint: CheckpointPath,
        *,
        threads: int | None = None,
        device: str | None = None,
        preview: bool = True,
        offload_dir: Path | None = None,
        find_adapter: FindAdapter = find_in_place,
    ) -> None:
        self._find_checkpoint = find_checkpoint
        self._find_adapter = find_adapter
        self._threads = threads
        self._device = device
        self._has_preview = preview
        self._offload_dir = offload_dir
        self._options = EngineOptions()
        self._workshop: Workshop | None = None

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """See `Engine.run`."""
        begun = time.monotonic()
        if cancel.is_set():
            raise Cancelled
        report(Progress(Phase.STARTING, stages=len(request.stages)))
        try:
            run = Run(self._start(), request, report, cancel, has_preview=self._has_preview)
            image = run.make()
        except OutOfMemory:
            self.close()
            raise
        environment = {**self._environment(), "dtype": run.dtype}
        return Result(
            image,
            tuple(run.steps_run),
            time.monotonic() - begun,
            tuple(run.notes),
            environment,
            tuple(run.intermediates),
            run.reused,
        )

    def derive(
        self,
        control: Control,
        picture: ImageRef,
        report: ReportProgress,
        cancel: CancelFlag,
        *,
        placement: Placement | None = None,
    ) -> Derived:
        """See `Engine.derive`."""
        if control.annotator:
            self._start()
        return derive_ref(
            control, picture, self._find_checkpoint, report, cancel, placement=placement, make_room=self.close
        )

    def configure(self, options: EngineOptions) -> None:
        """See `Engine.configure`."""
        if self._workshop:
            self._workshop.residency.configure(options)
        if self._workshop and options != self._options:
            self._workshop.cache.clear()  # another way of computing gives other last bits
        self._options = options

    def warm_up(self, checkpoint: str | None = None) -> None:
        """See `Engine.warm_up`."""
        residency = self._start().residency
        if checkpoint:
            with contextlib.suppress(StudioError):  # the run that needs it will say what is wrong with it
                residency.get(self._find_checkpoint(checkpoint))

    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        workshop = self._start()
        return replace(workshop.residency.status(), stage_keys=workshop.cache.keys)

    def close(self) -> None:
        """See `Engine.close`."""
        if self._workshop:
            self._workshop.clear()

    def _start(self) -> Workshop:
        if self._workshop is None:
            import torch

            quieten_libraries()
            if self._threads:
                torch.set_num_threads(self._threads)
            residency = Residency(self._device or choose_device(), disk=self._offload_dir)
            residency.configure(self._options)
            controls = ControlNets(self._find_checkpoint, residency.device, disk=self._offload_dir)
            self._workshop = Workshop(residency, self._find_checkpoint, self._find_adapter, controls)
        return self._workshop

    def _environment(self) -> dict[str, Any]:
        import torch

        status = self._start().residency.status()
        return {
            "underpaint": __version__,
            **status.versions,
            "device": status.device,
            "device_name": status.device_name,
            "threads": torch.get_num_threads(),
        }
