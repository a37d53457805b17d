"""What `GalleryStore.open` puts right: files without a row, rows without a file, and a damaged database.

The pictures are the truth and the database is their index: no picture is ever changed or deleted here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from desktop_app.core.errors import ImageError, RequestError, StoreError
from desktop_app.core.variation import Variation
from desktop_app.store.files import store_error, sweep_temporary
from desktop_app.store.gallery_rows import insert, link_chains, picture_path, read_picture
from desktop_app.store.gallery_schema import DatabaseDamaged, Opened, open_database, transaction
from desktop_app.store.paths import Paths

_BATCH = 500


@dataclass
class RecoveryReport:
    """What was put right. ``sentences`` says it in plain words, one thing each; empty when all was well."""

    swept: int = 0
    adopted: int = 0
    relinked: int = 0
    missing: int = 0
    left_alone: int = 0
    rebuilt: bool = False
    sentences: list[str] = field(default_factory=list)


def open_recovered(paths: Paths, report: RecoveryReport) -> sqlite3.Connection:
    """The database, in agreement with the files. Raises `StoreError`."""
    _sweep(paths, report)
    stars: dict[str, int] = {}
    try:
        opened = open_database(paths.database)
    except DatabaseDamaged as e:
        aside = _move_aside(paths.database)
        stars = _salvage_stars(aside)
        report.rebuilt = True
        report.sentences.append(
            f"The gallery's database was damaged ({e}) and was made anew from the pictures; "
            f"the old one is kept as {aside.name}."
        )
        opened = _open_anew(paths.database)
    try:
        _tell_backup(opened, report)
        reconcile(opened.connection, paths, report, stars)
    except BaseException:
        opened.connection.close()
        raise
    return opened.connection


def reconcile(
    connection: sqlite3.Connection, paths: Paths, report: RecoveryReport, stars: dict[str, int] | None = None
) -> None:
    """Bring the rows in agreement with the files; ``stars`` by id are given to adopted pictures."""
    rows = {row["file"]: bool(row["trashed"]) for row in connection.execute("SELECT file, trashed FROM variations")}
    files = dict.fromkeys(_pictures(paths.gallery), False) | dict.fromkeys(_pictures(paths.trash), True)
    moved = [(trashed, file) for file, trashed in files.items() if rows.get(file, trashed) is not trashed]
    if moved:
        with transaction(connection):
            connection.executemany("UPDATE variations SET trashed = ? WHERE file = ?", moved)
    _adopt(
        connection,
        paths,
        sorted((file, trashed) for file, trashed in files.items() if file not in rows),
        report,
        stars or {},
    )
    with transaction(connection):
        link_chains(connection)
    _tell_missing(connection, files, report)


def _sweep(paths: Paths, report: RecoveryReport) -> None:
    folders = [paths.gallery, paths.inits, paths.thumbnails, paths.trash, *_years(paths.gallery), *_years(paths.trash)]
    report.swept = sum(sweep_temporary(folder) for folder in folders)
    if report.swept:
        report.sentences.append(f"{_files(report.swept)} that was being written when the program ended was removed.")


def _files(count: int) -> str:
    return "One file" if count == 1 else f"{count} files"


def _tell_backup(opened: Opened, report: RecoveryReport) -> None:
    if opened.backup:
        report.sentences.append(f"The gallery's database was updated; the old one is kept as {opened.backup.name}.")


# Files -------------------------------------------------------------------------------------------


def _years(folder: Path) -> list[Path]:
    with contextlib.suppress(OSError):
        return [Path(entry.path) for entry in os.scandir(folder) if entry.name.isdecimal() and entry.is_dir()]
    return []


def _pictures(folder: Path) -> Iterator[str]:
    """Names below ``folder``, as rows have them. HFS+ hands out names decomposed, hence NFC."""
    for year in _years(folder):
        for entry in os.scandir(year):
            if entry.name.lower().endswith(".png") and entry.is_file(follow_symlinks=False):
                yield f"{year.name}/{unicodedata.normalize('NFC', entry.name)}"


def _adopt(
    connection: sqlite3.Connection,
    paths: Paths,
    files: list[tuple[str, bool]],
    report: RecoveryReport,
    stars: dict[str, int],
) -> None:
    found = [(*_read(paths, file, trashed, report), file) for file, trashed in files]
    known = [(variation, record, file) for variation, record, file in found if variation]
    known.sort(key=lambda entry: (entry[0].created, entry[0].id))
    for begin in range(0, len(known), _BATCH):
        with transaction(connection):
            for variation, record, file in known[begin : begin + _BATCH]:
                starred = replace(variation, stars=stars.get(variation.id, 0))
                _adopt_one(connection, paths, starred, file, record, report)
    if report.adopted:
        what = "One picture" if report.adopted == 1 else f"{report.adopted:,} pictures"
        report.sentences.append(f"{what} in the gallery's folder had no entry in the database and got one.")


def _read(paths: Paths, file: str, trashed: bool, report: RecoveryReport) -> tuple[Variation | None, str]:
    path = picture_path(paths, file, trashed=trashed)
    try:
        variation, record = read_picture(path)
    except (ImageError, RequestError) as e:
        report.left_alone += 1
        report.sentences.append(f"{file} was left alone: {e.title[0].lower()}{e.title[1:]}.")
        return None, ""
    return replace(variation, trashed=trashed), record


def _adopt_one(
    connection: sqlite3.Connection, paths: Paths, variation: Variation, file: str, record: str, report: RecoveryReport
) -> None:
    row = connection.execute("SELECT file, trashed FROM variations WHERE id = ?", (variation.id,)).fetchone()
    if row is None:
        insert(connection, variation, file, record)
        report.adopted += 1
    elif picture_path(paths, row["file"], trashed=bool(row["trashed"])).is_file():
        report.left_alone += 1
        report.sentences.append(f"{file} was left alone: it is a copy of {row['file']}.")
    else:
        connection.execute(
            "UPDATE variations SET file = ?, trashed = ? WHERE id = ?", (file, variation.trashed, variation.id)
        )
        report.relinked += 1
        report.sentences.append(f"{row['file']} was found again as {file}.")


def _tell_missing(connection: sqlite3.Connection, files: dict[str, bool], report: RecoveryReport) -> None:
    rows = [row["file"] for row in connection.execute("SELECT file FROM variations")]
    gone = sorted(file for file in rows if file not in files)
    report.missing = len(gone)
    if len(gone) == 1:
        report.sentences.append(f"{gone[0]} is missing.")
    elif gone:
        report.sentences.append(f"{len(gone):,} pictures are missing, such as {gone[0]}.")


# A damaged database ------------------------------------------------------------------------------


def _move_aside(database: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    aside = database.with_name(f"{database.stem}.damaged-{stamp}{database.suffix}")
    for ending in ("-wal", "-shm", "-journal", ""):
        source = database.with_name(database.name + ending)
        try:
            os.rename(source, aside.with_name(aside.name + ending))
        except FileNotFoundError:
            continue
        except OSError as e:
            raise store_error("The damaged database cannot be moved aside", source, e) from e
    return aside


def _salvage_stars(database: Path) -> dict[str, int]:
    """Stars are kept nowhere else: as many as can still be read, by id."""
    stars: dict[str, int] = {}
    with contextlib.suppress(sqlite3.Error):
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            for variation_id, count in connection.execute("SELECT id, stars FROM variations WHERE stars > 0"):
                if isinstance(variation_id, str) and isinstance(count, int) and 0 < count <= 5:
                    stars[variation_id] = count
    return stars


def _open_anew(database: Path) -> Opened:
    try:
        return open_database(database)
    except DatabaseDamaged as e:
        raise StoreError("The gallery's database cannot be made", f"{database}: {e}", "Check the disk.") from e
