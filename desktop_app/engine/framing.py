"""Framing: the init image on its way into a run, and the run's picture on its way back. Pillow only."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from desktop_app.core.errors import ImageError
from desktop_app.core.image import flatten, load_image
from desktop_app.core.placement import Placement, place, plan_placement, take_back
from desktop_app.core.request import ImageRef, Request, hash_pixels


@dataclass(frozen=True)
class Framed:
    """``image`` is the init image as RGB at the working size; ``alpha`` its own alpha band at its own size, or None."""

    image: Image.Image
    placement: Placement
    alpha: Image.Image | None


def frame(request: Request) -> Framed | None:
    """The init image of ``request``, ready for a pipeline; None where there is none. Raises `ImageError`."""
    if request.init_image is None:
        return None
    picture = _load(request.init_image)
    placement = plan_placement(picture.size, (request.width, request.height), request.fit)
    alpha = picture.getchannel("A") if picture.mode == "RGBA" else None
    return Framed(place(flatten(picture), placement), placement, alpha)


def unframe(picture: Image.Image, framed: Framed | None, request: Request) -> Image.Image:
    """``picture``, RGB at the working size or enlarged, as ``request`` wants it: at the init image's size, and with its
    alpha.
    """
    if framed is None:
        return picture
    return take_back(picture, framed.placement, framed.alpha, own_size=request.own_size)


def _load(ref: ImageRef) -> Image.Image:
    picture = load_image(ref.path, ref.name)
    if hash_pixels(picture) != ref.sha256:
        raise ImageError(
            "The init image has changed since this was asked for",
            ref.name or ref.path.name,
            "Open the picture again.",
        )
    return picture
