"""Fold buttons: the line that opens and closes a part of a panel, and says how much is in there."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, Qt
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QStyle, QStyleOptionToolButton, QStylePainter, QToolButton, QWidget

from desktop_app.ui.column_area import bring_into_view
from desktop_app.ui.field import set_role

ARROW_ROOM = 20
"""Width that the arrow has, in pixels."""


class ArrowButton(QToolButton):
    """Words with an arrow before them that points down while it is checked; whoever reads from the right has both the
    other way round.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setCheckable(True)
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        set_role(self, "disclosure")
        self.toggled.connect(self._point)
        self._point()

    def changeEvent(self, event: QEvent) -> None:
        """Another reading direction, another arrow."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._point()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Qt mirrors the words only, onto the arrow (seen in 6.11)."""
        if not self.isRightToLeft():
            super().paintEvent(event)
            return
        option, painter = QStyleOptionToolButton(), QStylePainter(self)
        self.initStyleOption(option)
        option.features &= ~QStyleOptionToolButton.ToolButtonFeature.Arrow
        option.toolButtonStyle = Qt.ToolButtonStyle.ToolButtonTextOnly
        option.text, whole = "", QRect(option.rect)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ToolButton, option)
        option.text, option.rect = self.text(), whole.adjusted(0, 0, -ARROW_ROOM, 0)
        painter.drawControl(QStyle.ControlElement.CE_ToolButtonLabel, option)
        option.rect = QRect(whole.right() - ARROW_ROOM, 0, ARROW_ROOM, whole.height())
        down, closed = QStyle.PrimitiveElement.PE_IndicatorArrowDown, QStyle.PrimitiveElement.PE_IndicatorArrowLeft
        painter.drawPrimitive(down if self.isChecked() else closed, option)

    def _point(self) -> None:
        closed = Qt.ArrowType.LeftArrow if self.isRightToLeft() else Qt.ArrowType.RightArrow
        self.setArrowType(Qt.ArrowType.DownArrow if self.isChecked() else closed)


class FoldButton(ArrowButton):
    """Shows ``body`` while it is checked. Closed at first."""

    def __init__(self, name: str, text: str, tip: str, body: QWidget) -> None:
        super().__init__(name)
        self._title = text
        self.setText(text)
        self.setToolTip(tip)
        self.setAccessibleName(text)
        self._body = body
        self.toggled.connect(body.setVisible)
        self.clicked.connect(self._on_clicked)
        body.setVisible(False)

    def _on_clicked(self, is_open: bool) -> None:
        """Whoever opens it wants to see what is in there: it may lie below what is seen of the column."""
        if is_open:
            bring_into_view(self._body)

    def show_count(self, words: str) -> None:
        """Say ``words`` behind the title, such as how many there are; nothing where they are empty."""
        self.setText(f"{self._title} ({words})" if words else self._title)
        self.setAccessibleName(self.text())
