"""PromptHighlighter: heavier words of a prompt look heavier, lighter ones dim, and problems are underlined."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby

from PySide6.QtGui import QColor, QFont, QPalette, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit

from desktop_app.core.weighting import Weighted, parse
from desktop_app.ui.schemes import DARK, LIGHT, Scheme

_Spans = list[tuple[int, int, float]]
"""Begin and end, in units of UTF-16, and weight."""


class PromptHighlighter(QSyntaxHighlighter):
    """Of the text in ``edit``, line by line; what a line shows may depend on all others."""

    def __init__(self, edit: QPlainTextEdit) -> None:
        super().__init__(edit.document())
        self._edit = edit
        self._is_on = True
        self._shown = ""
        self._known = "", Weighted()
        self._made: tuple[_Spans, _Spans] = [], []

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
        weights, problems = self._spans()
        for start, end, weight in self._in_block(weights):
            self._show(start, end, self._weight_format(weight))
        for start, end, _ in self._in_block(problems):
            self._show(start, end, self._problem_format())

    def _spans(self) -> tuple[_Spans, _Spans]:
        """Where weights other than 1 are, and problems; made once for all lines."""
        text, weighted = self.document().toPlainText(), self.weighted
        if (text, weighted) != self._known:
            self._known = text, weighted
            groups = [(weight, list(group)) for weight, group in groupby(weighted.pieces, lambda piece: piece.weight)]
            weights = [(group[0].start, group[-1].end, weight) for weight, group in groups if weight != 1]
            problems = [(problem.start, problem.end, 1.0) for problem in weighted.problems]
            self._made = _in_units(text, weights), _in_units(text, problems)
        return self._made

    def _in_block(self, spans: _Spans) -> Iterator[tuple[int, int, float]]:
        """What of ``spans`` is in this line, counted from its begin. Spans do not overlap."""
        begin, length = self.currentBlock().position(), self.currentBlock().length() - 1
        for number in range(bisect_right(spans, begin, key=lambda span: span[1]), len(spans)):
            start, end, weight = spans[number]
            if start >= begin + length:
                return
            yield max(start - begin, 0), min(end - begin, length), weight

    def _show(self, start: int, end: int, added: QTextCharFormat) -> None:
        for place in range(start, end):
            shown = self.format(place)
            shown.merge(added)
            self.setFormat(place, 1, shown)

    def _problem_format(self) -> QTextCharFormat:
        scheme, made = self._scheme(), QTextCharFormat()
        made.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        made.setUnderlineColor(QColor(scheme.error))
        made.setForeground(QColor(scheme.error))
        made.setBackground(QColor(scheme.error_ground))
        return made

    def _weight_format(self, weight: float) -> QTextCharFormat:
        scheme, made = self._scheme(), QTextCharFormat()
        made.setForeground(QColor(scheme.heavy if weight > 1 else scheme.dim))
        if weight > 1:
            made.setFontWeight(QFont.Weight.Bold)
        return made

    def _scheme(self) -> Scheme:
        return DARK if self._edit.palette().color(QPalette.ColorRole.Base).lightness() < 128 else LIGHT


def _in_units(text: str, spans: Sequence[tuple[int, int, float]]) -> _Spans:
    """``spans`` of characters, in units of UTF-16."""
    if text.isascii():
        return list(spans)
    units = [0, *accumulate(1 + (ord(sign) > 0xFFFF) for sign in text)]
    return [(units[start], units[end], weight) for start, end, weight in spans]


def to_unit(text: str, character: int) -> int:
    """The place of a character of ``text`` as Qt counts it, in units of UTF-16."""
    return character if text.isascii() else len(text[:character].encode("utf-16-le", "surrogatepass")) // 2


def to_character(text: str, unit: int) -> int:
    """The other way round."""
    if text.isascii():
        return unit
    return len(text.encode("utf-16-le", "surrogatepass")[: 2 * unit].decode("utf-16-le", "ignore"))
