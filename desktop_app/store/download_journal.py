"""Journal: what was downloaded of one repository, and what is not finished. A JSON file beside the blobs, so that a
download goes on in the next run of the program, and copies of blobs can be verified.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.download import DownloadPlan, RemoteFile
from desktop_app.core.errors import CheckpointError
from desktop_app.store.files import write_atomic
from desktop_app.store.hub_files import MAX_FILES, check_file

JOURNAL_NAME = "underpaint-download.json"
MAX_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Entry:
    """One download."""

    plan: DownloadPlan
    is_finished: bool


class Journal:
    """Reads the file at each call and keeps nothing; written only by who has the repository's lock. What cannot be read
    counts as not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / JOURNAL_NAME

    def entries(self) -> dict[str, Entry]:
        """By REF."""
        with contextlib.suppress(OSError, ValueError, RecursionError, TypeError, KeyError, AttributeError):
            with self._path.open("rb") as file:
                data = json.loads(file.read(MAX_BYTES))
            return {ref: _read_entry(ref, entry) for ref, entry in data["downloads"].items()}
        return {}

    def put(self, plan: DownloadPlan, *, is_finished: bool) -> None:
        """Note a download in place of an earlier one of this REF. Raises `StoreError`."""
        self._write({**self.entries(), plan.ref: Entry(plan, is_finished)})

    def remove(self, ref: str) -> None:
        """Forget the download of ``ref``. Raises `StoreError`."""
        entries = self.entries()
        if entries.pop(ref, None) is not None:
            self._write(entries)

    def unfinished_blobs(self) -> set[str]:
        """Names of the blobs that downloads still need."""
        plans = [entry.plan for entry in self.entries().values() if not entry.is_finished]
        return {file.sha256 or file.git_sha1 for plan in plans for file in plan.files}

    def files(self, commit: str) -> dict[str, RemoteFile]:
        """Files by their names, of the finished downloads at ``commit``."""
        plans = [entry.plan for entry in self.entries().values() if entry.is_finished and entry.plan.commit == commit]
        return {file.path: file for plan in plans for file in plan.files}

    def blob(self, commit: str, path: str) -> str:
        """The blob of the file ``path`` at ``commit``; empty where that is not known."""
        file = self.files(commit).get(path)
        return (file.sha256 or file.git_sha1) if file else ""

    def _write(self, entries: dict[str, Entry]) -> None:
        downloads = {ref: {**asdict(entry.plan), "is_finished": entry.is_finished} for ref, entry in entries.items()}
        text = json.dumps({"version": 1, "downloads": downloads}, indent=1)
        write_atomic(self._path, text.encode())


def _read_entry(ref: str, data: dict[str, Any]) -> Entry:
    """Raises an error of the kinds that `Journal.entries` knows when ``data`` is not as `Journal.put` wrote it."""
    files = tuple(
        RemoteFile(**{name: file[name] for name in ("path", "size", "git_sha1", "sha256")}) for file in data["files"]
    )
    try:
        for file in files[: MAX_FILES + 1]:
            check_file(ref, file)
    except CheckpointError as e:
        raise ValueError(str(e)) from e
    plan = DownloadPlan(
        ref, str(data["commit"]), files, is_pickled=bool(data["is_pickled"]), licence=str(data["licence"])
    )
    return Entry(plan, bool(data["is_finished"]))
