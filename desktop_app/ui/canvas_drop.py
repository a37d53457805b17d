"""The two zones that light up over the canvas while a picture is dragged across it."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.ui.theme import GRID

INIT_SHARE = 0.66
"""The init image's part of the canvas: it is what people mean most of the time."""

STACK_BELOW = 1.1
"""The zones lie one over the other on a canvas that is not wider than this times its height."""

LIT_TINT = 0.16


class DropZone(Enum):
    """What becomes of a dropped picture."""

    INIT = "init"
    RESTORE = "restore"


class DropOverlay(QWidget):
    """Covers the canvas while a drag hovers. The canvas takes the events and tells where the cursor is."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropOverlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._zone = DropZone.INIT

    @property
    def zone(self) -> DropZone:
        """The zone that is lit."""
        return self._zone

    def light(self, position: QPointF) -> None:
        """Show the zones, the one under ``position`` lit."""
        self._zone = self.zone_at(position)
        self.raise_()
        self.show()
        self.update()

    def zone_at(self, position: QPointF) -> DropZone:
        """The zone under ``position``; beside both it is the init image's."""
        return DropZone.RESTORE if self.zone_rect(DropZone.RESTORE).contains(position) else DropZone.INIT

    def zone_rect(self, zone: DropZone) -> QRectF:
        """Where ``zone`` lies. The init image's comes first in reading direction."""
        whole = QRectF(self.rect()).adjusted(2 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
        first, second = QRectF(whole), QRectF(whole)
        if whole.width() < whole.height() * STACK_BELOW:
            first.setHeight(whole.height() * INIT_SHARE - GRID)
            second.setTop(first.bottom() + 2 * GRID)
        elif self.layoutDirection() is Qt.LayoutDirection.RightToLeft:
            first.setLeft(whole.right() - whole.width() * INIT_SHARE + GRID)
            second.setRight(first.left() - 2 * GRID)
        else:
            first.setWidth(whole.width() * INIT_SHARE - GRID)
            second.setLeft(first.right() + 2 * GRID)
        return first if zone is DropZone.INIT else second

    def paintEvent(self, event: QPaintEvent) -> None:
        """The two zones, and nothing else."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Window))
        self._paint_zone(painter, DropZone.INIT, self.tr("Use as init image"), self.tr("Start from this picture"))
        self._paint_zone(
            painter, DropZone.RESTORE, self.tr("Restore settings"), self.tr("Take prompt and values from the picture")
        )

    def _paint_zone(self, painter: QPainter, zone: DropZone, title: str, line: str) -> None:
        palette, roles = self.palette(), QPalette.ColorRole
        is_lit = zone is self._zone
        rect = self.zone_rect(zone)
        painter.setPen(QPen(palette.color(roles.Mid), 2, Qt.PenStyle.DashLine))
        painter.setBrush(palette.color(roles.Base))
        if is_lit:
            painter.setPen(QPen(palette.color(roles.Link), 3))
            painter.setBrush(_mixed(palette.color(roles.Base), palette.color(roles.Link), LIT_TINT))
        painter.drawRoundedRect(rect, 10, 10)
        painter.setPen(palette.color(roles.Text))
        self._paint_text(painter, rect.adjusted(GRID, GRID, -GRID, -GRID), title, line)

    def _paint_text(self, painter: QPainter, rect: QRectF, title: str, line: str) -> None:
        flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
        large = QFont(self.font())
        large.setPixelSize(round(self.fontInfo().pixelSize() * 1.35))
        large.setWeight(QFont.Weight.DemiBold)
        painter.setFont(large)
        head = painter.boundingRect(rect, flags, title)
        painter.setFont(self.font())
        body = painter.boundingRect(rect, flags, line)
        top = rect.center().y() - (head.height() + GRID / 2 + body.height()) / 2
        painter.drawText(QRectF(rect.x(), top + head.height() + GRID / 2, rect.width(), body.height()), flags, line)
        painter.setFont(large)
        painter.drawText(QRectF(rect.x(), top, rect.width(), head.height()), flags, title)


def _mixed(ground: QColor, tint: QColor, share: float) -> QColor:
    rest = 1 - share
    return QColor.fromRgbF(
        ground.redF() * rest + tint.redF() * share,
        ground.greenF() * rest + tint.greenF() * share,
        ground.blueF() * rest + tint.blueF() * share,
    )
