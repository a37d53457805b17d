"""What the engine asks of a checkpoint that the store has resolved, be it a folder or a single file."""

from __future__ import annotations

from pathlib import Path

from desktop_app.core.families import family_named
from desktop_app.core.family import Family
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_index import part_sizes, read_family
from desktop_app.store.single_file import read_layout


def family_at(path: Path) -> Family:
    """The family of the checkpoint at ``path``. Raises `CheckpointError`."""
    if not path.is_file():
        return read_family(path)
    family = family_named(read_layout(path).family)
    assert family is not None, path
    return family


def sizes_at(path: Path) -> tuple[PartSize, ...]:
    """The sizes of its parts with weights. Raises `CheckpointError`."""
    return read_layout(path).parts if path.is_file() else part_sizes(path, read_family(path))
