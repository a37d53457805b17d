"""Chains and what an engine makes of them, for tests of all that keeps and shows their pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from support import make_picture, make_request, make_result

from desktop_app.core.engine import Intermediate, Result
from desktop_app.core.kinds import StageKind
from desktop_app.core.request import ImageRef, Request
from desktop_app.core.variation import Variation


def make_chain(init_image: ImageRef | None = None, seed: int = 1, **changes: Any) -> Request:
    """Three stages: one, and two cards that work over what it made."""
    request = make_request(init_image, seed=seed, **changes)
    card = replace(request.stages[0], kind=StageKind.IMAGE_TO_IMAGE, strength=0.5, is_card=True)
    cards = (replace(card, prompt="an oil painting"), replace(card, prompt="a comic"))
    return replace(request, stages=(*request.stages, *cards))


def make_chain_result(request: Request) -> Result:
    """The final picture, and one for each stage before it."""
    pictures = [make_picture((64, 64), seed=100 * request.seed + number) for number in range(len(request.stages) - 1)]
    made = tuple(Intermediate(number, picture) for number, picture in enumerate(pictures))
    return replace(make_result(request), intermediates=made, reused=1)


def ref_of(variation: Variation) -> ImageRef:
    """The picture of ``variation``, as another request refers to it."""
    return ImageRef(variation.pixels_sha256, variation.size, variation.path, variation.path.name)
