"""Opening: anything that can be dropped, pasted or typed becomes an init image. Runs on pool threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image
from PySide6.QtGui import QImage

from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import ImageError
from desktop_app.core.image import load_image, read_texts
from desktop_app.core.request import ImageRef, Request
from desktop_app.core.variation import PARAMETERS_KEY, read_request
from desktop_app.store.fetch import fetch_image
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.qimage import from_qimage, to_qimage

Source = Path | bytes | str | QImage | ImageRef
"""A file, a file's contents, an address on the web, pixels, or a picture that the gallery knows."""


@dataclass(frozen=True)
class InitImage:
    """The picture that generation starts from: kept by the gallery as ``ref``, shown as ``qimage``."""

    ref: ImageRef
    qimage: QImage

    @property
    def name(self) -> str:
        """What the user knows it by."""
        return self.ref.name

    @property
    def picture(self) -> Image.Image:
        """Its pixels, converted anew at each call."""
        return from_qimage(self.qimage)


def open_source(
    source: Source, name: str, gallery: GalleryStore, cancel: CancelFlag | None = None, *, is_online: bool = True
) -> InitImage:
    """``source`` as an init image, normalised and kept. Nothing is fetched unless ``is_online``.

    Raises `ImageError`, `StoreError`, `Cancelled`.
    """
    picture, found_name = load_source(source, name, gallery, cancel, is_online=is_online)
    ref = gallery.keep_init_image(picture, found_name)
    if isinstance(source, ImageRef):
        ref = replace(ref, origin=source.origin)
    return InitImage(ref, to_qimage(picture))


def load_source(
    source: Source, name: str, gallery: GalleryStore, cancel: CancelFlag | None = None, *, is_online: bool = True
) -> tuple[Image.Image, str]:
    """The picture ``source`` and what it is called, normalised, not kept. Raises `ImageError`, `Cancelled`."""
    _check_network(source, is_online=is_online)
    return _load(source, name, gallery, cancel)


def read_settings(
    source: Source, gallery: GalleryStore, cancel: CancelFlag | None = None, *, is_online: bool = True
) -> Request | str:
    """The request in the picture ``source``, or the generation text of another program. Raises `StudioError`."""
    _check_network(source, is_online=is_online)
    texts = read_texts(_contents(source, cancel))
    request = read_request(texts, gallery.find_image)
    if request is not None:
        return request
    if text := texts.get(PARAMETERS_KEY, "").strip():
        return text
    raise ImageError(
        "This picture holds no settings",
        "Neither Underpaint nor a program that writes generation text has made it, or they were taken out.",
        "Drop it on the init image zone to start from it.",
    )


def _check_network(source: Source, *, is_online: bool) -> None:
    """An address that holds the picture itself needs no network."""
    if isinstance(source, str) and not is_online and source.strip()[:5].lower() != "data:":
        hint = "Switch it on in the menu Checkpoints, or save the picture and drop the file."
        raise ImageError("The network is switched off", source[:120], hint)


def _load(source: Source, name: str, gallery: GalleryStore, cancel: CancelFlag | None) -> tuple[Image.Image, str]:
    if isinstance(source, QImage):
        return from_qimage(source), name or "Pasted picture"
    if isinstance(source, ImageRef):
        return gallery.load_ref(source), name or source.name
    if isinstance(source, str):
        content, fetched_name = fetch_image(source, cancel=cancel)
        return load_image(content, name or fetched_name), name or fetched_name
    if isinstance(source, Path):
        return load_image(source, name), name or source.name
    return load_image(source, name), name or "Dropped picture"


def _contents(source: Source, cancel: CancelFlag | None) -> Path | bytes:
    if isinstance(source, str):
        return fetch_image(source, cancel=cancel)[0]
    if isinstance(source, ImageRef):
        return source.path
    if isinstance(source, QImage):
        raise ImageError(
            "These are pixels without settings",
            "A picture copied or dragged as pixels leaves its file's texts behind.",
            "Drop the file itself.",
        )
    return source
