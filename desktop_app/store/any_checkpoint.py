"""What the engine asks of a checkpoint that the store has resolved, be it a folder or a single file."""

from __future__ import annotations

import contextlib
from pathlib import Path

from desktop_app.core.families import family_named
from desktop_app.core.family import Family
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_index import part_sizes, read_family
from desktop_app.store.control_checkpoints import describe_control, is_control
from desktop_app.store.single_file import read_layout

_SUFFIXES = {".safetensors", ".json", ".txt", ".model"}
"""Of the files that are loaded; others may come and go beside them."""

Stamp = frozenset[tuple[str, int, int]]
"""Of each file its path, its size and when it was written."""


def family_at(path: Path) -> Family:
    """The family of the checkpoint at ``path``. Raises `CheckpointError`."""
    if not path.is_file():
        return read_family(path)
    family = family_named(read_layout(path).family)
    assert family is not None, path
    return family


def sizes_at(path: Path) -> tuple[PartSize, ...]:
    """The sizes of its parts with weights. Raises `CheckpointError`."""
    if is_control(path):
        return describe_control(str(path), path.name, path).parts
    return read_layout(path).parts if path.is_file() else part_sizes(path, read_family(path))


def stamp_of(path: Path) -> Stamp:
    """What is another one when the files of the checkpoint at ``path`` have changed."""
    found = set()
    for file in (path, *path.glob("*"), *path.glob("*/*")):
        if file.suffix.lower() in _SUFFIXES:
            with contextlib.suppress(OSError):  # gone meanwhile
                status = file.stat()
                found.add((str(file), status.st_size, status.st_mtime_ns))
    return frozenset(found)
