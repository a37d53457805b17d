"""To change the weight of words in a prompt while it is written, in the form ``(words:1.1)``."""

from __future__ import annotations

import re

from desktop_app.core.choices import is_whole, read_choices
from desktop_app.core.prompt_calls import find_call
from desktop_app.core.prompt_words import LETTER, NUMBER, WORD
from desktop_app.core.weighting import MAX_WEIGHT, NO_SWAP, NOT_CLOSED, NOT_OPENED, parse, weight_of_signs

_WORD = re.compile(WORD)
_SIGNS = re.compile(rf"(\++|-+)(?!{LETTER}|[+\-(\[])")
_WEIGHT = re.compile(rf":[ ]*({NUMBER})[ ]*\)")

Change = tuple[str, int, int]
"""A text, and begin and end of the words in it that were changed, as the next change takes them."""


def reweigh(text: str, start: int, end: int, change: float) -> Change:
    """``text`` with the weight of the characters ``start`` to ``end``, or of the word or bracket around ``start`` where
    nothing is selected, raised by ``change``. The same text where there are no words, or only half a bracket or choice.
    """
    if start == end:
        return _reweigh_around(text, start, change)
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    whole = _WEIGHT.search(text, max(start, text.rfind(":", start, end)), end)
    if text[start:end].startswith("(") and whole and whole.end() == end and _is_whole(text[start + 1 : whole.start()]):
        start, end = start + 1, whole.start()
    if start == end or not _is_whole(text[start:end]):
        return text, start, end
    return _set(text, start, end, change)


def _reweigh_around(text: str, at: int, change: float) -> Change:
    at = next((found.start() for found in _WEIGHT.finditer(text) if found.start() < at < found.end()), at)
    word = next((found for found in _WORD.finditer(text) if found.start() <= at <= found.end()), None)
    if word and not _is_weighted(text, *word.span()) and (group := _group_around(text, at)):
        return _set(text, *group, change)[0], at, at
    if word is None:
        return text, at, at
    changed, start, end = _set(text, *word.span(), change)
    at = start + min(at - word.start(), end - start)
    return changed, at, at


def _group_around(text: str, at: int) -> tuple[int, int] | None:
    """The inside of the innermost ``(...:1.3)`` around the character ``at``."""
    for found in _WEIGHT.finditer(text, at):
        depth = 0
        for place in range(found.start() - 1, -1, -1):
            if text[place] in "()" and text[place - 1 : place] != "\\":
                depth += 1 if text[place] == ")" else -1
            if depth < 0:
                break
        if depth < 0 and place < at:
            return place + 1, found.start()
    return None


def _is_whole(text: str) -> bool:
    """Whether every bracket in ``text`` has its other one."""
    return not any(problem.sentence in (NOT_CLOSED, NOT_OPENED) for problem in parse(text).problems)


def _is_free(text: str, start: int, end: int) -> bool:
    """Whether these characters are words of one text and one alternative, no part of a call, and no half of a pair with
    a backslash.
    """
    call, weighted = find_call(text), parse(text)
    swaps = [problem for problem in weighted.problems if problem.sentence == NO_SWAP]
    halves = {piece.end for piece in weighted.pieces if not piece.text and text[piece.start : piece.end] == "\\"}
    return (
        (call is None or any(first <= start and end <= last for first, last in call.texts))
        and all(end <= swap.start or swap.end <= start or start < swap.start < swap.end <= end for swap in swaps)
        and not halves & {start, end}
        and is_whole(read_choices(text).choices, start, end)
    )


def _is_weighted(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] == "(" and text[start - 2 : start - 1] != "\\" and bool(_WEIGHT.match(text, end))


def _set(text: str, start: int, end: int, change: float) -> Change:
    """The weight of exactly these characters."""
    if not _is_free(text, start, end):
        return text, start, end
    words, before, after, weight = text[start:end], text[:start], text[end:], 1.0
    if _is_weighted(text, start, end):
        found = _WEIGHT.match(text, end)
        assert found is not None
        before, after, weight = text[: start - 1], text[found.end() :], float(found[1])
    elif _WORD.fullmatch(words) and (signs := _SIGNS.match(text, end)):
        after, weight = text[signs.end() :], weight_of_signs(signs[1])
    weight = min(max(round(weight + change, 2), 0.0), MAX_WEIGHT)
    changed, place = before + words + after, len(before)
    if weight != 1:
        changed, place = f"{before}({words}:{weight:g}){after}", place + 1
    if _read(changed) != _read(text):  # the new bracket means something to what stands beside it
        return text, start, end
    return changed, place, place + len(words)


def _read(text: str) -> str:
    return "".join(parse(text).text.split())
