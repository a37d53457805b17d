"""What the Checkpoints window lists: those on their way, those that are installed, those that could be."""

from __future__ import annotations

import contextlib
import re
import shutil
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from desktop_app.core.catalog import CatalogEntry, Role
from desktop_app.core.checkpoint import CheckpointInfo, Home
from desktop_app.core.control_modes import ANNOTATOR, CONTROL_NET
from desktop_app.core.download import ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import StudioError
from desktop_app.core.families import family_named
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.memory import UPSCALER_ELEMENTS, PartSize
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_judge import Judge, Judgement
from desktop_app.studio.downloads import Download, DownloadState

HALF_PRECISION = 2
"""Bytes of a parameter, where only their number is known."""

_HUB_ID = re.compile(r"(?:https://huggingface\.co/)?([\w][\w.-]*/[\w][\w.-]*)(@[\w./-]+)?/?", re.ASCII)


class Section(Enum):
    """The parts of the list, in their order."""

    DOWNLOADING = "downloading"
    INSTALLED = "installed"
    AVAILABLE = "available"


@dataclass(frozen=True)
class DiskUse:
    """Bytes of all own checkpoints, and bytes that are free on their disk."""

    used: int
    free: int


@dataclass(frozen=True)
class CheckpointAccess:
    """What the stores can do with checkpoints. All of it is called on threads, and raises `StudioError`.

    ``survey`` gives all installed checkpoints by REF, or why one cannot be used; ``find`` where a REF lies, None where
    that cannot be said; ``has_pickles`` whether it has to be converted. ``remove`` gives the bytes freed, 0 for what is
    used in place, which is only forgotten; ``discard`` throws damaged files away, so that they are fetched anew.
    ``verify`` gives the names of damaged files. ``bring_in`` takes a file or a folder and gives its REF. ``homes`` tell
    where a checkpoint belongs.
    """

    survey: Callable[[], Mapping[str, CheckpointInfo | StudioError]]
    find: Callable[[str], Path | None]
    has_pickles: Callable[[Path], bool]
    remove: Callable[[str], int]
    discard: Callable[[str, Sequence[str]], None]
    verify: Callable[[str, ReportDownload, CancelFlag], Sequence[str]]
    bring_in: Callable[[Path, ReportDownload, CancelFlag], str]
    homes: Homes


@dataclass(frozen=True)
class Installed:
    """One checkpoint on this machine; ``error`` says why it cannot be used. ``size_bytes`` are on the
    disk; ``is_pickled``: it has to be converted first; ``scale`` as in `CheckpointInfo`.
    """

    ref: str
    label: str
    family: str = ""
    path: Path | None = None
    place: Home = Home.ELSEWHERE
    size_bytes: int = 0
    parts: tuple[PartSize, ...] = ()
    native_size: int = 0
    role: Role = Role.CHECKPOINT
    scale: int = 0
    is_pickled: bool = False
    error: StudioError | None = None


@dataclass(frozen=True)
class Survey:
    """What was found on this machine at one moment."""

    installed: tuple[Installed, ...] = ()
    disk: DiskUse | None = None


@dataclass(frozen=True)
class CheckpointRow:
    """One row of the list, or the heading of ``section`` where ``ref`` is empty; then ``count`` are in it."""

    section: Section
    ref: str = ""
    label: str = ""
    family: str = ""
    size_bytes: int = 0
    judgement: Judgement | None = None
    entry: CatalogEntry | None = None
    installed: Installed | None = None
    download: Download | None = None
    count: int = 0

    @property
    def key(self) -> tuple[Section, str]:
        """What it is known by as long as it is in the list."""
        return self.section, self.ref

    @property
    def is_heading(self) -> bool:
        """Whether it is no checkpoint."""
        return not self.ref

    @property
    def is_from_hub(self) -> bool:
        """Whether it is but a name that was typed."""
        return bool(self.ref) and self.entry is None and self.installed is None and self.download is None

    @property
    def licence(self) -> str:
        """Its name, or empty where unknown."""
        if self.entry is not None:
            return self.entry.licence
        return self.download.plan.licence if self.download and self.download.plan else ""

    @property
    def can_paint(self) -> bool:
        """Whether a picture can begin with it; a prior, say, works for another checkpoint."""
        return self.role is Role.CHECKPOINT

    @property
    def role(self) -> Role:
        """What it is there for, as the catalog or the checkpoint itself says."""
        if self.entry is not None and self.entry.role is not Role.CHECKPOINT:
            return self.entry.role
        return self.installed.role if self.installed else Role.CHECKPOINT

    @property
    def is_missing(self) -> bool:
        """Whether it would have to be downloaded to be used."""
        return self.download is None and (self.installed is None or self.installed.error is not None)

    @property
    def is_gated(self) -> bool:
        """Whether the hub asks for an accepted licence; what is here has no need of that any more."""
        return self.entry is not None and self.entry.is_gated and self.installed is None

    @property
    def is_pickled(self) -> bool:
        """Whether it has to be converted before use."""
        if self.download is not None and self.download.plan is not None:
            return self.download.plan.is_pickled
        if self.installed is not None:
            return self.installed.is_pickled
        return self.entry is not None and self.entry.is_pickled

    @property
    def error(self) -> StudioError | None:
        """Why it cannot be used, or was not fetched."""
        if self.download is not None:
            return self.download.error
        return self.installed.error if self.installed else None


@dataclass(frozen=True)
class RowFilter:
    """``text`` has words that must all be found; ``family`` is a label, or empty for all."""

    text: str = ""
    family: str = ""

    def lets_pass(self, row: CheckpointRow) -> bool:
        """Whether ``row`` is shown."""
        if self.family and row.family != self.family:
            return False
        entry = row.entry
        words = (row.ref, row.label, row.family, row.licence)
        known = (*words, entry.note, *entry.trigger_words) if entry else words
        found = " ".join(known).casefold()
        return all(word in found for word in self.text.casefold().split()) or hub_id(self.text) == row.ref


def hub_id(text: str) -> str:
    """The hub id (with revision) in what somebody typed or pasted, or empty."""
    match = _HUB_ID.fullmatch(text.strip())
    return "".join(part or "" for part in match.groups()) if match else ""


def read_survey(access: CheckpointAccess) -> Survey:
    """Look at the disk. Runs on a pool thread. Raises `StudioError`."""
    installed = tuple(_read_installed(ref, found, access) for ref, found in access.survey().items())
    return Survey(installed, read_disk_use(access.homes.own))


def make_rows(
    survey: Survey,
    catalog: Iterable[CatalogEntry],
    downloads: Iterable[Download],
    wanted: RowFilter,
    judge: Judge | None = None,
) -> list[CheckpointRow]:
    """All rows that ``wanted`` lets pass, each section under its heading; sections without rows are left out."""
    entries = {entry.ref: entry for entry in catalog}
    there = {found.ref for found in survey.installed}
    listed = [
        download for download in downloads if not (download.state is DownloadState.DONE and download.ref in there)
    ]
    on_their_way = [_row_of_download(download, entries.get(_bare(download.ref)), judge) for download in listed]
    installed = [_row_of_installed(found, entries.get(_bare(found.ref)), judge) for found in survey.installed]
    installed.sort(key=_by_name)
    taken = {ref for row in (*on_their_way, *installed) for ref in (row.ref, _bare(row.ref))}
    available = [_row_of_entry(entry, judge) for ref, entry in entries.items() if ref not in taken]
    typed = hub_id(wanted.text)
    if typed and typed not in taken and typed not in entries:
        available.insert(0, CheckpointRow(Section.AVAILABLE, typed, typed, wanted.family))
    rows = []
    for section, all_rows in zip(Section, (on_their_way, installed, available), strict=True):
        shown = [row for row in all_rows if wanted.lets_pass(row)]
        if shown:
            rows += [CheckpointRow(section, count=len(shown)), *shown]
    return rows


def families_of(survey: Survey, catalog: Iterable[CatalogEntry]) -> list[str]:
    """The families that there are, by name."""
    labels = {found.family for found in survey.installed} | {entry.family for entry in catalog}
    return sorted(label for label in labels if label)


def read_disk_use(folder: Path) -> DiskUse:
    """What lies in ``folder``, links not followed, and what is free beside it."""
    used = 0
    for path in folder.rglob("*"):
        try:
            status = path.lstat()
        except OSError:
            continue  # gone meanwhile
        used += 0 if path.is_dir() else status.st_size
    return DiskUse(used, shutil.disk_usage(folder).free)


def bytes_of(path: Path) -> int:
    """What the file or the folder ``path`` takes on the disk, links followed; 0 where it is gone."""
    sizes: dict[tuple[int, int], int] = {}
    for file in (path, *path.rglob("*")) if path.is_dir() else (path,):
        with contextlib.suppress(OSError):
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                sizes[status.st_dev, status.st_ino] = status.st_size
    return sum(sizes.values())


def _bare(ref: str) -> str:
    """``ref`` without its revision."""
    return ref.partition("@")[0]


def _read_installed(ref: str, found: CheckpointInfo | StudioError, access: CheckpointAccess) -> Installed:
    if isinstance(found, StudioError):
        return _read_unusable(ref, found, access)
    return Installed(
        ref,
        found.label,
        found.family,
        found.path,
        access.homes.home_of(found.path),
        bytes_of(found.path) or found.size_bytes,
        found.parts,
        found.native_size,
        role_of(found),
        found.scale,
    )


def role_of(found: CheckpointInfo) -> Role:
    """What an installed checkpoint is there for."""
    if found.can_paint:
        return Role.CHECKPOINT
    if set(UPSCALES).intersection(found.kinds):
        return Role.UPSCALER
    return Role.CONTROL if found.family in (CONTROL_NET, ANNOTATOR) else Role.PRIOR


def _read_unusable(ref: str, error: StudioError, access: CheckpointAccess) -> Installed:
    path = access.find(ref)
    if path is None:
        return Installed(ref, Path(ref).name if Path(ref).is_absolute() else ref, error=error)
    try:
        is_pickled = bool(hub_id(ref)) and access.has_pickles(path)
    except StudioError:
        is_pickled = False
    place, label = access.homes.home_of(path), ref if hub_id(ref) else path.name
    return Installed(ref, label, path=path, place=place, size_bytes=bytes_of(path), is_pickled=is_pickled, error=error)


def _judge_entry(entry: CatalogEntry | None, judge: Judge | None) -> Judgement | None:
    if entry is None or judge is None or not entry.parts:
        return None
    parts = [
        PartSize(name, count, count * HALF_PRECISION, _elements(entry, name)) for name, count in entry.parts.items()
    ]
    return judge(parts, entry.native_size)


def _elements(entry: CatalogEntry, part: str) -> int:
    """See `PartSize`."""
    family = family_named(entry.family)
    is_upscaler = family is not None and family.kinds == (StageKind.UPSCALE,) and part == family.denoiser
    return UPSCALER_ELEMENTS if is_upscaler else 0


def _row_of_entry(entry: CatalogEntry, judge: Judge | None) -> CheckpointRow:
    judgement = _judge_entry(entry, judge)
    return CheckpointRow(
        Section.AVAILABLE, entry.ref, entry.label, entry.family, entry.size_bytes, judgement, entry=entry
    )


def _row_of_installed(found: Installed, entry: CatalogEntry | None, judge: Judge | None) -> CheckpointRow:
    label = entry.label if entry else found.label
    family = found.family or (entry.family if entry else "")
    size = found.size_bytes or (entry.size_bytes if entry else 0)
    judgement = judge(found.parts, found.native_size) if judge and found.parts else _judge_entry(entry, judge)
    return CheckpointRow(Section.INSTALLED, found.ref, label, family, size, judgement, entry=entry, installed=found)


def _by_name(row: CheckpointRow) -> tuple[bool, str]:
    """What ships with the program comes first, then the others as a reader looks them up."""
    ships = row.installed is not None and row.installed.place is Home.PROGRAM
    return not ships, row.label.casefold()


def _row_of_download(download: Download, entry: CatalogEntry | None, judge: Judge | None) -> CheckpointRow:
    label, family = (entry.label, entry.family) if entry else (download.ref, "")
    size = download.total or (entry.size_bytes if entry else 0)
    judgement = _judge_entry(entry, judge)
    return CheckpointRow(
        Section.DOWNLOADING, download.ref, label, family, size, judgement, entry=entry, download=download
    )
