"""SeedControl: a seed to repeat, or none for a new one each time."""

from __future__ import annotations

import secrets

from PySide6.QtCore import QRegularExpression, Qt, Signal
from PySide6.QtGui import QRegularExpressionValidator
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QToolButton, QWidget

from desktop_app.core.params import MAX_RANDOM_SEED
from desktop_app.ui.icons import Icons


class SeedControl(QWidget):
    """Shows a seed; reports the user's. An empty box is a new random seed for each picture."""

    edited = Signal(object)
    """The seed as int, or None for random. A number that is too large is reported too: validation says so."""

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self._last: int | None = None
        self.edit = QLineEdit()
        self.edit.setObjectName("seedEdit")
        self.edit.setPlaceholderText(self.tr("random"))
        self.edit.setValidator(QRegularExpressionValidator(QRegularExpression("[0-9]{0,20}"), self.edit))
        self.edit.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.edit.textEdited.connect(self._on_edit_text_edited)
        self._dice = self._button(icons, "dice", self.tr("New random seed, kept"))
        self._reuse = self._button(icons, "reuse", self.tr("Reuse the seed of the result made or shown last"))
        self._lock = self._button(icons, "lock", self.tr("Keep this seed; off: a new one for each picture"))
        self._lock.setCheckable(True)
        self._dice.clicked.connect(self.roll)
        self._reuse.clicked.connect(self.reuse)
        self._lock.clicked.connect(self._on_lock_clicked)
        self._reuse.setEnabled(False)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        for widget in (self.edit, self._dice, self._reuse, self._lock):
            layout.addWidget(widget)

    def show_value(self, seed: int | None) -> None:
        """Show ``seed``; None is random."""
        text = "" if seed is None else str(seed)
        if text != self.edit.text():
            self.edit.setText(text)
        self._lock.setChecked(seed is not None)

    @property
    def can_reuse(self) -> bool:
        """Whether there is a last result."""
        return self._last is not None

    def set_last(self, seed: int) -> None:
        """Remember the seed of the result made or shown last, for `reuse`."""
        self._last = seed
        self._reuse.setEnabled(True)

    def roll(self) -> None:
        """Fix a new random seed."""
        self.edited.emit(secrets.randbelow(MAX_RANDOM_SEED))

    def reuse(self) -> None:
        """Fix the seed of the last result."""
        if self._last is not None:
            self.edited.emit(self._last)

    def _on_edit_text_edited(self, text: str) -> None:
        self.edited.emit(int(text) if text else None)

    def _on_lock_clicked(self, is_locked: bool) -> None:
        if not is_locked:
            self.edited.emit(None)
        elif self._last is not None:
            self.reuse()
        else:
            self.roll()

    def _button(self, icons: Icons, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(icons.get(icon))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        button.setAutoRaise(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button
