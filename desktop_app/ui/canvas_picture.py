"""Picture: an image that draws itself at any size without shimmer, from halved copies of itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QColor, QImage, QPainter, QPixmap

PIXELS_FROM = 2.0
"""From this zoom on, pixels are drawn as squares, because whoever zooms that far wants to see them."""

CELL = 8
"""Side of a square of the checkerboard."""

SOFT_SIDE = 512
"""Previews are doubled until they are as large as this."""


LARGE = 2_000_000
"""Pixels. To halve more than these takes longer than the window may be busy."""

SMALLEST = 256
"""Nobody looks at a copy that is smaller than this for long."""


class Picture:
    """Holds ``image`` (which nobody changes) and its copies at half the size, a quarter, ...

    Those of a large image are made elsewhere, by `halved`; until `take` brings them it is drawn without, a bit rough.
    """

    def __init__(self, image: QImage, copies: Sequence[QImage] = ()) -> None:
        self._levels = [image, *copies]
        self._is_waiting = is_large(image) and not copies
        self.has_alpha = image.hasAlphaChannel()

    @property
    def size(self) -> QSize:
        """Width and height in picture pixels."""
        return self._levels[0].size()

    def take(self, image: QImage, copies: Sequence[QImage]) -> None:
        """Use ``copies``, which are of ``image``, if this picture shows it."""
        if self._levels[0].cacheKey() == image.cacheKey():
            self._levels[1:] = copies
            self._is_waiting = False

    def draw(self, painter: QPainter, target: QRectF, view: QRectF, *, ratio: float, is_smooth: bool) -> None:
        """Draw the picture into ``target``, as far as ``view`` shows it. ``ratio`` is the screen's pixel ratio."""
        seen = target & view
        if seen.isEmpty():
            return
        level = self._level(target.width() * ratio / self.size.width())
        # Only what is seen is handed over: Qt's coordinates overflow at 32 times a large photo.
        source = _source(level, target, seen)
        scale_x, scale_y = target.width() / level.width(), target.height() / level.height()
        part = QRectF(
            target.x() + source.x() * scale_x,
            target.y() + source.y() * scale_y,
            source.width() * scale_x,
            source.height() * scale_y,
        )
        is_quick = self._is_waiting and level.width() > part.width() * ratio
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, is_smooth and not is_quick)
        painter.drawImage(part, level, QRectF(source))

    def _level(self, scale: float) -> QImage:
        """The smallest copy that need not be enlarged at ``scale``: less than halving is left to the painter."""
        wanted = max(0, math.floor(-math.log2(scale)))
        if self._is_waiting:
            return self._levels[0]
        while len(self._levels) <= wanted:
            self._levels.append(_halved(self._levels[-1]))
        return self._levels[wanted]


def _source(image: QImage, target: QRectF, seen: QRectF) -> QRect:
    """The whole pixels of ``image`` that show in ``seen``, and one more around for smooth edges."""
    scale_x, scale_y = image.width() / target.width(), image.height() / target.height()
    left, top = int((seen.x() - target.x()) * scale_x) - 1, int((seen.y() - target.y()) * scale_y) - 1
    right = math.ceil((seen.right() - target.x()) * scale_x) + 1
    bottom = math.ceil((seen.bottom() - target.y()) * scale_y) + 1
    return QRect(QPoint(left, top), QPoint(right - 1, bottom - 1)) & image.rect()


def is_large(image: QImage) -> bool:
    """Whether its copies are to be made on the pool."""
    return image.width() * image.height() > LARGE


def halved(image: QImage) -> list[QImage]:
    """Copies of ``image`` at half the size, a quarter, ...; none of a small one. For any thread."""
    copies: list[QImage] = []
    rest = image
    while is_large(image) and max(rest.width(), rest.height()) > SMALLEST:
        rest = _halved(rest)
        copies.append(rest)
    return copies


def _halved(image: QImage) -> QImage:
    kinds = QImage.Format
    flat = image.convertToFormat(kinds.Format_ARGB32_Premultiplied if image.hasAlphaChannel() else kinds.Format_RGB32)
    size = QSize(max(1, flat.width() // 2), max(1, flat.height() // 2))
    return flat.scaled(size, Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)


def softened(image: QImage) -> QImage:
    """``image``, doubled until it is no longer small: one large step would show the grid of its pixels."""
    while 0 < max(image.width(), image.height()) < SOFT_SIDE:
        modes = (Qt.AspectRatioMode.IgnoreAspectRatio, Qt.TransformationMode.SmoothTransformation)
        image = image.scaled(image.size() * 2, *modes)
    return image


def checkerboard(*, is_dark: bool) -> QBrush:
    """The pattern that stands for "nothing here" under transparent pixels."""
    tile = QPixmap(2 * CELL, 2 * CELL)
    tile.fill(QColor("#3a403e" if is_dark else "#ffffff"))
    painter = QPainter(tile)
    other = QColor("#2c3130" if is_dark else "#d5dbd8")
    painter.fillRect(0, 0, CELL, CELL, other)
    painter.fillRect(CELL, CELL, CELL, CELL, other)
    painter.end()
    return QBrush(tile)
