"""Copies a single-file checkpoint into the checkpoints folder, with a record beside it by which it can be checked.

``NAME.safetensors`` is whole from the moment it is there, and its record ``NAME.json`` is there before it.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from desktop_app.core.download import ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.store.checkpoint_files import read_json
from desktop_app.store.file_copy import check_room, copy_file, hash_file, open_plain, safe_stem, unreadable
from desktop_app.store.files import move_new, store_error, temporary_path, write_new
from desktop_app.store.pixel_upscalers import is_pixel_upscaler, read_pixel_upscaler
from desktop_app.store.single_file import read_layout

SUFFIX = ".safetensors"


def import_file(
    source: Path, checkpoints: Path, report: ReportDownload, cancel: CancelFlag, *, layouts: Path | None = None
) -> Path:
    """Copy the checkpoint ``source`` into ``checkpoints``; the file there, also where it was there already.

    Another file of the same name is never replaced: the copy then gets a number. Raises `CheckpointError` where it is
    no checkpoint that can be loaded, or there is no room; `StoreError`; `Cancelled`, and then nothing is left.
    """
    layout = _layout(source, layouts)
    size = source.stat().st_size
    if known := _find_same(source, size, checkpoints, report, cancel):
        return known
    check_room(checkpoints, size, source.name)
    temporary = temporary_path(checkpoints)
    try:
        digest = copy_file(source, temporary, size, report, cancel)
        _layout(temporary, layouts)
        record = {"sha256": digest, "bytes": size, "layout": layout, "original_name": source.name}
        target = _claim(checkpoints, safe_stem(source.stem), record)
        try:
            move_new(temporary, target)
        except StoreError:
            record_path(target).unlink(missing_ok=True)
            raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def _layout(path: Path, layouts: Path | None) -> str:
    """What is in the file ``path``, in one word. Raises `CheckpointError`."""
    return read_pixel_upscaler(path).architecture.value if is_pixel_upscaler(path) else read_layout(path, layouts).name


def verify_file(path: Path, report: ReportDownload, cancel: CancelFlag) -> bool:
    """Whether an imported file still has the bytes that it had. Raises `CheckpointError` where that was not written
    down or it cannot be read, and `Cancelled`.
    """
    digest = _recorded(path).get("sha256")
    if not digest:
        hint = "Only files that were imported into the checkpoints folder can be checked."
        raise CheckpointError("The checkpoint has no record", path.name, hint)
    try:
        with open_plain(path) as file:
            return hash_file(file, os.fstat(file.fileno()).st_size, report, cancel) == digest
    except OSError as e:
        raise unreadable(path, e) from e


def remove_file(path: Path) -> int:
    """Remove an imported file and its record; bytes freed. Raises `StoreError`."""
    try:
        size = path.lstat().st_size
        path.unlink()
        record_path(path).unlink(missing_ok=True)
    except OSError as e:
        raise store_error("The checkpoint cannot be removed", path, e) from e
    return size


def record_path(path: Path) -> Path:
    """Where the record of the imported file ``path`` is."""
    return path.with_suffix(".json")


def _find_same(source: Path, size: int, checkpoints: Path, report: ReportDownload, cancel: CancelFlag) -> Path | None:
    """An imported file with the same bytes. Only where one has the same size, the source is read for that."""
    known: dict[str, Path] = {}
    for path in sorted(checkpoints.glob(f"*{SUFFIX}")):
        if path.is_file() and path.stat().st_size == size:
            if path.samefile(source):
                return path
            known[str(_recorded(path).get("sha256"))] = path
    if not known:
        return None
    try:
        with open_plain(source) as file:
            return known.get(hash_file(file, size, report, cancel))
    except OSError as e:
        raise unreadable(source, e) from e


def _recorded(path: Path) -> dict[str, object]:
    """The record of an imported file; empty where there is none that can be read."""
    record = record_path(path)
    try:
        return read_json(record.parent, record)
    except CheckpointError:
        return {}


def _claim(checkpoints: Path, stem: str, record: dict[str, object]) -> Path:
    """A name that nothing has, made this file's own by writing its record; the record that a killed import of the same
    file left is taken over.
    """
    data = json.dumps(record, indent=1).encode()
    for number in range(1, 10_000):
        target = checkpoints / f"{stem if number == 1 else f'{stem}-{number}'}{SUFFIX}"
        if os.path.lexists(target) or target.with_suffix("").exists():
            continue
        if _recorded(target).get("sha256") == record["sha256"]:
            return target
        try:
            write_new(record_path(target), data)
        except StoreError:
            if not os.path.lexists(record_path(target)):
                raise
            continue
        return target
    raise StoreError("The file cannot be written", stem, "Too many files have this name: rename it.")
