"""Steps of a schedule: how many of them run at which strength, and where a refiner takes over."""

from __future__ import annotations

import math

from desktop_app.core.errors import RequestError


def handover_step(steps: int, share: float) -> int:
    """Denoising steps of ``steps`` that lie before ``share`` of the schedule, rounded down."""
    return int(steps * share + 1e-9)


def effective_steps(steps: int, strength: float) -> int:
    """Denoising steps that an image-to-image run of ``steps`` really does: ``int(steps * strength)``.

    The formula of diffusers (``StableDiffusionImg2ImgPipeline.get_timesteps``), rounding included. May be 0, which
    `desktop_app.core.validation` refuses.
    """
    return min(int(steps * strength), steps)


def strength_for(steps: int, wanted: int) -> float:
    """Smallest strength that runs ``wanted`` of ``steps`` steps: a step boundary.

    ``wanted / steps`` can fall a bit short in binary (100 * 0.29 is 28.999...), hence the nudge.
    """
    strength = min(wanted / steps, 1.0)
    while effective_steps(steps, strength) < min(wanted, steps):
        strength = math.nextafter(strength, 2.0)
    return strength


def least_strength(steps: int) -> str:
    """The smallest strength that runs one of ``steps``, rounded up to three decimals, as text."""
    return f"{math.ceil(strength_for(steps, 1) * 1000 - 1e-9) / 1000:g}"


def check_runs(steps: int, strength: float, effective: int) -> None:
    """Raise `RequestError` where of ``steps`` at ``strength`` not one is run: ``effective`` are."""
    if effective < 1:
        raise RequestError(
            "No step would run",
            f"{steps} steps at strength {strength:g} is less than one denoising step",
            f"Raise the strength to {least_strength(steps)} or more, or take more steps.",
            param="strength",
        )


def snap_strength(steps: int, strength: float) -> float:
    """The step boundary nearest to ``strength``, never below one step."""
    return strength_for(steps, min(max(round(steps * strength), 1), steps))
