"""Prefetch: reads the next stage's weights from the disk while the current stage runs, as far as memory is free.

They are read into the system's own cache of files, from where they are loaded many times faster: to build the pipeline
itself meanwhile would change torch's defaults under the stage that runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import psutil

from desktop_app.core.errors import CheckpointError
from desktop_app.store.any_checkpoint import family_at
from desktop_app.store.checkpoint_files import choose_variant, weight_files

PIECE = 8 * 1024 * 1024
"""Bytes read at once; after each it may be told to stop."""

SHARE = 0.5
"""Of the free memory that files may take."""


class Prefetch:
    """Inside the block a thread reads the files of ``paths``, folders or single files; it ends with the block."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [file for path in paths for file in _weights(path)]
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.read_bytes = 0

    def __enter__(self) -> Prefetch:
        size = 0
        with contextlib.suppress(OSError):  # gone meanwhile, which loading tells
            size = sum(file.stat().st_size for file in self._files)
        if 0 < size <= psutil.virtual_memory().available * SHARE:
            self._thread = threading.Thread(target=self._read, name="prefetch", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def _read(self) -> None:
        for file in self._files:
            with contextlib.suppress(OSError), file.open("rb", buffering=0) as stream:  # loading tells what is wrong
                while not self._stop.is_set() and (piece := stream.read(PIECE)):
                    self.read_bytes += len(piece)


def _weights(path: Path) -> list[Path]:
    """The files that will be loaded; of a folder those of the one variant."""
    with contextlib.suppress(OSError, CheckpointError):
        if path.is_file():
            return [path]
        parts = family_at(path).weighted
        variant = choose_variant(path, parts)
        return [file for part in parts for file in weight_files(path, part, variant)]
    return []
