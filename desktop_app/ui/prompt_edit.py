"""PromptEdit: plain text that grows with its lines and shows where the checkpoint stops reading."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QMimeData, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QKeySequence,
    QPalette,
    QResizeEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import QPlainTextEdit, QSizePolicy, QTextEdit, QToolTip, QWidget

from desktop_app.core.params import clean_text
from desktop_app.core.prompt_problems import Problem
from desktop_app.core.reweighing import reweigh
from desktop_app.ui.prompt_highlighter import PromptHighlighter, to_character, to_unit
from desktop_app.ui.texts import param_text

MAX_LINES = 6

StandardKey = QKeySequence.StandardKey


class PromptEdit(QPlainTextEdit):
    """The text box of a prompt. Undo belongs to the document, so Ctrl+Z is left to the window."""

    edited = Signal(str)
    """The text as the user has it now, cleaned."""

    def __init__(self, lines: int = 2, parent: QWidget | None = None) -> None:
        """``lines`` is how many have room while there are fewer."""
        super().__init__(parent)
        self._min_lines = lines
        self._overflow: int | None = None
        self._highlighter = PromptHighlighter(self)
        self.setTabChangesFocus(True)
        self.setUndoRedoEnabled(False)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.textChanged.connect(self._on_text_changed)
        self._fit_height()

    def text(self) -> str:
        """The text, cleaned."""
        return clean_text(self.toPlainText())

    def set_text(self, text: str) -> None:
        """Show ``text``; the cursor stays where it is if the text is there already."""
        if text == self.text():
            return
        self.blockSignals(True)
        self.setPlainText(text)
        self.blockSignals(False)
        self.moveCursor(QTextCursor.MoveOperation.End)
        self._fit_height()

    def set_overflow(self, start: int | None) -> None:
        """Dim the text from character ``start`` on: the checkpoint does not read it."""
        self._overflow = start
        if start is None:
            self.setExtraSelections([])
            return
        selection = QTextEdit.ExtraSelection()
        dimmed = QTextCharFormat()
        dimmed.setForeground(QColor(self.palette().color(QPalette.ColorRole.PlaceholderText)))
        dimmed.setFontStrikeOut(True)
        selection.format = dimmed
        cursor = QTextCursor(self.document())
        text = self.toPlainText()
        cursor.setPosition(to_unit(text, min(start, len(text))))
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        selection.cursor = cursor
        self.setExtraSelections([selection])

    def set_takes_weights(self, *, takes: bool) -> None:
        """Whether weights are shown as such."""
        self._highlighter.set_on(is_on=takes)

    def problems(self) -> tuple[Problem, ...]:
        """What in the text means nothing."""
        return self._highlighter.problems

    def change_weight(self, change: float) -> None:
        """Raise the weight of the selected words, or of the word at the cursor, by ``change``."""
        text, cursor = self.toPlainText(), self.textCursor()
        start, end = (to_character(text, unit) for unit in (cursor.selectionStart(), cursor.selectionEnd()))
        changed, start, end = reweigh(text, start, end, change)
        if changed == text:
            return
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(changed)
        cursor.setPosition(to_unit(changed, start))
        cursor.setPosition(to_unit(changed, end), QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)

    def viewportEvent(self, event: QEvent) -> bool:
        """Tell what is wrong with the words under the mouse."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = to_character(self.toPlainText(), self.cursorForPosition(event.pos()).position())
            found = [problem for problem in self.problems() if problem.start <= at <= problem.end]
            if found:
                QToolTip.showText(event.globalPos(), param_text(found[0].sentence), self)
                return True
        return super().viewportEvent(event)

    def event(self, event: QEvent) -> bool:
        """Leave undo to the window, and paste too when the clipboard holds no text."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            is_undo = event.matches(StandardKey.Undo) or event.matches(StandardKey.Redo)
            if is_undo or (event.matches(StandardKey.Paste) and not self.canPaste()):
                event.ignore()
                return False
        return super().event(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        """Words only: a picture that is dropped here is for the canvas, and its address is no prompt."""
        return source.hasText() and not source.hasUrls() and not source.hasImage()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other width, other line breaks."""
        super().resizeEvent(event)
        self._fit_height()

    def changeEvent(self, event: QEvent) -> None:
        """Another font or palette."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fit_height()
        if event.type() == QEvent.Type.PaletteChange:
            self._highlighter.rehighlight()
        if event.type() == QEvent.Type.PaletteChange and self._overflow is not None:
            self.set_overflow(self._overflow)

    def _on_text_changed(self) -> None:
        self._highlighter.follow()
        self._fit_height()
        self.edited.emit(self.text())

    def _fit_height(self) -> None:
        lines = min(max(int(self.document().size().height()), self._min_lines), MAX_LINES)
        frame = self.contentsMargins()
        around = frame.top() + frame.bottom() + 2 * int(self.document().documentMargin()) + 8
        height = lines * self.fontMetrics().lineSpacing() + around
        if height != self.height():
            self.setFixedHeight(height)
