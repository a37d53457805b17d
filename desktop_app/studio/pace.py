"""Pace: how fast a run goes and how long it will still take, smoothed so that the numbers can be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from desktop_app.core.engine import Phase, Progress

SMOOTHING = 0.25
"""Weight of the newest step in the running mean. The first steps count fully, so that the mean does not begin slow."""


class Pace:
    """Of one run. `note` takes every progress; seconds by ``clock``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: float | None = None
        self._step_s: float | None = None
        self._progress: Progress | None = None

    @property
    def rate(self) -> float | None:
        """Denoising steps a second, None until two steps have been done."""
        return 1 / self._step_s if self._step_s else None

    @property
    def seconds_left(self) -> float | None:
        """Until the last step of the stage that runs, None while nobody can know."""
        progress = self._progress
        if progress is None or progress.phase is not Phase.DENOISING or self._step_s is None:
            return None
        return (progress.total - progress.step) * self._step_s

    def note(self, progress: Progress) -> None:
        """Take ``progress`` into account."""
        now = self._clock()
        before, self._progress = self._progress, progress
        if progress.phase is not Phase.DENOISING:
            self._last = None
            return
        if self._last is not None and before is not None and progress.step > before.step:
            self._add((now - self._last) / (progress.step - before.step))
        self._last = now

    def _add(self, step_s: float) -> None:
        if self._step_s is None:
            self._step_s = step_s
        else:
            self._step_s += SMOOTHING * (step_s - self._step_s)
