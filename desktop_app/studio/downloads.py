"""Downloads: checkpoints on their way from the hub; paused, resumed, and still there after a restart."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from PySide6.QtCore import QObject, Signal

from desktop_app.core.download import DownloadPlan, DownloadProgress, ReportDownload, UnfinishedDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import StudioError
from desktop_app.studio.thread_runner import ThreadRunner, Work

AT_ONCE = 2
"""More would only share the same line."""

CLOSE_S = 1.0
"""How long the threads may take to stop when the program ends."""


class DownloadSource(Protocol):
    """Where checkpoints come from; `desktop_app.store.downloads.CheckpointDownloads` is one. Called on threads."""

    def plan(self, ref: str) -> DownloadPlan:
        """What fetching ``ref`` takes. Raises `CheckpointError`."""

    def fetch(self, plan: DownloadPlan, report: ReportDownload, cancel: CancelFlag) -> Path:
        """Fetch it; its verified folder. Raises `Cancelled` (what is here stays) or `StudioError`."""

    def unfinished(self) -> Sequence[UnfinishedDownload]:
        """What earlier downloads left."""

    def discard(self, ref: str) -> None:
        """Throw away what an unfinished download left."""


Convert = Callable[[DownloadPlan, Path, ReportDownload, CancelFlag], Path]
"""Makes safetensors of the pickles in a fetched folder, and gives the folder of those. Called on a thread."""


class DownloadState(Enum):
    """Where a download stands. PAUSING and CANCELLING last until its thread has stopped, DONE until it is forgotten."""

    PLANNING = "planning"
    ASKING = "asking"
    WAITING = "waiting"
    RUNNING = "running"
    CONVERTING = "converting"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    FAILED = "failed"
    DONE = "done"


AT_WORK = (DownloadState.RUNNING, DownloadState.CONVERTING)
STOPPING = (DownloadState.PAUSING, DownloadState.CANCELLING)
CAN_PAUSE = (DownloadState.PLANNING, DownloadState.ASKING, DownloadState.WAITING, *AT_WORK)
CAN_RESUME = (DownloadState.PAUSED, DownloadState.FAILED)


@dataclass(eq=False)
class Download:
    """One checkpoint on its way. Only `Downloads` changes it, in the GUI thread; others read."""

    ref: str
    state: DownloadState = DownloadState.PLANNING
    plan: DownloadPlan | None = None
    progress: DownloadProgress | None = None
    error: StudioError | None = None
    is_agreed: bool = False
    """The user wants its pickles converted."""
    is_local: bool = False
    """Nothing has to be fetched, only converted."""
    is_held: bool = False
    """It was stopped because the network was switched off, and goes on when it is on again."""
    has_thread: bool = False
    cancel: threading.Event = field(default_factory=threading.Event)

    @property
    def total(self) -> int:
        """Bytes of all its files; 0 while that is not known."""
        if self.plan is not None:
            return self.plan.total_bytes
        return self.progress.total if self.progress else 0


@dataclass(frozen=True)
class _Task:
    """What a thread was started for: ``turn`` is the flag of that turn, which tells late answers from awaited ones."""

    kind: str
    ref: str = ""
    turn: threading.Event | None = None


class Downloads(QObject):
    """Lives in the GUI thread. At most `AT_ONCE` fetch at a time; the others wait in the order they were asked for."""

    changed = Signal(str)
    """The REF of a download that came, went, or stands elsewhere."""
    finished = Signal(str, object)
    """A REF and the folder where the checkpoint lies."""
    failed = Signal(str, object)
    """A REF and a `StudioError`."""
    consent_needed = Signal(str, object)
    """A REF and its `DownloadPlan`: its weights are pickles. `agree` or `decline` answers."""

    def __init__(
        self, source: DownloadSource, convert: Convert, parent: QObject | None = None, *, is_online: bool = True
    ) -> None:
        super().__init__(parent)
        self._source = source
        self._convert = convert
        self._is_online = is_online
        self._downloads: dict[str, Download] = {}
        self._runner = ThreadRunner("download", self)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)
        self._runner.cancelled.connect(self._on_cancelled)
        self._runner.progressed.connect(self._on_progressed)

    # What there is --------------------------------------------------------------------------------

    @property
    def all(self) -> tuple[Download, ...]:
        """In the order they were asked for."""
        return tuple(self._downloads.values())

    @property
    def is_online(self) -> bool:
        """Whether the network may be used."""
        return self._is_online

    def find(self, ref: str) -> Download | None:
        """The download of ``ref``, if there is one."""
        return self._downloads.get(ref)

    # What the user wants --------------------------------------------------------------------------

    def restore(self) -> None:
        """List, paused, what earlier starts of the program left."""
        self._runner.start(_Task("unfinished"), lambda _report, _cancel: list(self._source.unfinished()))

    def start(self, ref: str, *, is_local: bool = False) -> None:
        """Fetch ``ref``, or go on with it. With ``is_local`` all of it is here, and is only to be converted."""
        download = self._downloads.get(ref)
        if download is not None and download.state is not DownloadState.DONE:
            self.resume(ref)
            return
        download = self._downloads[ref] = Download(ref, is_local=is_local)
        self._begin(download)

    def pause(self, ref: str) -> None:
        """Stop for now; what is here stays."""
        download = self._downloads.get(ref)
        if download is None:
            return
        download.is_held = False
        if download.state not in CAN_PAUSE:
            return
        download.cancel.set()
        self._move(download, DownloadState.PAUSING if download.has_thread else DownloadState.PAUSED)
        self._fill()

    def resume(self, ref: str) -> None:
        """Go on where it stopped."""
        download = self._downloads.get(ref)
        if download is not None and download.state in CAN_RESUME:
            self._begin(download)
        elif download is not None and download.state is DownloadState.PAUSING:
            download.is_held = True  # its thread is still stopping

    def retry(self, ref: str) -> None:
        """Ask the hub anew, and go on: the licence may be accepted by now, or the network back."""
        download = self._downloads.get(ref)
        if download is not None and download.state is DownloadState.FAILED:
            download.plan = None
            self._begin(download)

    def cancel(self, ref: str) -> None:
        """Stop, and throw away what is here of it."""
        download = self._downloads.get(ref)
        if download is None or download.state in (DownloadState.CANCELLING, DownloadState.DONE):
            return
        download.cancel.set()
        self._move(download, DownloadState.CANCELLING)
        if not download.has_thread:
            self._discard(download)
        self._fill()

    def agree(self, ref: str) -> None:
        """The user has read what converting pickles means, and wants it."""
        download = self._downloads.get(ref)
        if download is not None and download.state is DownloadState.ASKING:
            download.is_agreed = True
            self._wait(download)

    def decline(self, ref: str) -> None:
        """The user does not want pickles converted; what is here of it stays until it is cancelled."""
        download = self._downloads.get(ref)
        if download is None or download.state is not DownloadState.ASKING:
            return
        has_bytes = bool(download.progress and download.progress.done)
        (self.pause if has_bytes else self.cancel)(ref)

    def set_online(self, is_online: bool) -> None:
        """Switch the network: off stops all, on lets those go on that were stopped by that."""
        if is_online == self._is_online:
            return
        self._is_online = is_online
        for download in self.all:
            if not is_online and download.state in CAN_PAUSE and not download.is_local:
                self.pause(download.ref)
                download.is_held = True
            elif is_online and download.is_held and download.state is DownloadState.PAUSED:
                self._begin(download)

    def forget_done(self) -> None:
        """Take those off the list that are here: they are known as installed by now."""
        for download in self.all:
            if download.state is DownloadState.DONE:
                self._drop(download)

    def close(self) -> bool:
        """Stop all, resumable, and wait for that; whether all threads have ended in time."""
        return self._runner.close(CLOSE_S)

    # From state to state --------------------------------------------------------------------------

    def _begin(self, download: Download) -> None:
        download.error = None
        download.is_held = not (self._is_online or download.is_local)
        if download.is_held:
            self._move(download, DownloadState.PAUSED)
            return
        download.cancel = threading.Event()
        if download.plan is not None:
            self._go_on(download, download.plan)
            return
        self._move(download, DownloadState.PLANNING)
        ref = download.ref
        self._start(_Task("plan", ref, download.cancel), lambda _report, _cancel: self._source.plan(ref))

    def _go_on(self, download: Download, plan: DownloadPlan) -> None:
        if plan.is_pickled and not download.is_agreed:
            self._move(download, DownloadState.ASKING)
            self.consent_needed.emit(download.ref, plan)
        else:
            self._wait(download)

    def _wait(self, download: Download) -> None:
        self._move(download, DownloadState.WAITING)
        self._fill()

    def _fill(self) -> None:
        """Start those that wait, as far as there is room."""
        waiting = [download for download in self.all if download.state is DownloadState.WAITING]
        room = AT_ONCE - sum(download.has_thread for download in self.all)
        for download in waiting[: max(room, 0)]:
            assert download.plan is not None
            download.has_thread = True
            self._move(download, DownloadState.RUNNING)
            self._start(_Task("fetch", download.ref, download.cancel), partial(self._source.fetch, download.plan))

    def _begin_conversion(self, download: Download, plan: DownloadPlan, folder: Path) -> None:
        self._move(download, DownloadState.CONVERTING)
        self._start(_Task("convert", download.ref, download.cancel), partial(self._convert, plan, folder))

    def _discard(self, download: Download) -> None:
        ref = download.ref
        self._start(_Task("discard", ref, download.cancel), lambda _report, _cancel: self._source.discard(ref))

    def _start(self, task: _Task, work: Work) -> None:
        self._runner.start(task, work, task.turn)

    def _move(self, download: Download, state: DownloadState) -> None:
        download.state = state
        if download.progress is not None and state not in AT_WORK:
            download.progress = DownloadProgress(download.progress.done, download.progress.total)
        self.changed.emit(download.ref)

    def _drop(self, download: Download) -> None:
        del self._downloads[download.ref]
        self.changed.emit(download.ref)
        self._fill()

    def _awaited(self, task: _Task) -> Download | None:
        """The download that ``task`` was started for, unless that has gone another way meanwhile."""
        download = self._downloads.get(task.ref)
        return download if download is not None and download.cancel is task.turn else None

    # What the threads say -------------------------------------------------------------------------

    def _on_progressed(self, task: _Task, progress: DownloadProgress) -> None:
        download = self._awaited(task)
        if download is not None and download.state in AT_WORK:
            download.progress = progress
            self.changed.emit(download.ref)

    def _on_finished(self, task: _Task, outcome: Any) -> None:
        if task.kind == "unfinished":
            self._on_unfinished_read(outcome)
            return
        download = self._awaited(task)
        if download is None:
            return
        if task.kind == "plan":
            self._on_planned(download, outcome)
        elif task.kind == "discard":
            self._drop(download)
        elif task.kind == "fetch" and download.plan is not None and download.plan.is_pickled:
            self._on_pickles_fetched(download, download.plan, outcome)
        else:
            download.has_thread = False
            self._move(download, DownloadState.DONE)
            self._fill()
            self.finished.emit(task.ref, outcome)

    def _on_planned(self, download: Download, plan: DownloadPlan) -> None:
        if download.state is not DownloadState.PLANNING:
            return
        download.plan = plan
        download.progress = DownloadProgress(min(plan.present_bytes, plan.total_bytes), plan.total_bytes)
        self._go_on(download, plan)

    def _on_pickles_fetched(self, download: Download, plan: DownloadPlan, folder: Path) -> None:
        download.progress = DownloadProgress(plan.total_bytes, plan.total_bytes)
        if download.state is DownloadState.RUNNING:
            self._begin_conversion(download, plan, folder)
        else:
            self._on_stopped(download)

    def _on_failed(self, task: _Task, error: StudioError) -> None:
        download = self._awaited(task)
        if download is None:
            if task.kind == "unfinished":
                self.failed.emit("", error)
            return
        if task.kind == "plan" and download.state is not DownloadState.PLANNING:
            return
        if task.kind in ("fetch", "convert") and download.state in STOPPING:
            self._on_stopped(download)
            return
        download.has_thread = False
        download.error = error
        self._move(download, DownloadState.FAILED)
        self.failed.emit(task.ref, error)
        self._fill()

    def _on_cancelled(self, task: _Task) -> None:
        download = self._awaited(task)
        if download is not None and task.kind in ("fetch", "convert"):
            self._on_stopped(download)

    def _on_stopped(self, download: Download) -> None:
        """Its thread has ended because the user paused or cancelled it."""
        download.has_thread = False
        if download.state is DownloadState.CANCELLING:
            self._discard(download)
            return
        self._move(download, DownloadState.PAUSED)
        if download.is_held and self._is_online:
            self._begin(download)
        self._fill()

    def _on_unfinished_read(self, unfinished: list[UnfinishedDownload]) -> None:
        for left in unfinished:
            if left.ref not in self._downloads:
                progress = DownloadProgress(left.done, left.total)
                self._downloads[left.ref] = Download(left.ref, DownloadState.PAUSED, progress=progress)
                self.changed.emit(left.ref)
