"""A checkpoint at work, its pictures as tensors, and sheets of them for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from pictures import COLOURS, Icons, plain
from PIL import Image, ImageDraw
from sittings import to_picture, to_tensor

GUIDANCE = 4.0
STEPS = 20
BATCH = 16


class Painter:
    """Pictures by a checkpoint, (count, 3, side, side), -1 to 1."""

    def __init__(self, folder: Path) -> None:
        self.text = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, safety_checker=None)
        self.image = StableDiffusionImg2ImgPipeline(**self.text.components, requires_safety_checker=False)
        for pipeline in (self.text, self.image):
            pipeline.set_progress_bar_config(disable=True)
        self.side: int = self.text.unet.config.sample_size * self.text.vae_scale_factor

    def paint(
        self, prompts: Sequence[str], seed: int = 0, guidance: float = GUIDANCE, negative: str = ""
    ) -> torch.Tensor:
        """Pictures from prompts alone."""
        negatives = [negative] * len(prompts)
        size = {"height": self.side, "width": self.side}
        return self._all(self.text, {"prompt": prompts, "negative_prompt": negatives}, seed, guidance, **size)

    def repaint(
        self, starts: Sequence[Image.Image], prompts: Sequence[str], strength: float, seed: int = 0
    ) -> torch.Tensor:
        """Pictures from other pictures, one prompt each."""
        return self._all(self.image, {"prompt": prompts, "image": starts}, seed, GUIDANCE, strength=strength)

    def _all(
        self, pipeline: Any, lists: dict[str, Sequence[Any]], seed: int, guidance: float, **values: Any
    ) -> torch.Tensor:
        """A picture for each place of ``lists``, some at a time, each with a seed of its own."""
        found: list[Image.Image] = []
        count = len(lists["prompt"])
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            found += pipeline(
                **{name: list(each[first : first + BATCH]) for name, each in lists.items()},
                **values,
                guidance_scale=guidance,
                num_inference_steps=STEPS,
                generator=[torch.Generator().manual_seed(seed * 10_000 + number) for number in numbers],
            ).images
        return torch.stack([to_tensor(picture) for picture in found])


def start_pictures(icons: Icons, side: int) -> list[Image.Image]:
    """A sketch, something like a photo, and two icons."""
    sketch = Image.new("RGB", (256, 256), COLOURS["light blue"])
    draw = ImageDraw.Draw(sketch)
    draw.ellipse((60, 80, 190, 210), fill=COLOURS["red"])
    draw.line((125, 80, 140, 40), fill=(90, 60, 30), width=12)
    across, down = np.meshgrid(np.linspace(0, 1, 256), np.linspace(0, 1, 256))
    blob = np.exp(-((((across - 0.5) / 0.24) ** 2 + ((down - 0.55) / 0.28) ** 2) ** 2))[..., None]
    ground = np.stack([0.55 + 0.25 * down, 0.6 + 0.1 * across, 0.65 - 0.2 * down], -1)
    thing = np.stack([0.95 - 0.4 * down, 0.75 - 0.3 * across, 0.2 + 0.1 * across], -1)
    grain = np.random.default_rng(0).normal(0, 0.03, (256, 256, 3))
    photo = Image.fromarray(((ground * (1 - blob) + blob * thing + grain).clip(0, 1) * 255).astype(np.uint8))
    drawn = [icons.where({name}, ("cartoon",))[0] for name in ("dog-face", "house")]
    return [
        *(picture.resize((side, side), Image.Resampling.LANCZOS) for picture in (sketch, photo)),
        *(plain(icons, icon, side) for icon in drawn),
    ]


def save_sheet(rows: Sequence[torch.Tensor], path: Path, zoom: int = 2) -> None:
    """``rows`` of pictures, enlarged for the eye."""
    side = rows[0].shape[-1] * zoom + 2
    sheet = Image.new("RGB", (side * max(len(row) for row in rows), side * len(rows)), "white")
    for down, row in enumerate(rows):
        for across, pixels in enumerate(row):
            picture = to_picture(pixels)
            large = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.LANCZOS)
            sheet.paste(large, (across * side, down * side))
    sheet.save(path, optimize=True)
