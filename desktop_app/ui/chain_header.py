"""The head of a card: a grip to move it by, its name, and what can be done with it."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QApplication, QCheckBox, QHBoxLayout, QSizePolicy, QToolButton, QWidget
from superqt import QElidingLabel

from desktop_app.ui.field import set_role
from desktop_app.ui.icons import Icons

GRIP = QSize(14, 24)
DOT = 1.5
"""Radius of the grip's dots, in pixels."""

ICON = 16


class Grip(QWidget):
    """Dragged by the mouse, or moved by Alt and an arrow."""

    dragged = Signal(QPointF)
    """Where on the screen the mouse is meanwhile."""
    dropped = Signal(QPointF)
    cancelled = Signal()
    move_requested = Signal(int)
    """-1: a place up; 1: a place down."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(GRIP)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.OpenHandCursor)
        self._pressed_at: QPointF | None = None
        self._is_dragging = False

    @property
    def is_dragging(self) -> bool:
        """Whether the mouse carries the card."""
        return self._is_dragging

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """It may become a drag."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pressed_at = event.globalPosition()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """From some pixels on it is a drag."""
        if self._pressed_at is None:
            return
        way = (event.globalPosition() - self._pressed_at).manhattanLength()
        if self._is_dragging or way >= QApplication.startDragDistance():
            self._is_dragging = True
            self.dragged.emit(event.globalPosition())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        was_dragging = self._is_dragging
        self._end()
        if was_dragging:
            self.dropped.emit(event.globalPosition())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Alt and an arrow move it; Escape ends a drag."""
        if event.key() == Qt.Key.Key_Escape and self._is_dragging:
            self._end()
            self.cancelled.emit()
            return
        delta = moves_by(event)
        if delta:
            self.move_requested.emit(delta)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show it."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show it no more."""
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Six dots, and the ring of the keyboard."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        roles = QPalette.ColorRole
        is_lit = self.hasFocus() or self._is_dragging
        if self.hasFocus():
            painter.setPen(self.palette().color(roles.Accent))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        painter.setBrush(self.palette().color(roles.Accent if is_lit else roles.PlaceholderText))
        painter.setPen(Qt.PenStyle.NoPen)
        middle = QRectF(self.rect()).center()
        for column in (-2.5, 2.5):
            for row in (-5.0, 0.0, 5.0):
                painter.drawEllipse(middle + QPointF(column, row), DOT, DOT)

    def _end(self) -> None:
        self._pressed_at = None
        self._is_dragging = False
        self.setCursor(Qt.CursorShape.OpenHandCursor)


def moves_by(event: QKeyEvent) -> int:
    """-1 for Alt+Up, 1 for Alt+Down, else 0."""
    if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier != Qt.KeyboardModifier.AltModifier:
        return 0
    return {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)


class CardHeader(QWidget):
    """Of one card; says by signals what the user wants."""

    toggled = Signal(bool)
    duplicate_requested = Signal()
    remove_requested = Signal()
    fold_requested = Signal()

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self._icons = icons
        self.grip = Grip()
        self.on = QCheckBox()
        self.on.clicked.connect(self.toggled)
        self.title = QElidingLabel()
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.duplicate = self._button("duplicate", self.duplicate_requested.emit)
        self.remove = self._button("trash", self.remove_requested.emit)
        self.fold = self._button("unfold", self.fold_requested.emit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.grip)
        layout.addWidget(self.on)
        layout.addWidget(self.title, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(0)
        for button in (self.duplicate, self.remove, self.fold):
            buttons.addWidget(button)
        layout.addLayout(buttons)

    def show_value(self, number: int | None, title: str, *, is_folded: bool) -> None:
        """Name the card by its ``title``, and its buttons by the ``number`` of the stage, None while it is off."""
        is_on = number is not None
        self.title.setText(title)
        self.title.setToolTip(title)
        role = "heading" if is_on else "caption"
        if self.title.property("role") != role:
            set_role(self.title, role)
            self.title.style().polish(self.title)
        self.on.setChecked(is_on)
        stage = self.tr("stage %1").replace("%1", str(number)) if is_on else title
        fold = self.tr("Show all of %1") if is_folded else self.tr("Show %1 in one line")
        self.fold.setIcon(self._icons.get("unfold" if is_folded else "fold"))
        for widget, text, more in (
            (self.grip, self.tr("Move %1"), self.tr("Drag it to another place, or press Alt and an arrow")),
            (self.on, self.tr("Run %1"), self.tr("A stage that is off is left out")),
            (self.duplicate, self.tr("Duplicate %1"), ""),
            (self.remove, self.tr("Remove %1"), ""),
            (self.fold, fold, ""),
        ):
            name = text.replace("%1", stage)
            widget.setAccessibleName(name)
            widget.setToolTip(more or name)

    def _button(self, icon: str, slot: Callable[[], None]) -> QToolButton:
        button = QToolButton()
        button.setIcon(self._icons.get(icon))
        button.setIconSize(QSize(ICON, ICON))
        button.setAutoRaise(True)
        button.clicked.connect(lambda _checked=False: slot())
        return button
