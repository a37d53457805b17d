"""StageRun: one stage of a run: its prompts, conditions and pipeline, tried anew with less where memory is full."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PIL import Image

from desktop_app.core.conditions import Control
from desktop_app.core.engine import Derived, Phase, Progress
from desktop_app.core.errors import DeviceError, OutOfMemory, RequestError
from desktop_app.core.families import Family
from desktop_app.core.kinds import FACTORS, UPSCALES, StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.planned import steps_of
from desktop_app.core.request import Stage
from desktop_app.engine.adapters import adapted
from desktop_app.engine.arguments import arguments, prior_arguments, run_kind, unread_text, with_embeddings
from desktop_app.engine.controls import active as active_controls
from desktop_app.engine.controls import control_arguments
from desktop_app.engine.deriving import derive_image, placed_picture
from desktop_app.engine.faults import running
from desktop_app.engine.framing import Glimpse, Picture, View
from desktop_app.engine.handover import Latents, hands_over, scale_of, share_arguments
from desktop_app.engine.preview import MAX_SIDE, Previewer
from desktop_app.engine.residency import Resident
from desktop_app.engine.schedulers import make_scheduler
from desktop_app.engine.stage_cache import Stamps
from desktop_app.engine.steps import PriorCallback, StepCallback
from desktop_app.engine.upscale import decode, largest_call, upscale_latents, upscale_pixels
from desktop_app.engine.weighting import read_stage
from desktop_app.store.any_checkpoint import family_at

if TYPE_CHECKING:
    from desktop_app.engine.run import Run

log = logging.getLogger(__name__)

FULL_PRECISION = "float32"

T = TypeVar("T")


@dataclass(frozen=True)
class Given:
    """What a stage begins with: the ``picture``, None without an init image, or the ``latents`` of it."""

    picture: Picture | None
    latents: Latents | None = None


@dataclass(frozen=True)
class Made:
    """What a pipeline has made: ``pixels`` (1, height, width, 3), None for an unfinished picture, and ``latents``."""

    pixels: Any
    latents: Any


class StageRun:
    """Stage ``number`` of ``run``. ``stamps`` are those of the files that it was made with, once it has run: as they
    were before it read them, since what is written meanwhile makes it another.
    """

    def __init__(self, run: Run, number: int, stage: Stage, given: Given) -> None:
        self._run = run
        self._workshop = run.workshop
        self._residency = run.workshop.residency
        self._number = number
        self._stage = stage
        self._given = given
        self._view: View | None = None
        self._controls: list[Image.Image] = []
        self._embeds: dict[str, Any] = {}
        self.stamps: Stamps = ()

    def make(self) -> tuple[Picture | None, Latents | None, int]:
        """The picture, the latents and the denoising steps."""
        self.stamps = self._workshop.stamps_of(self._stage)
        path = self._workshop.find_checkpoint(self._stage.checkpoint)
        if self._stage.kind is StageKind.PIXEL_UPSCALE:
            return self._upscale_pixels(path), None, 0
        family = family_at(path)
        if self._stage.kind is StageKind.INPAINT:
            assert self._given.picture
            self._view = self._run.frames.view(self._given.picture)
        self._controls = [self._control_image(control) for control in active_controls(self._stage)]
        if family.prior:
            prior = self._workshop.find_checkpoint(self._stage.prior)
            self._embeds = self._with_less_memory(prior, lambda: self._read_prompt(prior))
        return self._with_less_memory(path, lambda: self._try(path, family))

    @property
    def _size(self) -> tuple[int, int]:
        """Width and height, in pixels, at which the pipeline works."""
        if self._view:
            return self._view.image.size
        picture = self._given.picture
        return picture.image.size if picture else (self._run.request.width, self._run.request.height)

    # Memory ---------------------------------------------------------------------------------------

    def _with_less_memory(self, path: Path, attempt: Callable[[], T]) -> T:
        """What ``attempt`` makes with the checkpoint at ``path``; made anew with less memory each time that memory
        turns out to be full.
        """
        kind = self._stage.kind
        self._residency.plan(path, largest_call(kind, *self._size) if kind in FACTORS else self._size)
        self._workshop.controls.prune()
        told = len(self._run.notes)
        self._run.noise.mark()
        while True:
            try:
                made = attempt()
            except OutOfMemory as e:
                full = OutOfMemory(e.title, e.detail, e.hint)  # another one: in the frames of this are the tensors
            else:
                self._run.notes += self._residency.notes
                return made
            del self._run.notes[told:]
            self._workshop.make_room(path)
            self._residency.step_down(path, full)

    def _with_all_memory(self, attempt: Callable[[], T]) -> T:
        """What ``attempt`` makes, which is no checkpoint's; made anew without any where memory turns out to be full."""
        try:
            return attempt()
        except OutOfMemory as e:
            log.info("stage %d: the checkpoints make room: %s", self._number + 1, e)
        self._workshop.clear()
        return attempt()

    def _load(self, path: Path) -> Resident:
        if not self._residency.has(path):
            self._tell(Phase.LOADING)
        resident = self._residency.get(path)
        self._run.check()
        return resident

    def _whole(self, path: Path, run: Callable[[Resident], T | None]) -> T:
        """What ``run`` makes of the checkpoint at ``path``, in full precision where half gives None."""
        resident = self._residency.get(path)
        made, is_half = run(resident), resident.dtype != FULL_PRECISION
        del resident  # nobody else may hold it: both at once may be more than there is memory for
        if made is None and is_half:
            self._run.notes.append(
                "Half precision gave values that are not numbers; the picture was made in full precision."
            )
            self._run.dtype = FULL_PRECISION
            made = run(self._residency.get(path, FULL_PRECISION))
        if made is None:
            raise DeviceError(
                "The picture came out without content",
                "The checkpoint gave values that are not numbers.",
                "Try another scheduler or a lower guidance; if it stays, the checkpoint may be damaged.",
            )
        return made

    # Conditions -----------------------------------------------------------------------------------

    def _read_prompt(self, path: Path) -> dict[str, Any]:
        """The embeddings that the prior at ``path`` makes of the prompts, as arguments of the decoder's pipeline."""
        self._tell_unread(self._load(path).pipelines[StageKind.EMBEDDING], family_at(path))
        return self._whole(path, lambda resident: self._embed(resident, family_at(path)))

    def _embed(self, resident: Resident, family: Family) -> dict[str, Any] | None:
        """Run the prior; None when what it makes has values that are not numbers."""
        import torch

        pipeline = resident.pipelines[StageKind.EMBEDDING]
        pipeline.scheduler = make_scheduler(DEFAULT_SCHEDULER, resident.scheduler)
        self._tell(Phase.ENCODING)
        with running(), resident.offload.using(pipeline):
            made = pipeline(
                **prior_arguments(family, self._stage),
                generator=self._run.noise.again(),
                callback_on_step_end=PriorCallback(self._run, self._number),
            )
        embeds = {"image_embeds": made.image_embeds, "negative_image_embeds": made.negative_image_embeds}
        return embeds if all(torch.isfinite(each).all() for each in embeds.values()) else None

    def _control_image(self, control: Control) -> Image.Image:
        """The control image at the size of the stage, derived where it is not one already."""
        frames, size = self._run.frames, self._size
        if control.image:
            own = placed_picture(control.image)
            picture = frames.seen(own, self._view) if self._view else frames.placed(own, size)
        elif self._view:
            picture = self._view.image
        else:
            root = frames.begin()
            if root is None:
                hint = "Open a picture, or give the control image one of its own."
                raise RequestError("A control image has no picture", control.mode.value, hint, param="controls")
            picture = frames.placed(root.image, size)
        derived = self._with_all_memory(lambda: self._derive(control, picture))
        if derived.note and derived.note not in self._run.notes:
            self._run.notes.append(derived.note)
        return derived.image

    def _derive(self, control: Control, picture: Image.Image) -> Derived:
        return derive_image(control, picture, self._workshop.find_checkpoint, self._report_here, self._run.cancel)

    @contextmanager
    def _conditioned(self, resident: Resident, family: Family) -> Iterator[tuple[Any, dict[str, Any]]]:
        """The pipeline of the stage with its adapters and control images, and the arguments that these add."""
        pipeline = resident.pipelines[run_kind(family, self._stage.kind)]
        added: dict[str, Any] = {}
        if self._controls:
            pipeline = self._workshop.controls.pipeline(resident, family, self._stage)
            added = control_arguments(family, self._stage, self._controls)
        find = self._workshop.find_adapter
        with adapted(resident, pipeline, family, self._stage.adapters, find) as found:
            self._run.notes += [note for note in found.notes if note not in self._run.notes]
            yield pipeline, {**added, **found.arguments}

    # The pipeline ---------------------------------------------------------------------------------

    def _try(self, path: Path, family: Family) -> tuple[Picture | None, Latents | None, int]:
        resident = self._load(path)
        if not self._embeds:
            self._tell_unread(resident.pipelines[run_kind(family, self._stage.kind)], family)
        del resident  # see `_whole`
        return self._whole(path, lambda resident: self._call(resident, family))

    def _call(self, resident: Resident, family: Family) -> tuple[Picture | None, Latents | None, int] | None:
        """Run the pipeline; None when what it makes has values that are not numbers."""
        with self._conditioned(resident, family) as (pipeline, added):
            decoder = getattr(pipeline, family.decoder or "", None)
            if self._given.latents:
                self._given.latents.check(decoder)
            pipeline.scheduler = make_scheduler(self._stage.scheduler, resident.scheduler)
            self._tell(Phase.ENCODING)
            goes_on = hands_over(self._stage)
            previewer = self._previewer(decoder) if self._run.has_preview else None
            steps = StepCallback(self._run, self._number, previewer, goes_on=goes_on)
            with running(), resident.offload.using(pipeline):
                made = self._paint(pipeline, family, steps, added)
            return self._take(made, pipeline, family, steps)

    def _previewer(self, decoder: Any) -> Previewer:
        return Previewer(decoder, Glimpse(self._view, MAX_SIDE).lay if self._view else None)

    def _paint(self, pipeline: Any, family: Family, steps: StepCallback, added: dict[str, Any]) -> Made | None:
        stage, generator = self._stage, self._run.noise.again()
        plain, prompts = read_stage(pipeline, family, stage)
        if stage.kind in UPSCALES:
            return self._enlarge(pipeline, plain, prompts, steps, generator)
        goes_on = hands_over(stage)
        image, mask = self._image(), self._view.mask if self._view else None
        values = with_embeddings(arguments(family, plain, image, self._size, mask), prompts)
        made = pipeline(
            **{**values, **added},
            **share_arguments(stage, pipeline.scheduler),
            **{name: each.to(pipeline.unet.dtype) for name, each in self._embeds.items()},
            generator=generator,
            callback_on_step_end=steps,
            callback_on_step_end_tensor_inputs=["latents"],
            output_type="latent" if goes_on else "np",
        ).images
        return Made(None, made) if goes_on else Made(made, steps.latents)

    def _image(self) -> Any:
        """What the pipeline takes as its image."""
        if self._view:
            return self._view.image
        if self._given.latents:
            return self._given.latents.values
        return self._given.picture.image if self._given.picture else None

    def _enlarge(
        self, pipeline: Any, stage: Stage, prompts: dict[str, Any], steps: StepCallback, generator: Any
    ) -> Made | None:
        if stage.kind is StageKind.LATENT_UPSCALE:
            latents = upscale_latents(pipeline, stage, self._image(), generator, steps.plain)
            return Made(decode(pipeline, latents), latents)
        assert self._given.picture
        pixels = upscale_pixels(pipeline, stage, self._given.picture.image, generator, steps.plain, prompts=prompts)
        return Made(pixels, None) if pixels is not None else None

    def _take(
        self, made: Made | None, pipeline: Any, family: Family, steps: StepCallback
    ) -> tuple[Picture | None, Latents | None, int] | None:
        """What the pipeline has made, as the next stage takes it; None where some values are not numbers."""
        if made is None:
            return None
        decoder = getattr(pipeline, family.decoder or "", None)
        has_latents = family.denoiser == "unet" and family.decoder == "vae" and made.latents is not None
        latents = _latents(made.latents, decoder) if has_latents else None
        if made.pixels is None and latents is None:
            return None
        picture = None
        if made.pixels is not None:
            painted = _picture(made.pixels, pipeline)
            if painted is None:
                return None
            picture = self._view.put_back(painted) if self._view else Picture(painted)
        self._count(steps.count, steps_of(self._stage, family))
        return picture, latents, steps.count

    def _upscale_pixels(self, path: Path) -> Picture:
        """Larger by the network in the file ``path``, tile by tile."""
        assert self._given.picture
        picture = self._given.picture.image
        self._tell(Phase.LOADING)

        def attempt() -> tuple[Image.Image, str]:
            with running():
                upscaler = self._workshop.pixel_upscaler(path)
                self._run.check()
                return upscaler.upscale(picture, self._on_tile, check=self._run.check), upscaler.note

        made, note = self._with_all_memory(attempt)
        if note:
            self._run.notes.append(note)
        return Picture(made)

    # What is told ---------------------------------------------------------------------------------

    def _on_tile(self, tile: int, tiles: int) -> None:
        self._run.check()
        self._run.report(Progress(Phase.UPSCALING, self._number, 1, tile, tiles))
        self._run.check()

    def _report_here(self, progress: Progress) -> None:
        self._run.report(replace(progress, stage=self._number))

    def _count(self, count: int, steps: int) -> None:
        if count != steps and self._stage.kind not in UPSCALES:
            self._run.notes.append(f"The scheduler took {count} passes for {steps} steps.")

    def _tell_unread(self, pipeline: Any, family: Family) -> None:
        for what, text in (("prompt", self._stage.prompt), ("negative prompt", self._stage.negative_prompt)):
            rest = unread_text(pipeline, family, text)
            if rest and (note := f"The end of the {what} was not read: “{rest}”.") not in self._run.notes:
                self._run.notes.append(note)

    def _tell(self, phase: Phase) -> None:
        self._run.check()
        self._run.report(Progress(phase, self._number))


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
