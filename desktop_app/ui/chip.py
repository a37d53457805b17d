"""Chip: a small button with a whole sentence on it, which is shortened where there is no room for it."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPushButton, QSizePolicy

from desktop_app.ui.field import set_role

AROUND = 20
"""Frame and padding of the style sheet, left and right."""

SLACK = 2
"""What a text of fractional width may take beyond its rounded one."""


class Chip(QPushButton):
    """Keeps ``words`` whole whatever it shows of them."""

    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words
        set_role(self, "chip")
        self.setAccessibleName(words)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self._show_words(self.sizeHint().width())

    def sizeHint(self) -> QSize:
        """Room for all words."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self.words) + AROUND + SLACK, metrics.height() + 6)

    def minimumSizeHint(self) -> QSize:
        """Room for some of them."""
        return QSize(80, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other width, other words."""
        super().resizeEvent(event)
        self._show_words(self.width())

    def _show_words(self, width: int) -> None:
        mode = Qt.TextElideMode.ElideRight
        self.setText(self.fontMetrics().elidedText(self.words, mode, width - AROUND).replace("&", "&&"))
