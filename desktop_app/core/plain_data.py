"""Plain data from files of anybody: each value is what it should be, or an exception."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from enum import Enum
from typing import Any, TypeVar

E = TypeVar("E", bound=Enum)
N = TypeVar("N", int, float)

_NAMES = {int: "a whole number", float: "a number"}


def as_text(value: Any) -> str:
    """``value``, a text. Raises TypeError."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def as_number(value: Any, kind: type[N]) -> N:
    """``value``, a number of ``kind``. Raises TypeError."""
    with contextlib.suppress(OverflowError, ValueError):  # infinity is no whole number, nor is anything else
        if isinstance(value, int | float) and not isinstance(value, bool) and kind(value) == value:
            return kind(value)
    raise TypeError(f"{str(value)[:80]} is not {_NAMES[kind]}")


def as_share(value: Any, least: float = 0.0, most: float = 1.0) -> float:
    """``value``, a number from ``least`` to ``most``. Raises TypeError, ValueError."""
    share = as_number(value, float)
    if not least <= share <= most:
        raise ValueError(f"{share:g} is not between {least:g} and {most:g}")
    return share


def as_count_between(value: Any, least: int, most: int) -> int:
    """``value``, a whole number from ``least`` to ``most``. Raises TypeError, ValueError."""
    count = as_number(value, int)
    if not least <= count <= most:
        raise ValueError(f"{count} is not between {least} and {most}")
    return count


def as_flag(value: Any) -> bool:
    """``value``, true or false. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def as_one_of(value: Any, known: Iterable[E]) -> E:
    """The one of ``known`` whose value is ``value``. Raises ValueError, which names them."""
    members = {each.value: each for each in known}
    if not isinstance(value, str) or value not in members:
        raise ValueError(f"{str(value)[:80]!r} is none of: {', '.join(members)}")
    return members[value]
