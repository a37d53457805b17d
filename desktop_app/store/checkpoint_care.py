"""What becomes of checkpoints on this machine once they are here: where each belongs, bringing in, verifying, removing,
converting.

Ours are the checkpoints folder and what is in it. The starter, the caches of other programs and what lies elsewhere are
read, and never changed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.core.checkpoint import STARTER, Home
from desktop_app.core.download import DownloadProgress, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_files import damaged, read_json
from desktop_app.store.checkpoints import HUB_ID, CheckpointStore, is_single_file
from desktop_app.store.command_line import typed
from desktop_app.store.file_import import import_file, record_path, remove_file, verify_file
from desktop_app.store.files import make_folder, store_error, temporary_path, write_atomic
from desktop_app.store.hub import read_ref
from desktop_app.store.hub_cache import (
    RepoFolder,
    discard_damaged,
    find_snapshot,
    hash_file,
    remove_snapshot,
    shared_caches,
    verify_snapshot,
)
from desktop_app.store.paths import Paths, resources_dir

ConvertPickles = Callable[[Path, Path, ReportDownload, CancelFlag], Path]
"""Makes a new folder of a snapshot with pickled weights: `desktop_app.engine.conversion.convert_pickles`."""

_SHA256 = "0" * 64
"""A hash's kind is told by its length."""


class Form(Enum):
    """How it lies there."""

    FOLDER = "folder"
    FILE = "file"
    SNAPSHOT = "snapshot"
    """In the layout of the hub's cache: files are named by their hashes."""
    CONVERTED = "converted"
    """A folder that was made of a snapshot with pickled weights."""


@dataclass(frozen=True)
class Whereabouts:
    """Where the checkpoint ``ref`` lies."""

    ref: str
    path: Path
    home: Home
    form: Form

    @property
    def has_hashes(self) -> bool:
        """Whether it is known what its bytes have to be."""
        records = {Form.FILE: record_path, Form.CONVERTED: _sums_path}
        return self.form is Form.SNAPSHOT or (self.form in records and records[self.form](self.path).is_file())


# Where they are ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Homes:
    """Folders that tell to whom a checkpoint belongs: our own, that of what ships with the program, and the caches of
    other programs.
    """

    own: Path
    program: Path
    shared: tuple[Path, ...] = ()

    def home_of(self, path: Path) -> Home:
        """To whom ``path`` belongs. A link in our own folder is ours."""
        real = path.resolve()
        if real.is_relative_to(self.program.resolve()):
            return Home.PROGRAM
        if path.is_relative_to(self.own) or real.is_relative_to(self.own.resolve()):
            return Home.OWN
        return Home.SHARED if any(real.is_relative_to(cache) for cache in self.shared) else Home.ELSEWHERE


def homes(paths: Paths) -> Homes:
    """Those of this user. Raises `StoreError`."""
    return Homes(paths.checkpoints, resources_dir() / STARTER, tuple(shared_caches()))


def home_of(paths: Paths, path: Path) -> Home:
    """To whom ``path`` belongs."""
    return homes(paths).home_of(path)


def locate(paths: Paths, ref: str) -> Whereabouts:
    """Where ``ref`` is: `STARTER`, a path, a name in the checkpoints folder, or a hub id; also what is damaged.
    Raises `CheckpointError` when it is not on this machine.
    """
    if ref == STARTER:
        return Whereabouts(ref, resources_dir() / STARTER, Home.PROGRAM, Form.FOLDER)
    found = _find_path(paths, ref) or (_find_fetched(paths, ref) if HUB_ID.fullmatch(ref) else None)
    if found is None:
        hint = f"What is here is named by: {typed('checkpoints list')}"
        raise CheckpointError("The checkpoint is not on this machine", repr(ref[:200]), hint)
    path, form = found
    return Whereabouts(ref, path, home_of(paths, path), form)


def _find_path(paths: Paths, ref: str) -> tuple[Path, Form] | None:
    with contextlib.suppress(OSError, ValueError, RuntimeError):
        path = Path(ref).expanduser()
        for place in (path,) if path.is_absolute() else (path, paths.checkpoints / ref):
            place = Path(
                os.path.abspath(place)
            )  # no "..", or a folder above would seem to lie in the checkpoints folder
            if ref and place.is_dir():
                return place, Form.SNAPSHOT if place.parent.name == "snapshots" else Form.FOLDER
            if ref and is_single_file(place):
                return place, Form.FILE
    return None


def _find_fetched(paths: Paths, ref: str) -> tuple[Path, Form] | None:
    """What was made of its pickles; a whole snapshot; else what is left of one of ours."""
    with contextlib.suppress(OSError):  # too long a name for a folder
        if paths.converted(ref).is_dir():
            return paths.converted(ref), Form.CONVERTED
    repo, revision = read_ref(ref)
    whole = find_snapshot([paths.checkpoints, *shared_caches()], ref)
    if whole is not None:
        return whole, Form.SNAPSHOT
    folder = RepoFolder.of(paths.checkpoints, repo)
    return (folder.snapshot(folder.commit_of(revision) or "-"), Form.SNAPSHOT) if folder.path.is_dir() else None


# Looking at them ---------------------------------------------------------------------------------


def disk_use(paths: Paths, ref: str) -> int:
    """Bytes on the disk, each file counted once. Raises `CheckpointError` when it is not on this machine."""
    path = locate(paths, ref).path
    return _bytes_of([path] if path.is_file() else path.rglob("*"))


def verify(paths: Paths, ref: str, report: ReportDownload, cancel: CancelFlag) -> list[str]:
    """Read all of ``ref`` and compare it with its hashes, where there are any (`Whereabouts.has_hashes`); names of
    files that are damaged or missing. Without hashes, what can be seen without loading it is checked.

    Raises `CheckpointError`, of what has no hashes also when it is damaged, and `Cancelled`.
    """
    found = locate(paths, ref)
    if not found.has_hashes:
        CheckpointStore(paths).resolve(ref if found.home is Home.PROGRAM else str(found.path))
        return []
    if found.form is Form.SNAPSHOT:
        return verify_snapshot(found.path, report, cancel)
    if found.form is Form.CONVERTED:
        return _verify_sums(found.path, report, cancel)
    return [] if verify_file(found.path, report, cancel) else [found.path.name]


def _bytes_of(files: Iterable[Path]) -> int:
    sizes: dict[tuple[int, int], int] = {}
    for path in files:
        with contextlib.suppress(OSError):
            info = path.stat()
            if path.is_file():
                sizes[info.st_dev, info.st_ino] = info.st_size
    return sum(sizes.values())


# Changing them -----------------------------------------------------------------------------------

_REFUSALS = {
    Home.PROGRAM: ("The starter checkpoint cannot be removed", "It is part of the program."),
    Home.SHARED: (
        "The checkpoint belongs to other programs",
        "Underpaint only reads this cache. Remove it there, for example with: hf cache",
    ),
    Home.ELSEWHERE: ("The checkpoint is used where it is", "Remove it with your file manager, if you want to."),
}


def bring_in(paths: Paths, path: Path, report: ReportDownload, cancel: CancelFlag) -> str:
    """Offer a checkpoint from now on; its REF. A single file is copied into the checkpoints folder, a folder is used
    where it is. Raises `CheckpointError`, `StoreError`, `Cancelled`.
    """
    if path.is_dir():
        return CheckpointStore(paths).bring_in(path)
    return str(import_file(path, paths.checkpoints, report, cancel))


def remove(paths: Paths, ref: str) -> int:
    """Delete an own checkpoint; bytes freed. What other REFs need too stays. One that is used in place is only
    forgotten, which frees nothing.

    Raises `CheckpointError` when it is not ours or is being downloaded, `StoreError` when the disk refuses.
    """
    found = locate(paths, ref)
    if found.home is Home.ELSEWHERE and CheckpointStore(paths).forget(str(found.path)):
        return 0
    if found.home in _REFUSALS:
        title, hint = _REFUSALS[found.home]
        raise CheckpointError(title, str(found.path), hint)
    if _find_path(paths, ref) is None:
        return _remove_fetched(paths, ref)
    if found.path.parent != paths.checkpoints or found.path == paths.all_converted:
        hint = "Give its name on the hub, or its name in the checkpoints folder."
        raise CheckpointError("Only a whole checkpoint can be removed", ref[:200], hint)
    return remove_file(found.path) if found.form is Form.FILE else _remove_folder(found.path)


def discard(paths: Paths, ref: str, damaged: Sequence[str]) -> None:
    """Throw away the files that `verify` named, so that the next download fetches these alone; of what was converted or
    imported all of it. Raises `CheckpointError`, `StoreError`, as `remove` does.
    """
    found = locate(paths, ref)
    if found.home is Home.OWN and found.form is Form.SNAPSHOT:
        discard_damaged(paths.checkpoints, ref, damaged)
    else:
        remove(paths, ref)


def _remove_fetched(paths: Paths, ref: str) -> int:
    freed = remove_snapshot(paths.checkpoints, ref)
    return freed + _remove_converted(paths.converted(ref))


def _remove_converted(folder: Path) -> int:
    """With its record, which says of no later folder what is in it."""
    freed = _remove_folder(folder) if folder.is_dir() else 0
    try:
        _sums_path(folder).unlink(missing_ok=True)
    except OSError as e:
        raise store_error("The checkpoint cannot be removed", _sums_path(folder), e) from e
    return freed


def _remove_folder(folder: Path) -> int:
    """At once out of the way, so that nobody finds half of it; of a link only the link."""
    size = 0 if folder.is_symlink() else _bytes_of(path for path in folder.rglob("*") if not path.is_symlink())
    aside = temporary_path(folder.parent)
    try:
        if folder.is_symlink():
            folder.unlink()
        else:
            folder.rename(aside)
            shutil.rmtree(aside)
    except OSError as e:
        raise store_error("The checkpoint cannot be removed", folder, e) from e
    return size


# Converting --------------------------------------------------------------------------------------


def keep_converted(
    paths: Paths, ref: str, snapshot: Path, convert: ConvertPickles, report: ReportDownload, cancel: CancelFlag
) -> Path:
    """Have ``convert`` make safetensors of the pickles in ``snapshot``, under the same REF; the new folder. Of our own
    cache the pickles are removed then. Only after the user has agreed to `desktop_app.core.conversion.CONSENT`.

    Raises `CheckpointError`, `StoreError`, `Cancelled`; then nothing is kept, and the pickles are where they were.
    """
    target = paths.converted(ref)
    make_folder(target.parent)
    _remove_converted(target)
    convert(snapshot, target, report, cancel)
    try:
        _write_sums(target, snapshot.name, cancel)
    except BaseException:
        _remove_folder(target)
        raise
    if snapshot.is_relative_to(paths.checkpoints):
        remove_snapshot(paths.checkpoints, ref)
    return target


def converted_from(paths: Paths, ref: str) -> str:
    """The commit of which ``ref`` was converted; empty where it was not."""
    return str(_read_sums(paths.converted(ref)).get("commit", ""))


def _sums_path(folder: Path) -> Path:
    """Where the hashes of the files of a converted checkpoint are written down."""
    return folder.with_name(f"{folder.name}.json")


def _write_sums(folder: Path, commit: str, cancel: CancelFlag) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    sums = {path.relative_to(folder).as_posix(): hash_file(path, _SHA256, lambda count: None, cancel) for path in files}
    write_atomic(_sums_path(folder), json.dumps({"commit": commit, "sha256": sums}, indent=1).encode())


def _read_sums(folder: Path) -> dict[str, Any]:
    """``commit`` and, by file, ``sha256``; empty where it cannot be read."""
    try:
        found = read_json(folder.parent, _sums_path(folder))
    except CheckpointError:
        return {}
    return found if isinstance(found.get("sha256"), dict) else {}


def _verify_sums(folder: Path, report: ReportDownload, cancel: CancelFlag) -> list[str]:
    sums = _read_sums(folder).get("sha256")
    if not sums:
        raise damaged(_sums_path(folder), "the hashes of the files cannot be read")
    total, done = _bytes_of(folder / name for name in sums), 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        report(DownloadProgress(done, total))

    return [name for name, digest in sums.items() if hash_file(folder / name, _SHA256, count, cancel) != digest]
