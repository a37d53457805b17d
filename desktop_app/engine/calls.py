"""Pipelines of diffusers whose call wants more than a request says: their classes, with a call that adds it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

Arguments = dict[str, Any]


@functools.cache
def pipeline_class(name: str) -> Any:
    """The class ``name`` of diffusers, or a subclass with an adapted call."""
    import diffusers

    base = getattr(diffusers, name)
    adapt = _ADAPTED.get(name)
    if adapt is None:
        return base

    def call(self: Any, **arguments: Any) -> Any:
        return base.__call__(self, **adapt(self, arguments))

    return type(name, (base,), {"__call__": call, "__module__": base.__module__})


def _keep_size(pipeline: Any, arguments: Arguments) -> Arguments:
    """The picture comes out at the working size, and is seen at that size: else both become some 1024 squared pixels,
    of one of seventeen shapes.
    """
    return {**arguments, "max_area": arguments["width"] * arguments["height"], "_auto_resize": False}


def _guide_always(pipeline: Any, arguments: Arguments) -> Arguments:
    """Guidance works only with a negative prompt: a blank stands for none, as the checkpoints' own cards have it."""
    is_guided = arguments["true_cfg_scale"] > 1
    return {**arguments, "negative_prompt": (arguments["negative_prompt"] or " ") if is_guided else None}


def _say_unguided(pipeline: Any, arguments: Arguments) -> Arguments:
    """The default guidance makes a distilled checkpoint complain in the log that it takes none."""
    return {"guidance_scale": 1.0, **arguments} if pipeline.config.is_distilled else arguments


_ADAPTED: Mapping[str, Callable[[Any, Arguments], Arguments]] = MappingProxyType(
    {
        "FluxKontextPipeline": _keep_size,
        "Flux2KleinPipeline": _say_unguided,
        **dict.fromkeys(
            (
                "QwenImagePipeline",
                "QwenImageImg2ImgPipeline",
                "QwenImageEditPipeline",
                "QwenImageEditPlusPipeline",
            ),
            _guide_always,
        ),
    }
)
