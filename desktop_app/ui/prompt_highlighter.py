"""PromptHighlighter: heavier words of a prompt look heavier, lighter ones dim, choices have a colour of their own, and
problems are underlined.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, groupby

from PySide6.QtGui import QColor, QFont, QPalette, QSyntaxHighlighter, QTextCharFormat
from PySide6.QtWidgets import QPlainTextEdit

from desktop_app.core.choices import Choices, read_choices
from desktop_app.core.prompt_problems import Problem
from desktop_app.core.prompting import find_problems
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
        self._made: tuple[_Spans, _Spans, _Spans, _Spans] = [], [], [], []

    @property
    def weighted(self) -> Weighted:
        """The text as it is understood; nothing while switched off."""
        return parse(self.document().toPlainText()) if self._is_on else Weighted()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What in the text means nothing, in its order."""
        return find_problems(self.document().toPlainText(), takes_weights=self._is_on)

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
        choices, weights, signs, problems = self._spans()
        self._show_all(choices, lambda _: self._choice_format())
        self._show_all(weights, self._weight_format)
        self._show_all(signs, lambda _: self._sign_format())
        self._show_all(problems, lambda _: self._problem_format())

    def _spans(self) -> tuple[_Spans, _Spans, _Spans, _Spans]:
        """Where choices are, weights other than 1, the signs of choices, and problems; made once for all lines."""
        text, weighted = self.document().toPlainText(), self.weighted
        if (text, weighted) != self._known:
            self._known = text, weighted
            choices = read_choices(text)
            groups = [(weight, list(group)) for weight, group in groupby(weighted.pieces, lambda piece: piece.weight)]
            weights = [(group[0].start, group[-1].end, weight) for weight, group in groups if weight != 1]
            problems = _apart([(problem.start, problem.end) for problem in self.problems])
            outer = _apart([(choice.start, choice.end) for choice in choices.choices])
            made = (outer, weights, _signs(choices), problems)
            choice, weight, sign, problem = (_in_units(text, spans) for spans in made)
            self._made = choice, weight, sign, problem
        return self._made

    def _in_block(self, spans: _Spans) -> Iterator[tuple[int, int, float]]:
        """What of ``spans`` is in this line, counted from its begin. Spans do not overlap."""
        begin, length = self.currentBlock().position(), self.currentBlock().length() - 1
        for number in range(bisect_right(spans, begin, key=lambda span: span[1]), len(spans)):
            start, end, weight = spans[number]
            if start >= begin + length:
                return
            yield max(start - begin, 0), min(end - begin, length), weight

    def _show_all(self, spans: _Spans, added: Callable[[float], QTextCharFormat]) -> None:
        for start, end, weight in self._in_block(spans):
            self._show(start, end, added(weight))

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

    def _choice_format(self) -> QTextCharFormat:
        made = QTextCharFormat()
        made.setForeground(QColor(self._scheme().focus))
        return made

    def _sign_format(self) -> QTextCharFormat:
        made = self._choice_format()
        made.setFontWeight(QFont.Weight.Bold)
        return made

    def _weight_format(self, weight: float) -> QTextCharFormat:
        scheme, made = self._scheme(), QTextCharFormat()
        made.setForeground(QColor(scheme.heavy if weight > 1 else scheme.dim))
        if weight > 1:
            made.setFontWeight(QFont.Weight.Bold)
        return made

    def _scheme(self) -> Scheme:
        return DARK if self._edit.palette().color(QPalette.ColorRole.Base).lightness() < 128 else LIGHT


def _apart(spans: Sequence[tuple[int, int]]) -> _Spans:
    """``spans`` in their order, as far as they do not overlap those before."""
    made: _Spans = []
    for start, end in spans:
        begin = max(start, made[-1][1] if made else 0)
        if begin < end:
            made.append((begin, end, 1.0))
    return made


def _signs(choices: Choices) -> _Spans:
    """Each brace and bar of ``choices``."""
    places = (place for each in choices.choices for place in (each.start, *each.bars, each.end - 1))
    return [(place, place + 1, 1.0) for place in sorted(places)]


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
