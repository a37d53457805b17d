"""A chain as an animation: the picture of each stage, one after the other, in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from desktop_app.core.animation import encode_animation
from desktop_app.core.image import flatten, load_image
from desktop_app.core.variation import Variation
from desktop_app.store.files import write_atomic
from desktop_app.store.gallery import GalleryStore

SAME_SHAPE = 0.02
"""Pictures whose shapes differ by less are stretched; others get bars."""


@dataclass(frozen=True)
class AnimationOrder:
    """What to write of the chain that ``variation`` belongs to. ``format`` is "GIF" or "WEBP"; no side is longer than
    ``longest_side`` pixels, 0 for the final picture's own size; ``with_init`` begins with the init image.
    """

    variation: Variation
    path: Path
    format: str = "GIF"
    seconds_each: float = 1.0
    longest_side: int = 0
    with_init: bool = True


def write_animation(gallery: GalleryStore, order: AnimationOrder) -> None:
    """Write the file; for pool threads. Raises `ImageError`, `StoreError`."""
    stages = gallery.stages_of(order.variation.id)
    pictures = [load_image(stage.path) for stage in stages]
    init_image = order.variation.request.init_image
    if order.with_init and init_image is not None:
        pictures.insert(0, gallery.load_ref(init_image))
    size = _size(pictures[-1], order.longest_side)
    frames = [_frame(picture, size) for picture in pictures]
    write_atomic(order.path, encode_animation(frames, order.seconds_each, order.format), is_private=False)


def _size(picture: Image.Image, longest_side: int) -> tuple[int, int]:
    share = min(longest_side / max(picture.size), 1.0) if longest_side else 1.0
    width, height = (max(round(side * share), 1) for side in picture.size)
    return width, height


def _frame(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    plain = flatten(picture)
    shape = plain.width / plain.height * size[1] / size[0]
    if abs(shape - 1) < SAME_SHAPE:
        return plain.resize(size, Image.Resampling.LANCZOS)
    return ImageOps.pad(plain, size, Image.Resampling.LANCZOS)
