"""ShortcutsDialog: every command with its keys, which can be changed."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QKeySequenceEdit,
    QLabel,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from desktop_app.ui.actions import MENUS, plain_text, translate
from desktop_app.ui.field import set_role
from desktop_app.ui.shortcuts import COMMANDS, Shortcuts
from desktop_app.ui.theme import GRID

COLUMNS = (
    ("file", "edit", "image", "checkpoints"),
    ("view", "theme", "mask", "help"),
    ("generate", "recipe", "memory", "attention"),
)
MAX_HEIGHT = 600
KEYS_WIDTH = 132


class KeysEdit(QKeySequenceEdit):
    """The keys of one command: the next keys that are pressed become them. Tab goes on to the next box."""

    chosen = Signal(str)
    """The keys that were pressed, as they are written anywhere in the world; empty when they were taken away."""
    left = Signal()

    def __init__(self, command: str, name: str) -> None:
        super().__init__()
        self.command = command
        self._is_pressed = False
        self.keySequenceChanged.connect(self._on_sequence_changed)
        self.setObjectName(f"keys_{command}")
        self.setAccessibleName(name)
        self.setMaximumSequenceLength(1)
        self.setClearButtonEnabled(True)
        self.setFixedWidth(KEYS_WIDTH)

    def show_keys(self, keys: tuple[str, ...]) -> None:
        """Show the first of ``keys``; the others are in the tip."""
        with QSignalBlocker(self):
            self.setKeySequence(QKeySequence(keys[0] if keys else ""))
        texts = [QKeySequence(each).toString(QKeySequence.SequenceFormat.NativeText) for each in keys]
        self.setToolTip(self.tr(" or ").join(texts) or self.tr("No keys"))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Qt empties the box before it shows what was pressed, and leaves it empty after a lone modifier."""
        self._is_pressed = True
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Show what counts."""
        super().focusOutEvent(event)
        self._is_pressed = False
        self.left.emit()

    def _on_sequence_changed(self, sequence: QKeySequence) -> None:
        if self._is_pressed and sequence.isEmpty():
            return
        self._is_pressed = False
        self.chosen.emit(sequence.toString(QKeySequence.SequenceFormat.PortableText))


class ShortcutsDialog(QDialog):
    """Keys count as soon as they are pressed; keys that another command has are refused in words."""

    def __init__(self, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keyboard shortcuts"))
        self._shortcuts = shortcuts
        self.edits: dict[str, KeysEdit] = {}
        self._note = QLabel()
        self._note.setObjectName("keysNote")
        self._note.setWordWrap(True)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        reset = buttons.addButton(self.tr("Reset all"), QDialogButtonBox.ButtonRole.ResetRole)
        reset.setAutoDefault(False)
        reset.clicked.connect(shortcuts.reset)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID + 4)
        for row in (self._make_columns(), self._note, buttons):
            layout.addWidget(row)
        # Not in a box: there the first key that is pressed, without a thought, would become a command's.
        buttons.button(QDialogButtonBox.StandardButton.Close).setFocus()
        shortcuts.changed.connect(self._show_keys)
        self._show_keys()
        self._tell("")

    def _make_columns(self) -> QWidget:
        columns = QWidget()
        row = QHBoxLayout(columns)
        row.setContentsMargins(0, 0, GRID, 0)
        row.setSpacing(4 * GRID)
        for menus in COLUMNS:
            grid = QGridLayout()
            grid.setHorizontalSpacing(2 * GRID)
            grid.setVerticalSpacing(4)
            for menu in menus:
                self._add_group(grid, menu)
            grid.setRowStretch(grid.rowCount(), 1)
            row.addLayout(grid)
        area = QScrollArea()
        area.setWidget(columns)
        area.setWidgetResizable(True)
        area.setFrameShape(QScrollArea.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        area.setMinimumWidth(columns.sizeHint().width() + 3 * GRID)
        area.setMinimumHeight(min(columns.sizeHint().height() + GRID, MAX_HEIGHT))
        return area

    def _add_group(self, grid: QGridLayout, menu: str) -> None:
        submenus = {
            "theme": self.tr("Theme"),
            "recipe": self.tr("Recipe"),
            "memory": self.tr("Memory"),
            "attention": self.tr("Attention"),
        }
        titles = {**{name: translate(text) for name, text in MENUS}, **submenus}
        title = QLabel(titles[menu].replace("&", ""))
        set_role(title, "heading")
        if grid.count():
            grid.setRowMinimumHeight(grid.rowCount(), GRID)
        grid.addWidget(title, grid.rowCount(), 0, 1, 2)
        for command, spec in COMMANDS.items():
            if spec.menu == menu:
                edit = self.edits[command] = KeysEdit(command, plain_text(spec))
                edit.chosen.connect(self._on_keys_chosen)
                edit.left.connect(self._show_keys)
                row = grid.rowCount()
                grid.addWidget(QLabel(plain_text(spec)), row, 0)
                grid.addWidget(edit, row, 1)
        if menu == "view":
            row = grid.rowCount()
            grid.addWidget(QLabel(self.tr("Show init image while held")), row, 0)
            space = QLabel(self.tr("Space"))
            space.setContentsMargins(7, 5, 0, 5)
            grid.addWidget(space, row, 1)

    def _show_keys(self) -> None:
        for command, edit in self.edits.items():
            edit.show_keys(self._shortcuts.keys_of(command))

    def _on_keys_chosen(self, keys: str) -> None:
        edit = self.sender()
        if not isinstance(edit, KeysEdit):
            return
        other = self._shortcuts.taken_by(keys, edit.command) if keys else None
        if other is None:
            self._tell("")
            self._shortcuts.set_keys(edit.command, (keys,) if keys else ())
            return
        edit.show_keys(self._shortcuts.keys_of(edit.command))
        native = QKeySequence(keys).toString(QKeySequence.SequenceFormat.NativeText)
        text = self.tr("%1 belongs to “%2” already. Take it away there first.")
        self._tell(text.replace("%1", native).replace("%2", plain_text(other)))

    def _tell(self, problem: str) -> None:
        set_role(self._note, "error" if problem else "caption")
        self._note.setText(problem or self.tr("Click into a box and press the keys that the command shall have."))
        self._note.style().polish(self._note)
