"""CheckpointDownloads: fetches checkpoints into our own cache, and goes on with what was interrupted.

Each file is hashed while it comes and put in place under its hash; then the files get their names, and last of all the
snapshot gets its own. Whoever looks meanwhile, or after a crash, finds nothing or all of it.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue

from desktop_app.core.download import (
    DownloadPlan,
    DownloadProgress,
    RemoteFile,
    ReportDownload,
    UnfinishedDownload,
)
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, StoreError
from desktop_app.store.checkpoint_files import HALF
from desktop_app.store.download_part import PartFetcher, Source
from desktop_app.store.files import make_folder, store_error
from desktop_app.store.hub import Hub, is_commit, read_ref
from desktop_app.store.hub_cache import RepoFolder, blob_name, drop_if_empty, link_files, sweep
from desktop_app.store.hub_errors import HubUnavailable, Patience, Refused, from_disk, from_refusal, hostile, no_space
from desktop_app.store.hub_files import check_file
from desktop_app.store.hub_http import LOOK_S, Connections
from desktop_app.store.paths import Paths

WORKERS = 3
MARGIN_BYTES = 256 * 1024 * 1024
"""What has to stay free on the disk."""

RATE_S = 5.0
"""The rate is the mean over so long."""


class CheckpointDownloads:
    """Usable from any thread; each `fetch` has threads of its own, which end before it returns."""

    def __init__(self, paths: Paths, hub: Hub, *, patience: Patience | None = None, workers: int = WORKERS) -> None:
        self._cache = paths.checkpoints
        self._hub = hub
        self._patience = patience or Patience()
        self._workers = workers

    def plan(self, ref: str, *, variant: str = HALF) -> DownloadPlan:
        """What fetching ``ref`` takes, and how much of it is here. While the hub does not list, what it listed for an
        unfinished download holds. Raises `CheckpointError`.
        """
        repo, _ = read_ref(ref)
        folder = RepoFolder.of(self._cache, repo)
        self._hub.check_online()
        try:
            plan = self._hub.plan(ref, variant=variant)
        except HubUnavailable:
            entry = folder.journal.entries().get(ref)
            if entry is None or entry.is_finished:
                raise
            plan = entry.plan
        return replace(plan, present_bytes=_present(folder, plan))

    def fetch(self, plan: DownloadPlan, report: ReportDownload, cancel: CancelFlag) -> Path:
        """Have the whole checkpoint; its folder. On one or more threads; ``report`` is called on this one, about
        ten times a second. Raises `Cancelled` within a second, `CheckpointError`; what is here stays and is not
        fetched again.
        """
        repo, revision = read_ref(plan.ref)
        self._hub.check_online()
        for file in plan.files:
            check_file(repo, file)
        if not plan.files or not is_commit(plan.commit):
            raise hostile(repo, f"it needs no files, or its commit {plan.commit[:60]!r} is none")
        folder = RepoFolder.of(self._cache, repo)
        with folder.locked():
            try:
                return self._fetch(folder, plan, revision, report, cancel)
            except StoreError as e:
                raise from_disk(e) from e
            except OSError as e:
                raise from_disk(store_error("The checkpoint cannot be written", folder.path, e)) from e

    def unfinished(self) -> list[UnfinishedDownload]:
        """Downloads that were begun and are neither whole nor discarded."""
        found = []
        for path in sorted(self._cache.glob("models--*--*")):
            folder = RepoFolder(path)
            plans = [entry.plan for entry in folder.journal.entries().values() if not entry.is_finished]
            found += [UnfinishedDownload(plan.ref, _present(folder, plan), plan.total_bytes) for plan in plans]
        return found

    def discard(self, ref: str) -> None:
        """Throw away what an unfinished download of ``ref`` left, and all parts that no other needs. Raises
        `CheckpointError`, also while it is going on.
        """
        folder = RepoFolder.of(self._cache, read_ref(ref)[0])
        if not folder.path.is_dir():
            return
        with folder.locked():
            try:
                entry = folder.journal.entries().get(ref)
                if entry is not None and not entry.is_finished:
                    folder.journal.remove(ref)
                sweep(folder, entry.plan.commit if entry else "")
                drop_if_empty(folder)
            except StoreError as e:
                raise from_disk(e) from e
            except OSError as e:
                raise from_disk(store_error("The download cannot be removed", folder.path, e)) from e

    def _fetch(
        self, folder: RepoFolder, plan: DownloadPlan, revision: str | None, report: ReportDownload, cancel: CancelFlag
    ) -> Path:
        missing = plan.total_bytes - _present(folder, plan)
        free = shutil.disk_usage(self._cache).free
        if missing and free < missing + MARGIN_BYTES:
            raise no_space(str(self._cache), missing + MARGIN_BYTES, free)
        before = folder.commit_of(revision)
        make_folder(folder.blobs)
        folder.journal.put(plan, is_finished=False)
        _Crew(self._hub, folder, plan, self._patience, self._workers).run(report, cancel)
        link_files(folder, plan.commit, plan.files)
        folder.write_ref(revision, plan.commit)
        folder.journal.put(plan, is_finished=True)
        with contextlib.suppress(OSError):  # Windows keeps what is in use: a later sweep takes it
            sweep(folder, before)
        return folder.snapshot(plan.commit)


def _present(folder: RepoFolder, plan: DownloadPlan) -> int:
    return sum(folder.present_bytes(plan.commit, file) for file in plan.files)


class _Crew:
    """The threads of one download. `run` is called once."""

    def __init__(self, hub: Hub, folder: RepoFolder, plan: DownloadPlan, patience: Patience, workers: int) -> None:
        self._hub = hub
        self._folder = folder
        self._plan = plan
        self._patience = patience
        self._connections = Connections(patience.stall_s)
        self._meter = _Meter(plan.files, [folder.present_bytes(plan.commit, file) for file in plan.files])
        self._left: SimpleQueue[RemoteFile] = SimpleQueue()
        missing = {blob_name(file): file for file in plan.files if not folder.has_file(plan.commit, file)}
        for file in sorted(missing.values(), key=lambda file: (bool(file.sha256), -file.size)):
            self._left.put(file)
        self._token, self._home = hub.token(), hub.home
        self._trouble: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work, name="download", daemon=True) for _ in range(min(workers, len(missing)))
        ]

    def run(self, report: ReportDownload, cancel: CancelFlag) -> None:
        """Have all blobs. Raises what `CheckpointDownloads.fetch` does."""
        report(self._meter.progress())
        try:
            for thread in self._threads:
                thread.start()
            for thread in self._threads:
                while thread.is_alive():
                    thread.join(LOOK_S)
                    if cancel.is_set():
                        raise Cancelled
                    self._hub.check_online()
                    report(self._meter.progress())
        finally:
            self._connections.cut()
            for thread in self._threads:
                if thread.ident is not None:
                    thread.join()
        if self._trouble:
            raise self._trouble[0]
        report(self._meter.progress())

    def _work(self) -> None:
        try:
            while True:
                self._fetch(self._left.get_nowait())
        except Empty:
            return
        except BaseException as e:  # told to the thread that asked for the download
            self._trouble.append(e)
            self._connections.cut()

    def _fetch(self, file: RemoteFile) -> None:
        plan, repo = self._plan, self._folder.repo
        source = Source(
            repo,
            file.path,
            self._hub.file_url(repo, plan.commit, file.path),
            blob_name(file),
            file.size,
            self._home,
            self._token,
        )
        count = self._meter.counter(blob_name(file))
        try:
            PartFetcher(source, self._folder.blobs, self._connections, self._patience, count).run()
        except Refused as e:
            has_token = self._token is not None
            raise from_refusal(e, repo, plan.commit, self._hub.endpoint, has_token=has_token) from e


class _Meter:
    """How far the download is, and how quick."""

    def __init__(self, files: Sequence[RemoteFile], present: Sequence[int]) -> None:
        self._total = sum(file.size for file in files)
        self._names = [blob_name(file) for file in files]
        self._have = dict(zip(self._names, present, strict=True))
        self._marks: deque[tuple[float, int]] = deque()

    def counter(self, name: str) -> Callable[[int], None]:
        """To be told how many bytes of the blob ``name`` are here; from any thread."""

        def count(have: int) -> None:
            self._have[name] = have

        return count

    def progress(self) -> DownloadProgress:
        """Now."""
        now, done = time.monotonic(), sum(self._have[name] for name in self._names)
        if self._marks and done < self._marks[-1][1]:
            self._marks.clear()  # wrong bytes were thrown away
        self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[1][0] > RATE_S:
            self._marks.popleft()
        began, before = self._marks[0]
        rate = (done - before) / (now - began) if now - began >= 5 * LOOK_S else None
        left = (self._total - done) / rate if rate else None
        return DownloadProgress(done, self._total, rate, left)
