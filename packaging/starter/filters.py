"""Ways to draw a thing, each with its word: made from an icon, or from the finished picture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pictures import COLOUR_NAMES, COLOURS
from PIL import Image, ImageFilter

Filter = Callable[[Image.Image, np.random.Generator], tuple[Image.Image, str]]
"""Takes a picture; gives the new one, and the words for it."""


def silhouette(icon: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """The icon's outline filled with black."""
    filled = Image.new("RGBA", icon.size, COLOURS["black"])
    filled.putalpha(icon.getchannel("A"))
    return filled, "silhouette"


def line_drawing(icon: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Dark lines where colours change, and nothing between."""
    return _ink(_edges(icon), 255), "line drawing"


def pencil(icon: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Grey lines, and strokes that are the closer the darker the icon is."""
    rows, columns = np.mgrid[0 : icon.height, 0 : icon.width]
    strokes = ((rows + columns) % 8 < 4) * (255 - np.asarray(icon.convert("L")).astype(float)) * 0.8
    shade = np.where(np.asarray(icon.getchannel("A")) > 128, strokes, 0)
    return _ink(np.maximum(_edges(icon) * 0.75, shade), 190), "pencil drawing"


def watercolour(icon: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Pale, soft at the rim, and unevenly wet."""
    soft = icon.convert("RGBa").filter(ImageFilter.GaussianBlur(icon.width / 64)).convert("RGBA")
    spots = Image.fromarray(rng.integers(110, 256, (7, 7)).astype(np.uint8)).resize(icon.size, Image.Resampling.BICUBIC)
    pixels = np.array(soft).astype(float)
    pixels[..., :3] = pixels[..., :3] * 0.75 + 64
    pixels[..., 3] *= np.asarray(spots) / 255
    return Image.fromarray(pixels.round().astype(np.uint8)), "watercolour"


def pixel_art(picture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Sixteen squares each way, of few colours."""
    small = picture.resize((16, 16), Image.Resampling.BOX).quantize(10, Image.Quantize.MEDIANCUT)
    return small.convert("RGB").resize(picture.size, Image.Resampling.NEAREST), "pixel art"


def mosaic(picture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Tiles with pale joints."""
    count = 10
    tiles = picture.resize((count, count), Image.Resampling.BOX).resize(picture.size, Image.Resampling.NEAREST)
    places = np.arange(picture.width)
    joint = np.concatenate([[False], np.diff(places * count // picture.width) > 0])
    pixels = np.array(tiles)
    pixels[joint[:, None] | joint[None, :]] = (235, 230, 220)
    return Image.fromarray(pixels), "mosaic"


def duotone(picture: Image.Image, rng: np.random.Generator) -> tuple[Image.Image, str]:
    """Two colours and what lies between, by how bright the picture is."""
    by_light = sorted(COLOUR_NAMES, key=lambda name: sum(COLOURS[name]))
    ends = (by_light[rng.integers(6)], by_light[rng.integers(6, 12)])
    dark, light = (np.array(COLOURS[name]) for name in ends)
    share = np.asarray(picture.convert("L"))[..., None] / 255
    return Image.fromarray((dark + share * (light - dark)).round().astype(np.uint8)), f"{ends[0]} and {ends[1]} duotone"


ON_ICONS: tuple[Filter, ...] = (silhouette, line_drawing, pencil, watercolour)
ON_PICTURES: tuple[Filter, ...] = (pixel_art, mosaic, duotone)
FILTERS: tuple[Filter, ...] = (*ON_ICONS, *ON_PICTURES)


def _edges(icon: Image.Image) -> np.ndarray:
    """How strongly colours change, 0 to 255, a few pixels wide."""
    on_white = Image.new("RGB", icon.size, (255, 255, 255))
    on_white.paste(icon, (0, 0), icon)
    pixels = np.asarray(on_white.filter(ImageFilter.GaussianBlur(1))).astype(float)
    down, right = np.gradient(pixels, axis=(0, 1))
    outline = np.hypot(*np.gradient(np.asarray(icon.getchannel("A")).astype(float)))
    change = np.maximum(np.hypot(down, right).max(-1), outline)
    thick = Image.fromarray(((change > 22) * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))
    return np.asarray(thick).astype(float)


def _ink(strength: np.ndarray, most: int) -> Image.Image:
    """Nearly black where ``strength`` (0 to 255) is, clear elsewhere."""
    ink = np.empty((*strength.shape, 4), np.uint8)
    ink[..., :3] = (40, 40, 46)
    ink[..., 3] = np.minimum(strength, most).round()
    return Image.fromarray(ink)
