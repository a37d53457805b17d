"""ImageRef: a picture by the hash of its pixels, so that it is known again wherever it lies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from desktop_app.core.errors import RequestError
from desktop_app.core.plain_data import as_count_between, as_text

MAX_SIDE = 1_000_000

ROWS = 256
"""Of a picture, that are hashed at a time."""

_SHA256 = re.compile(r"[0-9a-f]{64}")

FindImages = Mapping[str, Path]
"""By hash of its pixels, where a picture lies on this machine."""


@dataclass(frozen=True)
class ImageRef:
    """A picture by content: ``sha256`` as `hash_pixels` computes it, ``size`` (width, height) in pixels.

    ``path`` is where the picture lies on this machine; two refs are equal when their pixels are.
    ``name`` is what the user knows it by (a file name, never a path). ``origin`` is the picture that was given new
    room to make this one; it has no origin itself.
    """

    sha256: str
    size: tuple[int, int]
    path: Path
    name: str = ""
    origin: ImageRef | None = None

    @property
    def ancestor(self) -> ImageRef:
        """The picture that stands for this one in the lineage."""
        return self.origin or self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageRef) and (self.sha256, self.size) == (other.sha256, other.size)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the folder is left out, since pictures travel between machines."""
        data = {"sha256": self.sha256, "width": self.size[0], "height": self.size[1], "name": self.name}
        return {**data, "origin": self.origin.to_json()} if self.origin else data


def hash_pixels(image: Image.Image, mode: str = "") -> str:
    """sha-256 over mode, size and pixels, so that a lossless copy of a picture has the same hash; that of the picture
    in another ``mode`` where one is given.
    """
    mode = mode or image.mode
    digest = hashlib.sha256(f"{mode} {image.width}x{image.height}\n".encode())
    for top in range(0, image.height, ROWS):  # Python lets no other thread run in the middle of a copy
        digest.update(image.crop((0, top, image.width, min(top + ROWS, image.height))).convert(mode).tobytes())
    return digest.hexdigest()


def image_from_json(data: Any, find_image: FindImages | None = None, what: str = "init image") -> ImageRef | None:
    """The ref that `ImageRef.to_json` wrote, or None for null; an empty path where ``find_image`` has none. ``what`` is
    how errors call it. Raises `RequestError`.
    """
    if data is None:
        return None
    try:
        origin = data.get("origin")
        ref = _read_ref(data, find_image or {})
        return replace(ref, origin=_read_ref(origin, find_image or {})) if origin is not None else ref
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as e:
        raise RequestError("The request cannot be read", f"{what}: {type(e).__name__}: {e}", "") from e


def _read_ref(data: Any, find_image: FindImages) -> ImageRef:
    """The picture alone, without its origin."""
    sha256 = as_text(data["sha256"])
    if not _SHA256.fullmatch(sha256):  # it becomes the name of a file
        raise ValueError(f"{sha256[:80]!r} is no hash of pixels")
    size = (as_count_between(data["width"], 1, MAX_SIDE), as_count_between(data["height"], 1, MAX_SIDE))
    return ImageRef(sha256, size, find_image.get(sha256, Path()), as_text(data.get("name", "")))


def hashes_in(data: Any) -> Iterator[str]:
    """The hashes of all pictures that plain data names, however deep."""
    if isinstance(data, Mapping):
        if isinstance(data.get("sha256"), str) and "width" in data:
            yield data["sha256"]
        for value in data.values():
            yield from hashes_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from hashes_in(value)
