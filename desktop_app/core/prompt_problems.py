"""Problem: what in a prompt does not mean what it seems to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Why the characters ``start`` to ``end`` do not mean what they seem to, in one sentence."""

    start: int
    end: int
    sentence: str
