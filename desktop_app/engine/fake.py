"""FakeEngine: deterministic pictures without torch, with delays and failures on demand. For tests of all above it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from PIL import Image, ImageDraw, ImageFilter

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import (
    CancelFlag,
    Derived,
    EngineOptions,
    EngineStatus,
    Intermediate,
    Phase,
    Progress,
    ReportProgress,
    Result,
)
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.kinds import FACTORS, UPSCALES, StageKind
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request, Stage
from desktop_app.core.stage_keys import stage_keys
from desktop_app.engine.deriving import check, placed_picture
from desktop_app.engine.framing import Frames, Picture

PREVIEW_SIDE = 64
DERIVING_STEPS = 2
PIXEL_FACTOR = 4
UPSCALE_STRENGTH = 0.2
"""What a larger picture has of its own."""

FailWith = Callable[[Request], BaseException | None]
"""What a run of a request shall raise in its middle, or None."""

FailDerivingWith = Callable[[Control], BaseException | None]
"""The same of the deriving of a control image."""


class FakeEngine:
    """Paints a pattern that follows the seed and the prompt, and lets the init image through as strength allows.

    Each step takes ``step_s`` seconds. ``fail_with`` makes runs fail half way through their steps, and
    ``fail_deriving_with`` the deriving of control images.
    """

    def __init__(
        self,
        *,
        step_s: float = 0.0,
        fail_with: FailWith | None = None,
        fail_deriving_with: FailDerivingWith | None = None,
    ) -> None:
        self._step_s = step_s
        self._fail_with = fail_with
        self._fail_deriving_with = fail_deriving_with
        self.runs: list[Request] = []
        """Every request that was run, in order."""
        self.derived: list[tuple[Control, ImageRef]] = []
        """Every control image that was derived, in order."""
        self.warmed: list[str | None] = []
        self.options = EngineOptions()
        self.is_closed = False
        self._pause = threading.Event()
        self._made: dict[str, Picture] = {}

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """See `Engine.run`."""
        begun = time.monotonic()
        self.runs.append(request)
        self.is_closed = False
        check(cancel)
        report(Progress(Phase.LOADING, stages=len(request.stages)))
        frames, keys = Frames(request), stage_keys(request)
        reused = next((number for number, key in enumerate(keys[:-1]) if key not in self._made), len(keys) - 1)
        picture = frames.begin()
        made: list[Intermediate] = []
        for number, key in enumerate(keys):
            if number >= reused:
                self._made[key] = self._run_stage(request, number, frames, picture, report, cancel)
            picture = self._made[key]
            if request.stages[number].end >= 1:
                made.append(Intermediate(number, frames.finish(picture)))
        *intermediates, final = made
        steps = tuple(stage.effective_steps for stage in request.stages)
        seconds = time.monotonic() - begun
        return Result(final.image, steps, seconds, (), {"device": "fake"}, tuple(intermediates), reused)

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
        self.derived.append((control, picture))
        check(cancel)
        report(Progress(Phase.DERIVING))
        placed = placed_picture(picture, placement)
        if not control.derive:
            return Derived(placed)
        for step in range(1, DERIVING_STEPS + 1):
            if self._step_s:
                self._pause.wait(self._step_s)
            if self._fail_deriving_with and (error := self._fail_deriving_with(control)):
                raise error
            report(Progress(Phase.DERIVING, step=step, total=DERIVING_STEPS))
            check(cancel)
        return Derived(_derive(control, placed), "" if control.annotator else "Made by no annotator.")

    def configure(self, options: EngineOptions) -> None:
        """See `Engine.configure`."""
        self.options = options

    def warm_up(self, checkpoint: str | None = None) -> None:
        """See `Engine.warm_up`."""
        self.warmed.append(checkpoint)

    def status(self) -> EngineStatus:
        """See `Engine.status`."""
        name = "No device: pictures for tests"
        return EngineStatus(device="fake", device_name=name, stage_keys=frozenset(self._made))

    def close(self) -> None:
        """See `Engine.close`."""
        self.is_closed = True
        self._made.clear()

    def _run_stage(
        self,
        request: Request,
        number: int,
        frames: Frames,
        given: Picture | None,
        report: ReportProgress,
        cancel: CancelFlag,
    ) -> Picture:
        stage, stages = request.stages[number], len(request.stages)
        error = self._fail_with(request) if self._fail_with else None
        view = frames.view(given) if stage.kind is StageKind.INPAINT and given else None
        start = view.image if view else _start(stage, frames.framed(given) if given else None)
        painted = _paint(request, stage, number, start.size if start else (request.width, request.height))
        strength = UPSCALE_STRENGTH if stage.kind in UPSCALES else stage.strength
        picture = Image.blend(start, painted, strength) if start else painted
        report(Progress(Phase.ENCODING, number, stages))
        total = stage.effective_steps
        for step in range(1, total + 1):
            if self._step_s:
                self._pause.wait(self._step_s)
            if error is not None and step > total // 2:
                raise error
            preview = _preview(painted, picture, step / total)
            report(Progress(Phase.DENOISING, number, stages, step, total, preview))
            check(cancel)
        report(Progress(Phase.DECODING, number, stages))
        return view.put_back(picture) if view else Picture(picture)


def _preview(painted: Image.Image, picture: Image.Image, share: float) -> Image.Image:
    return Image.blend(painted, picture, share).resize((PREVIEW_SIDE, PREVIEW_SIDE))


def _start(stage: Stage, given: Picture | None) -> Image.Image | None:
    """What ``stage`` begins with; an upscaler with a larger picture."""
    if given is None or stage.kind not in UPSCALES:
        return given.image if given else None
    factor = FACTORS.get(stage.kind, PIXEL_FACTOR)
    return given.image.resize((given.image.width * factor, given.image.height * factor))


def _derive(control: Control, picture: Image.Image) -> Image.Image:
    """Something that looks as if it kept of ``picture`` what the mode says."""
    if control.mode is ControlMode.TILE:
        return picture.filter(ImageFilter.GaussianBlur(4))
    grey = picture.convert("L")
    if control.mode is ControlMode.DEPTH:
        return grey.convert("RGB")
    edges = grey.filter(ImageFilter.FIND_EDGES)
    least = control.low if control.mode is ControlMode.CANNY else 40
    return edges.point([255 if level > least else 0 for level in range(256)]).convert("RGB")


def _paint(request: Request, stage: Stage, number: int, size: tuple[int, int]) -> Image.Image:
    rng = random.Random(f"{request.seed} {stage.prompt} {stage.negative_prompt} {stage.guidance_scale} {number}")
    picture = Image.new("RGB", size, tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        right, bottom = left + rng.randint(1, size[0]), top + rng.randint(1, size[1])
        draw.ellipse((left, top, right, bottom), fill=tuple(rng.randrange(256) for _ in range(3)))
    return picture
