"""The zones that light up over the canvas while a picture is dragged across it."""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.ui.texts import QT_TRANSLATE_NOOP
from desktop_app.ui.theme import GRID

INIT_SHARE = 0.66
"""The init image's part of the canvas: it is what people mean most of the time."""

STACK_BELOW = 1.1
"""The zones lie one over the other on a canvas that is not wider than this times its height."""

LIT_TINT = 0.16


class DropZone(Enum):
    """What becomes of a dropped picture."""

    INIT = "init"
    MASK = "mask"
    CONTROL = "control"
    RESTORE = "restore"


_WORDS = {
    DropZone.INIT: (
        QT_TRANSLATE_NOOP("DropOverlay", "Use as init image"),
        QT_TRANSLATE_NOOP("DropOverlay", "Start from this picture"),
    ),
    DropZone.MASK: (
        QT_TRANSLATE_NOOP("DropOverlay", "Mask"),
        QT_TRANSLATE_NOOP("DropOverlay", "Only what is white may change"),
    ),
    DropZone.CONTROL: (
        QT_TRANSLATE_NOOP("DropOverlay", "Control image"),
        QT_TRANSLATE_NOOP("DropOverlay", "Follow its edges, depth or shapes"),
    ),
    DropZone.RESTORE: (
        QT_TRANSLATE_NOOP("DropOverlay", "Restore settings"),
        QT_TRANSLATE_NOOP("DropOverlay", "Take prompt and values from the picture"),
    ),
}


class DropOverlay(QWidget):
    """Covers the canvas while a drag hovers. The canvas takes the events and tells where the cursor is."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropOverlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()
        self._zone = DropZone.INIT
        self.has_init_image = False

    @property
    def zones(self) -> tuple[DropZone, ...]:
        """Those that a picture may be dropped on now: a mask needs an init image."""
        return tuple(zone for zone in DropZone if zone is not DropZone.MASK or self.has_init_image)

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
        """The zone under ``position``; beside all it is the init image's."""
        return next((zone for zone in self.zones if self.zone_rect(zone).contains(position)), DropZone.INIT)

    def zone_rect(self, zone: DropZone) -> QRectF:
        """Where ``zone`` lies. The init image's comes first in reading direction; the others share the rest."""
        whole = QRectF(self.rect()).adjusted(2 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
        first, rest = QRectF(whole), QRectF(whole)
        is_stacked = whole.width() < whole.height() * STACK_BELOW
        is_mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        if is_stacked:
            first.setHeight(whole.height() * INIT_SHARE - GRID)
            rest.setTop(first.bottom() + 2 * GRID)
        elif is_mirrored:
            first.setLeft(whole.right() - whole.width() * INIT_SHARE + GRID)
            rest.setRight(first.left() - 2 * GRID)
        else:
            first.setWidth(whole.width() * INIT_SHARE - GRID)
            rest.setLeft(first.right() + 2 * GRID)
        if zone is DropZone.INIT:
            return first
        others = self.zones[1:]
        place = others.index(zone) if zone in others else 0
        if not is_stacked:
            return _part(rest, place, len(others), Qt.Orientation.Vertical)
        place = len(others) - 1 - place if is_mirrored else place
        return _part(rest, place, len(others), Qt.Orientation.Horizontal)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The zones, and nothing else."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Window))
        for zone in self.zones:
            title, line = (QCoreApplication.translate("DropOverlay", text) for text in _WORDS[zone])
            self._paint_zone(painter, zone, title, line)

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


def _part(rect: QRectF, place: int, count: int, orientation: Qt.Orientation) -> QRectF:
    """One of ``count`` equal parts of ``rect``, with gaps between them."""
    gap = 2 * GRID
    if orientation is Qt.Orientation.Vertical:
        height = (rect.height() - gap * (count - 1)) / count
        return QRectF(rect.x(), rect.y() + place * (height + gap), rect.width(), height)
    width = (rect.width() - gap * (count - 1)) / count
    return QRectF(rect.x() + place * (width + gap), rect.y(), width, rect.height())


def _mixed(ground: QColor, tint: QColor, share: float) -> QColor:
    rest = 1 - share
    return QColor.fromRgbF(
        ground.redF() * rest + tint.redF() * share,
        ground.greenF() * rest + tint.greenF() * share,
        ground.blueF() * rest + tint.blueF() * share,
    )
