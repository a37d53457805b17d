"""The cache that huggingface_hub and its relatives share, read and (our own alone) written:

models--org--name/refs/main              the commit that the name stands for
models--org--name/blobs/HASH             contents, named by their sha-256, or git's sha-1 of small ones
models--org--name/snapshots/COMMIT/...   the files by their names, each a link to a blob
models--org--name/underpaint-download.json   our own cache only: see `desktop_app.store.download_journal`

In our own cache refs/main may name another commit than the hub does: the one that was chosen for its
safetensors. So it is found again by the plain name. A snapshot counts only when all that it needs is there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.download import DownloadProgress, RemoteFile, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, CheckpointError, StoreError
from desktop_app.core.families import family_of
from desktop_app.store.checkpoint_files import read_json
from desktop_app.store.checkpoint_index import INDEX_NAME
from desktop_app.store.control_checkpoints import is_control
from desktop_app.store.download_journal import Journal
from desktop_app.store.files import make_folder, store_error, write_atomic
from desktop_app.store.hub import MAIN, is_commit, read_ref
from desktop_app.store.hub_errors import from_disk
from desktop_app.store.hub_files import check_name, choose_weights, parts_of

CHUNK = 2**20
REPORT_S = 0.1
MAX_INDEX_BYTES = 16 * 2**20
LOCKS_NAME = ".underpaint-locks"
_FOLDER = re.compile(r"models--([^/]+?)--([^/]+)")
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_BLOB = re.compile(rf"({_HASH.pattern})(?:\.part(?:\.etag)?)?")


def blob_name(file: RemoteFile) -> str:
    """What the cache calls the contents of ``file``."""
    return file.sha256 or file.git_sha1


def new_hash(name: str, size: int) -> Any:
    """A hash object of the kind that made ``name``, for contents of ``size`` bytes."""
    return hashlib.sha256() if len(name) == 64 else hashlib.sha1(b"blob %d\0" % size)


@dataclass(frozen=True)
class RepoFolder:
    """One repository in one cache. Nothing is made before it is written to."""

    path: Path

    @classmethod
    def of(cls, cache: Path, repo: str) -> RepoFolder:
        """The folder of ``repo`` ("org/name")."""
        return cls(cache / f"models--{repo.replace('/', '--')}")

    @property
    def repo(self) -> str:
        """ "org/name"; empty for a folder of another kind."""
        match = _FOLDER.fullmatch(self.path.name)
        return f"{match[1]}/{match[2]}" if match else ""

    @property
    def blobs(self) -> Path:
        """Contents by their hashes."""
        return self.path / "blobs"

    @property
    def journal(self) -> Journal:
        """What was downloaded, and what is not finished."""
        return Journal(self.path)

    def snapshot(self, commit: str) -> Path:
        """The folder with the files of ``commit``."""
        return self.path / "snapshots" / commit

    def ref(self, revision: str | None) -> Path:
        """The file that says what commit ``revision`` is."""
        return self.path / "refs" / (revision or MAIN)

    def commit_of(self, revision: str | None) -> str:
        """What ``revision`` stands for here; empty where that is not known."""
        if revision is not None and is_commit(revision):
            return revision
        path = self.ref(revision)
        with contextlib.suppress(OSError, ValueError):
            if path.is_file():
                with path.open("rb") as file:
                    text = file.read(100).decode("ascii").strip()
                return text if is_commit(text) else ""
        return ""

    def refs(self) -> dict[str, str]:
        """Commits by the names of the revisions, the main one first."""
        root = self.path / "refs"
        names = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
        found = {name: self.commit_of(name) for name in sorted(names, key=lambda name: (name != MAIN, name))}
        return {name: commit for name, commit in found.items() if commit}

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Alone with this folder, among all programs. Raises `CheckpointError` when another is at it."""
        import filelock

        try:
            locks = self.path.parent / LOCKS_NAME  # not in the folder, which may be removed meanwhile
            make_folder(locks)
            lock = filelock.FileLock(locks / f"{self.path.name}.lock", timeout=0, mode=0o600, thread_local=False)
            lock.acquire()
        except filelock.Timeout as e:
            raise CheckpointError(
                "The checkpoint is being downloaded already",
                f"{self.repo} is in use by another download, here or in another window",
                "Wait for it, or cancel it there.",
            ) from e
        except StoreError as e:
            raise from_disk(e) from e
        except OSError as e:
            raise from_disk(store_error("The folder cannot be locked", self.path, e)) from e
        try:
            yield
        finally:
            lock.release()

    def write_ref(self, revision: str | None, commit: str) -> None:
        """From now on ``revision`` is ``commit``. Raises `StoreError`."""
        if revision is None or not is_commit(revision):
            make_folder(self.ref(revision).parent)
            write_atomic(self.ref(revision), commit.encode())

    def blob_of(self, file: Path) -> str:
        """The name of the blob behind a file of a snapshot; empty where it is not known."""
        if file.is_symlink():
            name = Path(os.readlink(file)).name
            return name if _HASH.fullmatch(name) else ""
        commit, _, path = file.relative_to(self.path / "snapshots").as_posix().partition("/")
        return self.journal.blob(commit, path)

    def kept_commits(self) -> set[str]:
        """Commits that a revision stands for, or that were asked for by themselves."""
        return {
            *self.refs().values(),
            *(each.plan.commit for each in self.journal.entries().values() if each.is_finished),
        }

    def present_bytes(self, commit: str, file: RemoteFile) -> int:
        """How many bytes of ``file`` are here: all of them, or those of its part."""
        if self.has_file(commit, file):
            return file.size
        with contextlib.suppress(OSError):
            return min(part_of(self.blobs / blob_name(file)).stat().st_size, file.size)
        return 0

    def has_file(self, commit: str, file: RemoteFile) -> bool:
        """Whether all of ``file`` is in its place: as a blob, or in the snapshot where the disk has no links."""
        target = self.snapshot(commit) / file.path
        return _has_size(self.blobs / blob_name(file), file.size) or (
            _has_size(target, file.size) and not target.is_symlink()
        )

    def used_blobs(self) -> set[str]:
        """Blobs that a snapshot needs."""
        snapshots = self.path / "snapshots"
        return {self.blob_of(file) for file in snapshots.rglob("*") if file.is_symlink() or file.is_file()}


def part_of(blob: Path) -> Path:
    """Where the bytes of ``blob`` are gathered until they are all here."""
    return blob.with_name(f"{blob.name}.part")


def _has_size(path: Path, size: int) -> bool:
    with contextlib.suppress(OSError):
        return path.is_file() and path.stat().st_size == size
    return False


def link_files(folder: RepoFolder, commit: str, files: Sequence[RemoteFile]) -> None:
    """Put ``files`` into the snapshot: each a link to its blob; where the disk has no links, the blob itself is
    moved there. Raises OSError.
    """
    left = Counter(map(blob_name, files))
    for file in files:
        blob, target = folder.blobs / blob_name(file), folder.snapshot(commit) / file.path
        left[blob.name] -= 1
        if blob.is_file():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            _link(blob, target, is_last=left[blob.name] == 0)


def _link(blob: Path, target: Path, *, is_last: bool) -> None:
    with contextlib.suppress(OSError, NotImplementedError):
        os.symlink(os.path.relpath(blob, target.parent), target)
        return
    with contextlib.suppress(OSError, NotImplementedError):
        os.link(blob, target)
        return
    if is_last:
        os.replace(blob, target)
    else:
        shutil.copyfile(blob, target)


# Finding -----------------------------------------------------------------------------------------


def shared_caches() -> list[Path]:
    """The caches of other programs that exist, in the order in which they are meant."""
    home = os.environ.get("HF_HOME") or os.path.join(os.environ.get("XDG_CACHE_HOME") or "~/.cache", "huggingface")
    named = [os.environ.get("HF_HUB_CACHE"), os.environ.get("HUGGINGFACE_HUB_CACHE"), os.path.join(home, "hub")]
    found: dict[Path, None] = {}
    for text in filter(None, named):
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            path = Path(os.path.expandvars(text)).expanduser().resolve()
            if path.is_dir():
                found[path] = None
    return list(found)


def find_snapshot(caches: Sequence[Path], ref: str) -> Path | None:
    """The folder of ``ref`` in the first cache that has all of it. Raises `CheckpointError` for what is no REF of a
    hub.
    """
    repo, revision = read_ref(ref)
    for cache in caches:
        folder = RepoFolder.of(cache, repo)
        commit = folder.commit_of(revision)
        if commit and is_whole(folder.snapshot(commit)):
            return folder.snapshot(commit)
    return None


def list_snapshots(caches: Sequence[Path]) -> list[tuple[str, Path]]:
    """REF and folder of each whole snapshot with a name; what an earlier cache has is not listed again."""
    found: dict[str, Path] = {}
    for cache in caches:
        for path in sorted(cache.glob("models--*--*")):
            folder = RepoFolder(path)
            with contextlib.suppress(OSError, CheckpointError):
                for name, commit in _names(folder).items():
                    ref = folder.repo if name == MAIN else f"{folder.repo}@{name}"
                    read_ref(ref)
                    snapshot = folder.snapshot(commit)
                    if ref not in found and snapshot not in found.values() and is_whole(snapshot):
                        found[ref] = snapshot
    return list(found.items())


def _names(folder: RepoFolder) -> dict[str, str]:
    """Commits by the revisions that stand for them, and by themselves where they were asked for so."""
    asked = [read_ref(ref)[1] or MAIN for ref, entry in folder.journal.entries().items() if entry.is_finished]
    return {**folder.refs(), **{name: name for name in sorted(asked) if is_commit(name)}}


def is_whole(snapshot: Path) -> bool:
    """Whether the snapshot has its index and all weights that it needs, or its one part, or is a single-file
    checkpoint.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        if is_control(snapshot):
            return _has_part(snapshot, is_weighted=True) and not _is_pickled(snapshot)
        if not (snapshot / INDEX_NAME).is_file():
            return len([path for path in snapshot.glob("*.safetensors") if path.is_file()]) == 1
        index = _read_json(snapshot / INDEX_NAME)
        family = family_of(index)
        return family is not None and all(
            _has_part(snapshot / part, is_weighted=part in family.weighted) for part in parts_of(index, family)
        )
    return False


def _has_part(part: Path, *, is_weighted: bool) -> bool:
    """Whether a part's weights are there: a whole file, or every shard that the index names."""
    names = [path.name for path in part.iterdir() if path.is_file()]
    weights = choose_weights(names, "")
    indexes = [name for name in weights if name.endswith(".json")]
    for index in indexes:
        shards = _read_json(part / index).get("weight_map")
        if not isinstance(shards, dict) or not all(shard in names for shard in shards.values()):
            return False
    return bool(names) and (bool(weights) or not is_weighted)


def _read_json(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        data = json.loads(file.read(MAX_INDEX_BYTES))
    if not isinstance(data, dict):
        raise ValueError("no JSON object")
    return data


def has_pickles(snapshot: Path) -> bool:
    """Whether ``snapshot`` has parts of which the weights are pickled. Raises `CheckpointError`."""
    if not (snapshot / INDEX_NAME).is_file():
        return False
    index = read_json(snapshot, snapshot / INDEX_NAME)
    family = family_of(index)
    return family is not None and any(_is_pickled(snapshot / part) for part in parts_of(index, family))


def _is_pickled(part: Path) -> bool:
    names = [path.name for path in part.iterdir()] if part.is_dir() else []
    return any(name.endswith(".bin") for name in choose_weights(names, ""))


# Removing and verifying --------------------------------------------------------------------------


def remove_snapshot(cache: Path, ref: str) -> int:
    """Throw away what ``ref`` alone needs of our own cache; how many bytes that frees. Raises `CheckpointError`."""
    repo, revision = read_ref(ref)
    folder = RepoFolder.of(cache, repo)
    if not folder.path.is_dir():
        return 0
    try:
        with folder.locked():
            commit = folder.commit_of(revision)
            if revision is None or not is_commit(revision):
                folder.ref(revision).unlink(missing_ok=True)
            folder.journal.remove(ref)
            freed = sweep(folder, commit)
            drop_if_empty(folder)
            return freed
    except StoreError as e:
        raise from_disk(e) from e
    except OSError as e:
        raise from_disk(store_error("The checkpoint cannot be removed", folder.path, e)) from e


def sweep(folder: RepoFolder, *commits: str) -> int:
    """Remove the snapshots of ``commits`` that nothing stands for any more, and blobs and parts that no snapshot and no
    unfinished download needs; the bytes freed. Only within `RepoFolder.locked`. Raises OSError.
    """
    before = _bytes_under(folder.path)
    for commit in set(filter(is_commit, commits)) - folder.kept_commits():
        if folder.snapshot(commit).is_dir():
            shutil.rmtree(folder.snapshot(commit))
    wanted = folder.used_blobs() | folder.journal.unfinished_blobs()
    for path in list(folder.blobs.glob("*")):
        match = _BLOB.fullmatch(path.name)
        if match and match[1] not in wanted:
            path.unlink()
    return before - _bytes_under(folder.path)


def _bytes_under(folder: Path) -> int:
    """Of plain files, each counted once however many names it has."""
    infos = [path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return sum({(info.st_dev, info.st_ino): info.st_size for info in infos}.values())


def drop_if_empty(folder: RepoFolder) -> None:
    """Remove the repository's folder when nothing is in it any more. Only within `RepoFolder.locked`."""
    with contextlib.suppress(OSError):
        places = (folder.blobs, folder.path / "snapshots")
        if not folder.journal.entries() and not any(path.is_file() for place in places for path in place.rglob("*")):
            shutil.rmtree(folder.path)


def verify_snapshot(folder: Path, report: ReportDownload, cancel: CancelFlag) -> list[str]:
    """Read every file of the snapshot ``folder`` and compare it with the hash that it is known by; names of those
    that are damaged or missing. Raises `Cancelled`.
    """
    repository = RepoFolder(folder.parent.parent)
    files = sorted(path for path in folder.rglob("*") if path.is_symlink() or path.is_file())
    sizes = {path: path.stat().st_size if path.exists() else 0 for path in files}
    count = _counter(sum(sizes.values()), report)
    expected = repository.journal.files(folder.name)
    damaged = [name for name in expected if not os.path.lexists(folder / name)]
    for path in files:
        name = repository.blob_of(path)
        if not path.exists() or (name and hash_file(path, name, count, cancel) != name):
            damaged.append(path.relative_to(folder).as_posix())
    count(0, is_last=True)
    return sorted(damaged)


def discard_damaged(cache: Path, ref: str, names: Sequence[str]) -> None:
    """Throw away the files ``names`` of a snapshot of our own cache, so that the next download fetches them again."""
    repo, revision = read_ref(ref)
    folder = RepoFolder.of(cache, repo)
    with folder.locked():
        commit = folder.commit_of(revision)
        try:
            for name in names if commit else ():
                check_name(repo, name)
                _discard_file(folder, folder.snapshot(commit) / name)
        except OSError as e:
            raise from_disk(store_error("The file cannot be removed", folder.path, e)) from e


def _discard_file(folder: RepoFolder, file: Path) -> None:
    if blob := folder.blob_of(file):
        (folder.blobs / blob).unlink(missing_ok=True)
    file.unlink(missing_ok=True)


def hash_file(path: Path, name: str, count: Callable[[int], None], cancel: CancelFlag) -> str:
    """The hash of ``path``, of the kind that ``name`` is; empty where it cannot be read. Raises `Cancelled`."""
    try:
        with path.open("rb") as file:
            digest = new_hash(name, os.fstat(file.fileno()).st_size)
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                count(len(chunk))
                if cancel.is_set():
                    raise Cancelled
    except OSError:
        return ""
    return str(digest.hexdigest())


class _counter:
    """Adds bytes up and reports them, not more often than `REPORT_S`."""

    def __init__(self, total: int, report: ReportDownload) -> None:
        self._done, self._total, self._report, self._next = 0, total, report, 0.0

    def __call__(self, count: int, *, is_last: bool = False) -> None:
        self._done += count
        if is_last or time.monotonic() >= self._next:
            self._next = time.monotonic() + REPORT_S
            self._report(DownloadProgress(self._done, self._total))
