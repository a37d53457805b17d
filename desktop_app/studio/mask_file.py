"""MaskFile: the mask beside the session's JSON, so that it is there again after a crash."""

from __future__ import annotations

from collections.abc import Callable

from PIL import Image
from PySide6.QtGui import QImage

from desktop_app.core.mask import EncodedMask, encode
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
        self._encoded: tuple[int, EncodedMask] | None = None

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
            name = self._write(image, revision) if image is not None else None
            self._store.drop_pictures(PREFIX, {kept for kept in (name, self._name) if kept})
            self._name, self._revision = name, revision
            return name

        return write

    def kept(self) -> str | None:
        """The name of what was kept last, or is expected."""
        return self._name

    def encoded(self, revision: int) -> EncodedMask | None:
        """The mask at ``revision``, if that is what was written last: it need not be encoded again."""
        last = self._encoded
        return last[1] if last is not None and last[0] == revision else None

    def _write(self, image: QImage, revision: int) -> str:
        mask = encode(from_grey(image))
        self._encoded = (revision, mask)
        name = f"{PREFIX}{mask.sha256[:16]}"
        if name != self._name:
            self._store.save_picture(name, mask.content)
        return name
