"""PromptHighlighter: heavier words of a prompt look heavier, lighter ones dim, and problems are underlined."""

from __future__ import annotations

from itertools import groupby

from PySide6.QtGui import QColor, QFont, QPalette, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit

from desktop_app.core.weighting import Weighted, parse
from desktop_app.ui.schemes import DARK, LIGHT, Scheme


class PromptHighlighter(QSyntaxHighlighter):
    """Of the text in ``edit``, line by line; what a line shows may depend on all others."""

    def __init__(self, edit: QPlainTextEdit) -> None:
        super().__init__(edit.document())
        self._edit = edit
        self._is_on = True
        self._shown = ""

    @property
    def weighted(self) -> Weighted:
        """The text as it is understood; nothing while switched off."""
        return parse(self.document().toPlainText()) if self._is_on else Weighted()

    def set_on(self, *, is_on: bool) -> None:
        """Show weights, or none."""
        if is_on != self._is_on:
            self._is_on = is_on
            self.rehighlight()

    def follow(self) -> None:
        """After a change, show the other lines anew: a bracket may have closed one that stands far from it."""
        text = self.document().toPlainText()
        if text != self._shown:
            self._shown = text
            if self.document().blockCount() > 1:
                self.rehighlight()

    def highlightBlock(self, line: str) -> None:
        """One line of the text."""
        weighted = self.weighted
        text = self.document().toPlainText()
        for weight, group in groupby(weighted.pieces, lambda piece: piece.weight):
            pieces = list(group)
            if weight != 1:
                self._show(text, pieces[0].start, pieces[-1].end, self._weight_format(weight))
        underlined = QTextCharFormat()
        underlined.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        underlined.setUnderlineColor(QColor(self._scheme().error))
        underlined.setForeground(QColor(self._scheme().error))
        underlined.setBackground(QColor(self._scheme().error_ground))
        for problem in weighted.problems:
            self._show(text, problem.start, problem.end, underlined)

    def _show(self, text: str, start: int, end: int, added: QTextCharFormat) -> None:
        """Add to the format of the characters ``start`` to ``end`` of ``text``, as far as they are in this line."""
        block = self.currentBlock()
        first = max(to_unit(text, start) - block.position(), 0)
        last = min(to_unit(text, end) - block.position(), block.length() - 1)
        for place in range(first, last):
            shown = self.format(place)
            shown.merge(added)
            self.setFormat(place, 1, shown)

    def _weight_format(self, weight: float) -> QTextCharFormat:
        scheme, made = self._scheme(), QTextCharFormat()
        made.setForeground(QColor(scheme.heavy if weight > 1 else scheme.dim))
        if weight > 1:
            made.setFontWeight(QFont.Weight.Bold)
        return made

    def _scheme(self) -> Scheme:
        return DARK if self._edit.palette().color(QPalette.ColorRole.Base).lightness() < 128 else LIGHT


def to_unit(text: str, character: int) -> int:
    """The place of a character of ``text`` as Qt counts it, in units of UTF-16."""
    return character if text.isascii() else len(text[:character].encode("utf-16-le", "surrogatepass")) // 2


def to_character(text: str, unit: int) -> int:
    """The other way round."""
    if text.isascii():
        return unit
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * unit].decode("utf-16-le", "ignore"))
