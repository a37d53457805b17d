"""DiffusersEngine: runs requests with the pipelines of diffusers, in this process and thread."""

from __future__ import annotations

import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from desktop_app import __version__
from desktop_app.core.engine import (
    CancelFlag,
    CheckpointPath,
    EngineOptions,
    EngineStatus,
    Phase,
    Progress,
    ReportProgress,
    Result,
)
from desktop_app.core.errors import Cancelled, DeviceError, OutOfMemory, StudioError
from desktop_app.core.families import Family
from desktop_app.core.request import Request, Stage
from desktop_app.engine.arguments import arguments, unread_text
from desktop_app.engine.devices import choose_device
from desktop_app.engine.faults import running
from desktop_app.engine.framing import frame, unframe
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.preview import Previewer
from desktop_app.engine.residency import Residency, Resident
from desktop_app.engine.schedulers import make_scheduler
from desktop_app.store.checkpoint_index import read_family

FULL_PRECISION = "float32"


class DiffusersEngine:
    """One thread. torch is imported at the first use, which takes seconds.

    ``threads`` is torch's number of threads on the CPU (its own choice if None): another number gives a picture that
    differs in the last bits. ``device`` is found by itself if None. ``offload_dir`` is for weights that have no room in
    memory.
    """

    def __init__(
        self,
        find_checkpoint: CheckpointPath,
        *,
        threads: int | None = None,
        device: str | None = None,
        preview: bool = True,
        offload_dir: Path | None = None,
    ) -> None:
        self._find_checkpoint = find_checkpoint
        self._threads = threads
        self._device = device
        self._has_preview = preview
        self._offload_dir = offload_dir
        self._options = EngineOptions()
        self._residency: Residency | None = None

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """See `Engine.run`."""
        begun = time.monotonic()
        if cancel.is_set():
            raise Cancelled
        report(Progress(Phase.STARTING, stages=len(request.stages)))
        run = _Run(self._start(), self._find_checkpoint, request, report, cancel, has_preview=self._has_preview)
        try:
            image = run.make()
        except OutOfMemory:
            self.close()
            raise
        environment = {**self._environment(), "dtype": run.dtype}
        return Result(image, tuple(run.steps_run), time.monotonic() - begun, tuple(run.notes), environment)

    def configure(self, options: EngineOptions) -> None:
        """See `Engine.configure`."""
        self._options = options
        if self._residency:
            self._residency.configure(options)

    def warm_up(self, checkpoint: str | None = None) -> None:
        """See `Engine.warm_up`."""
        residency = self._start()
        if checkpoint:
            with contextlib.suppress(StudioError):  # the run that needs it will say what is wrong with it
                residency.get(self._find_checkpoint(checkpoint))

    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        return self._start().status()

    def close(self) -> None:
        """See `Engine.close`."""
        if self._residency:
            self._residency.clear()

    def _start(self) -> Residency:
        if self._residency is None:
            import torch

            quieten_libraries()
            if self._threads:
                torch.set_num_threads(self._threads)
            self._residency = Residency(self._device or choose_device(), disk=self._offload_dir)
            self._residency.configure(self._options)
        return self._residency

    def _environment(self) -> dict[str, Any]:
        import torch

        status = self.status()
        return {
            "underpaint": __version__,
            **status.versions,
            "device": status.device,
            "device_name": status.device_name,
            "threads": torch.get_num_threads(),
        }


class _Run:
    """One request on its way through its stages."""

    def __init__(
        self,
        residency: Residency,
        find_checkpoint: CheckpointPath,
        request: Request,
        report: ReportProgress,
        cancel: CancelFlag,
        *,
        has_preview: bool,
    ) -> None:
        self._residency = residency
        self._find_checkpoint = find_checkpoint
        self._request = request
        self._report = report
        self._cancel = cancel
        self._has_preview = has_preview
        self.steps_run: list[int] = []
        self.notes: list[str] = []
        self.dtype = residency.dtype

    def make(self) -> Image.Image:
        """The finished picture."""
        framed = frame(self._request)
        picture = framed.image if framed else None
        for number, stage in enumerate(self._request.stages):
            picture = self._run_stage(number, stage, picture)
        self.check()
        assert picture is not None
        return unframe(picture, framed, self._request)

    def _run_stage(self, number: int, stage: Stage, image: Image.Image | None) -> Image.Image:
        """The stage's picture, made with less memory each time that memory turns out to be full."""
        folder = self._find_checkpoint(stage.checkpoint)
        self._residency.plan(folder, (self._request.width, self._request.height))
        told = len(self.notes)
        while True:
            try:
                picture = self._try_stage(folder, number, stage, image)
            except OutOfMemory as e:
                full = OutOfMemory(e.title, e.detail, e.hint)  # another one: in the frames of this are the tensors
            else:
                self.notes += self._residency.notes
                return picture
            del self.notes[told:]
            self._residency.step_down(folder, full)

    def _try_stage(self, folder: Path, number: int, stage: Stage, image: Image.Image | None) -> Image.Image:
        if not self._residency.has(folder):
            self._tell(Phase.LOADING, number)
        resident = self._residency.get(folder)
        self.check()
        self._tell_unread(resident, stage)
        family = read_family(folder)
        picture = self._call(resident, family, number, stage, image)
        if picture is None and resident.dtype != FULL_PRECISION:
            self.notes.append(
                "Half precision gave values that are not numbers; the picture was made in full precision."
            )
            self.dtype = FULL_PRECISION
            picture = self._call(self._residency.get(folder, FULL_PRECISION), family, number, stage, image)
        if picture is None:
            raise DeviceError(
                "The picture came out without content",
                "The checkpoint gave values that are not numbers.",
                "Try another scheduler or a lower guidance; if it stays, the checkpoint may be damaged.",
            )
        return picture

    def _call(
        self, resident: Resident, family: Family, number: int, stage: Stage, image: Image.Image | None
    ) -> Image.Image | None:
        """Run the pipeline; None when the picture has values that are not numbers."""
        import numpy
        import torch

        pipeline = resident.pipelines[stage.kind]
        pipeline.scheduler = make_scheduler(stage.scheduler, resident.scheduler)
        self._tell(Phase.ENCODING, number)
        steps = _StepCallback(
            self, number, Previewer(getattr(pipeline, family.decoder or "", None)) if self._has_preview else None
        )
        with running(), resident.offload.using(pipeline):
            pixels = pipeline(
                **arguments(family, self._request, stage, image),
                generator=torch.Generator("cpu").manual_seed(self._request.seed),
                callback_on_step_end=steps,
                callback_on_step_end_tensor_inputs=["latents"],
                output_type="np",
            ).images
        if not numpy.isfinite(pixels).all():
            return None
        self._count(number, stage, steps.count)
        picture: Image.Image = pipeline.image_processor.numpy_to_pil(pixels)[0]
        return picture

    def _count(self, number: int, stage: Stage, count: int) -> None:
        self.steps_run.append(count)
        if count != stage.effective_steps:
            self.notes.append(f"The scheduler took {count} passes for {stage.effective_steps} steps.")

    def _tell_unread(self, resident: Resident, stage: Stage) -> None:
        for what, text in (("prompt", stage.prompt), ("negative prompt", stage.negative_prompt)):
            if rest := unread_text(resident.pipelines[stage.kind], text):
                self.notes.append(f"The end of the {what} was not read: “{rest}”.")

    def _tell(self, phase: Phase, number: int) -> None:
        self.check()
        self.report(Progress(phase, number))

    def report(self, progress: Progress) -> None:
        """Report ``progress`` as one of this run's stages."""
        self._report(replace(progress, stages=len(self._request.stages)))

    def check(self) -> None:
        """Raise `Cancelled` when the run shall stop."""
        if self._cancel.is_set():
            raise Cancelled


class _StepCallback:
    """What diffusers calls after each denoising step: reports it, and raises when the run shall stop.

    Raising leaves a pipeline clean; diffusers' own way to stop decodes the half-done picture first.
    """

    def __init__(self, run: _Run, number: int, previewer: Previewer | None) -> None:
        self._run = run
        self._number = number
        self._previewer = previewer
        self.count = 0

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._run.check()
        self.count += 1
        total = max(pipeline.num_timesteps, self.count)
        is_last = self.count == total
        preview = self._previewer.make(tensors["latents"], is_last=is_last) if self._previewer else None
        self._run.report(Progress(Phase.DENOISING, self._number, 1, self.count, total, preview))
        self._run.check()
        if is_last:
            self._run.report(Progress(Phase.DECODING, self._number))
        return tensors
