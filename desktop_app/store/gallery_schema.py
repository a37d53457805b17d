"""The gallery's database: its tables, its versions, and how it is opened. An index of the pictures, made again from
them when it is lost.

One connection, in WAL mode with exclusive locking: SQLite before 3.51.3 can lose a commit with two.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from desktop_app.core.errors import StoreError

APPLICATION_ID = 0x556E5061
"""Marks the file as ours ("UnPa")."""

_VERSION_OFFSET, _ID_OFFSET = 60, 68
"""Where SQLite's file header has user_version and application_id (sqlite.org/fileformat2.html)."""

SCHEMA_1 = (
    """CREATE TABLE variations (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        file TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        pixels_sha256 TEXT NOT NULL,
        init_sha256 TEXT,
        record TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        stars INTEGER NOT NULL DEFAULT 0,
        trashed INTEGER NOT NULL DEFAULT 0)""",
    "CREATE INDEX newest ON variations (trashed, created, id)",
    "CREATE INDEX by_pixels ON variations (pixels_sha256)",
    "CREATE INDEX by_init ON variations (init_sha256)",
    "CREATE VIRTUAL TABLE words USING fts5 (text, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3')",
)


SCHEMA_2 = (
    "ALTER TABLE variations ADD COLUMN chain_id TEXT",
    "ALTER TABLE variations ADD COLUMN stage INTEGER",
    "ALTER TABLE variations ADD COLUMN is_stage INTEGER NOT NULL DEFAULT 0",
    "DROP INDEX newest",
    "CREATE INDEX newest ON variations (trashed, is_stage, created, id)",
    "CREATE INDEX by_chain ON variations (chain_id, stage)",
)
"""``chain_id`` and ``stage`` are as the picture's record has them; ``is_stage`` says that the chain's final picture is
beside it, in the gallery or in the trash: only then it is shown by that one alone."""


def _create(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA_1:
        connection.execute(statement)


def _add_chains(connection: sqlite3.Connection) -> None:
    for statement in SCHEMA_2:
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_create, _add_chains)
"""The n-th brings version n to version n + 1. What was released is never edited."""


class DatabaseDamaged(Exception):
    """The file is not the database it should be; the pictures are not concerned."""


def refuse_newer(path: Path, known: int = len(MIGRATIONS)) -> None:
    """Raise `StoreError` when a newer program wrote the database. Only reads."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as e:
        raise StoreError("The gallery's database cannot be read", f"{path}: {e.strerror}", _CHECK_DISK) from e
    version = int.from_bytes(header[_VERSION_OFFSET : _VERSION_OFFSET + 4], "big")
    is_ours = int.from_bytes(header[_ID_OFFSET : _ID_OFFSET + 4], "big") == APPLICATION_ID
    if is_ours and version > known:
        raise _newer(version, known)


def open_database(path: Path, migrations: tuple[Callable[[sqlite3.Connection], None], ...] = MIGRATIONS) -> Opened:
    """Connect, check and bring up to date. Raises `DatabaseDamaged`, `StoreError`."""
    refuse_newer(path, len(migrations))
    connection: sqlite3.Connection | None = None
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=2.0)
        with contextlib.suppress(OSError):
            os.chmod(path, 0o600)
        return Opened(connection, _prepare(connection, path, migrations))
    except sqlite3.DatabaseError as e:
        if connection:
            connection.close()
        raise _translate(e, path) from e
    except (StoreError, DatabaseDamaged, OSError):
        if connection:
            connection.close()
        raise


class Opened:
    """A connection and, after a migration, where the database of before is kept."""

    def __init__(self, connection: sqlite3.Connection, backup: Path | None) -> None:
        self.connection = connection
        self.backup = backup


def _prepare(
    connection: sqlite3.Connection, path: Path, migrations: tuple[Callable[[sqlite3.Connection], None], ...]
) -> Path | None:
    connection.row_factory = sqlite3.Row
    for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "locking_mode = EXCLUSIVE", "synchronous = FULL"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA journal_mode = WAL")
    problems = [row[0] for row in connection.execute("PRAGMA quick_check(1)")]
    if problems != ["ok"]:
        raise DatabaseDamaged("; ".join(problems))
    backup = _migrate(connection, path, migrations)
    if _names(connection) != _expected_names(migrations):
        raise DatabaseDamaged("its tables are not those of a gallery")
    return backup


def _migrate(
    connection: sqlite3.Connection, path: Path, migrations: tuple[Callable[[sqlite3.Connection], None], ...]
) -> Path | None:
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > len(migrations):
        raise _newer(version, len(migrations))
    if version == len(migrations):
        return None
    if version == 0 and _names(connection):
        raise DatabaseDamaged("it is not a gallery")
    backup = _back_up(connection, path, version) if version else None
    with transaction(connection):
        for migration in migrations[version:]:
            migration(connection)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")
    return backup


def _back_up(connection: sqlite3.Connection, path: Path, version: int) -> Path:
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
    backup = path.with_name(f"{path.stem}.version-{version}-{stamp}{path.suffix}")
    try:
        shutil.copyfile(path, backup)
        with backup.open("rb+") as file:
            os.fsync(file.fileno())
    except OSError as e:
        backup.unlink(missing_ok=True)
        hint = "Free some space on this disk, then start again. Nothing was changed."
        raise StoreError("The gallery cannot be backed up before its update", f"{backup}: {e.strerror}", hint) from e
    return backup


def _names(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Kind, name and text of all tables, indexes, triggers and views that are not SQLite's own."""
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(row[0], row[1], row[2]) for row in rows}


def _expected_names(migrations: tuple[Callable[[sqlite3.Connection], None], ...]) -> set[tuple[str, str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        for migration in migrations:
            migration(connection)
        return _names(connection)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All or nothing; on disk when it ends. Inside of another one it is part of that."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # after a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _newer(version: int, known: int) -> StoreError:
    return StoreError(
        "The gallery was written by a newer version of Underpaint",
        f"its database has format {version}, this program reads up to {known}; nothing was changed",
        "Update Underpaint, or choose another data folder with --data-dir.",
    )


_CHECK_DISK = "Check that its disk is all right and that the folder is yours, then start again."


def database_error(cause: sqlite3.Error, path: Path) -> StoreError:
    """``cause`` in the user's words."""
    code = getattr(cause, "sqlite_errorname", "")
    if code.startswith("SQLITE_FULL"):
        return StoreError("The disk is full", f"{path}: {cause}", "Free some space on this disk, then try again.")
    if code.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM")):
        hint = "Make the folder writable for you, or choose another with --data-dir."
        return StoreError("The gallery's database cannot be written", f"{path}: {cause}", hint)
    if code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return StoreError("The gallery is in use by another program", f"{path}: {cause}", "Close that one first.")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        hint = "Start Underpaint again: the database is then made anew from the pictures, which are unharmed."
        return StoreError("The gallery's database is damaged", f"{path}: {cause}", hint)
    return StoreError("The gallery's database cannot be used", f"{path}: {cause}", _CHECK_DISK)


def _translate(cause: sqlite3.DatabaseError, path: Path) -> Exception:
    code = getattr(cause, "sqlite_errorname", "")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_ERROR", "SQLITE_SCHEMA")):
        return DatabaseDamaged(str(cause))
    return database_error(cause, path)


# Search ------------------------------------------------------------------------------------------


def fold(text: str) -> str:
    """``text`` as it is indexed and searched: without marks, one form of each Arabic letter, and with every
    character of a script that has no spaces between words as a word of its own.
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    return "".join(_fold_character(char) for char in plain if not unicodedata.combining(char))


def _fold_character(char: str) -> str:
    if char == "\u0640":  # tatweel only stretches a word
        return ""
    if char == "\u0649":
        return "\u064a"
    if "\u2e80" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" or char >= "\U00020000":
        return f" {char} "
    return char if char.isalnum() else " "


def match_expression(search: str) -> str:
    """FTS5 expression for what a user typed: every word must begin a word of the prompt; '' where there is none.

    Each word is quoted, so nothing in it can be an operator or a syntax error.
    """
    return " ".join(f'"{fold(word).strip()}"*' for word in search.split() if fold(word).strip())
