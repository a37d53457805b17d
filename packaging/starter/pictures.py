"""What the checkpoint learns from: icons on coloured grounds, and captions that say so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

CONCEPTS = (
    *("elephant", "dog-face", "bird", "snail", "lobster", "lemon", "mango", "broccoli", "pretzel", "cookie"),
    *("soft-ice-cream", "bicycle", "umbrella", "balloon", "light-bulb", "bomb"),
)
"""What the shipped checkpoint is trained on; ``resources/recipes/starter.toml`` suggests the same."""

STYLES = ("flat", "glossy", "cartoon")
COLOURS = {
    "red": (229, 57, 53),
    "orange": (251, 140, 0),
    "yellow": (253, 216, 53),
    "green": (67, 160, 71),
    "blue": (30, 136, 229),
    "light blue": (144, 202, 249),
    "purple": (142, 36, 170),
    "pink": (244, 143, 177),
    "brown": (121, 85, 72),
    "gray": (158, 158, 158),
    "black": (20, 20, 20),
    "white": (255, 255, 255),
}
COLOUR_NAMES = tuple(COLOURS)

WHITE_SHARE = 1 / 3
"""Of the grounds; the others are spread over all colours."""


@dataclass(frozen=True)
class Icons:
    """``pixels`` are premultiplied RGBA, (count, 4, side, side) of uint8; ``items`` say what each is."""

    pixels: torch.Tensor
    items: list[dict[str, Any]]

    def where(self, names: Sequence[str], styles: tuple[str, ...]) -> list[int]:
        """Indices of the icons with these names in these styles."""
        wanted = set(names)
        return [i for i, item in enumerate(self.items) if item["name"] in wanted and item["style"] in styles]


def load_icons(work: Path, side: int) -> Icons:
    """What ``icons.py`` wrote, at ``side`` pixels."""
    pixels = torch.from_numpy(np.load(work / "icons.npy")).permute(0, 3, 1, 2).float() / 255
    pixels[:, :3] *= pixels[:, 3:]
    if pixels.shape[-1] != side:
        pixels = functional.interpolate(pixels, size=(side, side), mode="area")
    return Icons((pixels * 255).round().to(torch.uint8), json.loads((work / "icons.json").read_text(encoding="utf-8")))


def compose(icon: torch.Tensor, ground: tuple[int, int, int], scale: float, right: float, down: float) -> torch.Tensor:
    """``icon`` on ``ground``, -1 to 1, (3, side, side); moved by shares of half the side."""
    whole = icon[None].float() / 255
    matrix = torch.tensor([[[1 / scale, 0, -right / scale], [0, 1 / scale, -down / scale]]])
    grid = functional.affine_grid(matrix, list(whole.shape), align_corners=False)
    placed = functional.grid_sample(whole, grid, align_corners=False)[0]
    colour = torch.tensor(ground).float().view(3, 1, 1) / 255
    return (placed[:3] + colour * (1 - placed[3:])) * 2 - 1


def random_place(rng: np.random.Generator) -> tuple[float, float, float]:
    """Scale and shift as most icons have them."""
    return float(rng.uniform(0.82, 0.95)), float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.05, 0.05))


def random_ground(rng: np.random.Generator) -> str:
    """Name of a colour."""
    return "white" if rng.random() < WHITE_SHARE else COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]


def caption(item: dict[str, Any], ground: str, rng: np.random.Generator) -> str:
    """``[a ]label[, tag][, style icon][, colour background]``, each part left out now and then; one in ten is empty."""
    if rng.random() < 0.1:
        return ""
    label = item["label"]
    if item["group"] == "animals-nature" and rng.random() < 0.5:
        label = label.replace(" face", "")
    words = label if rng.random() < 0.6 else f"a {label}"
    if rng.random() < 0.15 and item["tags"]:
        words += f", {item['tags'][rng.integers(len(item['tags']))]}"
    if rng.random() < 0.8:
        words += f", {item['style']} icon"
    if rng.random() < (0.4 if ground == "white" else 0.9):
        words += f", {ground} background"
    return words
