"""AdapterStore: finds adapters on disk, checks them before anything is loaded, and describes them.

Only .safetensors files. Own ones lie in the folder ``adapters``, others are used where they are.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from desktop_app.core.adapter import AdapterInfo, FoundAdapter
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.download import DownloadProgress, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.store.adapter_header import SUFFIX, is_pickle_name, looks_like_adapter, read_adapter
from desktop_app.store.checkpoint_files import check_inside
from desktop_app.store.file_copy import check_room, copy_file, hash_file, open_plain, safe_stem, unreadable
from desktop_app.store.files import make_folder, move_new, store_error, temporary_path, write_atomic
from desktop_app.store.image_encoders import FOLDER, encoder_files, find_image_encoder
from desktop_app.store.outside import OutsideCheckpoints
from desktop_app.store.paths import Paths

ADAPTER = "adapter"
MAX_HASHES_BYTES = 2**22
MAX_NAMES = 10_000

_WHAT_IS_POSSIBLE = "Put it into the folder adapters, or choose another .safetensors file."
_Known = tuple[int, int, str]
"""Bytes, time of the last change, and sha-256 of a file."""


class _Never:
    """A cancel flag that nobody sets."""

    def is_set(self) -> bool:
        return False


class AdapterStore:
    """Looks at the disk anew each time, so it can be used from any thread. Hashes are kept, by size and time, and what
    headers say, as long as this lives.

    A REF is the path of a file, absolute or from the folder ``adapters`` on.
    """

    def __init__(self, paths: Paths) -> None:
        self.folder = paths.adapters
        self._outside = _OutsideAdapters(paths)
        self._hashes_file = paths.adapters / "hashes.json"
        self._hashes: dict[str, _Known] | None = None
        self._headers: dict[Path, tuple[tuple[int, int], AdapterInfo]] = {}
        self._lock = threading.Lock()

    # What there is --------------------------------------------------------------------------------

    def list(self) -> list[AdapterInfo]:
        """What `survey` finds and can be used."""
        return [found for found in self.survey().values() if isinstance(found, AdapterInfo)]

    def survey(self) -> dict[str, AdapterInfo | CheckpointError]:
        """By REF: what lies in our own folder, and what is used elsewhere; and of those that cannot be, why."""
        found: dict[str, AdapterInfo | CheckpointError] = {}
        for ref in (*self._own(), *map(str, self._outside.all())):
            try:
                found[ref] = self.describe(ref)
            except CheckpointError as e:
                found[ref] = e
        return found

    def describe(self, ref: str) -> AdapterInfo:
        """What is known of ``ref`` from the header of its file. Raises `CheckpointError`."""
        return self._describe(self.resolve(ref), ref)

    def resolve(self, ref: str) -> Path:
        """The file of the adapter ``ref``. Raises `CheckpointError` where there is none."""
        try:
            path = Path(ref).expanduser()
            places = (path,) if path.is_absolute() else (self.folder / path, path)
            for place in places:
                if ref and "\0" not in ref and place.is_file():
                    if place is not path:
                        check_inside(self.folder, place)
                    return place.absolute()
        except (OSError, ValueError, RuntimeError) as e:
            raise CheckpointError("The adapter cannot be found", f"{ref[:200]!r}: {e}", _WHAT_IS_POSSIBLE) from e
        raise CheckpointError("The adapter cannot be found", repr(ref[:200]), _WHAT_IS_POSSIBLE)

    def ref_of(self, path: Path) -> str:
        """By which REF the file ``path`` is called."""
        place = Path(os.path.abspath(path))
        return str(place.relative_to(self.folder)) if place.is_relative_to(self.folder) else str(place)

    def find(self, adapter: Adapter, cancel: CancelFlag | None = None) -> FoundAdapter:
        """The file of ``adapter``, with the contents that it had when it was chosen; another one with the same contents
        where it is gone. Of one that nobody has read yet, as in a recipe that somebody wrote, it is the file of now,
        with the REF and the hash by which that is found again. Raises `CheckpointError`, `Cancelled`.
        """
        try:
            path = self.resolve(adapter.ref)
        except CheckpointError:
            same = self.find_by_hash(adapter.sha256, cancel) if adapter.sha256 else None
            if same is None:
                raise
            info = self._describe(same, self.ref_of(same))
            return FoundAdapter(info, f"{adapter.ref} is gone; {info.label}, which is the same adapter, was used.")
        sha256 = self.hash_of(adapter.ref, cancel)
        if adapter.sha256 and sha256 != adapter.sha256:
            return self._find_same(adapter, path, cancel)
        if adapter.sha256:
            return FoundAdapter(self._describe(path, adapter.ref))
        return FoundAdapter(replace(self._describe(path, self.ref_of(path)), sha256=sha256))

    def find_by_hash(self, sha256: str, cancel: CancelFlag | None = None) -> Path | None:
        """The file with these contents. All are read for that, unless one has them whose hash is known."""
        refs = (*self._own(), *map(str, self._outside.all()))
        for is_read in (False, True):
            for ref in refs:
                with contextlib.suppress(CheckpointError):
                    if (self.hash_of(ref, cancel) if is_read else self.describe(ref).sha256) == sha256:
                        return self.resolve(ref)
        return None

    def hash_of(self, ref: str, cancel: CancelFlag | None = None) -> str:
        """The sha-256 of the file of ``ref``, which is read the first time. Raises `CheckpointError`, `Cancelled`."""
        path = self.resolve(ref)
        try:
            with open_plain(path) as file:
                status = os.fstat(file.fileno())
                stamp = (status.st_size, status.st_mtime_ns)
                if known := self._known_hash(path, stamp):
                    return known
                digest = hash_file(file, status.st_size, _tell_nobody, cancel or _Never())
        except OSError as e:
            raise unreadable(path, e, ADAPTER) from e
        self._keep_hash(path, (*stamp, digest))
        return digest

    def is_adapter(self, path: Path) -> bool:
        """Whether the file ``path`` is an adapter and not a checkpoint, be it one that can be used or not."""
        return path.is_file() and path.suffix.lower() == SUFFIX and looks_like_adapter(path)

    # Coming and going -----------------------------------------------------------------------------

    def bring_in(
        self,
        source: Path,
        report: ReportDownload | None = None,
        cancel: CancelFlag | None = None,
        *,
        in_place: bool = False,
    ) -> str:
        """Offer the file ``source`` from now on, as a checked copy in our own folder, or ``in_place``; its REF.

        With an IP-Adapter its image encoder comes along. Raises `CheckpointError`, `StoreError`; `Cancelled`, and then
        nothing is left.
        """
        place = Path(os.path.abspath(source))
        if in_place or place.is_relative_to(self.folder):
            read_adapter(place, str(place))
            if not place.is_relative_to(self.folder):
                self._outside.remember(place)
            return self.ref_of(place)
        return self._import(place, report or _tell_nobody, cancel or _Never())

    def remove(self, ref: str) -> int:
        """Remove the file of our own, or forget the one that is used elsewhere; bytes freed. Raises `StoreError`."""
        if self._outside.forget(Path(ref)):
            return 0
        path = self.folder / ref
        if Path(ref).is_absolute() or not Path(os.path.abspath(path)).is_relative_to(self.folder):
            hint = "Only files in the folder adapters are removed here."
            raise StoreError("The adapter does not belong to this program", ref, hint)
        try:
            size = path.lstat().st_size
            path.unlink()
        except OSError as e:
            raise store_error("The adapter cannot be removed", path, e) from e
        return size

    def _import(self, source: Path, report: ReportDownload, cancel: CancelFlag) -> str:
        if not is_pickle_name(source) and source.suffix != SUFFIX and source.suffix.lower() == SUFFIX:
            info = None  # the copy gets its ending in small letters, and is looked at then
        else:
            info = self._describe(source, str(source))
        make_folder(self.folder)
        size = source.stat().st_size
        check_room(self.folder, size, source.name, ADAPTER)
        temporary = temporary_path(self.folder)
        part = temporary.with_name(f"{temporary.name}{SUFFIX}")
        try:
            digest = copy_file(source, part, size, report, cancel, ADAPTER)
            copied = read_adapter(part, "")
            target = self._place(safe_stem(source.stem), part, digest)
        finally:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
        if copied.kind is AdapterKind.IP_ADAPTER:
            self._import_encoder(info or self._describe(target, ""), target, report, cancel)
        return self.ref_of(target)

    def _place(self, stem: str, part: Path, digest: str) -> Path:
        """Where the copy ``part`` has gone: a name that nothing has, or the file with the same contents."""
        for number in range(1, MAX_NAMES):
            target = self.folder / f"{stem if number == 1 else f'{stem}-{number}'}{SUFFIX}"
            if target.is_file() and self.hash_of(self.ref_of(target)) == digest:
                return target
            if os.path.lexists(target):
                continue
            move_new(part, target)
            status = target.stat()
            self._keep_hash(target, (status.st_size, status.st_mtime_ns, digest))
            return target
        raise StoreError("The file cannot be written", stem, "Too many files have this name: rename it.")

    def _import_encoder(self, info: AdapterInfo, target: Path, report: ReportDownload, cancel: CancelFlag) -> None:
        """Copy the image encoder that lies beside the source, unless one of our own fits."""
        found = info.image_encoder
        if found is None or find_image_encoder(replace(info, path=target), self.folder):
            return
        place = self.folder / FOLDER / target.stem
        make_folder(place)
        for file in encoder_files(found)[::-1]:  # the configuration last: without it there is no encoder
            size = file.stat().st_size
            check_room(place, size, file.name, ADAPTER)
            part = temporary_path(place)
            try:
                copy_file(file, part, size, report, cancel, ADAPTER)
                if not os.path.lexists(place / file.name):
                    move_new(part, place / file.name)
            finally:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)

    # The folder -----------------------------------------------------------------------------------

    def _own(self) -> Sequence[str]:
        return sorted(str(path.relative_to(self.folder)) for path in self._files(self.folder, 3))

    def _files(self, folder: Path, depth: int) -> Iterator[Path]:
        """The adapters in ``folder`` and those below it; hidden ones are half written."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir() and depth > 1 and entry.name != FOLDER:
                yield from self._files(Path(entry.path), depth - 1)
            elif entry.is_file() and Path(entry.name).suffix.lower() == SUFFIX:
                yield Path(entry.path)

    def _describe(self, path: Path, ref: str) -> AdapterInfo:
        try:
            status = path.stat()
        except OSError:
            info = read_adapter(path, ref)  # it says what is wrong
        else:
            stamp = (status.st_size, status.st_mtime_ns)
            info = replace(self._read_header(path, stamp), ref=ref, sha256=self._known_hash(path, stamp))
        if info.kind is AdapterKind.IP_ADAPTER and (encoder := find_image_encoder(info, self.folder)):
            return replace(info, image_encoder=encoder, note="")
        return info

    def _read_header(self, path: Path, stamp: tuple[int, int]) -> AdapterInfo:
        """What the header of the file says: those of hundreds of files take long to read."""
        known = self._headers.get(path)
        if known is None or known[0] != stamp:
            known = self._headers[path] = (stamp, read_adapter(path, ""))
        return known[1]

    def _find_same(self, adapter: Adapter, path: Path, cancel: CancelFlag | None) -> FoundAdapter:
        """Another file with the contents that ``path`` had."""
        other = self.find_by_hash(adapter.sha256, cancel)
        if other is None:
            detail = f"{path.name} has other contents than when it was chosen"
            hint = "Put the old file back, or add this one again to use it as it is now."
            raise CheckpointError("The adapter has changed", detail, hint)
        info = self._describe(other, self.ref_of(other))
        return FoundAdapter(info, f"{path.name} has changed; {info.label}, which is as it was, was used.")

    def _known_hash(self, path: Path, stamp: tuple[int, int]) -> str:
        """The hash of the file, if it was read since it was written; else empty."""
        with self._lock:
            if self._hashes is None:
                self._hashes = _read_hashes(self._hashes_file)
            size, changed, digest = self._hashes.get(str(path), (0, 0, ""))
            return digest if (size, changed) == stamp else ""

    def _keep_hash(self, path: Path, known: _Known) -> None:
        with self._lock:
            hashes = _read_hashes(self._hashes_file)  # another process may have written meanwhile
            hashes[str(path)] = known
            self._hashes = {name: each for name, each in hashes.items() if name == str(path) or os.path.exists(name)}
            with contextlib.suppress(StoreError):  # it is then read again next time
                write_atomic(self._hashes_file, json.dumps(self._hashes).encode())


class _OutsideAdapters(OutsideCheckpoints):
    """As that, for adapters."""

    def __init__(self, paths: Paths) -> None:
        self._file = paths.adapters / "outside.json"


def _read_hashes(file: Path) -> dict[str, _Known]:
    """What is written down; a file that cannot be read is as good as none."""
    try:
        with file.open("rb") as opened:
            data: Any = json.loads(opened.read(MAX_HASHES_BYTES))
        return {str(name): (int(size), int(changed), str(digest)) for name, (size, changed, digest) in data.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _tell_nobody(progress: DownloadProgress) -> None:
    del progress


def find_in_place(adapter: Adapter) -> FoundAdapter:
    """The file of ``adapter`` where its REF says, for who has no folder of adapters. Raises `CheckpointError`."""
    path = Path(os.path.abspath(adapter.ref))
    info = read_adapter(path, adapter.ref)
    if info.kind is AdapterKind.IP_ADAPTER and (encoder := find_image_encoder(info, path.parent)):
        info = replace(info, image_encoder=encoder, note="")
    return FoundAdapter(info)
