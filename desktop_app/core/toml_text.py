"""TOML: read strictly, so that a slip is told instead of ignored; and written plainly."""

from __future__ import annotations

import json
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from desktop_app.core.params import clean_text

MAX_BYTES = 256 * 1024

CANNOT_BE_READ = (OSError, ValueError, TypeError, KeyError, RecursionError)
"""What reading a file and going through what it says can raise; `reason` puts it into words."""


def read_toml(path: Path) -> dict[str, Any]:
    """The table in the file ``path``. Raises OSError, or ValueError when it is no file, too large or no TOML."""
    if not stat.S_ISREG(path.stat().st_mode):  # a pipe would never end
        raise ValueError("it is not a plain file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES // 1024} KiB")
    return tomllib.loads(content.decode())


def reason(error: BaseException) -> str:
    """Why a file cannot be read, for the user."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def refuse_unknown(table: Any, known: Iterable[str], what: str) -> None:
    """Raise unless ``table`` is a table with ``known`` keys only."""
    if not isinstance(table, dict):
        raise TypeError(f"{what} is not a table")
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not known here; known are {', '.join(known)}")


def as_line(value: Any, what: str) -> str:
    """A text that is not empty. Raises TypeError."""
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{what} is not a text")
    return clean_text(value).strip()


def as_ref(value: Any, what: str) -> str:
    """A text that may be a path, and stays as it is. Raises TypeError."""
    as_line(value, what)
    return str(value)


def as_lines(value: Any, what: str) -> tuple[str, ...]:
    """A list of texts. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError(f"{what} is not a list")
    return tuple(as_line(text, f"one of {what}") for text in value)


def as_count(value: Any, what: str, least: int = 0) -> int:
    """A whole number from ``least`` on. Raises TypeError, ValueError."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{what} is not a whole number")
    if value < least:
        raise ValueError(f"{what} is less than {least}")
    return value


def as_switch(value: Any, what: str) -> bool:
    """True or false. Raises TypeError."""
    if not isinstance(value, bool):
        raise TypeError(f"{what} is neither true nor false")
    return value


def write_toml(values: Mapping[str, Any]) -> str:
    """``values`` as TOML: texts, numbers, switches, tuples of texts, and last the tables of these and tuples of such
    tables.
    """
    tables = {key: value for key, value in values.items() if isinstance(value, Mapping) or _is_list_of_tables(value)}
    lines = [f"{key} = {_write(value)}" for key, value in values.items() if key not in tables]
    for key, value in tables.items():
        if isinstance(value, Mapping):
            lines += _write_table(f"[{key}]", value)
            continue
        for table in value:
            lines += _write_table(f"[[{key}]]", table)
    return "\n".join([*lines, ""])


def _is_list_of_tables(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(item, Mapping) for item in value)


def _write_table(head: str, table: Mapping[str, Any]) -> list[str]:
    return ["", head, *(f"{name} = {_write(value)}" for name, value in table.items())]


def _write(value: Any) -> str:
    if isinstance(value, tuple):
        return "[\n" + "".join(f"  {_write(text)},\n" for text in value) + "]" if value else "[]"
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)  # TOML's basic strings have the escapes of JSON
        return text.replace("\x7f", "\\u007f")  # which lets this one stand
    return str(value).lower() if isinstance(value, bool) else repr(value)
