"""The catalog: checkpoints that are worth knowing, with what a user wants to know before the download."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.core.errors import StoreError
from desktop_app.core.toml_text import (
    CANNOT_BE_READ,
    as_count,
    as_line,
    as_lines,
    as_switch,
    read_toml,
    reason,
    refuse_unknown,
)

CATALOG_NAME = "checkpoints.toml"
"""The catalog's file among the program's own."""

_KEYS = (
    "ref",
    "label",
    "family",
    "role",
    "size_bytes",
    "licence",
    "gated",
    "pickled",
    "native_size",
    "parts",
    "needs",
    "trigger_words",
    "note",
)


class Role(Enum):
    """What a checkpoint is there for. Only a CHECKPOINT paints by itself; the others work with one of its family."""

    CHECKPOINT = "checkpoint"
    PRIOR = "prior"
    UPSCALER = "upscaler"
    CONTROL = "control"


@dataclass(frozen=True)
class CatalogEntry:
    """``ref`` is its hub id, ``family`` a label of `desktop_app.core.families`; ``size_bytes`` what is downloaded;
    ``parts`` the parameters of each part with weights, by name; ``needs`` the REFs without which it cannot paint;
    ``is_gated``: its licence has to be accepted on the hub first; ``is_pickled``: see `DownloadPlan`;
    ``native_size`` is the side, in pixels, of the squares it was trained on, 0 where it makes no picture;
    ``trigger_words`` go into the prompt to call what it was trained on.
    """

    ref: str
    label: str
    family: str
    size_bytes: int
    licence: str
    note: str
    native_size: int
    parts: dict[str, int] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    trigger_words: tuple[str, ...] = ()
    is_gated: bool = False
    is_pickled: bool = False
    role: Role = Role.CHECKPOINT

    @property
    def can_paint(self) -> bool:
        """Whether it can be chosen as the checkpoint of a picture, with what it ``needs``."""
        return self.role is Role.CHECKPOINT


def read_catalog(path: Path) -> tuple[CatalogEntry, ...]:
    """The entries of the file ``path``, in its order. Raises `StoreError`, also for a key it does not know."""
    try:
        data = read_toml(path)
        refuse_unknown(data, ("checkpoint",), "the catalog")
        entries = tuple(_entry(table) for table in data["checkpoint"])
        _refuse_twins(entries)
    except CANNOT_BE_READ as e:
        detail = f"{path.name}: {reason(e)}"
        raise StoreError("The catalog of checkpoints cannot be read", detail, "Install Underpaint again.") from e
    return entries


def find_entry(catalog: Iterable[CatalogEntry], ref: str) -> CatalogEntry | None:
    """What the catalog knows of ``ref``, whatever its revision."""
    return next((entry for entry in catalog if entry.ref == ref.partition("@")[0]), None)


def _entry(table: Any) -> CatalogEntry:
    refuse_unknown(table, _KEYS, "a checkpoint")
    ref = as_line(table["ref"], "ref")
    try:
        return CatalogEntry(
            ref=ref,
            label=as_line(table["label"], "label"),
            family=as_line(table["family"], "family"),
            size_bytes=as_count(table["size_bytes"], "size_bytes", 1),
            licence=as_line(table["licence"], "licence"),
            note=as_line(table["note"], "note"),
            native_size=as_count(table.get("native_size", 0), "native_size"),
            parts=_parts(table["parts"]),
            needs=as_lines(table.get("needs", []), "needs"),
            trigger_words=as_lines(table.get("trigger_words", []), "trigger_words"),
            is_gated=as_switch(table.get("gated", False), "gated"),
            is_pickled=as_switch(table.get("pickled", False), "pickled"),
            role=Role(table.get("role", Role.CHECKPOINT.value)),
        )
    except CANNOT_BE_READ as e:
        raise ValueError(f"{ref}: {reason(e)}") from e


def _parts(table: Any) -> dict[str, int]:
    if not isinstance(table, dict):
        raise TypeError("parts is not a table")
    return {name: as_count(count, f"parts.{name}", 1) for name, count in table.items()}


def _refuse_twins(entries: tuple[CatalogEntry, ...]) -> None:
    seen: set[str] = set()
    for entry in entries:
        if entry.ref in seen:
            raise ValueError(f"{entry.ref} is there twice")
        seen.add(entry.ref)
