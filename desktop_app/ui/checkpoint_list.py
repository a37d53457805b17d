"""CheckpointList: the rows of the Checkpoints window, and what the mouse and the keys do in them."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPointF, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent
from PySide6.QtWidgets import QFrame, QListView, QStyle, QStyleOptionViewItem

from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow
from desktop_app.ui.checkpoint_commands import Command
from desktop_app.ui.checkpoint_delegate import CheckpointDelegate

Pressed = tuple[QModelIndex, Command]


class CheckpointList(QListView):
    """Headings are passed over; buttons in a row work without selecting it."""

    wanted = Signal(object, str)
    """A `Command` whose button in a row was pressed, and the row's REF."""
    chosen = Signal()
    """The selected row was double-clicked, or Enter pressed on it."""
    toggled = Signal()
    """Space: pause or resume the selected row."""
    remove_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("checkpointsView")
        self.setAccessibleName(self.tr("Checkpoints"))
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self._pressed: Pressed | None = None

    def row(self) -> CheckpointRow | None:
        """The selected row."""
        return _row_of(self.currentIndex())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A press on a button of a row begins a click."""
        self._pressed = self._button_at(event.position()) if event.button() == Qt.MouseButton.LeftButton else None
        if self._pressed is None:
            super().mousePressEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on a button says what is wanted."""
        pressed, self._pressed = self._pressed, None
        if pressed is None:
            super().mouseReleaseEvent(event)
        elif pressed == self._button_at(event.position()):
            index, command = pressed
            row = _row_of(index)
            if row is not None:
                self.wanted.emit(command, row.ref)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """The second click on a button is a click too; elsewhere the row is chosen."""
        self.mousePressEvent(event)
        if self._pressed is None and _row_of(self.indexAt(event.position().toPoint())) is not None:
            self.chosen.emit()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """The button under the pointer is lit."""
        super().mouseMoveEvent(event)
        self._light(self._button_at(event.position()))

    def leaveEvent(self, event: QEvent) -> None:
        """No button is lit."""
        super().leaveEvent(event)
        self._light(None)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter chooses, Space pauses or resumes, Delete removes or cancels."""
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier or self.row() is None:
            super().keyPressEvent(event)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit()
        elif event.key() == Qt.Key.Key_Space:
            self.toggled.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def moveCursor(self, action: QListView.CursorAction, modifiers: Qt.KeyboardModifier) -> QModelIndex:
        """Where a key leads to; from a heading on to the row below it."""
        index = super().moveCursor(action, modifiers)
        if not index.isValid() or _row_of(index) is not None:
            return index
        below = index.siblingAtRow(index.row() + 1)
        return below if below.isValid() else self.currentIndex()

    def _button_at(self, position: QPointF) -> Pressed | None:
        index = self.indexAt(position.toPoint())
        row, delegate = _row_of(index), self.itemDelegate()
        if row is None or not isinstance(delegate, CheckpointDelegate):
            return None
        option = QStyleOptionViewItem()
        self.initViewItemOption(option)
        option.rect = self.visualRect(index)
        option.state |= QStyle.StateFlag.State_Enabled
        command = delegate.command_at(option, row, position)
        return (index, command) if command is not None else None

    def _light(self, button: Pressed | None) -> None:
        delegate = self.itemDelegate()
        index, command = button if button is not None else (None, None)
        if isinstance(delegate, CheckpointDelegate) and delegate.set_hot(index, command):
            self.viewport().update()


def _row_of(index: QModelIndex) -> CheckpointRow | None:
    """The checkpoint at ``index``; None at a heading."""
    row = index.data(CheckpointModel.RowRole)
    return row if isinstance(row, CheckpointRow) and not row.is_heading else None
