"""Restoring: which values of a request come back into the controls, by the parts that the user asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.family import MARKS, ORIGINAL_SIZE, PRIOR_PARAMS, REFINER_PARAMS
from desktop_app.core.params import Params
from desktop_app.core.planning import plan_run
from desktop_app.core.request import Request, StageKind

INIT_IMAGE = "init image"
MASK = "mask"
PARTS: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt", "negative_prompt", "style"),
    "params": (
        *("strength", "guidance_scale", "steps", "scheduler", "checkpoint", "recipe", "fit", "own_size"),
        *("first_stage", "chain", "controls", "adapters", "colour_match"),
        *(*PRIOR_PARAMS, *REFINER_PARAMS, *MARKS, *ORIGINAL_SIZE),
    ),
    "seed": ("seed",),
    "size": ("width", "height"),
    INIT_IMAGE: (),
    MASK: ("mask_feather", "masked_only", "mask_padding"),
}
"""Fields of `Params` that each part brings back."""


def restored_params(now: Params, request: Request, parts: frozenset[str], info: CheckpointInfo | None) -> Params:
    """``now`` with the ``parts`` of ``request``. ``info`` is of the request's checkpoint, None where it is unknown."""
    then = request.to_params()
    names = [name for part in parts for name in PARTS[part]]
    if request.stages[0].kind is StageKind.TEXT_TO_IMAGE:
        names = [name for name in names if name not in ("strength", "fit", "own_size")]
    if request.mask is None:
        names = [name for name in names if name not in PARTS[MASK]]
    changes: dict[str, Any] = {name: getattr(then, name) for name in names}
    if "size" in parts and info is not None and _is_automatic(request, info):
        changes.update(width=None, height=None)
    return replace(now, **changes)


def _is_automatic(request: Request, info: CheckpointInfo) -> bool:
    """Whether the working size is the one that follows from init image and checkpoint by itself."""
    init_size = request.init_image.size if request.init_image else None
    try:
        params = replace(request.to_params(), width=None, height=None)
        facts = plan_run(params, init_size, info, has_mask=request.mask is not None)
    except RequestError:
        return False
    return facts.working_size == (request.width, request.height)
