"""DiffusersEngine: runs requests with the pipelines of diffusers, in this process and thread."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from desktop_app import __version__
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
from desktop_app.core.errors import Cancelled, DeviceError, OutOfMemory, StudioError
from desktop_app.core.families import Family
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.params import DEFAULT_SCHEDULER, Fit
from desktop_app.core.planned import steps_of
from desktop_app.core.request import Request, Stage, StageKind
from desktop_app.engine.arguments import arguments, prior_arguments, unread_text, with_embeddings
from desktop_app.engine.deriving import derive_ref
from desktop_app.engine.devices import choose_device
from desktop_app.engine.faults import running
from desktop_app.engine.framing import frame, unframe
from desktop_app.engine.handover import Latents, hands_over, next_stage, scale_of, share_arguments, takes_latents
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.preview import Previewer
from desktop_app.engine.residency import Residency, Resident
from desktop_app.engine.schedulers import make_scheduler
from desktop_app.engine.weighting import read_stage
from desktop_app.store.any_checkpoint import family_at

FULL_PRECISION = "float32"

T = TypeVar("T")
Carried = Image.Image | Latents | None
"""What goes from stage to stage."""


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

    def derive(
        self,
        control: Control,
        picture: ImageRef,
        report: ReportProgress,
        cancel: CancelFlag,
        *,
        size: tuple[int, int] | None = None,
        fit: Fit = Fit.CROP,
    ) -> Derived:
        """See `Engine.derive`."""
        if control.annotator:
            self._start()
        return derive_ref(
            control, picture, self._find_checkpoint, report, cancel, size=size, fit=fit, make_room=self.close
        )

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
        self._noise = _Noise(request.seed)
        self.steps_run: list[int] = []
        self.notes: list[str] = []
        self.dtype = residency.dtype

    def make(self) -> Image.Image:
        """The finished picture."""
        framed = frame(self._request)
        carried: Carried = framed.image if framed else None
        for number, stage in enumerate(self._request.stages):
            carried = self._run_stage(number, stage, carried)
        self.check()
        assert isinstance(carried, Image.Image)
        return unframe(carried, framed, self._request)

    def _run_stage(self, number: int, stage: Stage, carried: Carried) -> Image.Image | Latents:
        """What the stage makes: its picture, or latents where the next stage takes them."""
        folder = self._find_checkpoint(stage.checkpoint)
        embeds: dict[str, Any] = {}
        if family_at(folder).prior:
            prior = self._find_checkpoint(stage.prior)
            embeds = self._with_less_memory(prior, lambda: self._read_prompt(prior, number, stage))
        return self._with_less_memory(folder, lambda: self._try_stage(folder, number, stage, carried, embeds))

    def _with_less_memory(self, folder: Path, attempt: Callable[[], T]) -> T:
        """What ``attempt`` makes with the checkpoint in ``folder``; made anew with less memory each time that memory
        turns out to be full.
        """
        self._residency.plan(folder, (self._request.width, self._request.height))
        told = len(self.notes)
        self._noise.mark()
        while True:
            try:
                made = attempt()
            except OutOfMemory as e:
                full = OutOfMemory(e.title, e.detail, e.hint)  # another one: in the frames of this are the tensors
            else:
                self.notes += self._residency.notes
                return made
            del self.notes[told:]
            self._residency.step_down(folder, full)

    def _load(self, folder: Path, number: int) -> Resident:
        if not self._residency.has(folder):
            self._tell(Phase.LOADING, number)
        resident = self._residency.get(folder)
        self.check()
        return resident

    def _read_prompt(self, folder: Path, number: int, stage: Stage) -> dict[str, Any]:
        """The embeddings that the prior in ``folder`` makes of the prompts, as arguments of the decoder's pipeline."""
        self._tell_unread(self._load(folder, number).pipelines[StageKind.EMBEDDING], family_at(folder), stage)
        embeds: dict[str, Any] = self._whole(folder, lambda resident: self._embed(resident, folder, number, stage))
        return embeds

    def _embed(self, resident: Resident, folder: Path, number: int, stage: Stage) -> dict[str, Any] | None:
        """Run the prior; None when what it makes has values that are not numbers."""
        import torch

        pipeline = resident.pipelines[StageKind.EMBEDDING]
        pipeline.scheduler = make_scheduler(DEFAULT_SCHEDULER, resident.scheduler)
        self._tell(Phase.ENCODING, number)
        with running(), resident.offload.using(pipeline):
            made = pipeline(
                **prior_arguments(family_at(folder), stage),
                generator=self._noise.again(),
                callback_on_step_end=_PriorCallback(self, number),
            )
        embeds = {"image_embeds": made.image_embeds, "negative_image_embeds": made.negative_image_embeds}
        return embeds if all(torch.isfinite(each).all() for each in embeds.values()) else None

    def _try_stage(
        self, folder: Path, number: int, stage: Stage, carried: Carried, embeds: dict[str, Any]
    ) -> Image.Image | Latents:
        resident = self._load(folder, number)
        if not embeds:
            self._tell_unread(resident.pipelines[stage.kind], family_at(folder), stage)
        del resident  # see `_whole`
        made: Image.Image | Latents = self._whole(
            folder, lambda resident: self._call(resident, folder, number, carried, embeds)
        )
        return made

    def _whole(self, folder: Path, run: Callable[[Resident], Any]) -> Any:
        """What ``run`` makes of the checkpoint in ``folder``, in full precision where half gives None."""
        resident = self._residency.get(folder)
        made, is_half = run(resident), resident.dtype != FULL_PRECISION
        del resident  # nobody else may hold it: both at once may be more than there is memory for
        if made is None and is_half:
            self.notes.append(
                "Half precision gave values that are not numbers; the picture was made in full precision."
            )
            self.dtype = FULL_PRECISION
            made = run(self._residency.get(folder, FULL_PRECISION))
        if made is None:
            raise DeviceError(
                "The picture came out without content",
                "The checkpoint gave values that are not numbers.",
                "Try another scheduler or a lower guidance; if it stays, the checkpoint may be damaged.",
            )
        return made

    def _call(
        self, resident: Resident, folder: Path, number: int, carried: Carried, embeds: dict[str, Any]
    ) -> Image.Image | Latents | None:
        """Run the pipeline; None when what it makes has values that are not numbers."""
        stage, family = self._request.stages[number], family_at(folder)
        pipeline = resident.pipelines[stage.kind]
        decoder = getattr(pipeline, family.decoder or "", None)
        if isinstance(carried, Latents):
            carried.check(decoder)
            carried = carried.values
        pipeline.scheduler = make_scheduler(stage.scheduler, resident.scheduler)
        goes_on = self._goes_on_with_latents(folder, family, number)
        self._tell(Phase.ENCODING, number)
        steps = _StepCallback(self, number, Previewer(decoder) if self._has_preview else None, goes_on=goes_on)
        with running(), resident.offload.using(pipeline):
            plain, prompts = read_stage(pipeline, family, stage)
            made = pipeline(
                **with_embeddings(arguments(family, self._request, plain, carried), prompts),
                **share_arguments(stage, pipeline.scheduler),
                **{name: each.to(pipeline.unet.dtype) for name, each in embeds.items()},
                generator=self._noise.again(),
                callback_on_step_end=steps,
                callback_on_step_end_tensor_inputs=["latents"],
                output_type="latent" if goes_on else "np",
            ).images
        result = _latents(made, decoder) if goes_on else _picture(made, pipeline)
        if result is not None:
            self._count(steps.count, steps_of(stage, family))
            self._tell_handover(number, by_latents=goes_on)
        return result

    def _goes_on_with_latents(self, folder: Path, family: Family, number: int) -> bool:
        stage, following = self._request.stages[number], next_stage(self._request, number)
        if following is None or hands_over(stage):
            return following is not None
        next_folder = self._find_checkpoint(following.checkpoint)
        return takes_latents(family, folder, following, family_at(next_folder), next_folder)

    def _tell_handover(self, number: int, *, by_latents: bool) -> None:
        """What the next stage got, where that is not said by the request itself."""
        if next_stage(self._request, number) is None or hands_over(self._request.stages[number]):
            return
        if by_latents:
            self.notes.append("The refiner got the latents themselves: both checkpoints have the same VAE.")
        else:
            note = "The refiner got the picture's pixels: the checkpoints are not known to have the same VAE."
            self.notes.append(note)

    def _count(self, count: int, steps: int) -> None:
        self.steps_run.append(count)
        if count != steps:
            self.notes.append(f"The scheduler took {count} passes for {steps} steps.")

    def _tell_unread(self, pipeline: Any, family: Family, stage: Stage) -> None:
        for what, text in (("prompt", stage.prompt), ("negative prompt", stage.negative_prompt)):
            rest = unread_text(pipeline, family, text)
            if rest and (note := f"The end of the {what} was not read: “{rest}”.") not in self.notes:
                self.notes.append(note)

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


class _Noise:
    """The generator of a request: one for all its stages, as a script would hand one on from pipeline to pipeline."""

    def __init__(self, seed: int) -> None:
        import torch

        self._generator = torch.Generator("cpu").manual_seed(seed)
        self.mark()

    def mark(self) -> None:
        """What comes from here on can come again."""
        self._state = self._generator.get_state()

    def again(self) -> Any:
        """The generator, as it was at the mark."""
        return self._generator.set_state(self._state)


class _PriorCallback:
    """As `_StepCallback`, for the steps of a prior: they are part of the encoding."""

    def __init__(self, run: _Run, number: int) -> None:
        self._run = run
        self._number = number

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._run.check()
        self._run.report(Progress(Phase.ENCODING, self._number, 1, step + 1, pipeline.num_timesteps))
        self._run.check()
        return tensors


class _StepCallback:
    """What diffusers calls after each denoising step: reports it, and raises when the run shall stop.

    Raising leaves a pipeline clean; diffusers' own way to stop decodes the half-done picture first.
    """

    def __init__(self, run: _Run, number: int, previewer: Previewer | None, *, goes_on: bool) -> None:
        self._run = run
        self._number = number
        self._previewer = previewer
        self._goes_on = goes_on
        self.count = 0

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._run.check()
        self.count += 1
        total = max(pipeline.num_timesteps, self.count)
        is_last = self.count == total
        preview = self._previewer.make(tensors["latents"], is_last=is_last) if self._previewer else None
        self._run.report(Progress(Phase.DENOISING, self._number, 1, self.count, total, preview))
        self._run.check()
        if is_last and not self._goes_on:
            self._run.report(Progress(Phase.DECODING, self._number))
        return tensors


def _picture(pixels: Any, pipeline: Any) -> Image.Image | None:
    """``pixels`` (1, height, width, 3) as a picture; None where some are not numbers."""
    import numpy

    if not numpy.isfinite(pixels).all():
        return None
    picture: Image.Image = pipeline.numpy_to_pil(pixels)[0]
    return picture


def _latents(values: Any, vae: Any) -> Latents | None:
    import torch

    return Latents(values.cpu(), scale_of(vae)) if torch.isfinite(values).all() else None
