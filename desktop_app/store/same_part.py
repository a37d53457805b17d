"""Whether two checkpoints have the same part, by the contents of their files."""

from __future__ import annotations

import filecmp
import mmap
from pathlib import Path
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_files import choose_variant, weight_files
from desktop_app.store.checkpoint_index import read_config
from desktop_app.store.safetensors_header import read_header
from desktop_app.store.single_file import VAE


def has_same_vae(first: Path, second: Path) -> bool:
    """Whether both checkpoints, folders in diffusers layout or single files, are known to have the same VAE. A folder
    and a single file are not compared.
    """
    if first == second:
        return True
    try:
        if first.is_file() and second.is_file():
            return _has_same_tensors(first, second, VAE)
        return first.is_dir() and second.is_dir() and _has_same_files(first, second, "vae")
    except (CheckpointError, OSError, ValueError):  # what is wrong with it, loading tells
        return False


def _has_same_files(first: Path, second: Path, part: str) -> bool:
    if _plain_config(first, part) != _plain_config(second, part):
        return False
    files, others = (weight_files(folder, part, choose_variant(folder, [part])) for folder in (first, second))
    pairs = zip(files, others, strict=False)
    return len(files) == len(others) and all(filecmp.cmp(*pair, shallow=False) for pair in pairs)


def _plain_config(folder: Path, part: str) -> dict[str, Any]:
    """Without what says nothing of the numbers: who wrote it, and where it lay."""
    return {key: value for key, value in read_config(folder, part).items() if not key.startswith("_")}


def _has_same_tensors(first: Path, second: Path, prefix: str) -> bool:
    entries, others = (_entries(path, prefix) for path in (first, second))
    kinds, other_kinds = ({name: each[:2] for name, each in found.items()} for found in (entries, others))
    if not entries or kinds != other_kinds:
        return False
    with first.open("rb") as file, second.open("rb") as other:
        mapped = (mmap.mmap(each.fileno(), 0, access=mmap.ACCESS_READ) for each in (file, other))
        with next(mapped) as here, next(mapped) as there:
            return all(here[slice(*entries[name][2])] == there[slice(*others[name][2])] for name in entries)


def _entries(path: Path, prefix: str) -> dict[str, tuple[str, list[int], tuple[int, int]]]:
    """Of each tensor under ``prefix``: its type, its shape, and where in the file it begins and ends."""
    header = read_header(path)
    begin = path.stat().st_size - max(entry["data_offsets"][1] for entry in header.values())
    return {
        name: (entry["dtype"], entry["shape"], (begin + entry["data_offsets"][0], begin + entry["data_offsets"][1]))
        for name, entry in header.items()
        if name.startswith(prefix)
    }
