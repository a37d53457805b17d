"""Files that are either whole or not there: the atomic write, and the errors of the disk in the user's words.

Order of every write: temporary file in the same folder, write, fsync, rename, fsync of the folder.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import sys
from pathlib import Path

from desktop_app.core.errors import StoreError

TEMPORARY_SUFFIX = ".underpaint-tmp"

_TEMPORARY = re.compile(r"\.[a-z-]*(\d{1,9})-[0-9a-f]{16}" + re.escape(TEMPORARY_SUFFIX))
"""The names that `temporary_path` gives; the number is the writing program's."""

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EINVAL}


def write_atomic(path: Path, data: bytes, *, is_private: bool = True) -> None:
    """Put ``data`` under ``path``, replacing what is there. On disk for good when this returns.

    The user alone can read it; if not ``is_private``, whoever the user lets read new files.
    Raises `StoreError`; then the old file is untouched and nothing else is left behind.
    """
    try:
        temporary = _write_temporary(path.parent, data, 0o600 if is_private else 0o666)
        try:
            os.replace(temporary, path)
        except OSError:
            _remove(temporary)
            raise
        _sync_folder(path.parent)
    except OSError as e:
        raise store_error("The file cannot be written", path, e) from e


def write_new(path: Path, data: bytes) -> None:
    """As `write_atomic`, but refuses (`StoreError`) when there is something under ``path`` already."""
    try:
        temporary = _write_temporary(path.parent, data)
        try:
            _rename_new(temporary, path)
        except OSError:
            _remove(temporary)
            raise
        try:
            _sync_folder(path.parent)
        except OSError:
            _remove(path)
            raise
    except OSError as e:
        raise store_error("The file cannot be written", path, e) from e


def move_new(source: Path, target: Path) -> None:
    """Move a file on the same disk, never over another one. Raises `StoreError`; then nothing has moved."""
    try:
        _rename_new(source, target)
        _sync_folder(target.parent)
        _sync_folder(source.parent)
    except OSError as e:
        raise store_error("The file cannot be moved", source, e) from e


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, that only the user can read; on disk for good. Raises `StoreError`."""
    try:
        if path.is_dir():
            return
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        _sync_folder(path.parent)
    except OSError as e:
        raise store_error("The folder cannot be made", path, e) from e


def sweep_temporary(folder: Path) -> int:
    """Remove what a killed program left of its writes in ``folder`` (not below it); how many files."""
    count = 0
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            if entry.name.endswith(TEMPORARY_SUFFIX) and entry.is_file(follow_symlinks=False):
                count += _remove(Path(entry.path))
    return count


def temporary_path(folder: Path, kind: str = "") -> Path:
    """A name in ``folder`` for what is not whole yet. It tells which program writes, for `sweep_abandoned`."""
    return folder / f".{kind}{os.getpid()}-{secrets.token_hex(8)}{TEMPORARY_SUFFIX}"


def sweep_abandoned(folder: Path) -> int:
    """Remove what killed programs left half written in ``folder`` (not below it), files and whole folders, and nothing
    that a running program may be at; how many.
    """
    count = 0
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(folder)):
            match = _TEMPORARY.fullmatch(entry.name)
            if match and not entry.is_symlink() and not _is_running(int(match[1])):
                path = Path(entry.path)
                if entry.is_dir(follow_symlinks=False):
                    shutil.rmtree(path, ignore_errors=True)
                    count += not path.exists()
                else:
                    count += _remove(path)
    return count


def _is_running(process: int) -> bool:
    import psutil

    return bool(psutil.pid_exists(process))


def store_error(title: str, path: Path, cause: OSError) -> StoreError:
    """``cause`` in the user's words."""
    detail = f"{path}: {cause.strerror or cause}"
    if cause.errno in _FULL:
        return StoreError("The disk is full", detail, "Free some space on this disk, then try again.")
    if cause.errno in _REFUSED:
        hint = "Make the folder writable for you, or choose another (with --data-dir for the program's own)."
        return StoreError(title, detail, hint)
    if cause.errno == errno.EEXIST:
        return StoreError(title, detail, "Move the file that is there away, or choose another name.")
    return StoreError(title, detail, "Check that the folder exists and that its disk is all right, then try again.")


def _write_temporary(folder: Path, data: bytes, mode: int = 0o600) -> Path:
    temporary = temporary_path(folder)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    try:
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError:
        _remove(temporary)
        raise
    return temporary


def _rename_new(source: Path, target: Path) -> None:
    if sys.platform == "win32":
        os.rename(source, target)  # refuses to overwrite there
        return
    try:
        os.link(source, target)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        _rename_unless_there(source, target)  # a disk without hard links, such as FAT
        return
    os.unlink(source)


def _rename_unless_there(source: Path, target: Path) -> None:
    if os.path.lexists(target):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    os.rename(source, target)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return  # folders cannot be opened there; NTFS journals the rename itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path: Path) -> bool:
    try:
        path.unlink()
    except OSError:
        return False
    return True
