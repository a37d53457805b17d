"""Checkpoints that lie outside of our folder and are used where they are: the list of them, to be offered again."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from desktop_app.store.files import write_atomic
from desktop_app.store.paths import Paths

MAX_BYTES = 2**20

_lock = threading.Lock()


class OutsideCheckpoints:
    """Remembers paths, and nothing else of them. Any thread."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.checkpoints / "outside.json"

    def all(self) -> list[Path]:
        """In the order in which they came; a list that cannot be read is as good as none."""
        try:
            with self._file.open("rb") as file:
                data: Any = json.loads(file.read(MAX_BYTES))
        except (OSError, ValueError, RecursionError):
            return []
        names = data if isinstance(data, list) else []
        return [Path(name) for name in names if isinstance(name, str) and Path(name).is_absolute() and "\0" not in name]

    def remember(self, path: Path) -> None:
        """Offer ``path`` from now on. Raises `StoreError`."""
        with _lock:
            self._write([*(known for known in self.all() if known != path), path])

    def forget(self, path: Path) -> bool:
        """Offer ``path`` no more; nothing of it is touched. Whether it was offered. Raises `StoreError`."""
        with _lock:
            known = self.all()
            if path in known:
                self._write([other for other in known if other != path])
            return path in known

    def _write(self, known: list[Path]) -> None:
        write_atomic(self._file, json.dumps([str(path) for path in known], indent=1).encode())
