"""Previews: latents of a running picture as a small RGB picture, cheap enough to be made while it is painted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from PIL import Image

MAX_SIDE = 512
MIN_INTERVAL_S = 1 / 15
"""More previews than this nobody sees."""

MAX_SHARE = 0.1
"""Of the run's time that previews may take."""

_RGB = {
    0.18215: (
        ((0.3512, 0.2297, 0.3227), (0.3250, 0.4974, 0.2350), (-0.2829, 0.1762, 0.2721), (-0.2120, -0.2616, -0.7177)),
        (0.0, 0.0, 0.0),
    ),
    0.13025: (
        ((0.4706, 0.4706, 0.4706), (-0.4706, -0.0392, 0.0784), (0.1961, 0.1176, -0.0392), (-0.5490, -0.3922, -0.2745)),
        (0.1765, 0.0980, 0.0196),
    ),
}
"""By a VAE's scaling factor: red, green and blue (-1 to 1) of each of four latent channels, and of none. Linear fits
published for Stable Diffusion 1 (Hugging Face forum, "Decoding latents to RGB without upscaling", 2022) and for XL
(Timothy Alexis Vass, "Explaining the SDXL latent space", 2023)."""


class Previewer:
    """Makes previews of one run, and leaves some out so that they cost it little."""

    def __init__(self, vae: Any, place: Callable[[Image.Image], Image.Image] | None = None) -> None:
        """``place`` makes of what is painted the picture that is shown."""
        self._vae = vae
        self._place = place
        is_kl = type(vae).__name__ == "AutoencoderKL"  # others may have the same factor, and other latents
        self._fit = _RGB.get(vae.config.scaling_factor) if is_kl else None
        self._due = 0.0

    def make(self, latents: Any, *, is_last: bool) -> Image.Image | None:
        """The preview of ``latents`` (1, channels, height, width), or None when it is too soon for one."""
        begun = time.monotonic()
        if begun < self._due and not is_last:
            return None
        picture = self._decode(latents)
        if picture and self._place:
            picture = self._place(picture)
        ended = time.monotonic()
        self._due = ended + max(MIN_INTERVAL_S, (ended - begun) / MAX_SHARE)
        return picture

    def _decode(self, latents: Any) -> Image.Image | None:
        if latents.ndim != 4:  # packed, as Flux's are: no picture, whoever decodes it
            return None
        import torch

        with torch.no_grad():
            if type(self._vae).__name__ == "AutoencoderTiny":
                pixels = self._vae.decode(latents[:1] / self._vae.config.scaling_factor).sample[0]
            elif self._fit and latents.shape[1] == len(self._fit[0]):
                weights, none = (torch.tensor(part, dtype=latents.dtype, device=latents.device) for part in self._fit)
                pixels = torch.einsum("chw,cr->rhw", latents[0], weights) + none[:, None, None]
            else:
                return None
            bytes_ = ((pixels.float() / 2 + 0.5).nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
            picture = Image.fromarray(bytes_.permute(1, 2, 0).cpu().numpy(), "RGB")
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
        return picture
