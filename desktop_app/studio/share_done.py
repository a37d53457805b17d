"""ShareDone: how much of a run is done, as one number that never falls, for bars."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise

from desktop_app.core.engine import Phase, Progress
from desktop_app.core.request import Request, Stage

PHASES: dict[Phase, tuple[float, float]] = {
    Phase.STARTING: (0.0, 0.02),
    Phase.DOWNLOADING: (0.02, 0.05),
    Phase.DERIVING: (0.05, 0.08),
    Phase.LOADING: (0.05, 0.10),
    Phase.ENCODING: (0.10, 0.12),
    Phase.DENOISING: (0.12, 0.94),
    Phase.UPSCALING: (0.12, 0.98),
    Phase.DECODING: (0.94, 0.98),
    Phase.SAVING: (0.98, 1.0),
}
"""Where in its stage's part of the bar each phase begins and ends."""

PRIOR = (0.10, 0.25)
"""The same of an encoding that has steps: a prior denoises too."""


class ShareDone:
    """Of one run of ``request``. `note` takes every progress; each stage gets a part of the bar as long as its steps.

    A phase that comes anew (the decoder is loaded after its prior, a stage begins again with less memory) goes on from
    where the bar stands, over what is left of the part that it would have had.
    """

    def __init__(self, request: Request) -> None:
        self._stages = request.stages
        self._now: tuple[Phase, int, bool] | None = None
        self._floor = 0.0
        self.share = 0.0

    def note(self, progress: Progress) -> None:
        """Take ``progress`` into account."""
        now = (progress.phase, progress.stage, progress.total > 0)
        if now != self._now:
            self._now, self._floor = now, self.share
        begin, end = (max(edge, self._floor) for edge in self._span(progress))
        within = progress.step / progress.total if progress.total else 0.0
        self.share = max(self.share, begin + (end - begin) * within)

    def _span(self, progress: Progress) -> tuple[float, float]:
        """Where on the bar the phase begins and ends."""
        has_steps = progress.phase is Phase.ENCODING and progress.total > 0
        first, last = PRIOR if has_steps else PHASES[progress.phase]
        ends = list(accumulate(map(_weight, self._stages), initial=0.0))
        begin, end = list(pairwise(ends))[min(progress.stage, len(self._stages) - 1)]
        return (begin + (end - begin) * first) / ends[-1], (begin + (end - begin) * last) / ends[-1]


def _weight(stage: Stage) -> int:
    """Its denoising steps; a request may come from a file with any strength in it."""
    return max(replace(stage, strength=min(max(stage.strength, 0.0), 1.0)).effective_steps, 1)
