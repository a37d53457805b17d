"""ColumnArea: a column of controls that scrolls up and down, and is never narrower than they need."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt
from PySide6.QtWidgets import QScrollArea, QWidget

MIN_HEIGHT = 120
MIN_WIDTH = 280


class ColumnArea(QScrollArea):
    """Nothing is cut at its side, whatever the size of the font."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)

    def minimumSizeHint(self) -> QSize:
        """As wide as the column and a scroll bar."""
        column = self.widget()
        needed = column.minimumSizeHint().width() if column else 0
        return QSize(max(needed + self.verticalScrollBar().sizeHint().width(), MIN_WIDTH), MIN_HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The column may need another width from now on."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)
