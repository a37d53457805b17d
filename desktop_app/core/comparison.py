"""Comparison: in which values several requests differ, and their pictures in a grid that says so."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path, PurePath
from typing import Any

from desktop_app.core.contact_sheet import Made, Sheet, contact_sheet
from desktop_app.core.params import PARAM_SPECS
from desktop_app.core.request import Request
from desktop_app.core.sweep import SWEPT, label_of

PROMPT = PARAM_SPECS["prompt"].label
CHECKPOINT = PARAM_SPECS["checkpoint"].label

PROMPTS = (PROMPT, PARAM_SPECS["negative_prompt"].label)
SHORT = 24
"""Characters of a prompt that are shown as they are."""

Facts = Mapping[str, Any]
"""What people call a value, and the value."""


def columns_for(count: int) -> int:
    """How many columns make a grid of ``count`` pictures about as wide as it is high."""
    return max(math.ceil(math.sqrt(count)), 1)


def comparison_sheet(pictures: Sequence[Made], requests: Sequence[Request], fonts: Iterable[Path] = ()) -> Sheet:
    """``pictures`` as one, each with the values of its request that others do not have.

    Where one or two values differ and each combination is there once, they are the columns and rows of the grid, as in
    a sweep; else each picture has a line of its own below it.
    """
    facts = _told_apart([_facts(request) for request in requests])
    names = [name for name in facts[0] if len({each[name] for each in facts}) > 1]
    title = "" if PROMPT in names else str(facts[0][PROMPT])
    values = [_in_order([each[name] for each in facts]) for name in names]
    places = {tuple(each[name] for name in names): number for number, each in enumerate(facts)}
    if not 1 <= len(names) <= 2 or not len(places) == len(facts) == math.prod(map(len, values)):
        captions = [", ".join(_label(name, each[name]) for name in names) for each in facts] if names else ()
        return contact_sheet(pictures, columns_for(len(pictures)), captions=captions, title=title, fonts=fonts)
    keys = [(column, *row) for row in ([(each,) for each in values[1]] if values[1:] else [()]) for column in values[0]]
    labels = [[_label(name, value) for value in some] for name, some in zip(names, values, strict=True)]
    return contact_sheet(
        [pictures[places[key]] for key in keys],
        len(values[0]),
        column_labels=labels[0],
        row_labels=labels[1] if labels[1:] else (),
        title=title,
        fonts=fonts,
    )


def _facts(request: Request) -> Facts:
    params = request.to_params()
    facts = {PARAM_SPECS[name].label: getattr(params, name) for name in SWEPT}
    image = request.init_image
    lists = {
        "adapters": [f"{PurePath(each.ref).stem} {each.weight:g}" for each in params.adapters if each.is_on],
        "controls": [f"{each.mode.value} {each.weight:g}" for each in params.controls if each.is_on],
        "chain": [f"{each.kind.value} {each.strength:g}" for each in params.chain],
    }
    return {
        **facts,
        CHECKPOINT: params.checkpoint,
        "Init image": image.name or image.sha256[:8] if image else "none",
        "Size": f"{request.width}x{request.height}",
        **{PARAM_SPECS[name].label: ", ".join(texts) or "none" for name, texts in lists.items()},
    }


def _told_apart(facts: Sequence[Facts]) -> list[Facts]:
    shown = {name: tell_apart([each[name] for each in facts]) for name in PROMPTS}
    return [{**each, **{name: shown[name][number] for name in PROMPTS}} for number, each in enumerate(facts)]


def tell_apart(texts: Sequence[str]) -> Sequence[str]:
    """``texts`` as they have room in labels: of long ones that differ, the words in which they do."""
    if len(set(texts)) == 1 or max(map(len, texts)) <= SHORT:
        return texts
    words = [text.split() for text in texts]
    before = max(min(_count_alike(words), *(len(each) - 1 for each in words)), 0)  # a word of each stays
    behind = _count_alike([each[before + 1 :][::-1] for each in words])
    shown = (each[before : len(each) - behind] for each in words)
    return [" ".join(["…"] * bool(before) + some + ["…"] * bool(behind)) for some in shown]


def _count_alike(lists: Sequence[Sequence[str]]) -> int:
    """With how many words all of ``lists`` begin."""
    return sum(1 for _ in takewhile(lambda words: len(set(words)) == 1, zip(*lists, strict=False)))


def _in_order(values: Sequence[Any]) -> list[Any]:
    """Each once; numbers by their size, texts as they come."""
    once = list(dict.fromkeys(values))
    return once if any(isinstance(value, str) for value in once) else sorted(once)


def _label(name: str, value: Any) -> str:
    text = label_of(value)
    return f"{name} {text.rstrip('/').rsplit('/', 1)[-1] if name == CHECKPOINT else text}"
