"""What the checkpoint learns from: the icons, what they are called, and colours, patterns and gradients to lie on."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

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
PATTERNS = ("striped", "dotted", "checkered")

EVERYDAY = {
    "automobile": "car",
    "crescent-moon": "moon",
    "evergreen-tree": "fir tree",
    "four-leaf-clover": "clover",
    "grinning-face": "smiley",
    "hot-beverage": "cup of coffee",
    "jack-o-lantern": "pumpkin",
    "lady-beetle": "ladybug",
    "red-apple": "apple",
    "red-heart": "heart",
    "soccer-ball": "football",
    "soft-ice-cream": "ice cream",
}
"""What people call the things whose emoji has another name."""


@dataclass(frozen=True)
class Icons:
    """``pixels`` are RGBA, (count, side, side, 4) of uint8, read as needed; ``items`` say what each is."""

    pixels: np.ndarray
    items: list[dict[str, Any]]

    def where(self, names: Collection[str] | None, styles: Collection[str]) -> list[int]:
        """Indices of the icons with these names (None: all) in these styles."""
        return [
            number
            for number, item in enumerate(self.items)
            if (names is None or item["name"] in names) and item["style"] in styles
        ]

    def image(self, number: int) -> Image.Image:
        """RGBA."""
        return Image.fromarray(np.array(self.pixels[number]))


def load_icons(work: Path) -> Icons:
    """What ``icons.py`` wrote."""
    pixels = np.load(work / "icons.npy", mmap_mode="r")
    return Icons(pixels, json.loads((work / "icons.json").read_text(encoding="utf-8")))


def called(item: dict[str, Any]) -> str:
    """The word for an icon that a prompt would use."""
    label: str = EVERYDAY.get(item["name"], item["label"])
    return label.removesuffix(" face") if item["group"] == "animals-nature" else label


@dataclass(frozen=True)
class Ground:
    """What lies behind: a colour, from one colour to another, or a pattern of a colour on white."""

    colour: str
    other: str = ""
    pattern: str = ""

    def words(self) -> str:
        """As a caption says it."""
        if self.other:
            return f"{self.colour} to {self.other} gradient background"
        return f"{self.pattern} {self.colour} background".strip()

    def image(self, side: int) -> Image.Image:
        """RGB, ``side`` pixels each way."""
        rows, columns = np.mgrid[0:side, 0:side] / side
        share = {
            "": rows if self.other else np.zeros_like(rows),
            "striped": ((rows + columns) * 4 % 1 > 0.5) * 1.0,
            "dotted": (np.hypot(rows * 5 % 1 - 0.5, columns * 5 % 1 - 0.5) > 0.3) * 1.0,
            "checkered": (((rows * 4).astype(int) + (columns * 4).astype(int)) % 2) * 1.0,
        }[self.pattern]
        first, last = np.array(COLOURS[self.colour]), np.array(COLOURS[self.other or "white"])
        return Image.fromarray((first + share[..., None] * (last - first)).round().astype(np.uint8))


def random_ground(rng: np.random.Generator) -> Ground:
    """White three times in ten; mostly one colour; now and then a gradient or a pattern."""
    kind, colour = rng.random(), COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
    if kind < 0.3:
        return Ground("white")
    if kind < 0.84:
        return Ground(colour)
    if kind < 0.93:
        return Ground(colour, other=COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))])
    return Ground(COLOUR_NAMES[rng.integers(len(COLOUR_NAMES) - 1)], pattern=PATTERNS[rng.integers(len(PATTERNS))])


def put(icon: Image.Image, on: Image.Image, size: float, right: float = 0.0, down: float = 0.0) -> None:
    """Draw ``icon`` (RGBA) on a picture: ``size`` of its side, moved off the middle by shares of it."""
    side = on.width
    width = max(round(side * size), 1)
    small = icon.convert("RGBa").resize((width, width), Image.Resampling.LANCZOS).convert("RGBA")
    corner = (round(side * (0.5 + right)) - width // 2, round(side * (0.5 + down)) - width // 2)
    on.paste(small, corner, small)


def plain(icons: Icons, number: int, side: int, ground: str = "white", size: float = 0.9) -> Image.Image:
    """An icon in the middle of a colour."""
    picture = Ground(ground).image(side)
    put(icons.image(number), picture, size)
    return picture
