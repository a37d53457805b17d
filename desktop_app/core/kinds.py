"""StageKind: what one pipeline run does."""

from __future__ import annotations

from enum import Enum


class StageKind(Enum):
    """What one pipeline run does."""

    IMAGE_TO_IMAGE = "image-to-image"
    TEXT_TO_IMAGE = "text-to-image"
    INPAINT = "inpaint"
    """Image-to-image inside a mask."""
    LATENT_UPSCALE = "latent upscale"
    """Twice the size, before the latents are decoded."""
    UPSCALE = "upscale"
    """Four times the size, denoised anew by a checkpoint made for it."""
    PIXEL_UPSCALE = "pixel upscale"
    """Larger by a network that works on pixels, without any prompt."""
    EMBEDDING = "embedding"
    """From the prompt to what a decoder paints: the work of a prior, and no stage of a request by itself."""


FACTORS = {StageKind.LATENT_UPSCALE: 2, StageKind.UPSCALE: 4}
"""How many times larger each side comes out, where the kind alone says it."""

UPSCALES = (StageKind.LATENT_UPSCALE, StageKind.UPSCALE, StageKind.PIXEL_UPSCALE)
"""Kinds that make a picture larger and have no strength."""
