"""Previews: latents of a running picture as a small RGB picture, cheap enough to be made while it is painted."""

from __future__ import annotations

import time
from typing import Any

from PIL import Image

MAX_SIDE = 512
MIN_INTERVAL_S = 1 / 15
"""More previews than this nobody sees."""

MAX_SHARE = 0.1
"""Of the run's time that previews may take."""

_RGB = (
    (0.3512, 0.2297, 0.3227),
    (0.3250, 0.4974, 0.2350),
    (-0.2829, 0.1762, 0.2721),
    (-0.2120, -0.2616, -0.7177),
)
"""Red, green and blue of each of Stable Diffusion 1's four latent channels: a linear fit that its community publishes
(Hugging Face forum, "Decoding latents to RGB without upscaling", 2022)."""


class Previewer:
    """Makes previews of one run, and leaves some out so that they cost it little."""

    def __init__(self, vae: Any) -> None:
        self._vae = vae
        self._due = 0.0

    def make(self, latents: Any, *, is_last: bool) -> Image.Image | None:
        """The preview of ``latents`` (1, channels, height, width), or None when it is too soon for one."""
        begun = time.monotonic()
        if begun < self._due and not is_last:
            return None
        picture = self._decode(latents)
        ended = time.monotonic()
        self._due = ended + max(MIN_INTERVAL_S, (ended - begun) / MAX_SHARE)
        return picture

    def _decode(self, latents: Any) -> Image.Image | None:
        import torch

        with torch.no_grad():
            if type(self._vae).__name__ == "AutoencoderTiny":
                pixels = self._vae.decode(latents[:1] / self._vae.config.scaling_factor).sample[0]
            elif latents.shape[1] == len(_RGB):
                weights = torch.tensor(_RGB, dtype=latents.dtype, device=latents.device)
                pixels = torch.einsum("chw,cr->rhw", latents[0], weights)
            else:
                return None
            bytes_ = ((pixels.float() / 2 + 0.5).nan_to_num().clamp(0, 1) * 255).round().to(torch.uint8)
            picture = Image.fromarray(bytes_.permute(1, 2, 0).cpu().numpy(), "RGB")
        picture.thumbnail((MAX_SIDE, MAX_SIDE))
        return picture
