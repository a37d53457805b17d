"""Draws two of the sample pictures, the sketch and the still life, from nothing. Needs Pillow and numpy.

python packaging/samples/draw.py resources/samples
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 512
FINE = 2
"""Drawn so many times larger, then made small."""

Curve = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From places 0 to 1 along a line to x and y in shares of the picture's side."""


def main() -> None:
    """Draw both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    sketch().save(folder / "sketch.jpg", quality=88)
    still_life().save(folder / "still-life.jpg", quality=90)


def sketch() -> Image.Image:
    """An apple in crayon on paper."""
    rng = np.random.default_rng(4)
    size = SIDE * FINE
    paper = np.full((size, size, 3), (250, 246, 236.0)) + rng.normal(0, 3, (size, size, 1))
    picture = Image.fromarray(paper.clip(0, 255).astype(np.uint8))
    crayon(picture, apple, (214, 48, 40), rng)
    crayon(picture, leaf, (70, 150, 62), rng, rows=40)
    for curve, width in ((apple, 13), (apple, 7), (leaf, 9), (stalk, 15), (shine, 9)):
        stroke(picture, curve, (58, 44, 40) if curve is not shine else (255, 240, 232), width, rng)
    return picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def apple(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The outline of an apple, with a dip above."""
    angle = 2 * np.pi * t - np.pi / 2
    dip = 0.07 * np.exp(-(((t + 0.5) % 1 - 0.5) ** 2) / 0.004)
    return 0.5 + 0.3 * np.cos(angle), 0.58 + (0.29 - 0.02 * np.cos(2 * angle)) * np.sin(angle) + dip


def leaf(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A leaf to the right of the stalk."""
    along = np.abs(2 * t - 1)
    side = np.where(t < 0.5, 1.0, -1.0) * 0.055 * np.sin(np.pi * along)
    return 0.53 + 0.19 * (1 - along) - side * 0.5, 0.25 - 0.1 * (1 - along) + side


def stalk(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From the dip upwards."""
    return 0.5 + 0.035 * t**2, 0.36 - 0.17 * t


def shine(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A bow on the left."""
    angle = np.pi * (0.9 + 0.35 * t)
    return 0.5 + 0.23 * np.cos(angle), 0.58 + 0.21 * np.sin(angle)


def wobbling(curve: Curve, rng: np.random.Generator, count: int = 160) -> list[tuple[float, float]]:
    """Points of ``curve``, as a hand would hit them."""
    places = np.linspace(0, 1, count)
    turns = sum(np.sin(2 * np.pi * (k * places + rng.random())) * rng.normal(0, 0.003) for k in (1, 2, 3, 5))
    x, y = curve(places)
    return [(float(a), float(b)) for a, b in zip((x + turns) * SIDE * FINE, (y - turns) * SIDE * FINE, strict=True)]


def stroke(
    picture: Image.Image, curve: Curve, colour: tuple[int, int, int], width: int, rng: np.random.Generator
) -> None:
    """Draw along ``curve``."""
    draw = ImageDraw.Draw(picture)
    points = wobbling(curve, rng)
    draw.line(points, fill=colour, width=width, joint="curve")
    for x, y in (points[0], points[-1]):
        draw.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=colour)


def crayon(
    picture: Image.Image, curve: Curve, colour: tuple[int, int, int], rng: np.random.Generator, rows: int = 75
) -> None:
    """Fill ``curve`` with slanting strokes that leave some paper."""
    size = picture.width
    inside = Image.new("L", picture.size)
    ImageDraw.Draw(inside).polygon(wobbling(curve, rng), fill=255)
    strokes = Image.new("L", picture.size)
    draw = ImageDraw.Draw(strokes)
    for row in np.linspace(-0.5, 1.5, rows * 2):
        y = (row + rng.normal(0, 0.004)) * size
        draw.line((0, y, size, y - 0.6 * size), fill=int(rng.integers(165, 245)), width=int(rng.integers(10, 17)))
    grain = Image.fromarray(rng.integers(150, 256, (size // 3, size // 3)).astype(np.uint8)).resize(picture.size)
    mask = np.asarray(inside) / 255 * np.asarray(strokes) / 255 * np.asarray(grain) / 255
    picture.paste(Image.new("RGB", picture.size, colour), (0, 0), Image.fromarray((mask * 255).astype(np.uint8)))


def still_life() -> Image.Image:
    """A tangerine on a table by a window, reckoned like a photograph: light, shade, grain and a blurred wall."""
    rng = np.random.default_rng(7)
    size = SIDE * FINE
    down, across = np.mgrid[0:size, 0:size] / size
    picture = room(down, across, rng)
    x, y = (across - 0.5) / 0.27, (down - 0.55) / 0.25
    inside = x**2 + y**2
    peel = Image.fromarray(rng.normal(128, 60, (size // 5, size // 5)).clip(0, 255).astype(np.uint8))
    bumps = np.asarray(peel.resize((size, size), Image.Resampling.BICUBIC)).astype(float) / 255
    slope_down, slope_across = np.gradient(bumps * 9)
    height = np.sqrt(np.clip(1 - inside, 0.0001, 1))
    normal = np.stack([x - slope_across * 0.35, y - slope_down * 0.35, height], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    lamp = np.array([-0.5, -0.62, 0.6])
    light = np.clip(normal @ (lamp / np.linalg.norm(lamp)), 0, 1)
    back = np.clip(normal @ np.array([0.6, 0.55, 0.2]), 0, 1)
    gleam = np.clip(normal @ (np.array([-0.3, -0.38, 0.87])), 0, 1) ** 40
    skin = (
        np.array([0.96, 0.5, 0.08]) * (0.22 + 0.86 * light)[..., None]
        + np.array([0.5, 0.28, 0.1]) * 0.25 * back[..., None]
    )
    skin += np.array([1.0, 0.95, 0.85]) * (0.5 * gleam)[..., None]
    edge = np.clip((1 - inside) * 60, 0, 1)[..., None]
    picture = picture * (1 - edge) + skin * edge
    calyx = np.clip((0.045 - np.hypot((across - 0.47), (down - 0.355) * 2.2)) * 90, 0, 1)[..., None]
    picture = picture * (1 - calyx) + np.array([0.3, 0.4, 0.16]) * (0.75 + 0.5 * light[..., None]) * calyx
    photo = Image.fromarray(((picture + rng.normal(0, 0.022, picture.shape)).clip(0, 1) * 255).astype(np.uint8))
    return photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(0.4))


def room(down: np.ndarray, across: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A wall out of focus, a table, and the shadow that will lie on it."""
    glow = np.exp(-(((across - 0.12) / 0.35) ** 2 + ((down - 0.15) / 0.3) ** 2))[..., None]
    wall = np.array([0.42, 0.5, 0.53]) + glow * np.array([0.4, 0.36, 0.26])
    grain = np.asarray(
        Image.fromarray(rng.integers(0, 256, (90, 3)).astype(np.uint8)).resize(
            across.shape[::-1], Image.Resampling.BICUBIC
        )
    )[..., None]
    table = np.array([0.6, 0.45, 0.32]) * (0.85 + 0.25 * (1 - down))[..., None] + (grain / 255 - 0.5) * 0.07
    shadow = np.exp(-(((across - 0.58) / 0.3) ** 2 + ((down - 0.795) / 0.075) ** 2) * 1.3)[..., None]
    share = np.clip((down - 0.66) / 0.025, 0, 1)[..., None]
    return wall * (1 - share) + table * (1 - 0.7 * shadow) * share


if __name__ == "__main__":
    main()
