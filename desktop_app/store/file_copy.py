"""Copies a large file into one of our folders: all of it or nothing, its sha-256 on the way, never over another one."""

from __future__ import annotations

import contextlib
import errno
import hashlib
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
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.store.files import store_error

SPARE_BYTES = 256 * 1024 * 1024
"""What stays free on the disk, for the gallery and everybody else."""

CHECKPOINT = "checkpoint"
"""What a file is called to the user, if nothing else is said."""

_CHUNK = 4 * 1024 * 1024
_MAX_NAME = 100
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""


@contextlib.contextmanager
def open_plain(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading, and only a file: a pipe or a device would never end. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with open(descriptor, "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a plain file", str(path))
        yield file


def copy_file(
    source: Path, target: Path, size: int, report: ReportDownload, cancel: CancelFlag, what: str = CHECKPOINT
) -> str:
    """The sha-256 of the ``size`` bytes that were copied; ``target`` is on disk for good. Errors call it ``what``.

    Raises `CheckpointError`, `StoreError`, `Cancelled`.
    """
    try:
        with open_plain(source) as file:
            before = os.fstat(file.fileno())
            digest = _copy_to(target, file, size, report, cancel, what)
            after = os.fstat(file.fileno())
    except OSError as e:
        raise unreadable(source, e, what) from e
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns) or after.st_size != size:
        hint = "Wait until the file is complete, then import it again."
        raise CheckpointError("The file changed while it was copied", source.name, hint)
    return digest


def _copy_to(target: Path, file: BinaryIO, size: int, report: ReportDownload, cancel: CancelFlag, what: str) -> str:
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        with open(descriptor, "wb", buffering=0) as copy:
            digest = hash_file(file, size, report, cancel, copy)
            os.fsync(descriptor)
            return digest
    except OSError as e:
        raise store_error(f"The {what} cannot be copied", target.parent, e) from e


def hash_file(
    file: BinaryIO, size: int, report: ReportDownload, cancel: CancelFlag, copy: BinaryIO | None = None
) -> str:
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


def unreadable(path: Path, cause: OSError, what: str = CHECKPOINT) -> CheckpointError:
    """What is told of a file that the disk does not give."""
    hint = "Make the file readable for you, and check its disk."
    return CheckpointError(f"The {what} cannot be read", f"{path.name}: {cause.strerror or cause}", hint)


def check_room(folder: Path, size: int, name: str, what: str = CHECKPOINT) -> None:
    """Raise `CheckpointError` unless ``folder`` has room for ``size`` bytes and some more; `StoreError`."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError as e:
        raise store_error("The folder cannot be read", folder, e) from e
    if free < size + SPARE_BYTES:
        detail = f"{name} has {size / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"
        hint = "Free some space on this disk. A file can also be used where it is, without a copy."
        raise CheckpointError(f"The disk is too full for this {what}", detail, hint)


def safe_stem(stem: str) -> str:
    """A name that every system takes, near to ``stem``."""
    text = "".join("_" if _is_unsafe(letter) else letter for letter in unicodedata.normalize("NFC", stem))
    text = text.encode()[:_MAX_NAME].decode(errors="ignore").strip(" .")
    return f"_{text}" if not text or _RESERVED.fullmatch(text) else text


def _is_unsafe(letter: str) -> bool:
    return letter in '<>:"/\\|?*' or unicodedata.category(letter).startswith("C")
