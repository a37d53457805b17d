"""Thumbnails: small pictures of variations, read on the pool, the ones just asked for first, and kept within a budget."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.core.errors import StudioError
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.pool import PoolRunner

MAX_BYTES = 96 * 1024 * 1024
MAX_WAITING = 300
"""More than a screen shows at once: what was scrolled past long ago is not read any more."""

MAX_RUNNING = 3


class Thumbnails(QObject):
    """Lives in the GUI thread."""

    ready = Signal(str)
    """The id of a variation whose thumbnail is here now."""

    def __init__(self, gallery: GalleryStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._images: OrderedDict[str, QImage] = OrderedDict()
        self._bytes = 0
        self._waiting: OrderedDict[str, None] = OrderedDict()
        self._running: set[str] = set()
        self._hopeless: set[str] = set()
        self._runner = PoolRunner(self)
        self._runner.finished.connect(self._on_read)
        self._runner.failed.connect(self._on_failed)

    def get(self, variation_id: str) -> QImage | None:
        """The thumbnail, or None: then it is read, and `ready` follows if there is one."""
        image = self._images.get(variation_id)
        if image is not None:
            self._images.move_to_end(variation_id)
            return image
        if variation_id not in self._running and variation_id not in self._hopeless:
            self._waiting[variation_id] = None
            self._waiting.move_to_end(variation_id)
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
            self._start()
        return None

    def close(self) -> None:
        """Read no more, and let the reading threads end."""
        self._waiting.clear()
        self._runner.wait()

    def _start(self) -> None:
        while self._waiting and len(self._running) < MAX_RUNNING:
            variation_id, _ = self._waiting.popitem()
            self._running.add(variation_id)
            self._runner.start(variation_id, partial(_read, self._gallery, variation_id))

    def _on_read(self, variation_id: str, image: QImage | None) -> None:
        self._running.discard(variation_id)
        if image is None:
            self._hopeless.add(variation_id)
        else:
            self._images[variation_id] = image
            self._bytes += image.sizeInBytes()
            while self._bytes > MAX_BYTES and len(self._images) > 1:
                self._bytes -= self._images.popitem(last=False)[1].sizeInBytes()
            self.ready.emit(variation_id)
        self._start()

    def _on_failed(self, variation_id: str, _error: StudioError) -> None:
        """The cell stays empty; the gallery says of the picture itself that it is missing."""
        self._on_read(variation_id, None)


def _read(gallery: GalleryStore, variation_id: str) -> QImage | None:
    path: Path | None = gallery.thumbnail(variation_id)
    if path is None:
        return None
    image = QImage(str(path))
    return None if image.isNull() else image.convertToFormat(QImage.Format.Format_RGB32)
