"""Choices in prompts: of ``{red|blue|}`` one is taken, by the seed alone, on every machine and with every Python.

An alternative may be empty, or have choices itself; braces without a bar, as in ``{prompt}``, are none. A backslash
takes the meaning from a brace or bar behind it, and stays: `desktop_app.core.weighting` reads it. So a text without
choices has none to lose.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from desktop_app.core.prompt_problems import Problem

BRACE_NOT_CLOSED = "This brace is not closed, so it is read as plain text. A choice is written {red|blue}."
BRACE_NOT_OPENED = "No brace is open here, so this one is read as plain text."

_SIGN = re.compile(r"\\[{}|\\]|[{}|]")
_ESCAPED = re.compile(r"\\([{}|\\])")

Span = tuple[int, int]
"""Begin and end, in characters of a text."""


@dataclass(frozen=True)
class Choice:
    """Braces that stand at ``start`` and before ``end``, with ``bars`` between their alternatives."""

    start: int
    end: int
    bars: tuple[int, ...]

    @property
    def alternatives(self) -> tuple[Span, ...]:
        """Of each, begin and end."""
        marks = (self.start, *self.bars, self.end - 1)
        return tuple((first + 1, last) for first, last in pairwise(marks))


@dataclass(frozen=True)
class Choices:
    """Those of a text in the order in which they open, and the braces that belong to none."""

    choices: tuple[Choice, ...] = ()
    problems: tuple[Problem, ...] = ()


@lru_cache(maxsize=16)
def read_choices(text: str) -> Choices:
    """What choices ``text`` has, whatever it is."""
    open_braces: list[tuple[int, list[int]]] = []
    choices, problems = [], []
    for found in _SIGN.finditer(text):
        at = found.start()
        if found[0] == "{":
            open_braces.append((at, []))
        elif found[0] == "|" and open_braces:
            open_braces[-1][1].append(at)
        elif found[0] == "}" and open_braces:
            start, bars = open_braces.pop()
            if bars:
                choices.append(Choice(start, at + 1, tuple(bars)))
        elif found[0] == "}":
            problems.append(Problem(at, at + 1, BRACE_NOT_OPENED))
    problems += [Problem(start, start + 1, BRACE_NOT_CLOSED) for start, _ in open_braces]
    choices.sort(key=lambda choice: choice.start)
    return Choices(tuple(choices), tuple(sorted(problems, key=lambda problem: problem.start)))


def resolve_choices(text: str, seed: int, salt: str = "") -> str:
    """``text`` with one alternative of each choice; ``salt`` makes it another one for another text of the same seed.

    Idempotent: what it gives has no choices.
    """

    def draw(number: int, choice: Choice) -> int:
        digest = hashlib.sha256(f"{salt}\0{seed}\0{number}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % len(choice.alternatives)

    return "".join(text[start:end] for start, end in _taken(text, draw))


def longest_choices(text: str) -> tuple[Span, ...]:
    """What of ``text`` is read with the longest alternative of each choice, in characters; none of the spans is empty.

    Of an alternative with choices in it, all of them count.
    """

    def longest(_number: int, choice: Choice) -> int:
        lengths = [end - start for start, end in choice.alternatives]
        return lengths.index(max(lengths))

    return tuple((start, end) for start, end in _taken(text, longest) if start < end)


def without_escapes(text: str) -> str:
    """``text`` for a reader that knows no backslashes before braces and bars."""
    return _ESCAPED.sub(r"\1", text)


def _taken(text: str, draw: Callable[[int, Choice], int]) -> list[Span]:
    """What is left of ``text`` when ``draw`` has told of each choice, by its number, which alternative is taken."""
    taken: list[Span] = []
    at = 0
    ends: list[Span] = []  # of the alternatives that were taken, and of their choices
    for number, choice in enumerate(read_choices(text).choices):
        at = _leave(ends, choice.start, at, taken)
        if choice.start < at:  # in an alternative that is not taken
            continue
        start, end = choice.alternatives[draw(number, choice)]
        taken.append((at, choice.start))
        ends.append((end, choice.end))
        at = start
    at = _leave(ends, len(text) + 1, at, taken)
    return [*taken, (at, len(text))]


def _leave(ends: list[Span], until: int, at: int, taken: list[Span]) -> int:
    """Go on behind the choices whose alternative ends before ``until``; where that is."""
    while ends and ends[-1][0] <= until:
        end, behind = ends.pop()
        taken.append((at, end))
        at = behind
    return at


def is_whole(choices: Sequence[Choice], start: int, end: int) -> bool:
    """Whether the characters ``start`` to ``end`` can get brackets around them without tearing a choice."""
    return all(
        choice.end <= start
        or end <= choice.start
        or (start <= choice.start and choice.end <= end)
        or any(first <= start and end <= last for first, last in choice.alternatives)
        for choice in choices
    )
