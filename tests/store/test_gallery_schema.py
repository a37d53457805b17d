"""The database from version to version: nothing is lost on the way, and a step that fails is not taken."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from desktop_app.core.errors import StoreError
from desktop_app.store.gallery_schema import MIGRATIONS, DatabaseDamaged, open_database


def add_colour(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE variations ADD COLUMN colour TEXT NOT NULL DEFAULT ''")


def add_half(connection: sqlite3.Connection) -> None:
    add_colour(connection)
    raise sqlite3.OperationalError("no")


def version_of(connection: sqlite3.Connection) -> int:
    return connection.execute("PRAGMA user_version").fetchone()[0]


@pytest.fixture
def database(tmp_path):
    """A database of the first version with one row."""
    path = tmp_path / "gallery.db"
    with closing(open_database(path, MIGRATIONS[:1]).connection) as connection:
        values = ("a", "2026/a.png", 1, 64, 64, "0" * 64, "{}", 0)
        names = "id, file, created, width, height, pixels_sha256, record, checksum"
        connection.execute(f"INSERT INTO variations ({names}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    return path


def test_a_newer_program_brings_the_database_up_to_date_and_keeps_the_old_one(database):
    opened = open_database(database, (*MIGRATIONS[:1], add_colour))
    with closing(opened.connection) as connection:
        assert version_of(connection) == 2
        assert tuple(connection.execute("SELECT id, colour FROM variations").fetchone()) == ("a", "")
    assert opened.backup is not None
    with closing(sqlite3.connect(opened.backup)) as connection:
        assert version_of(connection) == 1
        assert connection.execute("SELECT id FROM variations").fetchone() == ("a",)


def test_a_database_that_is_up_to_date_is_not_copied(database):
    opened = open_database(database, MIGRATIONS[:1])
    opened.connection.close()
    assert opened.backup is None


def test_a_step_that_fails_is_not_taken_and_can_be_tried_again(database):
    with pytest.raises((StoreError, DatabaseDamaged)):
        open_database(database, (*MIGRATIONS[:1], add_half))
    with closing(sqlite3.connect(database)) as connection:
        assert version_of(connection) == 1
        assert "colour" not in {row[1] for row in connection.execute("PRAGMA table_info(variations)")}
    with closing(open_database(database, (*MIGRATIONS[:1], add_colour)).connection) as connection:
        assert version_of(connection) == 2


def test_a_disk_that_takes_no_copy_leaves_the_database_as_it_is(database, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfile", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StoreError, match="backed up"):
            open_database(database, (*MIGRATIONS[:1], add_colour))
    with closing(sqlite3.connect(database)) as connection:
        assert version_of(connection) == 1


def test_another_programs_database_is_not_taken_for_a_gallery(tmp_path):
    path = tmp_path / "gallery.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (url TEXT)")
    with pytest.raises(DatabaseDamaged):
        open_database(path)
