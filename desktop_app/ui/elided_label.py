"""ElidedLabel: one line of text that is shortened where there is no room for it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QLabel, QSizePolicy

from desktop_app.studio.tips import plain_tip


class ElidedLabel(QLabel):
    """Keeps ``words`` whole, in its tip too, whatever it shows of them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = ""
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)

    def show_text(self, words: str) -> None:
        """Show ``words``, as much of them as there is room for."""
        self.words = words
        self.setAccessibleName(words)
        self.setToolTip(plain_tip(words))
        self._elide()

    def minimumSizeHint(self) -> QSize:
        """Some of them are enough."""
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other width, other words."""
        super().resizeEvent(event)
        self._elide()

    def _elide(self) -> None:
        self.setText(self.fontMetrics().elidedText(self.words, Qt.TextElideMode.ElideRight, self.width()))
