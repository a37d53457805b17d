"""Thumbnails: the small pictures of variations, read on a thread of their own and kept within a limit of memory."""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, QSize, Qt, Signal
from PySide6.QtGui import QImage

from desktop_app.core.errors import StoreError, StudioError
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import THUMBNAIL_SIDE, GalleryStore
from desktop_app.studio.pool import PoolRunner

MAX_BYTES = 96 * 2**20
"""Some 380 thumbnails, several screens full."""

MAX_AWAITED = 512
"""More than a screen shows; what was asked for before that has been scrolled away."""

AT_ONCE = 4
"""Given to the thread ahead, so that it need not wait for the GUI thread between two."""


class Thumbnails(QObject):
    """Lives in the GUI thread. What was asked for last is read first, since that is what the user looks at."""

    ready = Signal(str)
    """The id of a variation whose thumbnail has come."""

    def __init__(self, gallery: GalleryStore, parent: QObject, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._max_bytes = max_bytes
        self._images: OrderedDict[str, QImage] = OrderedDict()
        self._bytes = 0
        self._awaited: OrderedDict[str, Variation] = OrderedDict()
        self._reading: set[str] = set()
        self._unreadable: set[str] = set()
        self._is_closed = False
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_read)
        self._runner.failed.connect(self._on_failed)

    @property
    def bytes_held(self) -> int:
        """Memory of all thumbnails kept."""
        return self._bytes

    def get(self, variation: Variation) -> QImage | None:
        """The thumbnail; None where it has to be read first (`ready` follows) or cannot be."""
        if (image := self._images.get(variation.id)) is not None:
            self._images.move_to_end(variation.id)
            return image
        self._want(variation)
        return None

    def forget(self, variation_id: str) -> None:
        """Try again what could not be read: its picture may be back."""
        self._unreadable.discard(variation_id)

    def close(self) -> None:
        """Read no more, and return when the thread has ended."""
        self._is_closed = True
        self._awaited.clear()
        self._runner.wait()

    def _want(self, variation: Variation) -> None:
        if self._is_closed or variation.id in self._reading or variation.id in self._unreadable:
            return
        self._awaited[variation.id] = variation
        self._awaited.move_to_end(variation.id)
        if len(self._awaited) > MAX_AWAITED:
            self._awaited.popitem(last=False)
        self._read_next()

    def _read_next(self) -> None:
        while self._awaited and len(self._reading) < AT_ONCE:
            variation_id, variation = self._awaited.popitem()
            self._reading.add(variation_id)
            self._runner.start(variation_id, partial(read_thumbnail, self._gallery, variation))

    def _on_read(self, variation_id: str, image: QImage | None) -> None:
        self._reading.discard(variation_id)
        if image is None:
            self._unreadable.add(variation_id)
        else:
            self._keep(variation_id, image)
            self.ready.emit(variation_id)
        self._read_next()

    def _on_failed(self, variation_id: str, _error: StudioError) -> None:
        """The picture's place stays empty; the store has told of its trouble where the picture itself is needed."""
        self._on_read(variation_id, None)

    def _keep(self, variation_id: str, image: QImage) -> None:
        self._images[variation_id] = image
        self._bytes += image.sizeInBytes()
        while self._bytes > self._max_bytes and len(self._images) > 1:
            self._bytes -= self._images.popitem(last=False)[1].sizeInBytes()


def read_thumbnail(gallery: GalleryStore, variation: Variation) -> QImage | None:
    """The thumbnail, made again when it is lost or damaged; None without a picture. Runs on a pool thread."""
    try:
        path = variation.thumbnail or gallery.thumbnail(variation.id)
    except StoreError:
        path = None  # no place for it on the disk: the picture itself has to do
    image = read_small(path)
    return image if image is not None else read_small(variation.path)


def read_small(path: Path | None) -> QImage | None:
    """The picture in the file ``path``, no larger than thumbnails are; None where there is none. For pool threads."""
    image = QImage(str(path)) if path else QImage()
    if image.isNull():
        return None
    if max(image.width(), image.height()) > THUMBNAIL_SIDE:
        side = QSize(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        smooth = Qt.TransformationMode.SmoothTransformation
        image = image.scaled(side, Qt.AspectRatioMode.KeepAspectRatio, smooth)
    # The two formats that are painted without being converted.
    kinds = QImage.Format
    return image.convertToFormat(kinds.Format_ARGB32_Premultiplied if image.hasAlphaChannel() else kinds.Format_RGB32)
