"""ControlThumb: a control image in small, and the dialog that shows it large."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPalette, QPen, QPixmap
from PySide6.QtWidgets import QAbstractButton, QDialog, QLabel, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.ui.canvas_paint import ground
from desktop_app.ui.field import set_role
from desktop_app.ui.theme import GRID

SIDE = 92
RADIUS = 4
BAR = 4
"""Height of the line that says how far the work is."""

LARGE = QSize(760, 620)


class ControlThumb(QAbstractButton):
    """A square button. Without a picture it shows how far the work on one is."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("controlThumb")
        self.setFixedSize(SIDE, SIDE)
        self.setAccessibleName(self.tr("Control image"))
        self._image: QImage | None = None
        self._scaled: QPixmap | None = None
        self._share: float | None = None
        self.setEnabled(False)

    @property
    def image(self) -> QImage | None:
        """The whole picture."""
        return self._image

    def show_image(self, image: QImage | None, share: float | None) -> None:
        """Show ``image``, or none; ``share`` is how much of the work is done, None where nobody works."""
        if image is not self._image:
            self._image, self._scaled = image, None
        self._share = share
        self.setEnabled(image is not None)
        self.setCursor(Qt.CursorShape.PointingHandCursor if image else Qt.CursorShape.ArrowCursor)
        self.setToolTip(self.tr("Show it large") if image else "")
        self.update()

    def sizeHint(self) -> QSize:
        """Always the same."""
        return QSize(SIDE, SIDE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The frame, the picture, the line of the work, and the ring of the keyboard."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        roles = QPalette.ColorRole
        rect = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setBrush(ground(self.palette()))
        painter.setPen(QPen(self.palette().color(roles.Mid), 1))
        painter.drawRoundedRect(rect, RADIUS, RADIUS)
        if self._image is not None:
            self._paint_image(painter)
        if self._share is not None:
            self._paint_share(painter)
        if self.hasFocus() or (self.underMouse() and self.isEnabled()):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(self.palette().color(roles.Link), 2))
            painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    def _paint_image(self, painter: QPainter) -> None:
        ratio = self.devicePixelRatioF()
        room = round((SIDE - 4) * ratio)
        if self._scaled is None or max(self._scaled.width(), self._scaled.height()) != room:
            assert self._image is not None
            self._scaled = QPixmap.fromImage(_fitted(self._image, QSize(room, room)))
        size = self._scaled.size().toSizeF() / ratio
        target = QRectF((SIDE - size.width()) / 2, (SIDE - size.height()) / 2, size.width(), size.height())
        painter.drawPixmap(target, self._scaled, QRectF(self._scaled.rect()))

    def _paint_share(self, painter: QPainter) -> None:
        track = QRectF(GRID, SIDE - GRID - BAR, SIDE - 2 * GRID, BAR)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self.palette().color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(track, BAR / 2, BAR / 2)
        track.setWidth(track.width() * max(self._share or 0.0, 0.05))
        painter.setBrush(self.palette().color(QPalette.ColorRole.Link))
        painter.drawRoundedRect(track, BAR / 2, BAR / 2)


class _Large(QWidget):
    """Draws a picture as large as there is room for; a small one larger than it is, each pixel a whole square."""

    def __init__(self, image: QImage) -> None:
        super().__init__()
        self._image = image
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 120)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The picture in the middle."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), ground(self.palette()))
        ratio = self.devicePixelRatioF()
        room = self.size() * ratio
        image = self._image
        if image.width() > room.width() or image.height() > room.height():
            image = _fitted(image, room)
        times = max(min(room.width() // image.width(), room.height() // image.height()), 1)
        size = image.size().toSizeF() * times / ratio
        left, top = (self.width() - size.width()) / 2, (self.height() - size.height()) / 2
        painter.drawImage(QRectF(left, top, size.width(), size.height()), image)


class ControlImageDialog(QDialog):
    """Shows one control image as large as the window allows; Escape closes it."""

    def __init__(self, title: str, image: QImage, note: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("controlImageDialog")
        self.setWindowTitle(title)
        self.large = _Large(image)
        size = f"{image.width()} × {image.height()}"
        self.caption = QLabel(f"{size} · {note}" if note else size)
        self.caption.setTextFormat(Qt.TextFormat.PlainText)
        self.caption.setWordWrap(True)
        set_role(self.caption, "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.large, 1)
        layout.addWidget(self.caption)
        self.resize(LARGE)


def _fitted(image: QImage, room: QSize) -> QImage:
    return image.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
