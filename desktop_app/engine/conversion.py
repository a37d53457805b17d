"""Pickled checkpoints become safetensors, once, by a throw-away process in a sandbox: pickles are opened there only."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from desktop_app.core.download import DownloadProgress, ReportDownload
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, StoreError
from desktop_app.engine.conversion_plan import ConversionPlan, Index, Taken, plan_conversion
from desktop_app.engine.conversion_process import ConversionProcess
from desktop_app.engine.sandbox import Limits
from desktop_app.store.checkpoint_files import damaged
from desktop_app.store.files import make_folder, store_error, sweep_abandoned, temporary_path
from desktop_app.store.safetensors_header import read_header

CHUNK_BYTES = 8 * 1024**2
SPARE_BYTES = 64 * 1024**2
"""Disk space that stays free."""


def convert_pickles(
    source: Path, target: Path, report: ReportDownload, cancel: CancelFlag, *, limits: Limits | None = None
) -> Path:
    """Make the new folder ``target`` of the checkpoint ``source`` in diffusers layout, with all weights as safetensors.

    Only after the user has agreed to `CONSENT`. Written beside ``target`` and renamed at the end; when it raises,
    nothing is left. ``report`` gets bytes of weights, ``limits`` are chosen by size if None.
    Raises `CheckpointError`, `StoreError` (disk full, not writable), and `Cancelled` with the child ended at once.
    """
    if cancel.is_set():
        raise Cancelled
    plan = plan_conversion(source)
    if os.path.lexists(target):
        raise StoreError("The folder is there already", str(target), "Remove it first, or choose another name.")
    make_folder(target.parent)
    sweep_abandoned(target.parent)
    with _told_disk(target), _workplace(target.parent) as place:
        _check_space(plan, target.parent)
        meter = _Meter(plan.total_bytes, report)
        folder = place / "folder"
        _take_over(plan, folder, meter, cancel)
        if plan.pickles:
            _convert(plan, place, meter, cancel, limits or usual_limits([taken.size for taken in plan.pickles]))
        os.rename(folder, target)
        _sync(target.parent)
    return target


def usual_limits(sizes: list[int]) -> Limits:
    """What converting pickles of so many bytes may take: generous for an honest one on a slow disk."""
    return Limits(
        memory_bytes=3 * max(sizes) + 1024**3, file_bytes=2 * max(sizes) + 64 * 1024**2, time_s=300 + sum(sizes) / 4e6
    )


class _Meter:
    """Adds up bytes of weights that are done, and reports them with their rate."""

    def __init__(self, total: int, report: ReportDownload) -> None:
        self._total = total
        self._report = report
        self._begun = time.monotonic()
        self._told = -1
        self.done = 0

    def tell(self, more: int = 0) -> None:
        """Report `done` and ``more``, unless that has been told."""
        done = min(self.done + more, self._total)
        if done <= self._told:
            return
        self._told = done
        seconds = time.monotonic() - self._begun
        rate = done / seconds if done and seconds > 0 else None
        self._report(DownloadProgress(done, self._total, rate, (self._total - done) / rate if rate else None))


# The place beside the target --------------------------------------------------------------------------


@contextlib.contextmanager
def _workplace(parent: Path) -> Iterator[Path]:
    """A folder that is gone afterwards. What is made in it lies one level deeper than where checkpoints are found."""
    place = temporary_path(parent, "convert-")
    for folder in ("folder", "work", "empty"):
        make_folder(place / folder)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _told_disk(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        raise store_error("The converted checkpoint cannot be written", target, e) from e


def _check_space(plan: ConversionPlan, parent: Path) -> None:
    disk = parent.stat().st_dev
    copied = [weights for weights in plan.weights if weights.source.stat().st_dev != disk]  # the others are linked
    needed = sum(taken.size for taken in (*plan.pickles, *copied)) + SPARE_BYTES
    free = shutil.disk_usage(parent).free
    if free < needed:
        detail = f"{needed / 1e9:.1f} GB are needed in {parent}, {free / 1e9:.1f} GB are free"
        raise StoreError("The disk is full", detail, "Free some space on this disk, then try again.")


# Texts and safetensors ----------------------------------------------------------------------------------


def _take_over(plan: ConversionPlan, folder: Path, meter: _Meter, cancel: CancelFlag) -> None:
    for text in plan.texts:
        _make_parent(folder / text.target)
        (folder / text.target).write_bytes(text.source.read_bytes())
    for weights in plan.weights:
        _check_header(weights.source, weights)
        _make_parent(folder / weights.target)
        _link(weights, folder / weights.target, meter, cancel)
        meter.done += weights.size
        meter.tell()


def _make_parent(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)


def _link(weights: Taken, path: Path, meter: _Meter, cancel: CancelFlag) -> None:
    """A hard link, or a copy where the disk or the system allows none."""
    try:
        os.link(weights.source, path)
    except OSError:
        _copy(weights.source, path, meter, cancel)


def _copy(source: Path, target: Path, meter: _Meter, cancel: CancelFlag) -> None:
    copied = 0
    with source.open("rb") as reader, target.open("xb") as writer:
        while chunk := reader.read(CHUNK_BYTES):
            if cancel.is_set():
                raise Cancelled
            copied += writer.write(chunk)
            meter.tell(copied)
        writer.flush()
        os.fsync(writer.fileno())


# Pickles --------------------------------------------------------------------------------------------------


def _convert(plan: ConversionPlan, place: Path, meter: _Meter, cancel: CancelFlag, limits: Limits) -> None:
    work = place / "work"

    def look() -> None:
        with contextlib.suppress(OSError):
            meter.tell(_written_bytes(work))

    headers: dict[Path, dict[str, Any]] = {}
    with ConversionProcess(place, plan.pickles, limits, cancel) as process:
        meter.tell()
        for number, pickled in enumerate(plan.pickles):
            process.wait_for(number, look)
            made = work / f"{number}.safetensors"
            headers[pickled.target] = _check_made(made, pickled)
            path = place / "folder" / pickled.target
            _make_parent(path)
            os.replace(made, path)
            _sync(path)
            meter.done += pickled.size
            meter.tell()
    for index in plan.indices:
        _write_index(index, place / "folder", headers)


def _written_bytes(work: Path) -> int:
    """How far the child is. Its library gives a file its full length first, so only what lies on the disk counts."""
    found = [entry.stat(follow_symlinks=False) for entry in os.scandir(work)]
    return sum(getattr(info, "st_blocks", 0) * 512 for info in found)


def _check_made(path: Path, pickled: Taken) -> dict[str, Any]:
    """The header of what the child has made, which is as little to be trusted as the pickle."""
    try:
        info = path.lstat()
    except FileNotFoundError as e:
        raise damaged(pickled.label, "nothing was made of it") from e
    if path.is_symlink() or info.st_nlink != 1:
        raise damaged(pickled.label, "something else than a file was made of it")
    header = _check_header(path, pickled)
    if not header:
        raise damaged(pickled.label, "it holds no weights")
    return header


def _check_header(path: Path, taken: Taken) -> dict[str, Any]:
    try:
        return read_header(path)
    except ValueError as e:
        raise damaged(taken.label, str(e)) from e


def _write_index(index: Index, folder: Path, headers: dict[Path, dict[str, Any]]) -> None:
    found = {name: shard.name for shard in index.shards for name in headers[shard]}
    if missing := sorted(index.names - found.keys()):
        raise damaged(index.source, f"it names {missing[0][:80]!r}, which is in none of its files")
    size = sum((folder / shard).stat().st_size for shard in index.shards)
    content = {"metadata": {"total_size": size}, "weight_map": found}
    (folder / index.target).write_text(json.dumps(content, indent=2), encoding="utf-8")


def _sync(path: Path) -> None:
    """To the disk for good. Folders cannot be opened on Windows, which journals the rename itself."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
