"""Run: one request on its way through its stages, and what goes from each to the next."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from desktop_app.core.engine import CancelFlag, Intermediate, Progress, ReportProgress
from desktop_app.core.errors import Cancelled, RequestError, StudioError
from desktop_app.core.kinds import StageKind
from desktop_app.core.masking import lay_over
from desktop_app.core.request import Request, Stage
from desktop_app.core.stage_keys import stage_keys
from desktop_app.engine.colour import match_colours
from desktop_app.engine.framing import Frames, Picture
from desktop_app.engine.prefetch import Prefetch
from desktop_app.engine.stage_cache import StageOutput
from desktop_app.engine.stage_run import Given, StageRun
from desktop_app.engine.steps import Noise
from desktop_app.engine.workshop import Workshop
from desktop_app.store.handover import describe_handover


class Run:
    """``steps_run``, ``notes``, ``intermediates`` and ``reused`` are as `Result` has them, once `make` has returned."""

    def __init__(
        self, workshop: Workshop, request: Request, report: ReportProgress, cancel: CancelFlag, *, has_preview: bool
    ) -> None:
        self.workshop = workshop
        self.request = request
        self.cancel = cancel
        self._report = report
        self.has_preview = has_preview
        self.noise = Noise(request.seed)
        self.frames = Frames(request)
        self.dtype = workshop.residency.dtype
        self.steps_run: list[int] = []
        self.notes: list[str] = []
        self.intermediates: list[Intermediate] = []
        self.reused = 0

    def make(self) -> Image.Image:
        """The finished picture."""
        keys = stage_keys(self.request)
        outputs = self.workshop.cache.begin(keys[:-1])
        self.reused = len(outputs)
        for number, output in enumerate(outputs):
            self._tell_output(number, output)
        if outputs:
            self.noise.go_to(outputs[-1].noise)
        to_come = range(len(outputs), len(keys))
        for number in to_come:
            with self._naming(number):  # what is missing is said before any other stage has run for nothing
                self.workshop.stamps_of(self.request.stages[number])
        for number in to_come:
            with self._naming(number):
                output = self._run_stage(number, outputs)
            self.workshop.cache.keep(keys[number], output)
            outputs.append(output)
            self._tell_output(number, output)
        self.check()
        picture = outputs[-1].picture
        if picture is None:
            raise RequestError("The chain does not end", "its last stage leaves the picture unfinished", "", "chain")
        return self._finish(picture, len(keys) - 1)

    @contextlib.contextmanager
    def _naming(self, number: int) -> Iterator[None]:
        """Say with an error which of several stages it is about."""
        try:
            yield
        except StudioError as e:
            if (count := len(self.request.stages)) > 1:
                e.detail = f"stage {number + 1} of {count}{': ' if e.detail else ''}{e.detail}"
            raise

    def _run_stage(self, number: int, before: Sequence[StageOutput]) -> StageOutput:
        stage = self.request.stages[number]
        given = self._given(number, stage, before)
        stage_run = StageRun(self, number, stage, given)
        told = len(self.notes)
        with Prefetch(self._paths_ahead(number)):
            picture, latents, steps = stage_run.make()
        notes = tuple(dict.fromkeys((*self.notes[told:], *self.frames.take_notes())))
        del self.notes[told:]
        return StageOutput(stage, picture, latents, self.noise.state, steps, notes, stage_run.stamps, self.dtype)

    def _given(self, number: int, stage: Stage, before: Sequence[StageOutput]) -> Given:
        """What the stage begins with."""
        if not before:
            picture = self.frames.begin()
            if picture is None and stage.kind is not StageKind.TEXT_TO_IMAGE:
                hint = "Open a picture."
                raise RequestError("The stage needs a picture to start from", stage.kind.value, hint, "checkpoint")
            return Given(picture)
        last, previous = before[-1], self.request.stages[number - 1]
        if self.is_by_latents(previous, stage) and last.latents is not None:
            return Given(last.picture, last.latents)
        if last.picture is None:
            raise RequestError("The chain cannot go on", f"stage {number} ends with an unfinished picture", "", "chain")
        keeps_whole = stage.kind is StageKind.INPAINT and last.picture.is_whole
        return Given(last.picture if keeps_whole else self.frames.framed(last.picture))

    def is_by_latents(self, stage: Stage, following: Stage) -> bool:
        """Whether ``following`` gets the latents of ``stage`` as they are."""
        find = self.workshop.find_checkpoint
        if following.begin > 0:
            return True
        return describe_handover(find(stage.checkpoint), stage, find(following.checkpoint), following).by_latents

    def _paths_ahead(self, number: int) -> list[Path]:
        """Checkpoints of the next stage that are not in memory yet."""
        find, stages = self.workshop.find_checkpoint, self.request.stages
        if number + 1 >= len(stages):
            return []
        following = stages[number + 1]
        refs = [ref for ref in (following.prior, following.checkpoint) if ref]
        paths = [find(ref) for ref in dict.fromkeys(refs)]
        return [path for path in paths if not self.workshop.residency.has(path)]

    # What is told ---------------------------------------------------------------------------------

    def _tell_output(self, number: int, output: StageOutput) -> None:
        self.dtype = output.dtype
        self.steps_run.append(output.steps)
        self.notes += [note for note in output.notes if note not in self.notes]
        self._tell_handover(number)
        if output.picture and number + 1 < len(self.request.stages):
            self.intermediates.append(Intermediate(number, self._finish(output.picture, number)))

    def _tell_handover(self, number: int) -> None:
        """What a refiner got; in a chain the cards say it."""
        stage = self.request.stages[number]
        following = self.request.stages[number + 1] if number + 1 < len(self.request.stages) else None
        if following is None or following.is_card or stage.end < 1:
            return
        if self.is_by_latents(stage, following):
            self.notes.append("The refiner got the latents themselves: both checkpoints have the same VAE.")
        else:
            note = "The refiner got the picture's pixels: the checkpoints are not known to have the same VAE."
            self.notes.append(note)

    def _finish(self, picture: Picture, number: int) -> Image.Image:
        """The picture of stage ``number`` as a request that ends there wants it."""
        root = self.frames.root
        if root is not None:
            seen = self.frames.framed(Picture(root, is_whole=True)).image
            matched = match_colours(picture.image, seen, self.request.colour_match, self.check)
            if matched is not picture.image:
                picture = self._match_inside(picture, matched, number)
        return self.frames.finish(picture)

    def _match_inside(self, picture: Picture, matched: Image.Image, number: int) -> Picture:
        """``picture`` with the colours of ``matched``; where everything was painted inside a mask, there alone."""
        if all(stage.kind is StageKind.INPAINT for stage in self.request.stages[: number + 1]):
            view = self.frames.view(picture)
            matched = lay_over(picture.image, matched, view.soft)
        return replace(picture, image=matched)

    def report(self, progress: Progress) -> None:
        """Report ``progress`` as one of this run's stages."""
        self._report(replace(progress, stages=len(self.request.stages)))

    def check(self) -> None:
        """Raise `Cancelled` when the run shall stop."""
        if self.cancel.is_set():
            raise Cancelled
