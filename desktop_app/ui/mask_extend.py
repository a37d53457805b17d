"""The frame of the tool Extend: handles on edges and corners, and what pulling one of them makes of the picture."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from desktop_app.core.outpaint import Margins
from desktop_app.ui.canvas_paint import SHADE, WHITE, draw_pill

Handle = tuple[int, int]
"""Which side across (-1 left, 1 right, 0 neither) and down (-1 top, 1 bottom, 0 neither)."""

HANDLES: tuple[Handle, ...] = ((-1, -1), (0, -1), (1, -1), (-1, 0), (1, 0), (-1, 1), (0, 1), (1, 1))
REACH = 10.0
"""Screen pixels from an edge within which it can be taken."""

GRIP = 11.0
"""Side of a handle as it is drawn."""

NEW_ROOM = QColor(255, 45, 85, 60)

CURSORS = {
    (0, -1): Qt.CursorShape.SizeVerCursor,
    (0, 1): Qt.CursorShape.SizeVerCursor,
    (-1, 0): Qt.CursorShape.SizeHorCursor,
    (1, 0): Qt.CursorShape.SizeHorCursor,
    (-1, -1): Qt.CursorShape.SizeFDiagCursor,
    (1, 1): Qt.CursorShape.SizeFDiagCursor,
    (1, -1): Qt.CursorShape.SizeBDiagCursor,
    (-1, 1): Qt.CursorShape.SizeBDiagCursor,
}


def handle_at(frame: QRectF, at: QPointF) -> Handle | None:
    """The edge or corner of ``frame`` that is near ``at``."""
    if not frame.adjusted(-REACH, -REACH, REACH, REACH).contains(at):
        return None
    across = _side(at.x(), frame.left(), frame.right())
    down = _side(at.y(), frame.top(), frame.bottom())
    return (across, down) if across or down else None


def margins_of(handle: Handle, offset: QPointF, *, is_both: bool) -> Margins:
    """The new room when ``handle`` is pulled by ``offset`` pixels of the picture; with ``is_both`` on the other side
    too. Inwards there is none.
    """
    across, down = max(round(offset.x() * handle[0]), 0), max(round(offset.y() * handle[1]), 0)
    return Margins(
        left=across if handle[0] < 0 or is_both else 0,
        top=down if handle[1] < 0 or is_both else 0,
        right=across if handle[0] > 0 or is_both else 0,
        bottom=down if handle[1] > 0 or is_both else 0,
    )


def draw_handles(painter: QPainter, frame: QRectF) -> None:
    """The frame of a picture that can be taken at its edges and corners."""
    painter.save()
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(SHADE, 3))
    painter.drawRect(frame)
    painter.setPen(QPen(WHITE, 1))
    painter.drawRect(frame)
    painter.setPen(QPen(SHADE, 1))
    painter.setBrush(WHITE)
    for across, down in HANDLES:
        middle = frame.center() + QPointF(across * frame.width() / 2, down * frame.height() / 2)
        painter.drawRect(QRectF(middle - QPointF(GRIP, GRIP) / 2, QSizeF(GRIP, GRIP)))
    painter.restore()


def draw_frame(painter: QPainter, old: QRectF, new: QRectF, size: tuple[int, int]) -> None:
    """The ``new`` frame around the ``old`` one, its new room tinted, and its ``size`` in pixels."""
    painter.save()
    for rect in (
        QRectF(new.topLeft(), QPointF(new.right(), old.top())),
        QRectF(QPointF(new.left(), old.bottom()), new.bottomRight()),
        QRectF(QPointF(new.left(), old.top()), QPointF(old.left(), old.bottom())),
        QRectF(QPointF(old.right(), old.top()), QPointF(new.right(), old.bottom())),
    ):
        painter.fillRect(rect, NEW_ROOM)
    painter.restore()
    draw_handles(painter, new)
    draw_pill(painter, new.center(), f"{size[0]} × {size[1]}")


def _side(position: float, first: float, last: float) -> int:
    if abs(position - first) <= REACH and abs(position - first) <= abs(position - last):
        return -1
    return 1 if abs(position - last) <= REACH else 0
