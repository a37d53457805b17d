"""Weights in prompts: what is written in brackets and signs, for checkpoints that take each word by its weight.

``(word)`` and each further pair of brackets is 1.1 times the weight, ``[word]`` a 1.1th of it, ``(word:1.3)`` and
``(two words)1.3`` what the number says; ``word++`` is 1.1 times for each plus, ``word--`` 0.9 times for each minus,
also behind a bracket instead of its 1.1. ``BREAK`` begins a new chunk. A backslash takes the meaning from the sign
behind it. What means nothing is read as it stands, and told as a problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

BRACKET, PLUS, MINUS = 1.1, 1.1, 0.9
"""What one bracket, plus or minus multiplies a weight by."""

MAX_WEIGHT = 10.0

LOOK_BACK = 200
"""Characters before the end of a bracket in which something that is not known here is looked for."""

NUMBER = r"(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
LETTER = r"[^\s()\[\]{}<>|\\,.;:!?\"+\-]"
_LEXEME = re.compile(
    rf"""
    (?P<escape>\\(?:[()\[\]\\<>+.\-]|BREAK(?!\w)))
    | (?P<unknown><[A-Za-z]\w*:[^<>\n]*>|\.(?:and|blend|swap)\([^()\n]*\))
    | (?P<open>[(\[])
    | (?P<close>(?::[ ]*(?P<number>[+-]?{NUMBER})[ ]*)?\)(?:(?P<after>{NUMBER}|\++|-+)(?![\w.(\[+\-]))?|\])
    | (?P<break>(?<!\w)BREAK(?!\w)\s*)
    | (?P<word>{LETTER}(?:{LETTER}|-(?={LETTER}))*)(?:(?P<signs>\++|-+)(?!{LETTER}|[+\-(\[]))?
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_NUMBER = re.compile(r":[ ]*([+-]?[\d.,][^\s:()]*|)[ ]*$")
_TURNS = re.compile(r"\|.*|:[ ]*[\d.]+[ ]*$", re.DOTALL)
_TO_ESCAPE = re.compile(
    r"[()\[\]\\]|(?<!\w)BREAK(?!\w)|<(?=[A-Za-z]\w*:)|\.(?=(?:and|blend|swap)\()"
    rf"|(?<={LETTER})[+\-]+(?!(?!BREAK(?!\w)){LETTER}|[+\-])"
)

NOT_CLOSED = "This bracket is not closed, so it is read as plain text."
NOT_OPENED = "No bracket is open here, so this one is read as plain text."
NO_NUMBER = "What follows the colon is no number, so it is read as words. A weight is written (word:1.3)."
TOO_HEAVY = f"A weight of more than {MAX_WEIGHT:g} counts as {MAX_WEIGHT:g}."
BELOW_ZERO = "A weight below 0 counts as 0. What should not be seen belongs in the negative prompt."
TAKES_TURNS = "Words that take turns during a run are not known here, so they are all read."
NOT_A_WORD = "Names in < > are not known here, so this is read as plain text."
NO_CALL = ".and(), .blend() and .swap() are not known here, so this is read as plain text."


@dataclass(frozen=True)
class Piece:
    """What the characters ``start`` to ``end`` of a prompt are: ``text`` to be read with ``weight``, or, where it is
    empty, signs that only say weights. ``chunk`` counts the BREAKs before it.
    """

    start: int
    end: int
    text: str
    weight: float = 1.0
    chunk: int = 0


@dataclass(frozen=True)
class Fragment:
    """``text`` to be read with one ``weight``; it was written in the characters ``start`` to ``end``."""

    text: str
    weight: float
    start: int
    end: int


@dataclass(frozen=True)
class Problem:
    """Why the characters ``start`` to ``end`` do not mean what they seem to, in one sentence."""

    start: int
    end: int
    sentence: str


@dataclass(frozen=True)
class Weighted:
    """A prompt that was understood. ``pieces`` follow each other and are all of it, down to the last character."""

    pieces: tuple[Piece, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def chunks(self) -> tuple[tuple[Fragment, ...], ...]:
        """What is read, between the BREAKs; at least one chunk, and none without words beside others."""
        groups = groupby((piece for piece in self.pieces if piece.text), lambda piece: piece.chunk)
        chunks = [tuple(_fragments(list(group))) for _, group in groups]
        return tuple(chunk for chunk in chunks if _text(chunk).strip()) or (chunks[0] if chunks else (),)

    @property
    def fragments(self) -> tuple[Fragment, ...]:
        """What is read, in all chunks; neighbours of one weight are one fragment."""
        return tuple(fragment for chunk in self.chunks for fragment in chunk)

    @property
    def text(self) -> str:
        """What is read, without any weights."""
        chunks = [_text(chunk) for chunk in self.chunks]
        return " ".join(chunk.strip() for chunk in chunks) if len(chunks) > 1 else chunks[0]

    @property
    def is_plain(self) -> bool:
        """Whether all has the weight 1, in one chunk."""
        return len(self.chunks) == 1 and all(fragment.weight == 1 for fragment in self.fragments)


def _fragments(pieces: Sequence[Piece]) -> Iterator[Fragment]:
    for weight, group in groupby(pieces, lambda piece: piece.weight):
        same = list(group)
        yield Fragment("".join(piece.text for piece in same), weight, same[0].start, same[-1].end)


def _text(chunk: Sequence[Fragment]) -> str:
    return "".join(fragment.text for fragment in chunk)


@lru_cache(maxsize=16)
def parse(text: str) -> Weighted:
    """What ``text`` says, whatever it is."""
    return _Parser(text).parse()


def unweighted(text: str) -> str:
    """``text`` as it would be written without weights. Idempotent."""
    chunks = [_TO_ESCAPE.sub(_escape, _text(chunk)) for chunk in parse(text).chunks]
    return " BREAK ".join(chunk.strip() for chunk in chunks) if len(chunks) > 1 else chunks[0]


def _escape(found: re.Match[str]) -> str:
    signs = found[0]
    return "\\" + ("\\".join(signs) if signs[0] in "+-" else signs)


def cut(ends: Sequence[bool], room: int) -> list[int]:
    """How many tokens go into each chunk of at most ``room``: cut behind a word where that can be. ``ends`` says of
    each token whether it ends a word. At least one chunk.
    """
    lengths = []
    begin = 0
    while len(ends) - begin > room:
        length = next((count for count in range(room, 0, -1) if ends[begin + count - 1]), room)
        lengths.append(length)
        begin += length
    return [*lengths, len(ends) - begin] if begin < len(ends) or not lengths else lengths


@dataclass
class _Parser:
    """One run over ``source``. ``stack`` has the numbers of the pieces that are open brackets, ``open`` how many of
    each sign; ``factors`` by first piece the last one and what all between are multiplied by.
    """

    source: str
    pieces: list[Piece] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    stack: list[int] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    factors: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    closed: int = -1
    chunk: int = 0

    def parse(self) -> Weighted:
        """All of it."""
        for found in _LEXEME.finditer(self.source):
            self._take(found)
        for bracket in self.stack:
            self._tell(self.pieces[bracket].start, self.pieces[bracket].end, NOT_CLOSED)
        pieces = tuple(self._weigh())
        return Weighted(pieces, tuple(sorted(self.problems, key=lambda problem: (problem.start, problem.end))))

    def _take(self, found: re.Match[str]) -> None:
        start, end = found.span()
        kind = next(name for name in ("escape", "unknown", "open", "close", "break", "word", "other") if found[name])
        if kind == "escape":
            self._add(start, start + 1, "")
            self._add(start + 1, end)
        elif kind == "unknown":
            self._tell(start, end, NOT_A_WORD if found[0].startswith("<") else NO_CALL)
            self._add(start, end)
        elif kind == "open":
            self.stack.append(len(self.pieces))
            self.open[found[0]] += 1
            self._add(start, end)
        elif kind == "close":
            self._close(found)
        elif kind == "break":
            self._add(start, end, "")
            self.chunk += 1
        elif found["signs"]:
            self._add(start, found.end("word"))
            self._add(found.end("word"), end, "")
            self._factor(len(self.pieces) - 2, weight_of_signs(found["signs"]))
        else:
            self._add(start, end)

    def _add(self, start: int, end: int, text: str | None = None) -> None:
        self.pieces.append(Piece(start, end, self.source[start:end] if text is None else text, 1.0, self.chunk))

    def _tell(self, start: int, end: int, sentence: str) -> None:
        self.problems.append(Problem(start, end, sentence))

    def _close(self, found: re.Match[str]) -> None:
        sign = "[" if found[0] == "]" else "("
        start, end = found.span()
        if not self.open[sign]:
            self._tell(start + found[0].index("]" if sign == "[" else ")"), end, NOT_OPENED)
            self._add(start, end)
            return
        while self._pop() != sign:  # those within it stay open
            inner = self.pieces[self.closed]
            self._tell(inner.start, inner.end, NOT_CLOSED)
        bracket = self.closed
        opened = self.pieces[bracket]
        self._add(start, end, "")
        self.pieces[bracket] = Piece(opened.start, opened.end, "", 1.0, opened.chunk)
        self._factor(bracket, self._weight_of(found, opened.end))

    def _pop(self) -> str:
        """The sign of the bracket that was opened last; its piece's number is ``closed``."""
        self.closed = self.stack.pop()
        sign = self.pieces[self.closed].text
        self.open[sign] -= 1
        return sign

    def _weight_of(self, found: re.Match[str], begin: int) -> float:
        """What the brackets around the characters from ``begin`` to ``found`` multiply weights by."""
        begin = max(begin, found.start() - LOOK_BACK)
        inside = self.source[begin : found.start()]
        if found[0] == "]":
            if turns := _TURNS.search(inside):
                self._tell(begin + turns.start(), found.start(), TAKES_TURNS)
            return 1 / BRACKET
        number, after = found["number"], found["after"]
        if number is None and (wrong := _NO_NUMBER.search(inside)):
            self._tell(begin + wrong.start(), found.start(), NO_NUMBER)
        if number is None and after is None:
            return BRACKET
        weight = self._bounded(float(number), found.span("number")) if number else 1.0
        if after and after[0] in "+-":
            return weight * weight_of_signs(after)
        return weight * self._bounded(float(after), found.span("after")) if after else weight

    def _bounded(self, weight: float, span: tuple[int, int]) -> float:
        if weight < 0:
            self._tell(*span, BELOW_ZERO)
        elif weight > MAX_WEIGHT:
            self._tell(*span, TOO_HEAVY)
        return min(max(weight, 0.0), MAX_WEIGHT)

    def _factor(self, piece: int, factor: float) -> None:
        """Multiply the weight of what is from ``piece`` to the last one by ``factor``."""
        self.factors.setdefault(piece, []).append((len(self.pieces) - 1, factor))

    def _weigh(self) -> Iterator[Piece]:
        """The pieces with their weights: a product of all that they lie in, outer first."""
        active: list[tuple[int, float]] = []
        for number, piece in enumerate(self.pieces):
            while active and active[-1][0] < number:
                active.pop()
            for last, factor in sorted(self.factors.get(number, ()), reverse=True):
                active.append((last, factor * (active[-1][1] if active else 1.0)))
            weight = round(min(active[-1][1], MAX_WEIGHT), 6) if active else 1.0
            yield Piece(piece.start, piece.end, piece.text, weight, piece.chunk)


def weight_of_signs(signs: str) -> float:
    return float((PLUS if signs[0] == "+" else MINUS) ** min(len(signs), 100))
