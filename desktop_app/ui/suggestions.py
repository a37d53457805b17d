"""Suggestions: prompts that a recipe knows to work, as buttons below the empty prompt, and all of them in a menu."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QPushButton, QVBoxLayout, QWidget

from desktop_app.ui.chip import Chip
from desktop_app.ui.field import set_role

MAX_CHIPS = 2


class Suggestions(QWidget):
    """Says which prompt was taken; hidden where there is nothing to offer."""

    taken = Signal(str)

    def __init__(self, before: QWidget) -> None:
        super().__init__()
        self.setObjectName("suggestions")
        self._before = before
        self._offered: tuple[str, ...] = ()
        self._chips: list[Chip] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self.all_of_them = QPushButton(self)
        self.all_of_them.hide()
        self.all_of_them.setObjectName("allSuggestionsButton")
        self.all_of_them.setCursor(Qt.CursorShape.PointingHandCursor)
        set_role(self.all_of_them, "chip")
        self._menu = QMenu(self)
        self._menu.setObjectName("allSuggestionsMenu")
        self._menu.triggered.connect(self._on_menu_triggered)
        self.all_of_them.clicked.connect(self._on_all_clicked)

    def offer(self, texts: tuple[str, ...], tip: str) -> None:
        """Show ``texts`` to choose from; ``tip`` says what choosing does."""
        self.setVisible(bool(texts))
        if not texts or texts == self._offered:
            return
        self._offered = texts
        self._clear()
        last: QWidget = self._before
        for text in texts[:MAX_CHIPS]:
            chip = Chip(text)
            chip.setToolTip(tip)
            chip.clicked.connect(self._on_chip_clicked)
            self._chips.append(chip)
            self._column.addLayout(self._row(chip))
            self.setTabOrder(last, chip)
            last = chip
        self._offer_all(texts, last)

    def _row(self, chip: Chip) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(chip)
        row.addStretch()
        return row

    def _offer_all(self, texts: tuple[str, ...], last: QWidget) -> None:
        """The menu with all of them, at the end of the last row."""
        self.all_of_them.setVisible(len(texts) > MAX_CHIPS)
        self.all_of_them.setText(self.tr("All %1 ▾").replace("%1", str(len(texts))))
        self.all_of_them.setToolTip(self.tr("All prompts that this checkpoint is known to follow"))
        self.all_of_them.setAccessibleName(self.all_of_them.toolTip())
        for text in texts:
            self._menu.addAction(text.replace("&", "&&")).setData(text)
        item = self._column.itemAt(self._column.count() - 1)
        row = item.layout() if item else None
        if isinstance(row, QHBoxLayout):
            row.addWidget(self.all_of_them)
        self.setTabOrder(last, self.all_of_them)

    def _clear(self) -> None:
        self._menu.clear()
        for chip in self._chips:
            chip.hide()
            chip.deleteLater()
        self._chips.clear()
        while item := self._column.takeAt(0):
            row = item.layout()
            if row is not None:
                row.removeWidget(self.all_of_them)
                row.deleteLater()

    def _on_chip_clicked(self) -> None:
        chip = self.sender()
        if isinstance(chip, Chip):
            self.taken.emit(chip.words)

    def _on_all_clicked(self) -> None:
        self._menu.popup(self.all_of_them.mapToGlobal(self.all_of_them.rect().bottomLeft()))

    def _on_menu_triggered(self, action: QAction) -> None:
        self.taken.emit(action.data())
