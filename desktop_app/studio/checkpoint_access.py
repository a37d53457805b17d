"""The stores as the Checkpoints window uses them: what is on the disk, what the hub sends, what others have fetched."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from desktop_app.core.download import DownloadPlan, RemoteFile, ReportDownload, UnfinishedDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError
from desktop_app.store import checkpoint_care as care
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub_cache import find_snapshot, has_pickles, shared_caches
from desktop_app.store.paths import Paths
from desktop_app.studio.checkpoint_rows import CheckpointAccess
from desktop_app.studio.downloads import Convert


def access_to(paths: Paths) -> CheckpointAccess:
    """The checkpoints on this machine, ours in the folders of ``paths``. Raises `StoreError`."""
    return CheckpointAccess(
        survey=CheckpointStore(paths).survey,
        find=partial(_find, paths),
        has_pickles=has_pickles,
        remove=partial(_remove, paths),
        discard=partial(care.discard, paths),
        verify=partial(care.verify, paths),
        bring_in=partial(care.bring_in, paths),
        homes=care.homes(paths),
    )


def converter(paths: Paths, convert_pickles: care.ConvertPickles) -> Convert:
    """Converts what was fetched, under the same REF."""

    def convert(plan: DownloadPlan, folder: Path, report: ReportDownload, cancel: CancelFlag) -> Path:
        return care.keep_converted(paths, plan.ref, folder, convert_pickles, report, cancel)

    return convert


class CheckpointSource:
    """`CheckpointDownloads`, but that pickles which are here already, ours or another program's, are not fetched."""

    def __init__(self, paths: Paths, downloads: CheckpointDownloads) -> None:
        self._paths = paths
        self._downloads = downloads

    def plan(self, ref: str) -> DownloadPlan:
        """What fetching ``ref`` takes. Raises `CheckpointError`."""
        snapshot = self._pickled(ref)
        if snapshot is None:
            return self._downloads.plan(ref)
        names = sorted(path for path in snapshot.rglob("*") if path.is_file())
        files = tuple(RemoteFile(path.relative_to(snapshot).as_posix(), path.stat().st_size, "") for path in names)
        present = sum(file.size for file in files)
        return DownloadPlan(ref, snapshot.name, files, present, is_pickled=True)

    def fetch(self, plan: DownloadPlan, report: ReportDownload, cancel: CancelFlag) -> Path:
        """Its folder. Raises what `CheckpointDownloads.fetch` does."""
        snapshot = self._pickled(plan.ref) if plan.is_pickled else None
        if snapshot is not None and snapshot.name == plan.commit:
            return snapshot
        return self._downloads.fetch(plan, report, cancel)

    def unfinished(self) -> Sequence[UnfinishedDownload]:
        """What earlier downloads left."""
        return self._downloads.unfinished()

    def discard(self, ref: str) -> None:
        """Throw away what an unfinished download left."""
        self._downloads.discard(ref)

    def _pickled(self, ref: str) -> Path | None:
        """A whole snapshot of ``ref`` that is here and has pickles."""
        snapshot = find_snapshot([self._paths.checkpoints, *shared_caches()], ref)
        return snapshot if snapshot is not None and has_pickles(snapshot) else None


def _find(paths: Paths, ref: str) -> Path | None:
    try:
        return care.locate(paths, ref).path
    except CheckpointError:
        return None


def _remove(paths: Paths, ref: str) -> int:
    """What is used in place is forgotten even if it is there no more."""
    return 0 if CheckpointStore(paths).forget(ref) else care.remove(paths, ref)
