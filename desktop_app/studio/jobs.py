"""JobQueue: owns every job and its state, starts one after the other, and survives a restart."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QImage

from desktop_app.core.engine import Progress, Result
from desktop_app.core.errors import RequestError, StudioError, error_from_json
from desktop_app.core.request import Request, request_from_json
from desktop_app.core.variation import Variation, find_images
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.session import SessionStore
from desktop_app.studio.autosave import Autosave
from desktop_app.studio.request_texts import refs_of
from desktop_app.studio.share_done import ShareDone
from desktop_app.studio.tips import plain_tip
from desktop_app.studio.worker import Report, RunOrder, SaveOrder, Worker

SESSION_NAME = "queue"
MAX_ENDED = 200
"""Ended jobs beyond this many leave the list, the oldest first; their pictures stay."""

Index = QModelIndex | QPersistentModelIndex


class JobState(Enum):
    """Where a job stands. STOPPING lasts from the wish to stop until the engine has stopped."""

    QUEUED = "queued"
    RUNNING = "running"
    STOPPING = "stopping"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(eq=False)
class Job:
    """One request in the queue. Only the queue changes it, in the GUI thread; others read."""

    request: Request
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: JobState = JobState.QUEUED
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    error: StudioError | None = None
    progress: Progress | None = None
    preview: QImage | None = None
    rate: float | None = None
    seconds_left: float | None = None
    variation_id: str = ""
    is_interrupted: bool = False
    """It ran when the program ended last time."""
    is_begun: bool = False
    """The worker has taken it up."""
    cancel: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.share_done = ShareDone(self.request)

    @property
    def share(self) -> float:
        """How much of its run is done, 0-1."""
        return self.share_done.share

    @property
    def is_in_last_stage(self) -> bool:
        """Whether ``seconds_left``, which are those of the stage that runs, are all that is left."""
        return self.progress is not None and self.progress.stage + 1 >= self.progress.stages


class JobQueue(QAbstractListModel):
    """Rows: the active job, those that wait in their order, those that have ended, newest first. In the GUI thread."""

    JobRole = Qt.ItemDataRole.UserRole + 1

    job_changed = Signal(object)
    progressed = Signal(object)
    finished = Signal(object, object)
    """A `Job` and its `Variation`."""
    failed = Signal(object, object)
    """A `Job` and a `StudioError`."""
    cancelled = Signal(object)
    state_changed = Signal()
    """Which job runs, how many wait, or whether the queue is paused."""
    error_raised = Signal(object)
    _run_requested = Signal(object)
    _save_requested = Signal(object)

    def __init__(self, session: SessionStore, gallery: GalleryStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._gallery = gallery
        self._active: Job | None = None
        self._waiting: list[Job] = []
        self._ended: list[Job] = []
        self._unsaved: dict[str, Result] = {}
        self._saving: set[str] = set()
        """Jobs whose unsaved picture is on its way to the disk again."""
        self._is_attached = False
        self._is_paused = False
        self._is_paused_by_user = False
        self._notice = ""
        self._autosave = Autosave(session, SESSION_NAME, self._snapshot, self)
        self._autosave.failed.connect(self.error_raised)

    # What there is --------------------------------------------------------------------------------

    @property
    def current(self) -> Job | None:
        """The job that runs or is being stopped."""
        return self._active

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._waiting)

    @property
    def paused(self) -> bool:
        """Whether no further job is started."""
        return self._is_paused

    @property
    def notice(self) -> str:
        """Why the queue is paused without the user having said so, or empty."""
        return self._notice

    def find(self, job_id: str) -> Job | None:
        """The job with that id."""
        return next((job for job in self._jobs() if job.id == job_id), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """All jobs."""
        return 0 if parent.isValid() else (self._active is not None) + len(self._waiting) + len(self._ended)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The `Job` under `JobRole`; its prompt as text, and with the REFs of its checkpoints as tip."""
        if not self.checkIndex(index, QAbstractListModel.CheckIndexOption.IndexIsValid):
            return None
        job = self._job_at(index.row())
        if role == self.JobRole:
            return job
        if role == Qt.ItemDataRole.DisplayRole:
            return job.request.stages[0].prompt
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip("\n".join(filter(None, (job.request.stages[0].prompt, *refs_of(job.request)))))
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Jobs that wait can be dragged to another place."""
        flags = super().flags(index)
        if not index.isValid():
            return flags | Qt.ItemFlag.ItemIsDropEnabled
        is_waiting = self._job_at(index.row()).state is JobState.QUEUED
        return flags | Qt.ItemFlag.ItemIsDragEnabled if is_waiting else flags

    def supportedDropActions(self) -> Qt.DropAction:
        """Jobs are moved, not copied."""
        return Qt.DropAction.MoveAction

    def _job_at(self, row: int) -> Job:
        if self._active is not None:
            if row == 0:
                return self._active
            row -= 1
        return self._waiting[row] if row < len(self._waiting) else self._ended[row - len(self._waiting)]

    def _jobs(self) -> list[Job]:
        return [*([self._active] if self._active else []), *self._waiting, *self._ended]

    # What the user wants --------------------------------------------------------------------------

    def add(self, requests: list[Request]) -> list[Job]:
        """Queue a job for each request. Starts at once, unless the user himself has paused the queue."""
        jobs = [Job(request) for request in requests]
        self._insert_waiting(jobs, len(self._waiting))
        if not self._is_paused_by_user:
            self._set_paused(False)
        self._start_next()
        return jobs

    def stop_now(self) -> None:
        """Stop the active job within a step, and save nothing of it. Those that wait stay, and the queue pauses."""
        job = self._active
        if job is None:
            return
        if self._waiting and not self._is_paused:
            self._set_paused(True, self.tr("Stopped: the jobs that wait go on when you resume the queue."))
        job.cancel.set()
        if job.is_begun:
            self._change(job, JobState.STOPPING)
        else:
            self._end(job, JobState.CANCELLED)
            self.cancelled.emit(job)

    def stop_after_this(self) -> None:
        """Let the active job end, then pause."""
        if self._active is not None:
            self._set_paused(True, self.tr("The queue pauses after this picture."))

    def pause(self) -> None:
        """Start no further job."""
        self._is_paused_by_user = True
        self._set_paused(True)

    def resume(self) -> None:
        """Go on."""
        self._is_paused_by_user = False
        self._set_paused(False)
        self._start_next()

    def move(self, job_id: str, row: int) -> None:
        """Put a job that waits at ``row`` of the model, or as near as the jobs that wait are to it."""
        first = int(self._active is not None)
        source = next((number for number, job in enumerate(self._waiting) if job.id == job_id), None)
        if source is None:
            return
        target = min(max(row - first, 0), len(self._waiting) - 1)
        if target == source:
            return
        after = target + 1 if target > source else target
        root = QModelIndex()
        self.beginMoveRows(root, first + source, first + source, root, first + after)
        self._waiting.insert(target, self._waiting.pop(source))
        self.endMoveRows()
        self._autosave.touch()

    def remove(self, job_id: str) -> None:
        """Take a job off the list; the active one is stopped. Pictures in the gallery stay."""
        if self._active is not None and self._active.id == job_id:
            self.stop_now()
            return
        row = next((number for number, job in enumerate(self._jobs()) if job.id == job_id), None)
        if row is not None:
            self._remove_rows([row])

    def duplicate(self, job_id: str) -> Job | None:
        """Queue the same request again, behind all others."""
        job = self.find(job_id)
        return self.add([job.request])[0] if job else None

    def clear_finished(self) -> None:
        """Take ended jobs off the list, but those whose picture is not on disk."""
        first = self.rowCount() - len(self._ended)
        kept = self._unsaved
        self._remove_rows([first + number for number, job in enumerate(self._ended) if job.id not in kept])

    def clear_waiting(self) -> None:
        """Take all jobs that wait off the list."""
        first = int(self._active is not None)
        self._remove_rows(list(range(first, first + len(self._waiting))))

    @property
    def unsaved(self) -> int:
        """How many finished pictures are in memory alone, since they could not be saved."""
        return len(self._unsaved)

    def can_save(self, job_id: str) -> bool:
        """Whether the job has a finished picture that could not be saved."""
        return job_id in self._unsaved

    def retry_save(self, job_id: str) -> None:
        """Save the finished picture of a job in the gallery after all."""
        self._save(job_id, None)

    def save_result_as(self, job_id: str, path: Path) -> None:
        """Save the finished picture of a job as the PNG file ``path``."""
        self._save(job_id, path)

    def _save(self, job_id: str, path: Path | None) -> None:
        job, result = self.find(job_id), self._unsaved.get(job_id)
        if job is not None and result is not None and job_id not in self._saving:
            self._saving.add(job_id)
            self._save_requested.emit(SaveOrder(job_id, job.request, result, path))

    # The worker -----------------------------------------------------------------------------------

    def attach(self, worker: Worker) -> None:
        """Let ``worker`` do the jobs."""
        queued = Qt.ConnectionType.QueuedConnection
        self._run_requested.connect(worker.run, queued)
        self._save_requested.connect(worker.save, queued)
        worker.begun.connect(self._on_worker_begun, queued)
        worker.progressed.connect(self._on_worker_progressed, queued)
        worker.finished.connect(self._on_worker_finished, queued)
        worker.unsaved.connect(self._on_worker_unsaved, queued)
        worker.exported.connect(self._on_worker_exported, queued)
        worker.failed.connect(self._on_worker_failed, queued)
        worker.cancelled.connect(self._on_worker_cancelled, queued)
        self._is_attached = True
        self._start_next()

    def _start_next(self) -> None:
        """The first job that waits becomes the active one; both have the first row, so no row moves."""
        if self._active is None and self._waiting and not self._is_paused and self._is_attached:
            self._active = job = self._waiting.pop(0)
            self._run_requested.emit(RunOrder(job.id, job.request, job.cancel))
            self._change(job, JobState.RUNNING)
        self._autosave.touch()
        self.state_changed.emit()

    def _on_worker_begun(self, job_id: str) -> None:
        if job := self._active_with(job_id):
            job.is_begun = True

    def _on_worker_progressed(self, job_id: str, report: Report) -> None:
        job = self._active_with(job_id)
        if job is None:
            return
        job.progress = report.progress
        job.share_done.note(report.progress)
        job.preview = report.preview or job.preview
        job.rate, job.seconds_left = report.rate, report.seconds_left
        self._tell_changed(job)
        self.progressed.emit(job)

    def _on_worker_finished(self, job_id: str, variation: Variation) -> None:
        self._saving.discard(job_id)
        job = self.find(job_id)
        if job is None:
            return
        self._unsaved.pop(job_id, None)
        job.variation_id = variation.id
        job.error = None
        self._end(job, JobState.DONE)
        self.finished.emit(job, variation)

    def _on_worker_unsaved(self, job_id: str, result: Result, error: StudioError) -> None:
        """The picture is kept in memory until it is saved, or the program ends."""
        self._saving.discard(job_id)
        self._unsaved[job_id] = result
        hint = self.tr("The picture is kept: make room, then choose “Save again” in the queue.")
        self._fail(job_id, type(error)(error.title, error.detail, f"{error.hint} {hint}".strip()))

    def _on_worker_exported(self, job_id: str, _path: Path) -> None:
        job = self.find(job_id)
        self._saving.discard(job_id)
        self._unsaved.pop(job_id, None)
        if job is not None:
            job.error = None
            self._end(job, JobState.DONE)

    def _on_worker_failed(self, job_id: str, error: StudioError) -> None:
        self._fail(job_id, error)

    def _on_worker_cancelled(self, job_id: str) -> None:
        if job := self._active_with(job_id):
            self._end(job, JobState.CANCELLED)
            self.cancelled.emit(job)

    def _fail(self, job_id: str, error: StudioError) -> None:
        job = self.find(job_id)
        if job is not None:
            job.error = error
            self._end(job, JobState.FAILED)
            self.failed.emit(job, error)

    def _active_with(self, job_id: str) -> Job | None:
        return self._active if self._active is not None and self._active.id == job_id else None

    # Rows -----------------------------------------------------------------------------------------

    def _insert_waiting(self, jobs: list[Job], place: int) -> None:
        if not jobs:
            return
        first = int(self._active is not None) + place
        self.beginInsertRows(QModelIndex(), first, first + len(jobs) - 1)
        self._waiting[place:place] = jobs
        self.endInsertRows()

    def _end(self, job: Job, state: JobState) -> None:
        """``job`` has ended; if it was the active one, the next begins."""
        job.preview = None
        job.seconds_left = None
        if job is self._active:
            root = QModelIndex()
            has_moved = bool(self._waiting) and self.beginMoveRows(root, 0, 0, root, 1 + len(self._waiting))
            self._active = None
            self._ended.insert(0, job)
            if has_moved:
                self.endMoveRows()
        self._change(job, state)
        excess = range(self.rowCount() - max(len(self._ended) - MAX_ENDED, 0), self.rowCount())
        self._remove_rows([row for row in excess if self._job_at(row).id not in self._unsaved])
        self._start_next()

    def _remove_rows(self, rows: list[int]) -> None:
        """The last first, so that the numbers of the others stay."""
        for row in sorted(rows, reverse=True):
            job = self._job_at(row)
            self.beginRemoveRows(QModelIndex(), row, row)
            (self._waiting if job in self._waiting else self._ended).remove(job)
            self._unsaved.pop(job.id, None)
            self.endRemoveRows()
        if rows:
            self._autosave.touch()
            self.state_changed.emit()

    def _change(self, job: Job, state: JobState) -> None:
        job.state = state
        self._tell_changed(job)
        self.job_changed.emit(job)

    def _tell_changed(self, job: Job) -> None:
        index = self.index(0 if job is self._active else self._jobs().index(job), 0)
        self.dataChanged.emit(index, index)

    def _set_paused(self, is_paused: bool, notice: str = "") -> None:
        self._is_paused = is_paused
        self._notice = notice
        self.state_changed.emit()

    # Session --------------------------------------------------------------------------------------

    def restore_session(self) -> None:
        """Take back what waited when the program ended; it waits for the user to go on. Raises `StoreError`."""
        entries = (self._session.load(SESSION_NAME) or {}).get("jobs", [])
        jobs = [job for entry in entries if (job := self._read_job(entry))] if isinstance(entries, list) else []
        waiting = [job for job in jobs if job.state is JobState.QUEUED]
        ended = [job for job in jobs if job.state is not JobState.QUEUED]
        self.beginResetModel()
        self._waiting[:0] = waiting
        self._ended.extend(ended)
        self.endResetModel()
        if waiting:
            self._set_paused(True, self.tr("These jobs wait since last time: resume the queue to go on."))

    def close(self) -> None:
        """Stop the active job and write the queue, in which it stays. Raises `StoreError`."""
        self._is_paused = True
        self._autosave.touch()
        try:
            self._autosave.flush()
        finally:
            if self._active is not None:
                self._active.cancel.set()

    def _snapshot(self) -> Callable[[], dict[str, Any]]:
        kept = [job for job in self._jobs() if job.state is not JobState.DONE]
        entries = [(job.id, job.request, job.state, job.created, job.error) for job in kept]
        return partial(_to_json, entries)

    def _read_job(self, entry: Any) -> Job | None:
        try:
            request = request_from_json(entry["request"], find_images(entry["request"], self._gallery.find_image))
            state = JobState(entry["state"])
            is_interrupted = state in (JobState.RUNNING, JobState.STOPPING)
            error = entry.get("error")
            return Job(
                request,
                str(entry["id"]),
                JobState.QUEUED if is_interrupted else state,
                datetime.fromisoformat(entry["created"]),
                error_from_json(error) if error else None,
                is_interrupted=is_interrupted,
            )
        except (RequestError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as e:
            title = self.tr("A job of the last session cannot be read")
            self.error_raised.emit(RequestError(title, str(e), self.tr("It was left out of the queue.")))
            return None


def _to_json(entries: list[tuple[str, Request, JobState, datetime, StudioError | None]]) -> dict[str, Any]:
    """Called on a pool thread."""
    jobs = [
        {
            "id": job_id,
            "request": request.to_json(),
            "state": state.value,
            "created": created.isoformat(),
            "error": error.to_json() if error else None,
        }
        for job_id, request, state, created, error in entries
    ]
    return {"jobs": jobs}
