"""What goes from one stage of a chain to the next: latents where both sides mean the same by them, pixels otherwise."""

from __future__ import annotations

from pathlib import Path

from desktop_app.core.family import Family
from desktop_app.core.handover import (
    FROM_PIXELS,
    MASKED,
    NOT_COMPARED,
    ON_PIXELS,
    OTHER_CHANNELS,
    OTHER_VAE,
    OWN_LATENTS,
    SAME_VAE,
    TAKES_OVER,
    Handover,
)
from desktop_app.core.kinds import StageKind
from desktop_app.core.request import Stage
from desktop_app.store.any_checkpoint import family_at
from desktop_app.store.checkpoint_index import LATENT_CHANNELS, read_config
from desktop_app.store.same_part import has_same_vae

TAKE_LATENTS = (StageKind.IMAGE_TO_IMAGE, StageKind.LATENT_UPSCALE)
"""Kinds of stage that can begin with the latents of a finished picture."""

GIVE_PIXELS = (StageKind.UPSCALE, StageKind.PIXEL_UPSCALE)
"""Kinds of stage whose picture there is as pixels only, since they may work on it tile by tile."""


def describe_handover(path: Path, stage: Stage, next_path: Path, following: Stage) -> Handover:
    """What ``following``, on the checkpoint at ``next_path``, gets of ``stage``, on the one at ``path``.
    Of a PIXEL_UPSCALE the path is that of its file. May read all weights of both VAEs: see `has_same_vae`.

    Raises `CheckpointError` where the family of a checkpoint cannot be read.
    """
    if following.begin > 0:
        return Handover(True, TAKES_OVER.format(share=following.begin))
    if following.kind not in TAKE_LATENTS:
        return Handover(False, ON_PIXELS)
    if stage.kind in GIVE_PIXELS:
        return Handover(False, FROM_PIXELS)
    if stage.kind is StageKind.INPAINT:
        return Handover(False, MASKED)
    if not (_has_plain_latents(family_at(path)) and _has_plain_latents(family_at(next_path))):
        return Handover(False, OWN_LATENTS)
    if path.is_file() != next_path.is_file():
        return Handover(False, NOT_COMPARED)
    if not has_same_vae(path, next_path):
        return Handover(False, OTHER_VAE)
    if following.kind is StageKind.IMAGE_TO_IMAGE and _latent_channels(path) != LATENT_CHANNELS:
        return Handover(False, OTHER_CHANNELS)
    return Handover(True, SAME_VAE)


def _latent_channels(path: Path) -> int:
    """Of its VAE. By the number 4 image-to-image of diffusers 0.42.1 knows that it is given latents."""
    found = LATENT_CHANNELS if path.is_file() else read_config(path, "vae").get("latent_channels", LATENT_CHANNELS)
    return found if isinstance(found, int) else 0


def _has_plain_latents(family: Family) -> bool:
    """Kandinsky's pipeline takes no latents for a picture, and those of transformers pack them."""
    return family.denoiser == "unet" and family.decoder == "vae"
