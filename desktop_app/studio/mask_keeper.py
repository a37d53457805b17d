"""MaskKeeper: the document's mask as a picture that requests can refer to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QCoreApplication, QEvent, QObject
from PySide6.QtGui import QImage

from desktop_app.core.errors import StudioError
from desktop_app.core.mask import encode
from desktop_app.core.request import ImageRef
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.mask_file import MaskFile
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.qimage import from_grey

SMALL = 1_500_000
"""Pixels. So many are written in a moment, in the GUI thread; more on the pool."""

Then = Callable[[ImageRef | StudioError | None], None]
"""Gets the mask, None for an empty one, or why it cannot be kept."""

Kept = tuple[int, ImageRef]
"""The mask's revision, and the picture of it."""


class MaskKeeper(QObject):
    """Lives in the GUI thread. Each mask is written once; who asks first is answered first."""

    def __init__(self, layer: MaskLayer, file: MaskFile, gallery: GalleryStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._layer = layer
        self._file = file
        self._gallery = gallery
        self._kept: Kept | None = None
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_kept)
        self._runner.failed.connect(self._on_failed)

    def keep(self, name: str) -> ImageRef | None:
        """The mask, which may take a moment, called ``name``; None for an empty one. Raises `StoreError`."""
        image, revision = self._layer.snapshot(), self._layer.revision
        if image is None:
            return None
        if self._kept is None or self._kept[0] != revision:
            self._kept = self._write(image, revision, name)
        return self._kept[1]

    def keep_soon(self, name: str, then: Then) -> None:
        """Let ``then`` have the mask as it is now: at once, or where it is large or others wait, when it is written."""
        image, revision = self._layer.snapshot(), self._layer.revision
        is_written = self._kept is not None and self._kept[0] == revision
        is_quick = image is None or is_written or image.width() * image.height() <= SMALL
        if is_quick and not self._runner.running:
            try:
                kept = self.keep(name)
            except StudioError as e:
                then(e)
            else:
                then(kept)
        elif image is None:
            self._runner.start(then, lambda: None)
        else:
            self._runner.start(then, partial(self._write, image, revision, name))

    def close(self) -> None:
        """Answer all who wait."""
        self._runner.wait()
        QCoreApplication.sendPostedEvents(self._runner, QEvent.Type.MetaCall.value)

    def _write(self, image: QImage, revision: int, name: str) -> Kept:
        """In any thread. A mask that the session has written is not encoded again."""
        mask = self._file.encoded(revision) or encode(from_grey(image))
        return revision, self._gallery.keep_mask(mask, name)

    def _on_kept(self, then: Then, kept: Kept | None) -> None:
        if kept is not None:
            self._kept = kept
        then(kept[1] if kept else None)

    def _on_failed(self, then: Then, error: StudioError) -> None:
        then(error)
