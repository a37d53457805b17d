"""FoldButton: the line that opens and closes a part of a panel, and says how much is in there."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QToolButton, QWidget

from desktop_app.ui.field import set_role


class FoldButton(QToolButton):
    """Shows ``body`` while it is checked. Closed at first."""

    def __init__(self, name: str, text: str, tip: str, body: QWidget) -> None:
        super().__init__()
        self.setObjectName(name)
        self._title = text
        self._body = body
        self.setText(text)
        self.setToolTip(tip)
        self.setAccessibleName(text)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self, "disclosure")
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def show_count(self, words: str) -> None:
        """Say ``words`` behind the title, such as how many there are; nothing where they are empty."""
        self.setText(f"{self._title} ({words})" if words else self._title)
        self.setAccessibleName(self.text())

    def changeEvent(self, event: QEvent) -> None:
        """Another reading direction, another arrow."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._point()

    def _on_toggled(self, is_open: bool) -> None:
        self._body.setVisible(is_open)
        self._point()

    def _point(self) -> None:
        closed = Qt.ArrowType.LeftArrow if self.isRightToLeft() else Qt.ArrowType.RightArrow
        self.setArrowType(Qt.ArrowType.DownArrow if self.isChecked() else closed)
