"""EmptyState: a view, or a friendly sentence in its place while it has nothing to show."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QAbstractItemModel, Qt
from PySide6.QtWidgets import QAbstractItemView, QLabel, QStackedWidget

from desktop_app.ui.field import set_role
from desktop_app.ui.theme import GRID


class EmptyState(QStackedWidget):
    """Shows ``view`` while its model has rows, else what ``sentence`` says."""

    def __init__(self, view: QAbstractItemView, model: QAbstractItemModel, sentence: Callable[[], str]) -> None:
        super().__init__()
        self._model = model
        self._sentence = sentence
        self._label = QLabel()
        self._label.setWordWrap(True)
        self._label.setTextFormat(Qt.TextFormat.PlainText)
        self._label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._label.setMargin(2 * GRID)
        set_role(self._label, "empty")
        self.addWidget(view)
        self.addWidget(self._label)
        model.rowsInserted.connect(self.refresh)
        model.rowsRemoved.connect(self.refresh)
        model.modelReset.connect(self.refresh)
        self.refresh()

    @property
    def sentence(self) -> str:
        """What is said in the view's place, or empty while the view is shown."""
        return self._label.text() if self.currentIndex() == 1 else ""

    def refresh(self) -> None:
        """Look again whether there is something to show."""
        self._label.setText(self._sentence())
        self.setCurrentIndex(0 if self._model.rowCount() else 1)
