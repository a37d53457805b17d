"""Pipelines of diffusers whose call wants more than a request says: their classes, with a call that adds it."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from desktop_app.core.errors import RequestError
from desktop_app.engine.legacy_steps import read_hint

Arguments = dict[str, Any]

USUAL_CHANNELS = 4
"""Of latents, as diffusers' pipelines for Stable Diffusion take it."""

LEAST_SIDE, MAX_ASPECT = 64, 8
"""What Flux 2 asks of a picture (diffusers, Flux2ImageProcessor.check_image_input)."""


@functools.cache
def pipeline_class(name: str) -> Any:
    """The class ``name`` of diffusers, or a subclass with an adapted call."""
    import diffusers

    base = getattr(diffusers, name)
    adapt, around = _ADAPTED.get(name), _AROUND.get(name)
    if adapt is None and around is None:
        return base

    def call(self: Any, **arguments: Any) -> Any:
        with around(self) if around else contextlib.nullcontext():
            return base.__call__(self, **(adapt(self, arguments) if adapt else arguments))

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


def _look_at(pipeline: Any, arguments: Arguments) -> Arguments:
    """The pipeline looks only at pictures that are large enough and not too narrow."""
    image = arguments.get("image")
    if image is not None and (min(image.size) < LEAST_SIDE or max(image.size) > MAX_ASPECT * min(image.size)):
        raise RequestError(
            "The picture is too small or too narrow for this checkpoint",
            f"{image.width} x {image.height} pixels; it wants {LEAST_SIDE} on each side, and at most {MAX_ASPECT} to 1",
            "Choose another width and height, or crop the picture.",
            param="width",
        )
    return arguments


def _look_unguided(pipeline: Any, arguments: Arguments) -> Arguments:
    """The default guidance makes a distilled checkpoint complain in the log that it takes none."""
    seen = _look_at(pipeline, arguments)
    return {"guidance_scale": 1.0, **seen} if pipeline.config.is_distilled else seen


@contextlib.contextmanager
def _with_plain_latents(pipeline: Any) -> Iterator[None]:
    """Inpainting knows a denoiser that takes nothing but latents by their number, which it thinks is always four; those
    of the starter checkpoint have eight.

    The value is exchanged in the configuration that is there: what an IP-Adapter has set in it would not come along
    into a new one.
    """
    channels = pipeline.unet.config.in_channels
    is_plain = channels == pipeline.vae.config.latent_channels
    if is_plain:
        pipeline.unet.config.in_channels = USUAL_CHANNELS
    try:
        yield
    finally:
        pipeline.unet.config.in_channels = channels


_AROUND: Mapping[str, Callable[[Any], contextlib.AbstractContextManager[None]]] = MappingProxyType(
    dict.fromkeys(("StableDiffusionInpaintPipeline", "StableDiffusionControlNetInpaintPipeline"), _with_plain_latents)
)

_ADAPTED: Mapping[str, Callable[[Any, Arguments], Arguments]] = MappingProxyType(
    {
        "KandinskyV22ControlnetPipeline": read_hint,
        "KandinskyV22ControlnetImg2ImgPipeline": read_hint,
        "FluxKontextPipeline": _keep_size,
        "Flux2Pipeline": _look_at,
        "Flux2KleinPipeline": _look_unguided,
        **dict.fromkeys(
            (
                "QwenImagePipeline",
                "QwenImageImg2ImgPipeline",
                "QwenImageInpaintPipeline",
                "QwenImageEditPipeline",
                "QwenImageEditPlusPipeline",
            ),
            _guide_always,
        ),
    }
)
