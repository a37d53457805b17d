"""What `CompareView` and the drop zones draw beside pictures: the ground, labels, the divider."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QPen, QPolygonF

INSET = 8.0
"""From a picture's corner to its label."""

HANDLE = 14.0
"""Radius of the divider's handle."""

SHADE = QColor(0, 0, 0, 165)
WHITE = QColor(255, 255, 255)


class Corner(Enum):
    """Where a label is put."""

    TOP_LEFT = 0
    TOP_RIGHT = 1
    BOTTOM_LEFT = 2


def is_dark(palette: QPalette) -> bool:
    """Whether the theme is a dark one."""
    return palette.color(QPalette.ColorRole.Window).lightness() < 128


def ground(palette: QPalette) -> QColor:
    """What lies behind pictures: a little darker than the window, so that they stand out."""
    window = palette.color(QPalette.ColorRole.Window)
    return palette.color(QPalette.ColorRole.Base) if is_dark(palette) else window.darker(106)


def draw_label(painter: QPainter, seen: QRectF, text: str, corner: Corner) -> None:
    """``text`` on a dark pill in a corner of ``seen``; left out where it does not fit."""
    metrics = painter.fontMetrics()
    size = QSizeF(metrics.horizontalAdvance(text) + 16, metrics.height() + 6)
    if not text or seen.width() < size.width() + 2 * INSET or seen.height() < size.height() + 2 * INSET:
        return
    x = seen.right() - INSET - size.width() if corner is Corner.TOP_RIGHT else seen.left() + INSET
    y = seen.bottom() - INSET - size.height() if corner is Corner.BOTTOM_LEFT else seen.top() + INSET
    draw_pill(painter, QRectF(QPointF(x, y), size).center(), text)


def draw_gap(painter: QPainter, rect: QRectF, palette: QPalette) -> None:
    """The line between two pictures side by side."""
    painter.fillRect(rect, palette.color(QPalette.ColorRole.Mid))


def draw_divider(painter: QPainter, x: float, seen: QRectF, *, is_active: bool) -> None:
    """The sliding edge with its round handle; visible on bright and on dark pictures."""
    painter.save()
    painter.fillRect(QRectF(x - 2, seen.top(), 4, seen.height()), QColor(0, 0, 0, 90))
    painter.fillRect(QRectF(x - 1, seen.top(), 2, seen.height()), WHITE)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    middle = QPointF(x, seen.center().y())
    painter.setPen(QPen(WHITE, 2))
    painter.setBrush(QColor(0, 0, 0, 230) if is_active else SHADE)
    painter.drawEllipse(middle, HANDLE, HANDLE)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(WHITE)
    for side in (-1, 1):
        tip = middle + QPointF(side * 9, 0)
        painter.drawPolygon(QPolygonF([tip, tip + QPointF(-side * 5, -5), tip + QPointF(-side * 5, 5)]))
    painter.restore()


def draw_pill(painter: QPainter, middle: QPointF, text: str) -> None:
    """``text`` on a dark pill around ``middle``."""
    metrics = painter.fontMetrics()
    size = QSizeF(metrics.horizontalAdvance(text) + 16, metrics.height() + 6)
    pill = QRectF(middle - QPointF(size.width(), size.height()) / 2, size)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(SHADE)
    painter.drawRoundedRect(pill, size.height() / 2, size.height() / 2)
    painter.setPen(WHITE)
    painter.drawText(pill, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def draw_outline(painter: QPainter, polygon: QPolygonF) -> None:
    """A bright line with a dark edge, visible on bright and on dark pictures."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for pen in (QPen(SHADE, 3), QPen(WHITE, 1)):
        painter.setPen(pen)
        painter.drawPolygon(polygon)
    painter.restore()


def draw_ring(painter: QPainter, middle: QPointF, diameter: float) -> None:
    """The edge of a brush, and its middle where that is not seen otherwise."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    radius = max(diameter / 2, 1.5)
    for width, color in ((3.0, SHADE), (1.2, WHITE)):
        painter.setPen(QPen(color, width))
        painter.drawEllipse(middle, radius, radius)
    painter.restore()
