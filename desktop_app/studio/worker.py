"""Worker: owns the engine on a thread of its own, runs one request after the other, and saves what comes out. Between
two runs it derives control images.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QThread, Signal, Slot
from PySide6.QtGui import QImage

from desktop_app.core.conditions import Control
from desktop_app.core.engine import Engine, EngineOptions, EngineStatus, Phase, Progress, Result
from desktop_app.core.errors import Cancelled, StudioError
from desktop_app.core.image import encode_png
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request
from desktop_app.core.variation import write_texts
from desktop_app.store.files import write_atomic
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.pace import Pace
from desktop_app.studio.pool import internal_error
from desktop_app.studio.qimage import to_qimage

MIN_INTERVAL_S = 1 / 15
"""Progress within a phase is told at most this often: what the window could not draw in time would only pile up."""


@dataclass(frozen=True)
class RunOrder:
    """A job for the worker."""

    job_id: str
    request: Request
    cancel: threading.Event


@dataclass(frozen=True)
class SaveOrder:
    """A finished picture to be saved again: in the gallery, or under ``path`` if given."""

    job_id: str
    request: Request
    result: Result
    path: Path | None = None


@dataclass(frozen=True, eq=False)
class DeriveOrder:
    """A control image that shall be made; see `Engine.derive`."""

    control: Control
    picture: ImageRef
    placement: Placement | None
    cancel: threading.Event


@dataclass(frozen=True)
class DerivedPicture:
    """A control image for the eye; ``note`` is as in `Derived`."""

    qimage: QImage
    note: str = ""


@dataclass(frozen=True)
class Report:
    """How far a run is. ``progress`` is without its preview, which is converted already."""

    progress: Progress
    preview: QImage | None
    rate: float | None
    seconds_left: float | None


class Worker(QObject):
    """Lives in the thread of `WorkerThread`; its slots are called by queued signals only."""

    begun = Signal(str)
    progressed = Signal(str, object)
    """A job's id and a `Report`."""
    finished = Signal(str, object)
    """A job's id and its saved `Variation`."""
    unsaved = Signal(str, object, object)
    """A job's id, the `Result` that could not be saved, and the `StudioError`."""
    exported = Signal(str, object)
    """A job's id and the path that its unsaved result was written to."""
    failed = Signal(str, object)
    cancelled = Signal(str)
    deriving_progressed = Signal(object, object)
    """A `DeriveOrder` and a `Progress`."""
    derived = Signal(object, object)
    """A `DeriveOrder` and its `DerivedPicture`."""
    deriving_failed = Signal(object, object)
    deriving_cancelled = Signal(object)
    status_told = Signal(object)
    """The `EngineStatus`, after a run, after an annotator was used, after warming up, and when asked for."""
    closed = Signal()

    def __init__(self, engine: Engine, gallery: GalleryStore) -> None:
        super().__init__()
        self._engine = engine
        self._gallery = gallery

    @Slot(object)
    def run(self, order: RunOrder) -> None:
        """Make the picture and save it; exactly one of the ending signals follows."""
        self.begun.emit(order.job_id)
        reporter = _Reporter(self, order.job_id)
        try:
            result = self._engine.run(order.request, reporter, order.cancel)
            if order.cancel.is_set():
                raise Cancelled  # the wish to stop came after the engine's last look
            reporter(Progress(Phase.SAVING, len(order.request.stages) - 1, len(order.request.stages)))
            self._save(SaveOrder(order.job_id, order.request, result))
        except Cancelled:
            self.cancelled.emit(order.job_id)
        except StudioError as e:
            self.failed.emit(order.job_id, e)
        except Exception as e:
            self.failed.emit(order.job_id, internal_error(e))
        self._tell_status()

    @Slot(object)
    def derive(self, order: DeriveOrder) -> None:
        """Make the control image; exactly one of the ending signals of deriving follows."""
        try:
            self.derived.emit(order, self._derive(order))
        except Cancelled:
            self.deriving_cancelled.emit(order)
        except StudioError as e:
            self.deriving_failed.emit(order, e)
        except Exception as e:
            self.deriving_failed.emit(order, internal_error(e))
        if order.control.annotator:
            self._tell_status()

    @Slot(object)
    def save(self, order: SaveOrder) -> None:
        """Try again to save what could not be saved."""
        self._save(order)

    @Slot(object)
    def warm_up(self, checkpoint: str) -> None:
        """Get the engine ready, so that the first run need not wait."""
        self._engine.warm_up(checkpoint)
        self._tell_status()

    @Slot(object)
    def configure(self, options: EngineOptions) -> None:
        """How the engine shall run from now on."""
        self._engine.configure(options)

    @Slot()
    def tell_status(self) -> None:
        """Tell how the engine is now."""
        self._tell_status()

    @Slot()
    def close(self) -> None:
        """End the engine."""
        self._engine.close()
        self.closed.emit()

    def _derive(self, order: DeriveOrder) -> DerivedPicture:
        sieve = _Sieve()

        def report(progress: Progress) -> None:
            if sieve.passes(progress):
                self.deriving_progressed.emit(order, progress)

        derived = self._engine.derive(order.control, order.picture, report, order.cancel, placement=order.placement)
        if order.cancel.is_set():
            raise Cancelled
        return DerivedPicture(to_qimage(derived.image), derived.note)

    def _save(self, order: SaveOrder) -> None:
        try:
            if order.path is not None:
                content = encode_png(order.result.image, write_texts(order.request, order.result))
                write_atomic(order.path, content, is_private=False)
                self.exported.emit(order.job_id, order.path)
                return
            self.finished.emit(order.job_id, self._gallery.save(order.request, order.result))
        except StudioError as e:
            self.unsaved.emit(order.job_id, order.result, e)
        except Exception as e:
            self.unsaved.emit(order.job_id, order.result, internal_error(e))

    def _tell_status(self) -> None:
        try:
            status = self._engine.status()
        except StudioError:
            status = EngineStatus()  # it has died; the job says so
        self.status_told.emit(status)


class _Sieve:
    """Lets progress pass: every change of phase, the first and the last step, and of the others the newest in time."""

    def __init__(self) -> None:
        self._told_at = 0.0
        self._told_phase: tuple[Phase, int] | None = None

    def passes(self, progress: Progress) -> bool:
        """Whether ``progress`` shall be told."""
        now = time.monotonic()
        phase = (progress.phase, progress.stage)
        is_edge = phase != self._told_phase or progress.step == progress.total
        if not is_edge and now - self._told_at < MIN_INTERVAL_S:
            return False
        self._told_at, self._told_phase = now, phase
        return True


class _Reporter:
    """Passes the progress of a run on, as far as it goes through the sieve."""

    def __init__(self, worker: Worker, job_id: str) -> None:
        self._worker = worker
        self._job_id = job_id
        self._pace = Pace()
        self._sieve = _Sieve()

    def __call__(self, progress: Progress) -> None:
        self._pace.note(progress)
        if not self._sieve.passes(progress):
            return
        preview = to_qimage(progress.preview) if progress.preview else None
        report = Report(replace(progress, preview=None), preview, self._pace.rate, self._pace.seconds_left)
        self._worker.progressed.emit(self._job_id, report)


class WorkerThread(QObject):
    """The worker and its thread. Lives in the GUI thread."""

    _warm_up_requested = Signal(object)
    _configure_requested = Signal(object)
    _status_requested = Signal()
    _close_requested = Signal()

    def __init__(self, engine: Engine, gallery: GalleryStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thread = QThread(self)
        self._thread.setObjectName("engine")
        self.worker = Worker(engine, gallery)
        self.worker.moveToThread(self._thread)
        self._warm_up_requested.connect(self.worker.warm_up, Qt.ConnectionType.QueuedConnection)
        self._configure_requested.connect(self.worker.configure, Qt.ConnectionType.QueuedConnection)
        self._status_requested.connect(self.worker.tell_status, Qt.ConnectionType.QueuedConnection)
        self._close_requested.connect(self.worker.close, Qt.ConnectionType.QueuedConnection)
        self.worker.closed.connect(self._thread.quit, Qt.ConnectionType.DirectConnection)

    def start(self) -> None:
        """Let the worker work."""
        self._thread.start()

    def warm_up(self, checkpoint: str) -> None:
        """Get the engine ready in the background."""
        self._warm_up_requested.emit(checkpoint)

    def configure(self, options: EngineOptions) -> None:
        """How the engine shall run from the next job on."""
        self._configure_requested.emit(options)

    def ask_status(self) -> None:
        """Have the status of the engine told, once it has time."""
        self._status_requested.emit()

    def stop(self, wait_ms: int = 5000) -> bool:
        """End engine and thread, after the job that runs; whether that was done in time."""
        if not self._thread.isRunning():
            return True
        self._close_requested.emit()
        return self._thread.wait(wait_ms)
