"""From the prompts that the user has written to those that are run: with the words of a style, and choices made.

The choices of a prompt hang on the seed and the prompt alone, so they are the same with every style.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from desktop_app.core.choices import Span, longest_choices, read_choices, resolve_choices
from desktop_app.core.prompt_problems import Problem
from desktop_app.core.styles import NO_WORDS, Style, surround
from desktop_app.core.weighting import NOT_CLOSED, NOT_OPENED, parse

TORN = "This bracket and its other one have to stand in the same words of a choice; else it is read as plain text."


def resolve_prompts(prompt: str, negative: str, style: Style | None, seed: int) -> tuple[str, str]:
    """Both prompts as a picture with ``seed`` is painted by them. What comes out has no choices and needs no style."""
    around = _resolved(style.around, seed, "style") if style else NO_WORDS
    around_negative = _resolved(style.around_negative, seed, "negative style") if style else NO_WORDS
    return (
        surround(resolve_choices(prompt, seed, "prompt"), around),
        surround(resolve_choices(negative, seed, "negative prompt"), around_negative),
    )


def _resolved(around: tuple[str, str], seed: int, salt: str) -> tuple[str, str]:
    return resolve_choices(around[0], seed, salt), resolve_choices(around[1], seed, f"{salt}, behind")


def find_problems(text: str, *, takes_weights: bool) -> tuple[Problem, ...]:
    """What in a prompt means nothing, in its order; choices are read even where weights are not."""
    found = (*_torn_brackets(text), *parse(text).problems) if takes_weights else ()
    once = {(problem.start, problem.end): problem for problem in (*found, *read_choices(text).problems)}
    return tuple(once[place] for place in sorted(once))


def _torn_brackets(text: str) -> Iterator[Problem]:
    """Brackets of which an alternative of a choice has only one of two, though ``text`` may have both."""
    for choice in read_choices(text).choices:
        for start, end in choice.alternatives:
            words = text[start:end]
            for problem in parse(words).problems if set(words) & set("()[]") else ():
                if problem.sentence in (NOT_CLOSED, NOT_OPENED):
                    yield Problem(start + problem.start, start + problem.end, TORN)


@dataclass(frozen=True)
class Counted:
    """A prompt as it is counted: with its style, and the longest alternative of each choice. ``offset`` is where in
    ``text`` the words of the prompt begin, which are ``spans`` of what the user has written.
    """

    text: str
    offset: int = 0
    spans: tuple[Span, ...] = ()

    def written(self, index: int) -> int | None:
        """Where the character ``index`` of ``text`` stands in what was written, None where it is one of the style's."""
        index -= self.offset
        if index < 0:
            return None
        for start, end in self.spans:
            if index < end - start:
                return start + index
            index -= end - start
        return None


def count_prompt(prompt: str, around: tuple[str, str] = NO_WORDS) -> Counted:
    """``prompt`` between the words of a style, to be counted."""
    before, behind = _longest(around[0]), _longest(around[1])
    spans = longest_choices(prompt)
    text = "".join(prompt[start:end] for start, end in spans)
    made = surround(text, (before, behind))
    if made != before + text + behind:
        return Counted(made)
    return Counted(made, len(before), spans)


def _longest(text: str) -> str:
    return "".join(text[start:end] for start, end in longest_choices(text))
