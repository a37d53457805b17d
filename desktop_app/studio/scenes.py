"""Scenes: init images together with their masks, as they are opened and extended. Runs on pool threads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import PurePath

from PIL import Image
from PySide6.QtCore import QCoreApplication

from desktop_app.core.errors import ImageError, StudioError
from desktop_app.core.mask import fitted, from_picture
from desktop_app.core.outpaint import Margins, extend, extend_mask
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.edits import Scene
from desktop_app.studio.opener import InitImage
from desktop_app.studio.qimage import from_grey, to_grey, to_qimage

OpenImage = Callable[[], InitImage]
LoadMask = Callable[[], Image.Image]


@dataclass(frozen=True)
class OpenedScene:
    """What was opened. ``problem`` tells why its mask is another than the one asked for, or missing."""

    scene: Scene
    problem: StudioError | None = None


def open_scene(open_image: OpenImage, load_mask: LoadMask | None = None) -> OpenedScene:
    """The picture, and the mask of it where one is asked for. Without its mask a picture opens all the same.

    Raises what ``open_image`` raises.
    """
    init_image = open_image()
    if load_mask is None:
        return OpenedScene(Scene(init_image))
    try:
        mask, problem = fit_mask(load_mask(), init_image.ref.size)
    except StudioError as e:
        return OpenedScene(Scene(init_image), e)
    return OpenedScene(Scene(init_image, to_grey(mask)), problem)


def fit_mask(picture: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, ImageError | None]:
    """``picture`` as the mask of an init image of ``size``; and what is to be said where it had to be scaled."""
    mask = from_picture(picture)
    if mask.size == size:
        return mask, None
    translate = QCoreApplication.translate
    title = translate("Mask", "The mask was scaled to the init image")
    detail = f"{mask.width} × {mask.height} → {size[0]} × {size[1]}"
    is_stretched = abs(mask.width * size[1] - mask.height * size[0]) > max(*mask.size, *size)
    hint = translate("Mask", "It has another shape than the picture, and was stretched.") if is_stretched else ""
    return fitted(mask, size), ImageError(title, detail, hint)


def extend_scene(scene: Scene, margins: Margins, overlap: int, gallery: GalleryStore) -> OpenedScene:
    """The init image with new room around it, kept by the gallery, and the mask of that room.

    Raises `ImageError`, `StoreError`.
    """
    assert scene.init_image is not None
    picture = scene.init_image.picture
    mask = from_grey(scene.mask) if scene.mask is not None else None
    extended = extend(picture, margins)
    mask = extend_mask(mask, picture.size, margins, overlap)
    ref = gallery.keep_init_image(extended, scene.init_image.name)
    ref = replace(ref, origin=scene.init_image.ref.ancestor)
    return OpenedScene(Scene(InitImage(ref, to_qimage(extended)), to_grey(mask)))


def mask_name(init_name: str) -> str:
    """What the mask of the picture ``init_name`` is called, as a file too."""
    stem = PurePath(init_name).stem
    return f"{stem} mask.png" if stem else "mask.png"
