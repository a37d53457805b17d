"""Planned: a stage on its way into a request, with what is known of its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.family import Family
from desktop_app.core.request import Stage

Describe = Callable[[str], CheckpointInfo]
"""What is known of the checkpoint with a REF; raises `CheckpointError`."""


@dataclass(frozen=True)
class Planned:
    """``stage`` on the checkpoint ``info`` of ``family``, None for a pixel upscaler. ``factor`` is how many times
    larger it makes each side.
    """

    stage: Stage
    info: CheckpointInfo
    family: Family | None
    factor: int = 1

    @property
    def steps(self) -> int:
        """Denoising steps that it runs."""
        return steps_of(self.stage, self.family) if self.family else 0

    def with_stage(self, stage: Stage) -> Planned:
        """The same, running ``stage``."""
        return replace(self, stage=stage)


def steps_of(stage: Stage, family: Family) -> int:
    """Denoising steps that ``stage`` runs on a checkpoint of ``family``."""
    if stage.begin > 0 or stage.end < 1:
        return stage.effective_steps
    return family.effective_steps(stage.kind, stage.steps, stage.strength)
