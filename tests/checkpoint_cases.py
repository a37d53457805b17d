"""Checkpoints to list and to fetch: a catalog, what is installed, and downloads that copy from a local folder."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from desktop_app.core.catalog import CatalogEntry
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.download import DownloadPlan, DownloadProgress, RemoteFile, ReportDownload, UnfinishedDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_rows import CheckpointAccess

BASE, REFINER, PICKLED, GATED = "org/base", "org/refiner", "org/pickled", "org/gated"
SLICE = 1000
FILE_BYTES = 10 * SLICE

CATALOG = (
    CatalogEntry(
        BASE,
        "Base",
        "Stable Diffusion XL",
        7 * 10**9,
        "OpenRAIL",
        "Large pictures.",
        1024,
        {"unet": 2_567_000_000, "vae": 84_000_000},
        needs=(REFINER,),
    ),
    CatalogEntry(REFINER, "Refiner", "Stable Diffusion XL refiner", 6 * 10**9, "OpenRAIL", "", 1024),
    CatalogEntry(
        PICKLED,
        "Comic",
        "Stable Diffusion",
        2 * 10**9,
        "OpenRAIL",
        "Comic styles.",
        512,
        {"unet": 860_000_000, "vae": 84_000_000},
        trigger_words=("charliebo artstyle",),
        is_pickled=True,
    ),
    CatalogEntry(GATED, "Gated", "Flux", 30 * 10**9, "Non-commercial", "", 1024, is_gated=True),
)


def make_info(ref: str, path: Path, label: str = "Mine", family: str = "Stable Diffusion") -> CheckpointInfo:
    """An installed checkpoint of 2 million parameters."""
    parts = (PartSize("unet", 2_000_000, 4_000_000), PartSize("vae", 100_000, 200_000))
    return CheckpointInfo(ref, label, path, family, 512, 8, 77, None, 4_200_000, parts=parts)


def make_access(homes: Homes, **changes: Any) -> CheckpointAccess:
    """What a disk without any checkpoint can do, but for ``changes``."""
    nothing = {
        "survey": dict,
        "find": lambda _ref: None,
        "has_pickles": lambda _path: False,
        "remove": lambda _ref: 0,
        "discard": lambda _ref, _names: None,
        "verify": lambda _ref, _report, _cancel: [],
        "bring_in": lambda path, _report, _cancel: str(path),
    }
    return CheckpointAccess(**{**nothing, **changes}, homes=homes)


class FolderDownloads:
    """Copies the folder ``source / ref`` into ``target / ref``, a slice at a time, as often as `allow` lets it.

    Half-copied files stay and are gone on with. Gated ones are refused until `accepted`.
    """

    def __init__(self, source: Path, target: Path) -> None:
        self.source = source
        self.target = target
        self.accepted: set[str] = set()
        self.fetching: list[str] = []
        self._permits = threading.Semaphore(0)
        self._is_open = False

    def add(self, ref: str, names: Sequence[str] = ("unet.safetensors",)) -> None:
        """Put a checkpoint on the hub."""
        (self.source / ref).mkdir(parents=True)
        for name in names:
            content = hashlib.sha256(f"{ref}/{name}".encode()).digest() * (FILE_BYTES // 32 + 1)
            (self.source / ref / name).write_bytes(content[:FILE_BYTES])

    def allow(self, slices: int = 10**6) -> None:
        """Let so many more slices through."""
        for _ in range(min(slices, 10_000)):
            self._permits.release()

    def plan(self, ref: str) -> DownloadPlan:
        """What is in the folder."""
        folder = self.source / ref
        if not folder.is_dir():
            raise CheckpointError("The checkpoint is not on the hub", ref, "Check the spelling.")
        if ref == GATED and ref not in self.accepted:
            raise CheckpointError("The licence is not accepted", ref, "Accept it, then give a token.")
        files = tuple(RemoteFile(path.name, path.stat().st_size, "") for path in sorted(folder.iterdir()))
        is_pickled = any(file.path.endswith(".bin") for file in files)
        return DownloadPlan(ref, "0" * 40, files, self._present(ref), is_pickled=is_pickled, licence="mit")

    def fetch(self, plan: DownloadPlan, report: ReportDownload, cancel: CancelFlag) -> Path:
        """Copy what is missing."""
        self.fetching.append(plan.ref)
        folder = self.target / f"{plan.ref}.part"
        folder.mkdir(parents=True, exist_ok=True)
        for file in plan.files:
            content, copy = (self.source / plan.ref / file.path).read_bytes(), folder / file.path
            copy.touch()
            while (done := copy.stat().st_size) < file.size:
                self._wait(cancel)
                with copy.open("ab") as stream:
                    stream.write(content[done : done + SLICE])
                report(DownloadProgress(self._present(plan.ref), plan.total_bytes, 1e6, 3.0))
        folder.rename(self.target / plan.ref)
        return self.target / plan.ref

    def unfinished(self) -> list[UnfinishedDownload]:
        """Folders that were begun."""
        refs = [str(path.relative_to(self.target)).removesuffix(".part") for path in self.target.glob("*/*.part")]
        return [UnfinishedDownload(ref, self._present(ref), FILE_BYTES) for ref in sorted(refs)]

    def discard(self, ref: str) -> None:
        """Delete what was begun."""
        shutil.rmtree(self.target / f"{ref}.part", ignore_errors=True)

    def content_of(self, folder: Path) -> bytes:
        """All bytes of the files in ``folder``."""
        return b"".join(path.read_bytes() for path in sorted(folder.iterdir()))

    def _present(self, ref: str) -> int:
        return sum(path.stat().st_size for path in (self.target / f"{ref}.part").glob("*"))

    def _wait(self, cancel: CancelFlag) -> None:
        while not self._permits.acquire(timeout=0.01):
            if cancel.is_set():
                raise Cancelled
        if cancel.is_set():
            raise Cancelled


def convert_by_renaming(plan: DownloadPlan, folder: Path, report: ReportDownload, cancel: CancelFlag) -> Path:
    """Stands for the converter, which has tests of its own: the files get the names of safetensors."""
    if cancel.is_set():
        raise Cancelled
    for path in sorted(folder.glob("*.bin")):
        path.rename(path.with_suffix(".safetensors"))
    report(DownloadProgress(plan.total_bytes, plan.total_bytes))
    return folder
