"""Handing over: where one stage ends and the next begins, and whether latents can go between them as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.core.request import Request, Stage
from desktop_app.core.steps import handover_step


@dataclass(frozen=True)
class Latents:
    """``values`` (1, channels, height, width) on their way to the next stage, in main memory; ``scale`` is how the VAE
    that they are for scales them.
    """

    values: Any
    scale: tuple[Any, ...]

    def check(self, vae: Any) -> None:
        """Raise `CheckpointError` unless ``vae`` scales its latents in the same way."""
        if scale_of(vae) != self.scale:
            raise CheckpointError(
                "The refiner does not fit the checkpoint",
                f"Its latents are scaled by {scale_of(vae)[0]}, those of the checkpoint by {self.scale[0]}.",
                "Let it work over the finished picture, with a strength of its own.",
            )


def scale_of(vae: Any) -> tuple[Any, ...]:
    """How ``vae`` scales its latents."""
    names = ("scaling_factor", "latent_channels", "latents_mean", "latents_std")
    return tuple(getattr(vae.config, name, None) for name in names)


def hands_over(stage: Stage) -> bool:
    """Whether ``stage`` ends before the picture is finished."""
    return 0 < stage.end < 1


def next_stage(request: Request, number: int) -> Stage | None:
    """The stage that goes on from stage ``number``."""
    return request.stages[number + 1] if number + 1 < len(request.stages) else None


def share_arguments(stage: Stage, scheduler: Any) -> dict[str, float]:
    """The pipeline's arguments that say which share of the schedule of ``scheduler`` it runs."""
    values = {}
    if 0 < stage.begin < 1:
        values["denoising_start"] = _exact_share(scheduler, stage.steps, stage.begin)
    if hands_over(stage):
        values["denoising_end"] = _exact_share(scheduler, stage.steps, stage.end)
    return values


def _exact_share(scheduler: Any, steps: int, share: float) -> float:
    """``share``, or where that is needed one near it, so that `handover_step` steps lie before it.

    Pipelines of diffusers count the timesteps above ``1 - share`` of the noise levels. How many that are depends on how
    the scheduler spaces them: of 30 steps 0.8 may be 23.
    """
    probe = type(scheduler).from_config(scheduler.config)
    probe.set_timesteps(steps)
    levels = sorted({float(level) for level in probe.timesteps}, reverse=True)
    first, of = handover_step(steps, share), scheduler.config.num_train_timesteps
    cut = round(of - share * of)
    if len(levels) != steps or sum(level >= cut for level in levels) == first:
        return share
    return float(1 - int(levels[first - 1]) / of)
