"""CardPrompt: a prompt of a card, its own or the first stage's."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from desktop_app.core.chain import PROMPT
from desktop_app.ui.field import Field
from desktop_app.ui.prompt_edit import PromptEdit
from desktop_app.ui.weight_note import WeightNote


class CardPrompt(QWidget):
    """Shows a text, or in grey the one that is inherited; what the user types becomes the card's own."""

    edited = Signal(object)
    """The text, or None where it shall be inherited."""

    def __init__(self, param: str, name: str, lines: int) -> None:
        super().__init__()
        self._inherited = ""
        self._shown = ""
        self.edit = PromptEdit(lines)
        self.edit.setObjectName(name)
        self.edit.edited.connect(self._on_edited)
        self.own = QCheckBox(self.tr("Own"))
        self.own.setObjectName(f"{name}Own")
        tip = self.tr("Off: that of the first stage. %1 in an own one stands for that.").replace("%1", PROMPT)
        self.own.setToolTip(tip)
        self.own.clicked.connect(self._on_own_clicked)
        self._note = WeightNote(self.edit)
        self.field = Field(param, self.edit, aside=self.own)
        label = self.edit.accessibleName()
        self.own.setAccessibleName(self.tr("%1 of its own").replace("%1", label))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.field)
        layout.addWidget(self._note)

    def show_value(self, own: str | None, inherited: str, *, takes_weights: bool) -> None:
        """Show the ``own`` text, None for the ``inherited`` one."""
        self._inherited = inherited
        self._shown = own or ""
        with QSignalBlocker(self.own):
            self.own.setChecked(own is not None)
        self.edit.set_text(self._shown)
        words = inherited if own is None else ""
        self.edit.setPlaceholderText(words or self.tr("No words"))
        self._note.set_takes_weights(takes=takes_weights)

    def _on_edited(self, text: str) -> None:
        """New colours are told as new text too."""
        if text != self._shown:
            self.edited.emit(text)

    def _on_own_clicked(self, is_own: bool) -> None:
        self.edited.emit(self._inherited if is_own else None)
