"""MessageBanner: what went wrong, above the canvas, one message at a time and none lost."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.errors import StudioError
from desktop_app.ui.field import set_role
from desktop_app.ui.icons import IconLabel, Icons
from desktop_app.ui.theme import GRID

MAX_WAITING = 50
"""Older messages are dropped beyond this many; each job keeps its own error anyway."""

SIGN = 20
"""Side of the warning sign."""

SHORT_DETAIL = 160
"""A detail longer than this, or of several lines, waits behind the Details button."""


class MessageBanner(QFrame):
    """Shows `StudioError`s: title, detail, hint. Messages wait behind the one that is shown."""

    details_requested = Signal(object)
    """The shown `StudioError`."""

    def __init__(self, icons: Icons, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("messageBanner")
        self._errors: deque[StudioError] = deque(maxlen=MAX_WAITING)
        self._title = QLabel()
        self._text = QLabel()
        self._more = QLabel()
        set_role(self._title, "heading")
        set_role(self._more, "caption")
        self._text.setWordWrap(True)
        self._text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        for label in (self._title, self._text):
            label.setTextFormat(Qt.TextFormat.PlainText)
        self._details = QPushButton(self.tr("Details…"))
        self._details.clicked.connect(self._on_details_clicked)
        close = QToolButton()
        close.setObjectName("bannerClose")
        close.setIcon(icons.get("close"))
        close.setAutoRaise(True)
        close.setToolTip(self.tr("Close this message"))
        close.setAccessibleName(close.toolTip())
        close.clicked.connect(self.dismiss)
        self._lay_out(icons, close)
        self.hide()

    @property
    def error(self) -> StudioError | None:
        """The error that is shown."""
        return self._errors[0] if self._errors else None

    def show_error(self, error: StudioError) -> None:
        """Show ``error`` now, or after those that wait; the same one is not said twice in a row."""
        if self._errors and self._errors[-1].args == error.args:
            return
        self._errors.append(error)
        self._show_first()

    def dismiss(self) -> None:
        """Close the shown message; the next one follows."""
        if self._errors:
            self._errors.popleft()
        self._show_first()

    def clear(self) -> None:
        """Close all messages."""
        self._errors.clear()
        self._show_first()

    def _lay_out(self, icons: Icons, close: QWidget) -> None:
        sign = IconLabel(icons.get("warning", QPalette.ColorRole.BrightText), SIGN)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._title)
        words.addWidget(self._text)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, GRID, GRID, GRID)
        row.setSpacing(GRID)
        row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)
        for widget in (self._more, self._details, close):
            row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def _show_first(self) -> None:
        error = self.error
        self.setVisible(error is not None)
        if error is None:
            return
        is_short = len(error.detail) <= SHORT_DETAIL and "\n" not in error.detail
        self._title.setText(error.title)
        detail = error.detail.rstrip(".") + "." if error.detail and is_short else ""
        self._text.setText(" ".join(part for part in (detail, error.hint) if part))
        self._text.setVisible(bool(self._text.text()))
        self._details.setVisible(bool(error.detail))
        waiting = len(self._errors) - 1
        self._more.setText(self.tr("%1 more").replace("%1", str(waiting)) if waiting else "")
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, f"{error.title}. {self._text.text()}"))

    def _on_details_clicked(self) -> None:
        if self.error is not None:
            self.details_requested.emit(self.error)
