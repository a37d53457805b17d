"""Calls around a whole prompt: ``("a cat", "a dog").blend(0.7, 0.3)`` and ``("a cat", "rain").and()``, as Compel has
them. A text stands in quotes, or is a word or a few without commas.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from desktop_app.core.prompt_words import NUMBER

_ARGUMENTS = re.compile(r"\.(?P<name>and|add|blend)\((?P<arguments>[^()\n]*)\)\s*\Z")
_QUOTED = re.compile(r'"(?P<text>(?:\\.|[^"\\])*)"', re.DOTALL)
_BARE = re.compile(r'(?:\\.|[^"\\(),\[\]])+', re.DOTALL)
_WEIGHT = re.compile(rf"\s*([+-]?{NUMBER})\s*")
NOT_BY_SUM = "no_normalize"
"""Compel's word for a blend whose weights are taken as they are."""


@dataclass(frozen=True)
class Call:
    """``texts`` are begin and end of each text, without its quotes; the characters ``start`` to ``end`` its weights.

    ``weights`` is None where they are no numbers; ``by_sum`` where each is to be divided by the sum of all.
    """

    texts: tuple[tuple[int, int], ...]
    is_blend: bool
    start: int
    end: int
    weights: tuple[float, ...] | None = ()
    by_sum: bool = True


def find_call(text: str) -> Call | None:
    """The call that ``text`` is, None where it is none."""
    at = len(text) - len(text.lstrip())
    if not text.startswith("(", at):
        return None
    texts: list[tuple[int, int]] = []
    while not texts or text[at] == ",":
        at = _skip(text, at + 1)
        found = _QUOTED.match(text, at)
        span = found.span("text") if found else _bare(text, at)
        at = _skip(text, found.end() if found else span[1])
        if (not found and span[0] == span[1]) or text[at : at + 1] not in (",", ")"):
            return None
        texts.append(span)
    closing = _ARGUMENTS.match(text, at + 1)
    if closing is None:
        return None
    return _read(texts, closing)


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _bare(text: str, at: int) -> tuple[int, int]:
    """Begin and end of the words from ``at`` to the next comma or bracket that belongs to the call."""
    start, depth = at, 0
    while at < len(text):
        if found := _BARE.match(text, at):
            at = found.end()
        elif text[at] in "([":
            depth, at = depth + 1, at + 1
        elif depth and text[at] in ")],":
            depth, at = depth - (text[at] != ","), at + 1
        else:
            break
    return start, start + len(text[start:at].rstrip())


def _read(texts: list[tuple[int, int]], closing: re.Match[str]) -> Call:
    words = [word.strip() for word in closing["arguments"].split(",")] if closing["arguments"].strip() else []
    is_blend = closing["name"] == "blend"
    by_sum = not (is_blend and words and words[-1] == NOT_BY_SUM)
    numbers = [_WEIGHT.fullmatch(word) for word in (words if by_sum else words[:-1])]
    weights = tuple(float(number[1]) for number in numbers if number)
    known = weights if len(weights) == len(numbers) else None
    return Call(tuple(texts), is_blend, *closing.span("arguments"), known, by_sum)
