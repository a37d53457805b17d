"""PoolRunner: short disk and decode work on pool threads, its outcome back in the GUI thread."""

from __future__ import annotations

import traceback
from collections.abc import Callable

from PySide6.QtCore import QObject, QThreadPool, Signal

from desktop_app.core.errors import InternalError, StudioError


def internal_error(e: Exception) -> InternalError:
    """A bug, caught at the edge of a thread, as what the window can show."""
    detail = "".join(traceback.format_exception(e))
    return InternalError(f"Something went wrong inside the program ({type(e).__name__})", detail, "Please report it.")


class PoolRunner(QObject):
    """Runs functions away from the GUI thread; lives in the GUI thread, which gets the signals.

    A serial runner has one thread of its own and keeps the order; the others share the global pool. Whoever owns
    a runner calls `wait` before letting it go, since a thread may not outlive the objects it reports to.
    """

    finished = Signal(object, object)
    """What `start` was told as key, and what the function returned."""
    failed = Signal(object, object)
    """The key and a `StudioError`."""
    _ended = Signal(object, object)

    def __init__(self, parent: QObject | None = None, *, serial: bool = False) -> None:
        super().__init__(parent)
        self._pool = QThreadPool.globalInstance()
        if serial:
            self._pool = QThreadPool(self)
            self._pool.setMaxThreadCount(1)
        self._running = 0
        self._ended.connect(self._on_ended)

    @property
    def running(self) -> int:
        """How many functions have not reported yet."""
        return self._running

    def start(self, key: object, work: Callable[[], object]) -> None:
        """Run ``work`` on a pool thread; `finished` or `failed` follows, with ``key``."""
        self._running += 1
        self._pool.start(lambda: self._work(key, work))

    def wait(self) -> None:
        """Block until no thread works for this runner any more. Signals on their way are still delivered later."""
        self._pool.waitForDone()

    def _work(self, key: object, work: Callable[[], object]) -> None:
        """In the pool thread."""
        outcome: object
        try:
            outcome = work()
        except StudioError as e:
            outcome = e
        except Exception as e:
            outcome = internal_error(e)
        self._ended.emit(key, outcome)

    def _on_ended(self, key: object, outcome: object) -> None:
        self._running -= 1
        if isinstance(outcome, StudioError):
            self.failed.emit(key, outcome)
        else:
            self.finished.emit(key, outcome)
