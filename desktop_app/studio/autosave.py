"""Autosave: writes one part of the session soon after it changed, without stalling the GUI thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from desktop_app.core.errors import StudioError
from desktop_app.store.session import SessionStore
from desktop_app.studio.pool import PoolRunner

DELAY_MS = 1000
"""Changes are gathered for so long; with the write they are on disk within two seconds."""

Snapshot = Callable[[], Callable[[], dict[str, Any]]]
"""Called in the GUI thread, quick; what it returns is called in another thread and makes the JSON."""


class Autosave(QObject):
    """Saves what ``snapshot`` gives under ``name``. Lives in the GUI thread."""

    failed = Signal(object)
    """A `StudioError`, once until a write has worked again."""

    def __init__(self, store: SessionStore, name: str, snapshot: Snapshot, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._name = name
        self._snapshot = snapshot
        self._has_failed = False
        self._is_unwritten = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._write)
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_written)
        self._runner.failed.connect(self._on_failed)

    def touch(self) -> None:
        """Something changed: write it soon. The first change starts the clock, later ones do not put it off."""
        self._is_unwritten = True
        if not self._timer.isActive():
            self._timer.start()

    def flush(self) -> None:
        """Write now what has changed, and return when it is on disk. Raises `StoreError`."""
        self._runner.wait()
        if self._is_unwritten:
            self._timer.stop()
            self._store.save(self._name, self._snapshot()())
            self._is_unwritten = False

    def _write(self) -> None:
        make = self._snapshot()
        self._runner.start(self._name, lambda: self._store.save(self._name, make()))

    def _on_written(self, _name: str, _nothing: object) -> None:
        self._has_failed = False
        self._is_unwritten = self._timer.isActive()

    def _on_failed(self, _name: str, error: StudioError) -> None:
        if not self._has_failed:
            self._has_failed = True
            self.failed.emit(error)
