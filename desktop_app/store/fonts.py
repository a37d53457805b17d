"""Fonts of this machine, as files, for the words in pictures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

SUFFIXES = (".ttf", ".ttc", ".otf", ".otc")
PLAIN = (
    "notosans-",
    "notosanscjk",
    "dejavusans.",
    "segoeui.",
    "arial.",
    "arial unicode",
    "msyh.",
    "pingfang",
    "notosans",
)
"""How the names of those begin that read well and have many letters."""

STYLED = ("bold", "italic", "oblique", "light", "thin", "black", "mono", "condensed", "medium", "serif")


def font_files(folders: Iterable[Path] | None = None) -> Iterator[Path]:
    """All in ``folders``, those of this machine if not said, plain ones first. They are looked for when the first one
    is asked for.
    """
    if folders is None:
        folders = font_folders(sys.platform, os.environ)
    yield from sorted(_walk(folders), key=_rank)


def font_folders(platform: str, variables: Mapping[str, str]) -> Iterator[Path]:
    """Where a machine of this kind may have fonts."""
    home = Path.home()
    if platform == "win32":
        places = {"WINDIR": "Fonts", "LOCALAPPDATA": "Microsoft/Windows/Fonts"}
        yield from (Path(variables[name]) / place for name, place in places.items() if variables.get(name))
    elif platform == "darwin":
        yield from (Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts")
    else:
        shared = variables.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
        yield from (Path(folder) / "fonts" for folder in shared.split(":") if folder)
        yield Path(variables.get("XDG_DATA_HOME") or home / ".local/share") / "fonts"
        yield home / ".fonts"


def _walk(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for where, _folders, names in os.walk(folder):
            yield from (Path(where, name) for name in names if name.lower().endswith(SUFFIXES))


def _rank(path: Path) -> tuple[bool, int, Path]:
    name = path.name.lower()
    place = next((number for number, beginning in enumerate(PLAIN) if name.startswith(beginning)), len(PLAIN))
    return any(word in name for word in STYLED), place, path
