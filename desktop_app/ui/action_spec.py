"""ActionSpec: one row of the table of commands."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ActionSpec:
    """One command. ``menu`` is its menu's id; a ``text`` of "-" is a separator. ``group`` makes it one of several
    choices; ``on_canvas`` limits its keys to the canvas, because elsewhere they mean something else."""

    id: str
    menu: str
    text: str
    keys: tuple[str, ...] = ()
    icon: str = ""
    tip: str = ""
    group: str = ""
    is_checkable: bool = False
    on_canvas: bool = False
