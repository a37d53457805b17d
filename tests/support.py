"""Builders that many tests share: small real pictures and requests. No Qt, no torch."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from desktop_app.core.engine import Result
from desktop_app.core.request import ImageRef, Request, Stage, StageKind, hash_pixels

PROJECT = Path(__file__).parent.parent
"""Root of the source tree."""

LASTING_PIDS: list[Callable[[], int | None]] = []
"""Tell the child processes that a fixture of a wider scope owns; it may start them anew during a test."""

STARTER = PROJECT / "resources" / "starter"


def make_picture(size: tuple[int, int] = (48, 32), mode: str = "RGB", seed: int = 0) -> Image.Image:
    """A picture with structure in both directions and in every band; another seed makes another picture."""
    bands = [_make_band(size, random.Random(f"{seed} {band}")) for band in range(4)]
    if mode == "RGBA":
        return Image.merge("RGBA", bands)
    return Image.merge("RGB", bands[:3]).convert(mode)


def _make_band(size: tuple[int, int], rng: random.Random) -> Image.Image:
    gradient = Image.linear_gradient("L").rotate(rng.choice((0, 90, 180, 270))).resize(size)
    draw = ImageDraw.Draw(gradient)
    for _ in range(6):
        left, top = rng.randrange(size[0]), rng.randrange(size[1])
        right, bottom = left + rng.randint(1, size[0]), top + rng.randint(1, size[1])
        draw.ellipse((left, top, right, bottom), fill=rng.randrange(256))
    return gradient


def make_ref(path: Path, image: Image.Image | None = None) -> ImageRef:
    """The ref of ``image`` (by default `make_picture`), saved as PNG at ``path``."""
    image = image or make_picture()
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, "PNG")
    return ImageRef(hash_pixels(image), image.size, path, path.name)


def make_request(init_image: ImageRef | None = None, **changes: Any) -> Request:
    """A small valid request. ``changes`` are fields of `Request`, or of its one `Stage`."""
    kind = StageKind.IMAGE_TO_IMAGE if init_image else StageKind.TEXT_TO_IMAGE
    stage = Stage(kind, "starter", "lemon, cartoon icon, white background", "", 0.5 if init_image else 1.0, 4, 4.0)
    stage_changes = {name: changes.pop(name) for name in list(changes) if name in Stage.__dataclass_fields__}
    request = Request((replace(stage, **stage_changes),), 7, 64, 64, init_image, recipe="starter")
    return replace(request, **changes)


def make_result(request: Request, image: Image.Image | None = None) -> Result:
    """What an engine might return for ``request``; the picture follows its seed."""
    image = image or make_picture((request.width, request.height), seed=request.seed)
    return Result(image, tuple(stage.effective_steps for stage in request.stages), 0.25, (), {"device": "cpu"})
