"""Weights in prompts: what is written in brackets and signs, for checkpoints that take each word by its weight.

``(word)`` and each further pair of brackets is 1.1 times the weight, ``[word]`` a 1.1th of it, ``(word:1.3)`` and
``(two words)1.3`` what the number says; ``word++`` is 1.1 times for each plus, ``word--`` 0.9 times for each minus,
also behind a bracket instead of its 1.1. ``BREAK`` begins a new chunk. ``("one", "two").blend(0.7, 0.3)`` mixes texts,
``("one", "two").and()`` has each in chunks of its own; both stand around the whole prompt. A backslash takes the
meaning from the sign behind it. What means nothing is read as it stands, and told as a problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import groupby

from desktop_app.core.prompt_calls import Call, find_call
from desktop_app.core.prompt_problems import Problem
from desktop_app.core.prompt_words import LETTER, NUMBER, WORD

BRACKET, PLUS, MINUS = 1.1, 1.1, 0.9
"""What one bracket, plus or minus multiplies a weight by."""

MAX_WEIGHT = 10.0
LEAST_SUM = 1e-6
"""Weights of a blend that add up to less count as none."""

LOOK_BACK = 200
"""Characters before the end of a bracket in which something that is not known here is looked for."""

_SWAP = r"\.swap\((?:[^()\"\n]|\"[^\"\n]{0,200}\"|\([^()\n]{0,200}\)){0,400}\)"
_LEXEME = re.compile(
    rf"""
    (?P<escape>\\(?:[()\[\]\\<>+.\-"{{}}|（]|(?:BREAK|AND)(?!\w)|_(?=_)))
    | (?P<swap>"?{_SWAP})
    | (?P<unknown><[A-Za-z]\w*:[^<>\n"]*>|\.(?:and|add|blend|attend)\([^()\n]*\)|(?<!\w)(?:use|with)Lora\([^()\n]*\)
        |(?<!\w)AND(?![\w+\-])|(?<!\w)__{LETTER}{{1,200}}?__(?!\w)|（[^（）\n]{{0,200}}[:：][ ]*{NUMBER}[ ]*）)
    | (?P<quote>"(?=(?:\\"|[^"\n]){{0,200}}"{_SWAP}))
    | (?P<open>[(\[])
    | (?P<close>(?::[ ]*(?P<number>[+-]?{NUMBER})[ ]*)?\)(?:(?P<after>{NUMBER}|\++|-+)(?![\w.(\[+\-]))?|\])
    | (?P<break>(?<!\w)BREAK(?!\w)\s*)
    | (?P<word>{WORD})(?:(?P<signs>\++|-+)(?!{LETTER}|[+\-(\[]))?
    | (?P<other>[\s,]+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_NO_NUMBER = re.compile(r":[ ]*([+-]?[\d.,][^\s:()]*|)[ ]*$")
_FULL_WIDTH = re.compile(rf"：[ ]*{NUMBER}[ ]*$")
_FURTHER = re.compile(rf":[ ]*[+-]?{NUMBER}[ ]*$")
_TURNS = re.compile(r"\|.*|:[ ]*[\d.]+[ ]*$", re.DOTALL)
_BEFORE_SWAP = re.compile(rf"{LETTER}|[)\]}}>+\-]")
_CHOICE = re.compile(r"\{[^{}]*\}")
_MEANING_MORE = rf"（|(?<!\w)(?:(?:BREAK|AND)(?!\w)|_(?=_{LETTER}))"
"""What looks like letters, but gets a backslash."""

_TO_ESCAPE = re.compile(
    rf"[()\[\]\\]|{_MEANING_MORE}|<(?=[A-Za-z]\w*:)"
    rf"|(?<=(?:>|{LETTER}))[+\-]+(?!(?!{_MEANING_MORE}){LETTER}|[+\-])"
)

NOT_CLOSED = "This bracket is not closed, so it is read as plain text."
NOT_OPENED = "No bracket is open here, so this one is read as plain text."
NO_NUMBER = "What follows the colon is no number, so it is read as words. A weight is written (word:1.3)."
ONE_NUMBER = "Only the last number is a weight, so this one is read as words."
FULL_WIDTH = "Wide brackets and colons are read as plain text. A weight is written (word:1.3)."
TOO_HEAVY = f"A weight of more than {MAX_WEIGHT:g} counts as {MAX_WEIGHT:g}."
BELOW_ZERO = "A weight below 0 counts as 0. What should not be seen belongs in the negative prompt."
TAKES_TURNS = "Words that take turns during a run are not known here, so they are all read."
NOT_A_WORD = "Names in < > are not known here, so this is read as plain text. A LoRA is added under Adapters."
NO_AND = 'AND is read as a plain word here. Texts are joined as in ("a cat", "rain").and().'
NO_WILDCARD = "Lists of words in files are not known here, so this is read as plain text. A choice is written {a|b}."
NO_CALL = "This is not known here, so it is read as plain text. A weight is written (word:1.3)."
NOT_WHOLE = (
    'This belongs behind one bracket around the whole prompt, as in ("a cat", "a dog").blend(0.7, 0.3), so it is '
    "read as plain text."
)
NO_SWAP = "Words are not swapped during a run here: the words before this are read, these are not."
NO_WEIGHTS = "There must be one number for each text, with commas between, so all texts count alike."
NO_SUM = "These weights add up to 0, so they are taken as they are."


@dataclass(frozen=True)
class Piece:
    """What the characters ``start`` to ``end`` of a prompt are: ``text`` to be read with ``weight``, or, where it is
    empty, signs that only say how. ``chunk`` counts the BREAKs before it in its text, ``part`` the texts before that.
    """

    start: int
    end: int
    text: str
    weight: float = 1.0
    chunk: int = 0
    part: int = 0


@dataclass(frozen=True)
class Fragment:
    """``text`` to be read with one ``weight``; it was written in the characters ``start`` to ``end``."""

    text: str
    weight: float
    start: int
    end: int


Chunk = tuple[Fragment, ...]


@dataclass(frozen=True)
class Part:
    """One text of a prompt, in chunks: at least one, and none without words beside others. ``weight`` is how much it
    counts beside the other texts; it may be below 0.
    """

    chunks: tuple[Chunk, ...]
    weight: float = 1.0


@dataclass(frozen=True)
class Weighted:
    """A prompt that was understood. ``pieces`` follow each other and are all of it, down to the last character.

    It has as many texts as ``weights``: those of a blend are mixed by them, those of others come one after another.
    """

    pieces: tuple[Piece, ...] = ()
    problems: tuple[Problem, ...] = ()
    weights: tuple[float, ...] = (1.0,)
    is_blend: bool = False

    @property
    def parts(self) -> tuple[Part, ...]:
        """The texts; only a blend has some without words beside others."""
        read: list[list[Piece]] = [[] for _ in self.weights]
        for piece in self.pieces:
            if piece.text:
                read[piece.part].append(piece)
        parts = [Part(_chunks(pieces), weight) for pieces, weight in zip(read, self.weights, strict=True)]
        filled = tuple(part for part in parts if self.is_blend or _has_words(part))
        return filled or (Part(parts[0].chunks),)

    @property
    def chunks(self) -> tuple[Chunk, ...]:
        """What is read, between the BREAKs and texts; at least one chunk, and none without words beside others."""
        chunks = tuple(chunk for part in self.parts for chunk in part.chunks)
        return tuple(chunk for chunk in chunks if _text(chunk).strip()) or chunks[:1]

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
        parts = self.parts
        is_one = len(parts) == 1 and parts[0].weight == 1 and len(parts[0].chunks) == 1
        return is_one and all(fragment.weight == 1 for fragment in parts[0].chunks[0])


def _chunks(pieces: Sequence[Piece]) -> tuple[Chunk, ...]:
    chunks = [tuple(_fragments(list(group))) for _, group in groupby(pieces, lambda piece: piece.chunk)]
    return tuple(chunk for chunk in chunks if _text(chunk).strip()) or (chunks[0] if chunks else (),)


def _has_words(part: Part) -> bool:
    return any(_text(chunk).strip() for chunk in part.chunks)


def _fragments(pieces: Sequence[Piece]) -> Iterator[Fragment]:
    for weight, group in groupby(pieces, lambda piece: piece.weight):
        same = list(group)
        yield Fragment("".join(piece.text for piece in same), weight, same[0].start, same[-1].end)


def _text(chunk: Sequence[Fragment]) -> str:
    return "".join(fragment.text for fragment in chunk)


@lru_cache(maxsize=16)
def parse(text: str) -> Weighted:
    """What ``text`` says, whatever it is."""
    call = find_call(text)
    if call is None:
        parser = _Parser(text, 0, len(text))
        parser.parse()
        return Weighted(tuple(parser.pieces), _in_order(parser.problems))
    pieces: list[Piece] = []
    problems: list[Problem] = []
    at = 0
    for number, (start, end) in enumerate(call.texts):
        parser = _Parser(text, start, end, number)
        parser.parse()
        pieces += [Piece(at, start, "", part=number), *parser.pieces]
        problems += parser.problems
        at = end
    pieces.append(Piece(at, len(text), "", part=len(call.texts) - 1))
    weights = _weights(call, problems)
    return Weighted(tuple(pieces), _in_order(problems), weights, call.is_blend)


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.start, problem.end)))


def _weights(call: Call, problems: list[Problem]) -> tuple[float, ...]:
    """How much each text of ``call`` counts; adds to ``problems`` what was wrong."""
    count = len(call.texts)
    weights = call.weights or ()
    if len(weights) != count:
        if weights or call.weights is None:
            problems.append(Problem(call.start, call.end, NO_WEIGHTS))
        weights = (1.0,) * count
    bounded = tuple(min(max(weight, -MAX_WEIGHT), MAX_WEIGHT) for weight in weights)
    if bounded != weights:
        problems.append(Problem(call.start, call.end, TOO_HEAVY))
    if not (call.is_blend and call.by_sum):
        return bounded
    total = sum(bounded)
    if abs(total) < LEAST_SUM:
        problems.append(Problem(call.start, call.end, NO_SUM))
        return bounded
    return tuple(weight / total for weight in bounded)


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
    """One run over the characters ``begin`` to ``end`` of ``source``, which are the text number ``part``.

    ``stack`` has the numbers of the pieces that are open brackets, ``open`` how many of each sign; ``factors`` by first
    piece the last one and what all between are multiplied by; ``is_quoted`` after a quote that a swap will close.
    """

    source: str
    begin: int
    end: int
    part: int = 0
    pieces: list[Piece] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    stack: list[int] = field(default_factory=list)
    open: Counter[str] = field(default_factory=Counter)
    factors: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    closed: int = -1
    chunk: int = 0
    is_quoted: bool = False

    def parse(self) -> None:
        """Find all pieces and problems."""
        for found in _LEXEME.finditer(self.source, self.begin, self.end):
            self._take(found)
        for bracket in self.stack:
            self._tell(self.pieces[bracket].start, self.pieces[bracket].end, NOT_CLOSED)
        self.pieces = list(self._weigh())

    def _take(self, found: re.Match[str]) -> None:
        start, end = found.span()
        kind = found.lastgroup
        if kind == "escape":
            self._add(start, start + 1, "")
            self._add(start + 1, end)
        elif kind == "swap":
            self._swap(start, end)
        elif kind == "unknown":
            if not (found[0] == "AND" and self.source.isupper()):
                self._tell(start, end, _why_unknown(found[0]))
            self._add(start, end)
        elif kind == "quote":
            self.is_quoted = True
            self._add(start, end, "")
        elif kind == "open":
            self.stack.append(len(self.pieces))
            self.open[found[0]] += 1
            self._add(start, end)
        elif kind == "close":
            self._close(found)
        elif kind == "break":
            self._add(start, end, "")
            self.chunk += 1
        elif kind == "signs":
            self._add(start, found.end("word"))
            self._add(found.end("word"), end, "")
            self._factor(len(self.pieces) - 2, weight_of_signs(found["signs"]))
        else:
            self._add(start, end)

    def _swap(self, start: int, end: int) -> None:
        """``word.swap(other)``: Compel reads the word, and leaves the rest to a pipeline of InvokeAI."""
        if self.source[start] == '"':
            self._add(start, start + 1, "" if self.is_quoted else None)
            self.is_quoted, start = False, start + 1
        elif start == self.begin or not _BEFORE_SWAP.match(self.source, start - 1):
            self._tell(start, end, NO_CALL)
            self._add(start, end)
            return
        self._tell(start, end, NO_SWAP)
        self._add(start, end, "")

    def _add(self, start: int, end: int, text: str | None = None) -> None:
        read = self.source[start:end] if text is None else text
        self.pieces.append(Piece(start, end, read, 1.0, self.chunk, self.part))

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
        self.pieces[bracket] = replace(opened, text="")
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
            if turns := _TURNS.search(_CHOICE.sub(_blank, inside)):
                self._tell(begin + turns.start(), found.start(), TAKES_TURNS)
            return 1 / BRACKET
        number, after = found["number"], found["after"]
        if number is None and (wrong := _NO_NUMBER.search(inside)):
            self._tell(begin + wrong.start(), found.start(), NO_NUMBER)
        elif number is None and (wide := _FULL_WIDTH.search(inside)):
            self._tell(begin + wide.start(), found.start(), FULL_WIDTH)
        elif number is not None and (further := _FURTHER.search(inside)):
            self._tell(begin + further.start(), found.start(), ONE_NUMBER)
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
            if weight == 1:
                yield piece
            else:  # by hand: dataclasses.replace is several times slower, and this runs with every key
                yield Piece(piece.start, piece.end, piece.text, weight, piece.chunk, piece.part)


def _why_unknown(text: str) -> str:
    by_sign = {"<": NOT_A_WORD, "A": NO_AND, "_": NO_WILDCARD, "（": FULL_WIDTH}
    if text[0] in by_sign:
        return by_sign[text[0]]
    return NOT_WHOLE if text.startswith((".and", ".add", ".blend")) else NO_CALL


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def weight_of_signs(signs: str) -> float:
    return float((PLUS if signs[0] == "+" else MINUS) ** min(len(signs), 100))
