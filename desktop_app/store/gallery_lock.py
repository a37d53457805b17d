"""GalleryLock: one gallery is open in one program at a time. The system lets go of it when that program dies."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from desktop_app.core.errors import StoreError
from desktop_app.store.files import store_error

if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _take(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_TAKEN = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK}


class GalleryLock:
    """The lock file in the gallery's folder; the file stays, the lock goes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises `StoreError` when another program has it, or the disk has no locks."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as e:
            raise store_error("The gallery cannot be opened", self._path, e) from e
        try:
            _take(descriptor)
        except OSError as e:
            os.close(descriptor)
            if e.errno not in _TAKEN:
                raise store_error("The gallery cannot be locked", self._path, e) from e
            raise StoreError(
                "The gallery is open in another window",
                str(self._path.parent),
                "Use that window or close it, or choose another data folder with --data-dir.",
            ) from e
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go; does nothing when the lock is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
