"""From controls to requests: the facts of a run before it runs, and the requests themselves.

The window and the command line both come through here, so the same values make the same request in either.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.params import (
    MAX_RANDOM_SEED,
    MAX_SEED,
    MULTIPLE,
    PARAM_SPECS,
    Params,
    clean_text,
    effective_steps,
    validate,
)
from desktop_app.core.placement import Placement, own_size, plan_placement, working_size
from desktop_app.core.request import ImageRef, Request, Stage, StageKind


@dataclass(frozen=True)
class RunFacts:
    """What will run. Sizes are (width, height) in pixels; ``placement`` is None without an init image."""

    steps: int
    effective_steps: int
    working_size: tuple[int, int]
    result_size: tuple[int, int]
    placement: Placement | None


def draw_seed() -> int:
    """A random seed, small enough for other programs."""
    return random.SystemRandom().randint(0, MAX_RANDOM_SEED)


def plan_run(params: Params, init_size: tuple[int, int] | None, info: CheckpointInfo) -> RunFacts:
    """The facts of one run on an init image of ``init_size`` pixels, or on none. Raises `RequestError`."""
    validate(params, has_init_image=init_size is not None)
    _check_kind(init_size is not None, info)
    working = _working_size(params, init_size, info)
    if init_size is None:
        return RunFacts(params.steps, params.steps, working, working, None)
    placement = plan_placement(init_size, working, params.fit)
    return RunFacts(
        steps=params.steps,
        effective_steps=effective_steps(params.steps, params.strength),
        working_size=working,
        result_size=own_size(placement) if params.own_size else working,
        placement=placement,
    )


def build_request(params: Params, init_image: ImageRef | None, info: CheckpointInfo, seed: int) -> Request:
    """The request for one picture with ``seed``; ``params.seed`` and ``params.count`` are not looked at."""
    facts = plan_run(params, init_image.size if init_image else None, info)
    stage = Stage(
        kind=StageKind.IMAGE_TO_IMAGE if init_image else StageKind.TEXT_TO_IMAGE,
        checkpoint=params.checkpoint,
        prompt=clean_text(params.prompt),
        negative_prompt=clean_text(params.negative_prompt),
        strength=params.strength if init_image else 1.0,
        steps=params.steps,
        guidance_scale=params.guidance_scale,
        scheduler=params.scheduler,
    )
    width, height = facts.working_size
    return Request((stage,), seed, width, height, init_image, params.fit, params.own_size, params.recipe)


def build_requests(
    params: Params, init_image: ImageRef | None, info: CheckpointInfo, draw: Callable[[], int] = draw_seed
) -> list[Request]:
    """``params.count`` requests: seeds count up from a fixed seed, and are drawn one by one from a random one.

    Raises `RequestError`.
    """
    validate(params, has_init_image=init_image is not None)
    if params.seed is not None and params.seed + params.count - 1 > MAX_SEED:
        raise RequestError(
            "The seeds run out of range",
            f"{params.count} pictures from seed {params.seed} would pass {MAX_SEED}",
            "Choose a smaller seed.",
            param="seed",
        )
    seeds = [draw() if params.seed is None else params.seed + index for index in range(params.count)]
    return [build_request(params, init_image, info, seed) for seed in seeds]


def _check_kind(has_init_image: bool, info: CheckpointInfo) -> None:
    if not has_init_image and StageKind.TEXT_TO_IMAGE not in info.kinds:
        raise RequestError(
            "This checkpoint needs a picture to start from",
            f"{info.label} ({info.family}) cannot paint from the prompt alone",
            "Open a picture, or choose another checkpoint.",
            param="checkpoint",
        )


def _working_size(params: Params, init_size: tuple[int, int] | None, info: CheckpointInfo) -> tuple[int, int]:
    multiple = math.lcm(MULTIPLE, info.multiple)
    if params.width is not None and params.height is not None:
        _check_multiple("width", params.width, multiple)
        _check_multiple("height", params.height, multiple)
        return params.width, params.height
    if init_size is None:
        return info.native_size, info.native_size
    return working_size(init_size, info.native_size, multiple)


def _check_multiple(name: str, side: int, multiple: int) -> None:
    if side % multiple:
        raise RequestError(
            f"{PARAM_SPECS[name].label} is not a multiple of {multiple}",
            f"{side} pixels, and one latent of this checkpoint covers {multiple}",
            f"Take {side // multiple * multiple or multiple} or {side // multiple * multiple + multiple}.",
            param=name,
        )
