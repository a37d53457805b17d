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
from desktop_app.core.params import MAX_RANDOM_SEED, MAX_SEED, MULTIPLE, PARAM_SPECS, Params, validate
from desktop_app.core.placement import Placement, own_size, plan_placement, working_size
from desktop_app.core.request import ImageRef, Request
from desktop_app.core.stages import Describe, Staging, plan_stages


@dataclass(frozen=True)
class RunFacts:
    """What will run. Sizes are (width, height) in pixels; ``placement`` is None without an init image.

    ``steps`` is the length of the schedule, ``stage_steps`` the denoising steps that each stage will do, and
    ``effective_steps`` all of them; the ``prior_steps`` come before and are not counted. ``takes_over``: the second
    stage goes on in the middle of the first one's schedule. ``unused`` has a sentence for each value without
    effect.
    """

    steps: int
    effective_steps: int
    working_size: tuple[int, int]
    result_size: tuple[int, int]
    placement: Placement | None
    stage_steps: tuple[int, ...] = ()
    takes_over: bool = False
    prior_steps: int = 0
    unused: tuple[str, ...] = ()


def draw_seed() -> int:
    """A random seed, small enough for other programs."""
    return random.SystemRandom().randint(0, MAX_RANDOM_SEED)


def plan_run(
    params: Params, init_size: tuple[int, int] | None, info: CheckpointInfo, describe: Describe | None = None
) -> RunFacts:
    """The facts of one run on an init image of ``init_size`` pixels, or on none. ``describe`` tells of the prior or
    refiner; None takes it as it is. Raises `RequestError`.
    """
    return _plan(params, init_size, info, describe)[0]


def build_request(
    params: Params, init_image: ImageRef | None, info: CheckpointInfo, seed: int, describe: Describe | None = None
) -> Request:
    """The request for one picture with ``seed``; ``params.seed`` and ``params.count`` are not looked at."""
    facts, staging = _plan(params, init_image.size if init_image else None, info, describe)
    width, height = facts.working_size
    return Request(staging.stages, seed, width, height, init_image, params.fit, params.own_size, params.recipe)


def _plan(
    params: Params, init_size: tuple[int, int] | None, info: CheckpointInfo, describe: Describe | None
) -> tuple[RunFacts, Staging]:
    validate(params, has_init_image=False)
    staging = plan_stages(params, info, describe, has_init_image=init_size is not None)
    working = _working_size(params, init_size, info.native_size, math.lcm(MULTIPLE, *staging.multiples))
    placement = plan_placement(init_size, working, params.fit) if init_size else None
    facts = RunFacts(
        steps=params.steps,
        effective_steps=sum(staging.steps),
        working_size=working,
        result_size=own_size(placement) if placement and params.own_size else working,
        placement=placement,
        stage_steps=staging.steps,
        prior_steps=staging.stages[0].prior_steps if staging.stages[0].prior else 0,
        takes_over=staging.stages[-1].begin > 0,
        unused=staging.unused,
    )
    return facts, staging


def build_requests(
    params: Params,
    init_image: ImageRef | None,
    info: CheckpointInfo,
    draw: Callable[[], int] = draw_seed,
    describe: Describe | None = None,
) -> list[Request]:
    """``params.count`` requests: seeds count up from a fixed seed, and are drawn one by one from a random one.

    Raises `RequestError`.
    """
    validate(params, has_init_image=False)
    if params.seed is not None and params.seed + params.count - 1 > MAX_SEED:
        raise RequestError(
            "The seeds run out of range",
            f"{params.count} pictures from seed {params.seed} would pass {MAX_SEED}",
            "Choose a smaller seed.",
            param="seed",
        )
    seeds = [draw() if params.seed is None else params.seed + index for index in range(params.count)]
    return [build_request(params, init_image, info, seed, describe) for seed in seeds]


def _working_size(params: Params, init_size: tuple[int, int] | None, native: int, multiple: int) -> tuple[int, int]:
    if params.width is not None and params.height is not None:
        _check_multiple("width", params.width, multiple)
        _check_multiple("height", params.height, multiple)
        return params.width, params.height
    if init_size is None:
        return native, native
    return working_size(init_size, native, multiple)


def _check_multiple(name: str, side: int, multiple: int) -> None:
    if side % multiple:
        raise RequestError(
            f"{PARAM_SPECS[name].label} is not a multiple of {multiple}",
            f"{side} pixels, and one latent of this checkpoint covers {multiple}",
            f"Take {side // multiple * multiple or multiple} or {side // multiple * multiple + multiple}.",
            param=name,
        )
