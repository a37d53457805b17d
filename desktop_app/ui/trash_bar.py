"""What can be done while the gallery shows its trash, and right after something went there."""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMessageBox, QPushButton, QWidget

from desktop_app.ui.texts import plural
from desktop_app.ui.theme import GRID

NOTICE_MS = 10_000
"""How long Undo is offered; after that it is in the Edit menu."""


class TrashNotice(QFrame):
    """Says that pictures went to the trash and offers Undo for a while."""

    undo_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trashNotice")
        self._words = QLabel()
        self.undo = QPushButton(self.tr("Undo"))
        self.undo.setToolTip(self.tr("Bring the pictures back into the gallery"))
        self.undo.clicked.connect(self._on_undo_clicked)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(NOTICE_MS)
        self._timer.timeout.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, GRID, GRID)
        row.setSpacing(GRID)
        row.addWidget(self._words, 1)
        row.addWidget(self.undo)
        self.hide()

    def tell(self, count: int) -> None:
        """Offer to bring ``count`` pictures back."""
        text = plural(count, self.tr("1 picture moved to the trash."), self.tr("%1 pictures moved to the trash."))
        self._words.setText(text)
        self._timer.start()
        self.show()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def _on_undo_clicked(self) -> None:
        self.hide()
        self.undo_requested.emit()


class TrashBar(QFrame):
    """Two buttons under the pictures; says what the user wants."""

    restore_requested = Signal()
    empty_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("trashBar")
        self.restore = QPushButton(self.tr("Put back"))
        self.restore.setToolTip(self.tr("Bring the selected pictures back into the gallery"))
        self.restore.clicked.connect(self.restore_requested)
        self.empty = QPushButton(self.tr("Empty trash…"))
        self.empty.setToolTip(self.tr("Hand all these pictures to the system's trash"))
        self.empty.clicked.connect(self.empty_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, 0, GRID, GRID)
        row.setSpacing(GRID)
        row.addWidget(self.restore)
        row.addWidget(self.empty)

    def show_numbers(self, selected: int, total: int) -> None:
        """Enable what can be done with so many pictures."""
        self.restore.setEnabled(selected > 0)
        self.empty.setEnabled(total > 0)


def ask_empty_trash(parent: QWidget, count: int) -> bool:
    """Ask whether to hand ``count`` pictures to the system's trash; the safe answer is the default."""
    box = QMessageBox(parent)
    box.setObjectName("emptyTrashBox")
    box.setIcon(QMessageBox.Icon.Question)
    box.setText(
        plural(count, parent.tr("Empty the trash with one picture?"), parent.tr("Empty the trash with %1 pictures?"))
    )
    box.setInformativeText(parent.tr("They go to the system's trash, and cannot be brought back from here."))
    empty = box.addButton(parent.tr("Empty trash"), QMessageBox.ButtonRole.DestructiveRole)
    box.setDefaultButton(box.addButton(QMessageBox.StandardButton.Cancel))
    box.exec()
    return box.clickedButton() is empty
