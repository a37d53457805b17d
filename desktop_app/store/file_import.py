"""Copies a single-file checkpoint into the checkpoints folder, with a record beside it by which it can be checked.

``NAME.safetensors`` is whole from the moment it is there, and its record ``NAME.json`` is there before it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import stat
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from desktop_app.core.download import DownloadProgress, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, CheckpointError, StoreError
from desktop_app.store.checkpoint_files import read_json
from desktop_app.store.files import move_new, store_error, temporary_path, write_new
from desktop_app.store.single_file import read_layout

SUFFIX = ".safetensors"
SPARE_BYTES = 256 * 1024 * 1024
"""What stays free on the disk, for the gallery and everybody else."""

_CHUNK = 4 * 1024 * 1024
_MAX_NAME = 100
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""


def import_file(
    source: Path, checkpoints: Path, report: ReportDownload, cancel: CancelFlag, *, layouts: Path | None = None
) -> Path:
    """Copy the checkpoint ``source`` into ``checkpoints``; the file there, also where it was there already.

    Another file of the same name is never replaced: the copy then gets a number. Raises `CheckpointError` where it is
    no checkpoint that can be loaded, or there is no room; `StoreError`; `Cancelled`, and then nothing is left.
    """
    layout = read_layout(source, layouts)
    size = source.stat().st_size
    if known := _find_same(source, size, checkpoints, report, cancel):
        return known
    _check_room(checkpoints, size, source.name)
    temporary = temporary_path(checkpoints)
    try:
        digest = _copy(source, temporary, size, report, cancel)
        read_layout(temporary, layouts)
        record = {"sha256": digest, "bytes": size, "layout": layout.name, "original_name": source.name}
        target = _claim(checkpoints, _safe_stem(source.stem), record)
        try:
            move_new(temporary, target)
        except StoreError:
            record_path(target).unlink(missing_ok=True)
            raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return target


def verify_file(path: Path, report: ReportDownload, cancel: CancelFlag) -> bool:
    """Whether an imported file still has the bytes that it had. Raises `CheckpointError` where that was not written
    down or it cannot be read, and `Cancelled`.
    """
    digest = _recorded(path).get("sha256")
    if not digest:
        hint = "Only files that were imported into the checkpoints folder can be checked."
        raise CheckpointError("The checkpoint has no record", path.name, hint)
    try:
        with _open_plain(path) as file:
            return _hash(file, os.fstat(file.fileno()).st_size, report, cancel) == digest
    except OSError as e:
        raise _unreadable(path, e) from e


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


# One file ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def _open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, and only a file: a pipe or a device would never end. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file", str(path))
        yield file


def _copy(source: Path, target: Path, size: int, report: ReportDownload, cancel: CancelFlag) -> str:
    """The sha-256 of what was copied; ``target`` is on disk for good."""
    try:
        with _open_plain(source) as file:
            before = os.fstat(file.fileno())
            digest = _copy_to(target, file, size, report, cancel)
            after = os.fstat(file.fileno())
    except OSError as e:
        raise _unreadable(source, e) from e
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or after.st_size != size:
        hint = "Wait until the file is complete, then import it again."
        raise CheckpointError("The file changed while it was copied", source.name, hint)
    return digest


def _copy_to(target: Path, file: BinaryIO, size: int, report: ReportDownload, cancel: CancelFlag) -> str:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb", buffering=0) as copy:
            digest = _hash(file, size, report, cancel, copy)
            os.fsync(descriptor)
            return digest
    except OSError as e:
        raise store_error("The checkpoint cannot be copied", target.parent, e) from e


def _hash(file: BinaryIO, size: int, report: ReportDownload, cancel: CancelFlag, copy: BinaryIO | None = None) -> str:
    """The sha-256 of the rest of ``file``, which is written to ``copy`` meanwhile."""
    digest, done, begin = hashlib.sha256(), 0, time.monotonic()
    buffer = memoryview(bytearray(_CHUNK))
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        if cancel.is_set():
            raise Cancelled
        chunk = buffer[:count]
        digest.update(chunk)
        while copy is not None and chunk:
            chunk = chunk[copy.write(chunk) :]
        done += count
        rate = done / max(time.monotonic() - begin, 1e-3)
        report(DownloadProgress(done, size, rate, max(size - done, 0) / rate))
    if cancel.is_set():
        raise Cancelled
    return digest.hexdigest()


def _unreadable(path: Path, cause: OSError) -> CheckpointError:
    hint = "Make the file readable for you, and check its disk."
    return CheckpointError("The checkpoint cannot be read", f"{path.name}: {cause.strerror or cause}", hint)


# The folder --------------------------------------------------------------------------------------


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
        with _open_plain(source) as file:
            return known.get(_hash(file, size, report, cancel))
    except OSError as e:
        raise _unreadable(source, e) from e


def _recorded(path: Path) -> dict[str, object]:
    """The record of an imported file; empty where there is none that can be read."""
    record = record_path(path)
    try:
        return read_json(record.parent, record)
    except CheckpointError:
        return {}


def _check_room(folder: Path, size: int, name: str) -> None:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as e:
        raise store_error("The folder cannot be read", folder, e) from e
    if free < size + SPARE_BYTES:
        detail = f"{name} has {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        hint = "Free some space on this disk. A file can also be used where it is, without a copy."
        raise CheckpointError("The disk is too full for this checkpoint", detail, hint)


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


def _safe_stem(stem: str) -> str:
    """A name that every system takes, near to ``stem``."""
    text = "".join("_" if _is_unsafe(letter) else letter for letter in unicodedata.normalize("NFC", stem))
    text = text.encode()[:_MAX_NAME].decode(errors="ignore").strip(" .")
    return f"_{text}" if not text or _RESERVED.fullmatch(text) else text


def _is_unsafe(letter: str) -> bool:
    return letter in '<>:"/\\|?*' or unicodedata.category(letter).startswith("C")
