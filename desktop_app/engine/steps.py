"""Steps: what a pipeline calls after each denoising step, and the noise that it starts from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from desktop_app.core.engine import Phase, Progress
from desktop_app.engine.preview import Previewer


class Teller(Protocol):
    """The run that the steps belong to."""

    def report(self, progress: Progress) -> None:
        """Tell the user."""

    def check(self) -> None:
        """Raise `Cancelled` when the run shall stop."""


class Noise:
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

    @property
    def state(self) -> Any:
        """Where the generator stands."""
        return self._generator.get_state()

    def go_to(self, state: Any) -> None:
        """Stand where the generator stood when ``state`` was read."""
        self._generator.set_state(state)


class PriorCallback:
    """As `StepCallback`, for the steps of a prior: they are part of the encoding."""

    def __init__(self, run: Teller, number: int) -> None:
        self._run = run
        self._number = number

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._run.check()
        self._run.report(Progress(Phase.ENCODING, self._number, 1, step + 1, pipeline.num_timesteps))
        self._run.check()
        return tensors


class StepCallback:
    """What diffusers calls after each denoising step: reports it, and raises when the run shall stop.

    Raising leaves a pipeline clean; diffusers' own way to stop decodes the half-done picture first.
    """

    def __init__(self, run: Teller, number: int, previewer: Previewer | None, *, goes_on: bool) -> None:
        self._run = run
        self._number = number
        self._previewer = previewer
        self._goes_on = goes_on
        self.count = 0
        self.latents: Any = None
        """What the last step has left, before it is decoded."""

    def __call__(self, pipeline: Any, step: int, timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        self._run.check()
        self.step_done(max(pipeline.num_timesteps, self.count + 1), tensors["latents"])
        return tensors

    def step_done(self, total: int, latents: Any) -> None:
        """One more of ``total`` steps is done. Raises `Cancelled`."""
        self._run.check()
        self.count += 1
        self.latents = latents
        is_last = self.count == total
        preview = self._previewer.make(latents, is_last=is_last) if self._previewer and latents is not None else None
        self._run.report(Progress(Phase.DENOISING, self._number, 1, self.count, total, preview))
        self._run.check()
        if is_last and not self._goes_on:
            self._run.report(Progress(Phase.DECODING, self._number))

    @property
    def plain(self) -> Callable[[int, int, Any], None]:
        """The same for who counts the steps himself: called with step, total and latents."""
        return lambda _step, total, latents: self.step_done(total, latents)
