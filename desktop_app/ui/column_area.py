"""ColumnArea: a column of controls that scrolls up and down, and is never narrower than they need."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QScrollArea, QWidget
from shiboken6 import isValid

MIN_HEIGHT = 120
MIN_WIDTH = 280
SETTLING_MS = 500
"""So long a part that was just opened may grow and still be kept in view, unless the user scrolls."""


class ColumnArea(QScrollArea):
    """Nothing is cut at its side, whatever the size of the font."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._wanted: QWidget | None = None
        self._settling = QTimer(self)
        self._settling.setSingleShot(True)
        self._settling.setInterval(SETTLING_MS)
        self._settling.timeout.connect(self._forget)
        self.verticalScrollBar().actionTriggered.connect(self._forget)

    def bring_into_view(self, widget: QWidget) -> None:
        """Scroll so far that ``widget`` is seen, its top at least, as soon as it has its place."""
        self._wanted = widget
        self._settling.start()
        QTimer.singleShot(0, self, self._show_wanted)

    def minimumSizeHint(self) -> QSize:
        """As wide as the column and a scroll bar."""
        column = self.widget()
        needed = column.minimumSizeHint().width() if column else 0
        return QSize(max(needed + self.verticalScrollBar().sizeHint().width(), MIN_WIDTH), MIN_HEIGHT)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The column may need another width from now on."""
        if watched is self.widget() and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        if watched is self.widget() and event.type() == QEvent.Type.Resize:
            QTimer.singleShot(0, self, self._show_wanted)
        return super().eventFilter(watched, event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """The user goes where he wants to."""
        self._forget()
        super().wheelEvent(event)

    def _show_wanted(self) -> None:
        column = self.widget()
        if column is not None and self._wanted is not None and isValid(self._wanted):
            top = self._wanted.mapTo(column, self._wanted.rect().topLeft()).y()
            self.ensureVisible(0, top + self._wanted.height(), 0, 0)
            self.ensureVisible(0, top, 0, 0)

    def _forget(self) -> None:
        self._wanted = None


def bring_into_view(widget: QWidget) -> None:
    """See `ColumnArea.bring_into_view`; nothing happens to a widget that is in no column."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, ColumnArea):
        parent = parent.parentWidget()
    if parent is not None:
        parent.bring_into_view(widget)
