"""Line icons from resources/icons, drawn in the palette's own text colour at whatever size the screen asks."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QIconEngine, QPainter, QPaintEvent, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QWidget

DISABLED_OPACITY = 0.4


@lru_cache(maxsize=256)
def _renderer(path: Path, color: str) -> QSvgRenderer:
    svg = path.read_text(encoding="utf-8").replace("currentColor", color)
    return QSvgRenderer(QByteArray(svg.encode()))


class LineIconEngine(QIconEngine):
    """Paints one SVG in the colour of the palette as it is at that moment, so a change of theme needs no reload."""

    def __init__(self, path: Path, role: QPalette.ColorRole) -> None:
        super().__init__()
        self._path = path
        self._role = role

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Draw the icon into ``rect``."""
        color = QGuiApplication.palette().color(QPalette.ColorGroup.Active, self._role)
        painter.save()
        if mode == QIcon.Mode.Disabled:
            painter.setOpacity(DISABLED_OPACITY)
        _renderer(self._path, QColor(color).name()).render(painter, QRectF(rect))
        painter.restore()

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """The icon on a transparent pixmap."""
        return self._pixmap(size, mode, state)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        """The icon for a screen of pixel ratio ``scale``; ``size`` does not know of it (Qt 6.8 and later)."""
        return self._pixmap(size * scale, mode, state)

    def _pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        pixmap = QPixmap(size)
        if pixmap.isNull():  # of a button that the layout has given no room yet
            return pixmap
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, size.width(), size.height()), mode, state)
        painter.end()
        return pixmap

    def clone(self) -> QIconEngine:
        """A second engine for the same file."""
        return LineIconEngine(self._path, self._role)

    def key(self) -> str:
        """Name of this engine."""
        return "underpaint-line"


class IconLabel(QWidget):
    """Shows an icon, in the colours and for the screen of the moment."""

    def __init__(self, icon: QIcon, side: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = icon
        self.setFixedSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The icon, as large as the label."""
        self._icon.paint(QPainter(self), self.rect())


class Icons:
    """The icons of one folder, by name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, name: str, role: QPalette.ColorRole = QPalette.ColorRole.ButtonText) -> QIcon:
        """The icon ``name`` in the colour of ``role``; an empty icon for an empty name."""
        return QIcon(LineIconEngine(self._folder / f"{name}.svg", role)) if name else QIcon()
