"""The two upscalers of diffusers: twice the size in latents, and four times in pixels, in tiles where that is needed.

Both pipelines have only the older kind of callback, which may raise to end a run. The one for four times is run on
tiles of the small picture, since its memory grows with the picture. Of a picture of 1024 x 1024 pixels, in float16:

    weights           473 M denoiser + 340 M text encoder + 55 M VAE, 2 bytes each     1.74 GB
    denoiser          488 numbers a pixel, of a tile of 1024 x 1024 pixels, 2 bytes    1.02 GB
    decoding          768 numbers a pixel, of the same, 4 bytes, and the VAE once more 3.33 GB

The denoiser has finished when the VAE decodes, so 5.1 GB are the most at once: 8 GB are enough. As one piece the same
picture would take 16 times the last two, 55 GB. The finished one is put together in main memory: 4096 x 4096 pixels in
float32 are 0.2 GB. The numbers a pixel are those of `desktop_app.core.memory`.

Measured on the CPU, random weights of the real sizes in float32, one tile of 256: the process has 3.9 GB with the
weights, 5.9 GB at most while it denoises and 7.9 GB while it decodes. By the figures above it would be 6.0 and 7.1.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from PIL import Image

from desktop_app.core.errors import RequestError
from desktop_app.core.kinds import FACTORS, StageKind
from desktop_app.core.request import Stage
from desktop_app.engine.tiles import Tiling

TILE = 256
"""Side, in pixels of the small picture, of what `upscale_pixels` enlarges at once."""

OVERLAP = 32
"""Pixels of the small picture that neighbouring tiles share at least."""

X4 = FACTORS[StageKind.UPSCALE]

OnStep = Callable[[int, int, Any], None]
"""Is told the step, from 1 on, how many there are in all, and the latents; may raise to end the run."""


def largest_call(kind: StageKind, width: int, height: int, tile: int = TILE) -> tuple[int, int]:
    """Width and height of what one call of the pipeline makes of a picture of ``width`` by ``height`` pixels: what
    memory is planned for.
    """
    factor, limit = FACTORS[kind], tile if kind is StageKind.UPSCALE else max(width, height)
    return factor * min(width, limit), factor * min(height, limit)


# Twice, in latents -------------------------------------------------------------------------------


def upscale_latents(
    pipeline: Any, stage: Stage, given: Image.Image | Any, generator: Any, on_step: OnStep
) -> Any | None:
    """Latents (1, 4, 2 h, 2 w) of ``given``, an RGB picture or latents (1, 4, h, w) of Stable Diffusion's VAE; None
    where some are not numbers. Raises `RequestError` for sides that the pipeline cannot do.
    """
    import torch

    _check_sides(pipeline, given)
    made = pipeline(
        prompt=stage.prompt,
        negative_prompt=stage.negative_prompt or None,
        image=given,
        num_inference_steps=stage.steps,
        guidance_scale=stage.guidance_scale,
        generator=generator,
        output_type="latent",
        callback=_Steps(on_step, _count(pipeline.scheduler, stage.steps, is_warm=True)),
    ).images
    return made if torch.isfinite(made).all() else None


def decode(pipeline: Any, latents: Any | None) -> Any | None:
    """Pixels (1, height, width, 3) from 0 to 1 of ``latents``, as the latent upscaler's ``pipeline`` itself makes them;
    None where some are not numbers, or there are none.
    """
    import numpy
    import torch

    if latents is None:
        return None
    vae = pipeline.vae
    latents = latents.to(device=getattr(pipeline, "_execution_device", None), dtype=vae.dtype)
    with torch.no_grad():
        made = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
    pixels = pipeline.image_processor.postprocess(made, output_type="np")
    return pixels if numpy.isfinite(pixels).all() else None


def _check_sides(pipeline: Any, given: Any) -> None:
    """The denoiser halves the doubled latents between its blocks, and the least must not be a single one."""
    levels, factor = len(pipeline.unet.config.block_out_channels), pipeline.vae_scale_factor
    multiple = factor * 2 ** (levels - 2)
    sides = given.size if isinstance(given, Image.Image) else [factor * side for side in reversed(given.shape[-2:])]
    if any(side % multiple or side < 2 * multiple for side in sides):
        raise RequestError(
            "The picture has a size that the latent upscaler cannot double",
            f"{sides[0]} x {sides[1]} pixels; both sides must be multiples of {multiple}, and at least {2 * multiple}",
            "Choose another width and height.",
            param="width",
        )


# Four times, in pixels ---------------------------------------------------------------------------


def upscale_pixels(
    pipeline: Any,
    stage: Stage,
    picture: Image.Image,
    generator: Any,
    on_step: OnStep,
    *,
    tile: int = TILE,
    overlap: int = OVERLAP,
    prompts: Mapping[str, Any] | None = None,
) -> Any | None:
    """Pixels (1, 4 H, 4 W, 3) from 0 to 1 of the RGB ``picture`` (W, H); None where some are not numbers.

    ``stage`` has plain prompts, in whose place ``prompts`` stand where there are any: embeddings, as
    `desktop_app.engine.weighting.read_stage` makes them. A picture that is no larger than ``tile`` is made in one call,
    and is the pipeline's own to the last bit. Of a larger one all tiles see their piece of one and the same noise, so
    that they agree where they overlap, by ``overlap`` pixels at least; there one fades into the next. Raises
    `RequestError` for a noise level that the checkpoint does not know.
    """
    import numpy

    _check_noise(pipeline, stage)
    whole = _fill_up(picture, pipeline.vae_scale_factor)
    tiling = Tiling(whole.size, X4, tile, overlap)
    total = len(tiling) * _count(pipeline.scheduler, stage.steps)
    call = _Call(pipeline, stage, generator, _Steps(on_step, total), dict(prompts or {}))
    made = call.run(whole) if len(tiling) == 1 else _run_tiles(call, whole, tiling)
    if made is None or not numpy.isfinite(made).all():
        return None
    return made[:, : X4 * picture.height, : X4 * picture.width]


def _run_tiles(call: _Call, whole: Image.Image, tiling: Tiling) -> Any | None:
    """Pixels of ``whole``; None as soon as some are not numbers."""
    import numpy

    noise, canvas = call.noise(whole.size), tiling.canvas()
    for tile in tiling:
        left, top, right, bottom = tile.box
        first, second = (each[:, :, top:bottom, left:right] for each in noise)
        pixels = call.run(whole.crop(tile.box), (first, second))[0]
        if not numpy.isfinite(pixels).all():
            return None
        tiling.lay(canvas, tile, pixels)
    return canvas[None]


class _Call:
    """Calls of the pipeline for four times that differ in nothing but the picture."""

    def __init__(self, pipeline: Any, stage: Stage, generator: Any, steps: _Steps, prompts: dict[str, Any]) -> None:
        self._pipeline = pipeline
        self._generator = generator
        texts = {"prompt": stage.prompt, "negative_prompt": stage.negative_prompt or None}
        self._arguments = {
            **(prompts or texts),
            "num_inference_steps": stage.steps,
            "guidance_scale": stage.guidance_scale,
            "noise_level": stage.noise_level,
            "callback": steps,
            "output_type": "np",
        }

    def noise(self, size: tuple[int, int]) -> tuple[Any, Any]:
        """Noise for a small picture of ``size`` (1, 3, h, w), and its latents to begin with (1, 4, h, w)."""
        import torch

        shapes = [(1, count, size[1], size[0]) for count in (3, self._pipeline.vae.config.latent_channels)]
        device = self._generator.device
        first, second = (torch.randn(shape, generator=self._generator, device=device) for shape in shapes)
        return first, second

    def run(self, picture: Image.Image, noise: tuple[Any, Any] | None = None) -> Any:
        """Pixels of ``picture``, which sees the ``noise`` where some is given."""
        pipeline = self._pipeline
        arguments = {**self._arguments, "image": picture, "generator": self._generator}
        with contextlib.ExitStack() as stack:
            stack.enter_context(warnings.catch_warnings())
            warnings.filterwarnings("ignore", message="`upcast_vae` is deprecated")  # in the pipeline's own code
            if noise:
                stack.enter_context(_noised_by(pipeline, noise[0]))
                arguments["latents"] = noise[1].to(pipeline.unet.dtype)
            return pipeline(**arguments).images


@contextlib.contextmanager
def _noised_by(pipeline: Any, noise: Any) -> Iterator[None]:
    """Let ``pipeline`` add ``noise`` to its picture, and none of its own; it takes no such argument."""
    scheduler = pipeline.low_res_scheduler
    add_noise = scheduler.add_noise
    scheduler.add_noise = lambda picture, _, level: add_noise(picture, noise.to(picture), level)
    try:
        yield
    finally:
        del scheduler.add_noise


def _check_noise(pipeline: Any, stage: Stage) -> None:
    most = pipeline.config.max_noise_level
    if not 0 <= stage.noise_level <= most:
        detail = f"{stage.noise_level}, where the checkpoint was trained on 0 to {most}"
        hint = f"Choose a noise level of at most {most}."
        raise RequestError("The noise level is out of range", detail, hint, param="noise_level")


def _fill_up(picture: Image.Image, multiple: int) -> Image.Image:
    """``picture`` with its last columns and rows repeated up to multiples of ``multiple``; the pipeline would leave
    them out.
    """
    width, height = (math.ceil(side / multiple) * multiple for side in picture.size)
    if (width, height) == picture.size:
        return picture
    import numpy

    pixels = numpy.asarray(picture)
    filled = numpy.pad(pixels, ((0, height - picture.height), (0, width - picture.width), (0, 0)), mode="edge")
    return Image.fromarray(filled)


# Steps -------------------------------------------------------------------------------------------


class _Steps:
    """What diffusers calls after each step, in one count over all calls of the pipeline."""

    def __init__(self, on_step: OnStep, total: int) -> None:
        self._on_step = on_step
        self._total = total
        self._count = 0

    def __call__(self, step: int, timestep: Any, latents: Any) -> None:
        self._count += 1
        self._on_step(self._count, self._total, latents)


def _count(scheduler: Any, steps: int, *, is_warm: bool = False) -> int:
    """How often a pipeline with ``scheduler`` calls back in one run: not for the passes by which some schedulers warm
    up, unless ``is_warm``, nor for those between two steps.
    """
    probe = type(scheduler).from_config(scheduler.config)
    probe.set_timesteps(steps)
    count, order = len(probe.timesteps), getattr(probe, "order", 1)
    warming = 0 if is_warm else count - steps * order
    return sum(i == count - 1 or (i + 1 > warming and (i + 1) % order == 0) for i in range(count))
