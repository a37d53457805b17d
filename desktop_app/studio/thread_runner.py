"""ThreadRunner: long work, each piece on a thread of its own, that can be stopped and tells how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from desktop_app.core.download import DownloadProgress, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, StudioError
from desktop_app.studio.pool import internal_error

MIN_INTERVAL_S = 0.1
"""Progress is told at most this often."""

Work = Callable[[ReportDownload, CancelFlag], object]
"""Long work: tells how far it is, and raises `Cancelled` soon after the flag is set."""


class ThreadRunner(QObject):
    """Lives in the GUI thread, which gets the signals. What still works after `close` is let go: nothing that it
    does is heard any more, and it does not keep the program from ending.
    """

    progressed = Signal(object, object)
    """What `start` was told as key, and a `DownloadProgress`."""
    finished = Signal(object, object)
    """The key, and what the work returned."""
    failed = Signal(object, object)
    """The key and a `StudioError`."""
    cancelled = Signal(object)
    _told = Signal(object, object)
    _ended = Signal(object, object)

    def __init__(self, name: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._running: dict[threading.Thread, threading.Event] = {}
        self._gate = threading.Lock()
        """Held while a thread tells something, so that none does after `close`."""
        self._is_closed = False
        self._told.connect(self.progressed)
        self._ended.connect(self._on_ended)

    def start(self, key: object, work: Work, cancel: threading.Event | None = None) -> threading.Event:
        """Run ``work`` on a thread of its own; exactly one of the ending signals follows. Returns its flag."""
        flag = cancel or threading.Event()
        self._running = {thread: other for thread, other in self._running.items() if thread.is_alive()}
        if not self._is_closed:
            thread = threading.Thread(target=self._work, args=(key, work, flag), name=self._name, daemon=True)
            self._running[thread] = flag
            thread.start()
        return flag

    def close(self, wait_s: float) -> bool:
        """Stop all work and wait so long for it; whether it has ended in time."""
        with self._gate:
            self._is_closed = True
        for flag in self._running.values():
            flag.set()
        until = time.monotonic() + wait_s
        for thread in self._running:
            thread.join(max(until - time.monotonic(), 0.0))
        return not any(thread.is_alive() for thread in self._running)

    def _work(self, key: object, work: Work, flag: threading.Event) -> None:
        """In its thread."""
        outcome: object
        try:
            outcome = work(_Reporter(lambda progress: self._tell(self._told.emit, key, progress)), flag)
        except (Cancelled, StudioError) as e:
            outcome = e
        except Exception as e:
            outcome = internal_error(e)
        self._tell(self._ended.emit, key, outcome)

    def _tell(self, emit: Callable[[object, object], None], key: object, value: object) -> None:
        with self._gate:
            if not self._is_closed:
                emit(key, value)

    def _on_ended(self, key: object, outcome: object) -> None:
        if isinstance(outcome, Cancelled):
            self.cancelled.emit(key)
        elif isinstance(outcome, StudioError):
            self.failed.emit(key, outcome)
        else:
            self.finished.emit(key, outcome)


class _Reporter:
    """Passes on the first progress, the last, and of the others the newest in time."""

    def __init__(self, tell: ReportDownload) -> None:
        self._tell = tell
        self._told_at = float("-inf")

    def __call__(self, progress: DownloadProgress) -> None:
        now = time.monotonic()
        if progress.done >= progress.total or now - self._told_at >= MIN_INTERVAL_S:
            self._told_at = now
            self._tell(progress)
