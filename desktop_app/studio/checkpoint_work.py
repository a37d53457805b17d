"""CheckpointWork: what takes a while with a checkpoint on the disk: verify, remove, mend, import."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import StudioError
from desktop_app.studio.checkpoint_rows import CheckpointAccess
from desktop_app.studio.thread_runner import ThreadRunner, Work

CLOSE_S = 1.0
"""How long the threads may take to stop when the program ends."""


class WorkKind(Enum):
    """What is done."""

    VERIFY = "verify"
    REMOVE = "remove"
    DISCARD = "discard"
    BRING_IN = "bring in"


@dataclass(eq=False)
class Task:
    """One piece of work on ``ref`` (the path of what is brought in); only `CheckpointWork` changes it.

    ``outcome`` is None until it is done: names of damaged files, bytes freed, or the new REF.
    """

    kind: WorkKind
    ref: str
    progress: DownloadProgress | None = None
    outcome: Any = None
    error: StudioError | None = None
    is_running: bool = True
    cancel: threading.Event = field(default_factory=threading.Event)


class CheckpointWork(QObject):
    """Lives in the GUI thread. One piece of work at a time for each REF."""

    changed = Signal(object)
    """A `Task` that began, went on or ended."""
    done = Signal(object)
    """A `Task` with its outcome."""
    failed = Signal(object, object)
    """A `Task` and its `StudioError`."""

    def __init__(self, access: CheckpointAccess, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._access = access
        self._tasks: dict[str, Task] = {}
        self._runner = ThreadRunner("checkpoint", self)
        self._runner.progressed.connect(self._on_progressed)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)
        self._runner.cancelled.connect(self._on_cancelled)

    def find(self, ref: str) -> Task | None:
        """What is being done with ``ref``, or was done last."""
        return self._tasks.get(ref)

    @property
    def running(self) -> list[Task]:
        """What is being done."""
        return [task for task in self._tasks.values() if task.is_running]

    def verify(self, ref: str) -> None:
        """Read all files of ``ref`` and compare them with their hashes."""
        self._start(Task(WorkKind.VERIFY, ref), lambda report, cancel: self._access.verify(ref, report, cancel))

    def remove(self, ref: str) -> None:
        """Delete ``ref`` from the disk, or forget it where it is used in place."""
        self._start(Task(WorkKind.REMOVE, ref), lambda _report, _cancel: self._access.remove(ref))

    def discard(self, ref: str, names: Sequence[str]) -> None:
        """Throw the damaged files ``names`` of ``ref`` away."""
        self._start(Task(WorkKind.DISCARD, ref), lambda _report, _cancel: self._access.discard(ref, names))

    def bring_in(self, path: Path) -> None:
        """Import a file, or use a folder where it is."""
        task = Task(WorkKind.BRING_IN, str(path))
        self._start(task, lambda report, cancel: self._access.bring_in(path, report, cancel))

    def cancel(self, ref: str) -> None:
        """Stop what is being done with ``ref``."""
        if ref in self._tasks:
            self._tasks[ref].cancel.set()

    def close(self) -> bool:
        """Stop all, and wait for that; whether all threads have ended in time."""
        return self._runner.close(CLOSE_S)

    def _start(self, task: Task, work: Work) -> None:
        before = self._tasks.get(task.ref)
        if before is not None and before.is_running:
            return
        self._tasks[task.ref] = task
        self._runner.start(task, work, task.cancel)
        self.changed.emit(task)

    def _on_progressed(self, task: Task, progress: DownloadProgress) -> None:
        task.progress = progress
        self.changed.emit(task)

    def _on_finished(self, task: Task, outcome: object) -> None:
        task.is_running = False
        task.outcome = outcome
        self.changed.emit(task)
        self.done.emit(task)

    def _on_failed(self, task: Task, error: StudioError) -> None:
        task.is_running = False
        task.error = error
        self.changed.emit(task)
        self.failed.emit(task, error)

    def _on_cancelled(self, task: Task) -> None:
        task.is_running = False
        self._tasks.pop(task.ref, None)
        self.changed.emit(task)
