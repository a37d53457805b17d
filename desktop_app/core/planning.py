"""From controls to requests: the facts of a run before it runs, and the requests themselves.

The window and the command line both come through here, so the same values make the same request in either.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from desktop_app.core.adapter import DescribeAdapter
from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.choices import resolve_choices
from desktop_app.core.errors import RequestError
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.params import MAX_RANDOM_SEED, MAX_SEED, MULTIPLE, PARAM_SPECS, Params
from desktop_app.core.placement import (
    LONGEST_SIDE,
    Placement,
    Size,
    masked_fit,
    plan_placement,
    taken_back_size,
    working_size,
)
from desktop_app.core.planned import Describe, Planned
from desktop_app.core.prompting import resolve_prompts
from desktop_app.core.request import ImageRef, Request
from desktop_app.core.stages import Staging, plan_stages
from desktop_app.core.styles import Style, find_style
from desktop_app.core.validation import validate

USUAL_SIDE = 512
"""Pixels; of a checkpoint that does not say on which it was trained."""

MAX_RESULT_PIXELS = 100_000_000
"""Of what a chain makes; the loader takes no larger picture."""


@dataclass(frozen=True)
class RunFacts:
    """What will run. Sizes are (width, height) in pixels; ``placement`` is None without an init image.

    ``steps`` is the length of the schedule, ``stage_steps`` the denoising steps that each stage will do, and
    ``effective_steps`` all of them; the ``prior_steps`` come before and are not counted. ``takes_over``: the second
    stage goes on in the middle of the first one's schedule. ``stage_kinds`` says what each stage does, ``sizes`` what
    size its picture has, ``cards`` how many of the last stages are cards of the chain. ``unused`` has a sentence for
    each value without effect.
    """

    steps: int
    effective_steps: int
    working_size: Size
    result_size: Size
    placement: Placement | None
    stage_steps: tuple[int, ...] = ()
    takes_over: bool = False
    prior_steps: int = 0
    unused: tuple[str, ...] = ()
    stage_kinds: tuple[StageKind, ...] = ()
    sizes: tuple[Size, ...] = ()
    cards: int = 0


def draw_seed() -> int:
    """A random seed, small enough for other programs."""
    return random.SystemRandom().randint(0, MAX_RANDOM_SEED)


def plan_run(
    params: Params,
    init_size: Size | None,
    info: CheckpointInfo,
    describe: Describe | None = None,
    describe_adapter: DescribeAdapter | None = None,
    *,
    has_mask: bool = False,
) -> RunFacts:
    """The facts of one run on an init image of ``init_size`` pixels, or on none. ``describe`` tells of the other
    checkpoints, ``describe_adapter`` of adapters; None takes them as they are. Raises `RequestError`.
    """
    return _plan(params, init_size, info, describe, describe_adapter, has_mask=has_mask)[0]


def build_request(
    params: Params,
    init_image: ImageRef | None,
    info: CheckpointInfo,
    seed: int,
    describe: Describe | None = None,
    mask: ImageRef | None = None,
    describe_adapter: DescribeAdapter | None = None,
    styles: Sequence[Style] = (),
) -> Request:
    """The request for one picture with ``seed``; ``params.seed`` and ``params.count`` are not looked at. ``styles`` are
    those that ``params`` may name.
    """
    size = init_image.size if init_image else None
    params = _with_prompts(params, styles, seed)
    _check_mask(mask, size)
    facts, staging = _plan(params, size, info, describe, describe_adapter, has_mask=mask is not None)
    width, height = facts.working_size
    is_masked = any(kind is StageKind.INPAINT for kind in facts.stage_kinds)
    return Request(
        staging.stages,
        seed,
        width,
        height,
        init_image,
        params.fit,
        params.own_size,
        params.recipe,
        mask=mask if is_masked else None,
        mask_feather=params.mask_feather if is_masked else 0,
        masked_only=params.masked_only and is_masked,
        mask_padding=params.mask_padding if is_masked and params.masked_only else Params().mask_padding,
        colour_match=params.colour_match,
    )


def _plan(
    params: Params,
    init_size: Size | None,
    info: CheckpointInfo,
    describe: Describe | None,
    describe_adapter: DescribeAdapter | None,
    *,
    has_mask: bool,
) -> tuple[RunFacts, Staging]:
    validate(params, has_init_image=False)
    has_init_image = init_size is not None
    staging = plan_stages(params, info, describe, describe_adapter, has_init_image=has_init_image, has_mask=has_mask)
    planned = staging.planned
    native = planned[0].info.native_size or info.native_size or USUAL_SIDE
    working = _working_size(params, init_size, native, planned)
    is_masked = has_mask and any(each.stage.kind is StageKind.INPAINT for each in planned)
    fit = masked_fit(init_size, working, params.fit) if init_size and is_masked else params.fit
    placement = plan_placement(init_size, working, fit) if init_size else None
    sizes = _sizes(working, planned)
    result_size = taken_back_size(placement, sizes[-1], own_size=params.own_size)
    is_whole = all(each.stage.kind is StageKind.INPAINT for each in planned) and (params.own_size or params.masked_only)
    last = planned[-1].stage
    first = planned[0].stage
    steps = tuple(each.steps for each in planned)
    facts = RunFacts(
        steps=first.steps,
        effective_steps=sum(steps),
        working_size=working,
        result_size=init_size if init_size and is_whole else result_size,
        placement=placement,
        stage_steps=steps,
        prior_steps=first.prior_steps if first.prior else 0,
        takes_over=last.begin > 0 and not last.is_card,
        unused=(*staging.unused, *_unused_size(params, working, planned)),
        stage_kinds=tuple(each.stage.kind for each in planned),
        sizes=sizes,
        cards=sum(each.stage.is_card for each in planned),
    )
    return facts, staging


def _check_mask(mask: ImageRef | None, init_size: Size | None) -> None:
    if mask and init_size is None:
        raise RequestError("A mask needs a picture", "there is no init image", "Open a picture.", param="mask")
    if mask and mask.size != init_size and init_size:
        sizes = f"{mask.size[0]} × {mask.size[1]} and {init_size[0]} × {init_size[1]} pixels"
        raise RequestError("The mask does not fit the init image", sizes, "Make one of the same size.", param="mask")


def _unused_size(params: Params, working: Size, planned: Sequence[Planned]) -> tuple[str, ...]:
    """A sentence where an upscaler begins, and a size is set."""
    if planned[0].stage.kind not in UPSCALES or params.width is None or (params.width, params.height) == working:
        return ()
    return ("Width and height are not used. An upscaler that comes first takes the picture at its own size",)


def _with_prompts(params: Params, styles: Sequence[Style], seed: int) -> Params:
    """``params`` with prompts as they are read: the style is put around them, and each choice is made by the seed."""
    style = find_style(styles, params.style)
    prompt, negative = resolve_prompts(params.prompt, params.negative_prompt, style, seed)
    chain = tuple(_with_own_prompts(card, index, seed) for index, card in enumerate(params.chain))
    return replace(params, prompt=prompt, negative_prompt=negative, style="", chain=chain)


def _with_own_prompts(card: Card, index: int, seed: int) -> Card:
    def resolve(text: str | None, salt: str) -> str | None:
        return None if text is None else resolve_choices(text, seed, f"{index} {salt}")

    negative = resolve(card.negative_prompt, "negative prompt")
    return replace(card, prompt=resolve(card.prompt, "prompt"), negative_prompt=negative)


def _sizes(working: Size, planned: Sequence[Planned]) -> tuple[Size, ...]:
    """After each stage. Raises `RequestError` where they grow too large, or are too small to be doubled."""
    sizes = []
    width, height = working
    for each in planned:
        if each.stage.kind is StageKind.LATENT_UPSCALE:
            _check_doubling(each, (width, height))
        width, height = width * each.factor, height * each.factor
        sizes.append((width, height))
    if width * height > MAX_RESULT_PIXELS:
        detail = f"{width} × {height} pixels; at most {MAX_RESULT_PIXELS // 1_000_000} million are made"
        raise RequestError(
            "The result would be too large", detail, "Choose a smaller size, or fewer upscalers.", "width"
        )
    return tuple(sizes)


def _check_doubling(upscaler: Planned, size: Size) -> None:
    """Between the blocks of a latent upscaler's denoiser the least must not be a single latent."""
    least = 2 * (upscaler.info.multiple or 1)
    if min(size) < least:
        detail = f"{size[0]} × {size[1]} pixels; both sides must be at least {least}"
        hint = "Choose a larger size or picture, or another kind of upscaler."
        raise RequestError("The picture is too small for the latent upscaler", detail, hint, "width")


def build_requests(
    params: Params,
    init_image: ImageRef | None,
    info: CheckpointInfo,
    draw: Callable[[], int] = draw_seed,
    describe: Describe | None = None,
    mask: ImageRef | None = None,
    describe_adapter: DescribeAdapter | None = None,
    styles: Sequence[Style] = (),
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
    return [build_request(params, init_image, info, seed, describe, mask, describe_adapter, styles) for seed in seeds]


def _working_size(params: Params, init_size: Size | None, native: int, planned: Sequence[Planned]) -> Size:
    """As the user says; else an upscaler takes the init image at its own size, and others paint at the native size."""
    is_enlarged = planned[0].stage.kind in UPSCALES
    multiple = _common_multiple(planned, 1 if is_enlarged else MULTIPLE)
    if params.width is not None and params.height is not None and not is_enlarged:
        _check_multiple("width", params.width, multiple)
        _check_multiple("height", params.height, multiple)
        return params.width, params.height
    if init_size is None:
        side = max(native // multiple, 1) * multiple
        return side, side
    if is_enlarged:
        width, height = (min(max(side // multiple, 1) * multiple, LONGEST_SIDE) for side in init_size)
        return width, height
    return working_size(init_size, native, multiple)


def _common_multiple(planned: Sequence[Planned], least: int) -> int:
    """What the working sides must be multiples of, so that each stage gets sides that it can take."""
    multiple, factor = least, 1
    for each in planned:
        takes_any = each.stage.kind is StageKind.UPSCALE  # it fills the picture up, and cuts the rest off again
        wanted = 1 if takes_any else each.info.multiple or 1
        multiple = math.lcm(multiple, wanted // math.gcd(wanted, factor))
        factor *= each.factor
    return multiple


def _check_multiple(name: str, side: int, multiple: int) -> None:
    if side % multiple:
        raise RequestError(
            f"{PARAM_SPECS[name].label} is not a multiple of {multiple}",
            f"{side} pixels, and one latent of the checkpoints covers {multiple}",
            f"Take {side // multiple * multiple or multiple} or {side // multiple * multiple + multiple}.",
            param=name,
        )
