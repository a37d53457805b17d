"""How the launcher talks: progress lines, and the one exception whose text the user reads."""

from __future__ import annotations


class Problem(Exception):
    """Set-up cannot go on. The text says why and what to do, with the exact command where there is one."""


def say(text: str) -> None:
    """One line of progress, there at once."""
    print(f"[underpaint] {text}", flush=True)
