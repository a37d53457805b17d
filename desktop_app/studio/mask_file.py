"""MaskFile: the mask beside the session's JSON, so that it is there again after a crash."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image
from PySide6.QtGui import QImage

from desktop_app.core.image import encode_png
from desktop_app.core.request import hash_pixels
from desktop_app.store.session import SessionStore
from desktop_app.studio.qimage import from_grey

PREFIX = "mask-"


class MaskFile:
    """A file's name follows its content, so JSON that was written before always finds the mask it tells of."""

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._revision = -1
        self._name: str | None = None
        """What the last `keep` wrote, and of which revision of the mask."""

    def expect(self, name: str | None) -> None:
        """Keep the file ``name``, which is yet to be loaded."""
        self._name = name
        self._revision = -1

    def load(self, name: str) -> Image.Image:
        """The mask of an earlier session. Raises `ImageError`."""
        return self._store.load_picture(name)

    def keep(self, image: QImage | None, revision: int) -> Callable[[], str | None]:
        """How to write ``image``, the mask at ``revision``; gives the file's name. For the pool, one call at a time.

        Raises `StoreError` there. The file before the last is removed then: JSON on disk may still tell of the last.
        """
        if revision == self._revision:
            return lambda: self._name

        def write() -> str | None:
            name = self._write(image) if image is not None else None
            self._store.drop_pictures(PREFIX, {kept for kept in (name, self._name) if kept})
            self._name, self._revision = name, revision
            return name

        return write

    def kept(self) -> str | None:
        """The name of what was kept last, or is expected."""
        return self._name

    def _write(self, image: QImage) -> str:
        mask = from_grey(image)
        name = f"{PREFIX}{hash_pixels(mask)[:16]}"
        if name != self._name:
            self._store.save_picture(name, encode_png(mask))
        return name
