"""Prefetch: reads what the next stage will load, as far as there is room, and is gone with the stage."""

from __future__ import annotations

import os
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from desktop_app.engine import prefetch
from desktop_app.engine.prefetch import PIECE, Prefetch

WAIT_S = 20


def read_all(paths: list[Path], size: int) -> Prefetch:
    """Stay inside the block until so many bytes are read."""
    done = Prefetch(paths)
    with done:
        thread = done._thread
        assert thread is not None
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert done.read_bytes == size
    return done


def size_of(folder: Path, pattern: str) -> int:
    return sum(file.stat().st_size for file in folder.glob(pattern))


def test_all_weights_of_a_folder_that_will_be_loaded_are_read(tiny_checkpoint):
    parts = ("unet", "vae", "text_encoder")
    read_all([tiny_checkpoint], sum(size_of(tiny_checkpoint / part, "*.safetensors") for part in parts))


def test_weights_of_another_variant_are_left_where_they_are(tiny_checkpoint, tmp_path):
    folder = tmp_path / "both"
    shutil.copytree(tiny_checkpoint, folder)
    one = {file.relative_to(folder) for file in Prefetch([folder])._files}
    for file in one:
        shutil.copy(folder / file, folder / file.with_name(f"{file.stem}.fp16.safetensors"))
    assert {file.relative_to(folder) for file in Prefetch([folder])._files} == one


def test_a_single_file_is_read_to_its_end(tmp_path):
    file = tmp_path / "one.safetensors"
    file.write_bytes(os.urandom(3 * PIECE + 5))
    read_all([file], 3 * PIECE + 5)


def test_it_stops_within_one_piece_of_a_file_without_end(tmp_path):
    size = 64 * 1024 * PIECE  # half a terabyte, of holes
    with (tmp_path / "huge.safetensors").open("wb") as huge:
        huge.truncate(size)
    done = Prefetch([tmp_path / "huge.safetensors"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefetch, "SHARE", float("inf"))
        with done:
            pass
    assert done.read_bytes < size
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_an_exception_inside_ends_it_too(tiny_checkpoint):
    with pytest.raises(KeyError), Prefetch([tiny_checkpoint]):
        raise KeyError
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_where_memory_is_short_nothing_is_read(tiny_checkpoint, monkeypatch):
    memory = namedtuple("memory", "available")
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory(1000))
    with Prefetch([tiny_checkpoint]) as done:
        pass
    assert (done._thread, done.read_bytes) == (None, 0)


def test_what_is_not_there_or_is_no_checkpoint_is_passed_over(tmp_path):
    (tmp_path / "broken.safetensors").symlink_to(tmp_path / "nowhere")
    gone = tmp_path / "gone.safetensors"
    gone.write_bytes(b"there")
    done = Prefetch([tmp_path, tmp_path / "broken.safetensors", gone])
    gone.unlink()
    with done:
        pass
    assert (done._thread, done.read_bytes) == (None, 0)
