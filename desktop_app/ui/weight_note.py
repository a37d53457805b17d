"""WeightNote: what in a prompt means nothing, in a sentence below it."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from desktop_app.ui.field import set_role
from desktop_app.ui.prompt_edit import PromptEdit
from desktop_app.ui.texts import param_text

LONGEST = 30
"""Characters of the prompt that are repeated."""


class WeightNote(QLabel):
    """Says the first problem in the text of ``edit``; hidden while there is none."""

    def __init__(self, edit: PromptEdit) -> None:
        super().__init__()
        self._edit = edit
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setVisible(False)
        set_role(self, "caption")

    def set_takes_weights(self, *, takes: bool) -> None:
        """Whether the checkpoint reads weights as such."""
        self._edit.set_takes_weights(takes=takes)
        self.refresh()

    def refresh(self) -> None:
        """Look at the text anew."""
        problems = self._edit.problems()
        text = ""
        if problems:
            first = problems[0]
            marked = self._edit.toPlainText()[first.start : first.end]
            if len(marked) > LONGEST:
                marked = marked[: LONGEST - 1] + "…"
            text = f"“{marked}” – {param_text(first.sentence)}"
        self.setText(text)
        self.setVisible(bool(text))
