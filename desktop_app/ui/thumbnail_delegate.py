"""ThumbnailDelegate: one picture of the gallery or the strip, with its stars, or a running job with its progress."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPainterPath, QPalette, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

Index = QModelIndex | QPersistentModelIndex

MARGIN = 4
CORNER = 4.0
STAR_RADIUS = 5.0
STAR_COLOR = QColor("#ffc93c")
SHADE = QColor(0, 0, 0, 150)


@dataclass(frozen=True)
class CellFacts:
    """What is drawn over a picture. ``progress`` is 0-1 for a running job, None for a finished picture."""

    stars: int = 0
    progress: float | None = None
    is_missing: bool = False
    is_shown: bool = False


class ThumbnailDelegate(QStyledItemDelegate):
    """Paints the picture of an index scaled into its cell; ``facts`` says what belongs over it."""

    def __init__(self, facts: Callable[[Index], CellFacts], side: int, parent: QWidget) -> None:
        super().__init__(parent)
        self._facts = facts
        self.side = side

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All cells are squares of one size."""
        return QSize(self.side, self.side)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Picture, frame when selected, stars or progress."""
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        palette: QPalette = option.palette
        facts = self._facts(index)
        cell = QRectF(rect).adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN)
        painter.save()
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        area = self._paint_picture(painter, cell, index.data(Qt.ItemDataRole.DecorationRole), palette)
        if facts.is_missing:
            painter.fillRect(area, SHADE)
            painter.setPen(Qt.GlobalColor.white)
            painter.drawText(area, Qt.AlignmentFlag.AlignCenter, self.tr("file missing"))
        if facts.progress is not None:
            _paint_progress(painter, area, facts.progress, palette)
        if facts.stars:
            _paint_stars(painter, area, facts.stars)
        self._paint_frame(painter, area, state, palette, is_shown=facts.is_shown)
        painter.restore()

    def _paint_picture(self, painter: QPainter, cell: QRectF, picture: object, palette: QPalette) -> QRectF:
        pixmap = _as_pixmap(picture, cell.size().toSize())
        if pixmap is None or pixmap.isNull():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(palette.color(QPalette.ColorRole.AlternateBase))
            painter.drawRoundedRect(cell, CORNER, CORNER)
            return cell
        size = pixmap.deviceIndependentSize().scaled(cell.size(), Qt.AspectRatioMode.KeepAspectRatio)
        area = QRectF(cell.center() - QPointF(size.width() / 2, size.height() / 2), size)
        path = QPainterPath()
        path.addRoundedRect(area, CORNER, CORNER)
        painter.save()
        painter.setClipPath(path)
        painter.drawPixmap(area, pixmap, QRectF(pixmap.rect()))
        painter.restore()
        return area

    def _paint_frame(
        self, painter: QPainter, area: QRectF, state: QStyle.StateFlag, palette: QPalette, *, is_shown: bool
    ) -> None:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        if state & QStyle.StateFlag.State_Selected or is_shown:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Accent), 2.5))
            painter.drawRoundedRect(area.adjusted(-1, -1, 1, 1), CORNER, CORNER)
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Mid), 2))
            painter.drawRoundedRect(area.adjusted(-1, -1, 1, 1), CORNER, CORNER)
        if state & QStyle.StateFlag.State_HasFocus:
            painter.setPen(QPen(palette.color(QPalette.ColorRole.Text), 1, Qt.PenStyle.DotLine))
            painter.drawRect(area.adjusted(-3, -3, 3, 3))


def _as_pixmap(picture: object, size: QSize) -> QPixmap | None:
    if isinstance(picture, QPixmap):
        return picture
    if isinstance(picture, QImage):
        return QPixmap.fromImage(picture)
    if isinstance(picture, QIcon):
        return picture.pixmap(size)
    return None


def _paint_progress(painter: QPainter, area: QRectF, progress: float, palette: QPalette) -> None:
    bar = QRectF(area.left() + 6, area.bottom() - 11, area.width() - 12, 5)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADE)
    painter.drawRoundedRect(bar, 2.5, 2.5)
    bar.setWidth(max(bar.width() * min(max(progress, 0.0), 1.0), 5.0))
    painter.setBrush(palette.color(QPalette.ColorRole.Accent))
    painter.drawRoundedRect(bar, 2.5, 2.5)


def _paint_stars(painter: QPainter, area: QRectF, stars: int) -> None:
    step = 2 * STAR_RADIUS + 1
    ground = QRectF(area.left() + 4, area.bottom() - 18, stars * step + 6, 14)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADE)
    painter.drawRoundedRect(ground, 7, 7)
    painter.setBrush(STAR_COLOR)
    for number in range(stars):
        painter.drawPolygon(_star(QPointF(ground.left() + 3 + step * (number + 0.5), ground.center().y() + 0.5)))


def _star(center: QPointF) -> QPolygonF:
    points = []
    for number in range(10):
        radius = STAR_RADIUS if number % 2 == 0 else STAR_RADIUS * 0.45
        angle = math.radians(number * 36)
        points.append(center + QPointF(radius * math.sin(angle), -radius * math.cos(angle)))
    return QPolygonF(points)
