"""Files that are whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from desktop_app.core.errors import StoreError
from desktop_app.store.files import (
    TEMPORARY_SUFFIX,
    make_folder,
    move_new,
    sweep_abandoned,
    sweep_temporary,
    temporary_path,
    write_atomic,
    write_new,
)

STEPS = ("write", "fsync", "replace", "link", "unlink")


def fail_at(monkeypatch, number: int, code: int = 28) -> list[str]:
    """Let the ``number``-th system call of a write fail; the calls are written down."""
    calls: list[str] = []

    def wrap(name: str):
        real = getattr(os, name)

        def call(*arguments, **options):
            calls.append(name)
            if len(calls) == number:
                raise OSError(code, "No space left on device")
            return real(*arguments, **options)

        return call

    for name in STEPS[:4]:
        monkeypatch.setattr(os, name, wrap(name))
    return calls


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "file"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o077 == 0
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_the_order_is_write_fsync_rename_fsync_of_the_folder(tmp_path, monkeypatch):
    calls = fail_at(monkeypatch, 0)
    write_atomic(tmp_path / "file", b"one")
    assert calls == ["write", "fsync", "replace", "fsync"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_whatever_fails_the_old_file_stays_and_nothing_else(tmp_path, monkeypatch, number):
    path = tmp_path / "file"
    write_atomic(path, b"old")
    with monkeypatch.context() as patch:
        fail_at(patch, number)
        with pytest.raises(StoreError, match="disk is full"):
            write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_new_file_that_fails_leaves_nothing(tmp_path, monkeypatch, number):
    with monkeypatch.context() as patch:
        fail_at(patch, number)
        with pytest.raises(StoreError):
            write_new(tmp_path / "file", b"new")
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_never_takes_anothers_place(tmp_path):
    path = tmp_path / "file"
    write_new(path, b"first")
    with pytest.raises(StoreError):
        write_new(path, b"second")
    assert path.read_bytes() == b"first"


def test_moving_never_takes_anothers_place(tmp_path):
    (tmp_path / "a").write_bytes(b"a")
    (tmp_path / "b").write_bytes(b"b")
    with pytest.raises(StoreError):
        move_new(tmp_path / "a", tmp_path / "b")
    move_new(tmp_path / "a", tmp_path / "c")
    assert sorted((each.name, each.read_bytes()) for each in tmp_path.iterdir()) == [("b", b"b"), ("c", b"a")]


def test_leftovers_are_swept_and_nothing_else(tmp_path):
    (tmp_path / f".1{TEMPORARY_SUFFIX}").write_bytes(b"half")
    (tmp_path / "picture.png").write_bytes(b"whole")
    (tmp_path / f"folder{TEMPORARY_SUFFIX}").mkdir()
    assert sweep_temporary(tmp_path) == 1
    assert sweep_temporary(tmp_path / "none") == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_what_killed_programs_left_is_swept_and_what_others_write_stays(tmp_path):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    ours, end = temporary_path(tmp_path), f"{gone.pid}-0123456789abcdef{TEMPORARY_SUFFIX}"
    kept = {ours, tmp_path / f".strange{TEMPORARY_SUFFIX}", tmp_path / "checkpoint.safetensors"}
    for path in (*kept, tmp_path / f".{end}"):
        path.write_bytes(b"half")
    (tmp_path / f".convert-{end}" / "folder").mkdir(parents=True)
    (tmp_path / f".link-{end}").symlink_to(tmp_path / "checkpoint.safetensors")
    assert sweep_abandoned(tmp_path) == 2
    assert set(tmp_path.iterdir()) == {*kept, tmp_path / f".link-{end}"}
    assert sweep_abandoned(tmp_path / "none") == 0


def test_a_folder_in_the_way_of_a_folder_is_told(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="folder cannot be made"):
        make_folder(tmp_path / "file" / "folder")
