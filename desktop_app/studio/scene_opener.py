"""SceneOpener: one picture at a time is on its way, and what it overtakes comes too late."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import StudioError
from desktop_app.core.params import Params
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.scenes import OpenedScene

OpenWork = Callable[[CancelFlag], OpenedScene]


@dataclass(frozen=True, eq=False)
class Opening:
    """A picture on its way, and its mask. ``params`` come with it in one edit, None where they stay; without
    ``is_edit`` it cannot be undone, as at the start of the program. With ``without_mask`` no mask stays, not even that
    of the same picture. ``take`` does with it what is to be done, where that is something else.
    """

    text: str = ""
    params: Params | None = None
    is_edit: bool = True
    without_mask: bool = False
    take: Callable[[OpenedScene], None] | None = None


class SceneOpener(QObject):
    """Runs the work of opening on the pool. Lives in the GUI thread."""

    opened = Signal(object, object)
    """The `Opening` and its `OpenedScene`."""
    failed = Signal(object, object)
    """The `Opening` and a `StudioError`."""
    opening_changed = Signal(bool)
    """Whether a picture is being opened."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._now: Opening | None = None
        self._cancel = threading.Event()
        self._runner = PoolRunner(self)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)

    @property
    def is_opening(self) -> bool:
        """Whether a picture is being opened."""
        return self._now is not None

    @property
    def running(self) -> int:
        """How many works have not reported yet, those that come too late with them."""
        return self._runner.running

    def start(self, opening: Opening, work: OpenWork) -> None:
        """Run ``work``; what is being opened meanwhile is dropped."""
        self.drop()
        self._now = opening
        self._cancel = threading.Event()
        self._runner.start(opening, partial(work, self._cancel))
        self.opening_changed.emit(True)

    def drop(self) -> None:
        """What is being opened comes too late."""
        self._cancel.set()
        if self._now is not None:
            self._now = None
            self.opening_changed.emit(False)

    def wait(self) -> None:
        """Block until no thread works on it any more."""
        self._runner.wait()

    def _on_finished(self, opening: Opening, opened: OpenedScene) -> None:
        if self._end(opening):
            self.opened.emit(opening, opened)

    def _on_failed(self, opening: Opening, error: StudioError) -> None:
        if self._end(opening):
            self.failed.emit(opening, error)

    def _end(self, opening: Opening) -> bool:
        if opening is not self._now:
            return False
        self._now = None
        self.opening_changed.emit(False)
        return True
