"""EmptyCanvas: what the canvas says before there is a picture, and the ways to one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QFont,
    QImage,
    QImageReader,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPalette,
    QPen,
    QPolygonF,
    QResizeEvent,
    QShowEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop_app.ui.canvas_paint import ground
from desktop_app.ui.field import set_role
from desktop_app.ui.tab_order import put_in_turn
from desktop_app.ui.theme import GRID

SAMPLE_SUFFIXES = (".png", ".jpg", ".jpeg")
SAMPLE_SIDES = ((760, 144), (480, 112), (0, 80))
"""From this height on, samples have this side."""

TALL = 480
"""From this height on there is room for the drawing."""

STYLE = """
    QScrollArea { background: transparent; border: none; }
    QPushButton {
        background: palette(button); color: palette(button-text); border: 1px solid palette(mid);
        border-radius: 6px; padding: 6px 14px;
    }
    QPushButton:hover { border-color: palette(link); }
    QPushButton:focus { border: 2px solid palette(link); padding: 5px 13px; }
    QPushButton:pressed { background: palette(midlight); }
"""


class EmptyCanvas(QWidget):
    """The card on the empty canvas. Says what the user chose; opens nothing itself."""

    open_requested = Signal()
    paste_requested = Signal()
    url_requested = Signal()
    sample_requested = Signal(object)

    def __init__(self, samples_dir: Path, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("emptyCanvas")
        self.setStyleSheet(STYLE)
        self._samples_dir = samples_dir
        self._samples: list[SampleButton] | None = None
        self._glyph = Glyph()
        self._headline = QLabel(self.tr("Drop a picture here"))
        self._headline.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.open = QPushButton(self.tr("Open…"))
        self.paste = QPushButton(self.tr("Paste"))
        self.url = QPushButton(self.tr("From web address…"))
        self._grid = QGridLayout()
        self._samples_box = self._make_samples_box()
        self._lay_out()
        self._connect()

    @property
    def samples(self) -> list[SampleButton]:
        """The sample pictures' buttons; empty until the card is shown."""
        return self._samples or []

    def _make_samples_box(self) -> QWidget:
        box = QWidget()
        caption = QLabel(self.tr("Start from a sample"))
        caption.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(caption, "caption")
        self._grid.setSpacing(GRID)
        row = QHBoxLayout()
        row.addStretch()
        row.addLayout(self._grid)
        row.addStretch()
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(caption)
        layout.addLayout(row)
        box.hide()
        return box

    def _lay_out(self) -> None:
        large = QFont(self.font())
        large.setPixelSize(round(self.fontInfo().pixelSize() * 1.7))
        large.setWeight(QFont.Weight.DemiBold)
        self._headline.setFont(large)
        either = QLabel(self.tr("or"))
        either.setAlignment(Qt.AlignmentFlag.AlignCenter)
        set_role(either, "caption")
        buttons = QHBoxLayout()
        buttons.setSpacing(GRID)
        buttons.addStretch()
        for name, button in (("openButton", self.open), ("pasteButton", self.paste), ("urlButton", self.url)):
            button.setObjectName(name)
            buttons.addWidget(button)
        buttons.addStretch()
        card = QWidget()
        column = QVBoxLayout(card)
        column.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        column.setSpacing(GRID)
        column.addStretch()
        column.addWidget(self._glyph, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self._headline)
        column.addWidget(either)
        column.addLayout(buttons)
        column.addSpacing(2 * GRID)
        column.addWidget(self._samples_box)
        column.addStretch()
        self._add_scroll_area(card)

    def _add_scroll_area(self, card: QWidget) -> None:
        area = QScrollArea()
        area.setWidget(card)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.viewport().setAutoFillBackground(False)
        card.setAutoFillBackground(False)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        whole.addWidget(area)

    def _connect(self) -> None:
        self.open.clicked.connect(lambda _checked=False: self.open_requested.emit())
        self.paste.clicked.connect(lambda _checked=False: self.paste_requested.emit())
        self.url.clicked.connect(lambda _checked=False: self.url_requested.emit())
        self.open.setAccessibleDescription(self.tr("Choose a picture file to start from"))
        self.paste.setAccessibleDescription(self.tr("Start from the picture on the clipboard"))
        self.url.setAccessibleDescription(self.tr("Fetch a picture from the web"))

    def showEvent(self, event: QShowEvent) -> None:
        """The samples are read when they are seen for the first time: a session that goes on needs none."""
        super().showEvent(event)
        if self._samples is None:
            self._samples = self._make_samples()
            self._arrange()
            put_in_turn(self.url, *self._samples)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Less room, smaller samples and no drawing."""
        super().resizeEvent(event)
        self._arrange()

    def _make_samples(self) -> list[SampleButton]:
        samples = []
        for path in sorted(self._samples_dir.glob("*")):
            if path.suffix.lower() in SAMPLE_SUFFIXES:
                button = SampleButton(path)
                button.clicked.connect(lambda _checked=False, chosen=path: self.sample_requested.emit(chosen))
                samples.append(button)
        return samples

    def _arrange(self) -> None:
        self._glyph.setVisible(self.height() >= TALL)
        side = next(side for height, side in SAMPLE_SIDES if self.height() >= height)
        most = max(1, (self.width() - 8 * GRID) // (side + GRID))
        rows = -(-len(self.samples) // most)
        columns = -(-len(self.samples) // max(rows, 1))  # so that rows are as long as each other
        for number, button in enumerate(self.samples):
            button.set_side(side)
            self._grid.addWidget(button, number // columns, number % columns)
        self._samples_box.setVisible(bool(self.samples))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground, and the dashed line round the place to drop on."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), ground(self.palette()))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 2, Qt.PenStyle.DashLine))
        inset = 1.5 * GRID
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 12, 12)


class Glyph(QWidget):
    """The drawing over the headline: a picture in its frame."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(72, 60)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Frame, sun and hills."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(self.palette().color(QPalette.ColorRole.PlaceholderText), 2.5)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(4, 4, 64, 50), 6, 6)
        painter.drawEllipse(QPointF(22, 20), 5, 5)
        hills = [QPointF(*point) for point in ((8, 46), (24, 32), (34, 41), (48, 25), (64, 42))]
        painter.drawPolyline(QPolygonF(hills))


class SampleButton(QAbstractButton):
    """A sample picture, cut square, with its name below."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        name = path.stem.replace("-", " ").replace("_", " ").capitalize()
        self.setText(name)
        self.setAccessibleName(name)
        self.setAccessibleDescription(self.tr("Start from this sample picture"))
        self.setToolTip(self.tr("Start from “%1”").replace("%1", name))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self._side = SAMPLE_SIDES[0][1]
        self._image = _read_small(path, round(self._side * self.devicePixelRatioF()))

    def set_side(self, side: int) -> None:
        """Draw the picture ``side`` pixels wide and high."""
        self._side = side
        self.setFixedSize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """The picture and a line of text."""
        return QSize(self._side, self._side + self.fontMetrics().height() + 6)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Picture, name, and a frame when hovered or focused."""
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        square = QRectF(0, 0, self._side, self._side)
        path = QPainterPath()
        path.addRoundedRect(square.adjusted(2, 2, -2, -2), 6, 6)
        painter.save()
        painter.setClipPath(path)
        painter.fillRect(square, self.palette().color(QPalette.ColorRole.Base))
        painter.drawImage(square, self._image)
        painter.restore()
        roles = QPalette.ColorRole
        is_marked = self.hasFocus() or self.underMouse()
        painter.setPen(QPen(self.palette().color(roles.Link if is_marked else roles.Mid), 2 if is_marked else 1))
        painter.drawPath(path)
        line = QRectF(0, self._side + 2, self.width(), self.height() - self._side - 2)
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, self.width())
        painter.setPen(self.palette().color(roles.WindowText))
        painter.drawText(line, Qt.AlignmentFlag.AlignCenter, text)


def _read_small(path: Path, side: int) -> QImage:
    """The middle square of the picture at ``path``, ``side`` pixels wide. An unreadable one is an empty image."""
    reader = QImageReader(str(path))
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid():
        reader.setScaledSize(size.scaled(side, side, Qt.AspectRatioMode.KeepAspectRatioByExpanding))
    image = reader.read()
    return image.copy((image.width() - side) // 2, (image.height() - side) // 2, side, side)
