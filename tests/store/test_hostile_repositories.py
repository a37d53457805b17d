"""Hostile checkpoints: each is refused with a sentence, and nothing of them is run, imported or reached for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hostile import HOSTILE, write_hostile
from support import PROJECT

from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoints import CheckpointStore

if sys.platform == "win32":
    pytest.skip("their links and pipes are those of POSIX", allow_module_level=True)

ACTS = ("subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "socket.", "pickle.find_class", "ctypes.")
OUR_CODE = (sys.base_prefix, sys.prefix, str(PROJECT / "desktop_app"), "<frozen ")

_watching: list[list[str]] = []


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    code = getattr(arguments[0], "co_filename", "") if event == "exec" else ""
    if event.startswith(ACTS) or (code and not code.startswith(OUR_CODE)):
        _watching[-1].append(f"{event} {arguments}")


sys.addaudithook(_watch)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What happened inside that no opening of a checkpoint has a reason for."""
    _watching.append([])
    try:
        yield _watching[-1]
    finally:
        _watching.pop()


@pytest.fixture
def store(paths):
    store = CheckpointStore(paths)
    store.resolve("starter")  # imports what it needs
    return store


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_checkpoint_is_refused_and_nothing_of_it_runs(store, tmp_path, name):
    canary = tmp_path / "canary"
    folder = write_hostile(tmp_path / "hostile", name, canary)
    with watched() as acts, pytest.raises(CheckpointError) as caught:
        store.resolve(str(folder))
    assert acts == []
    assert caught.value.title
    assert caught.value.hint
    assert not canary.exists()


def test_code_beside_good_weights_is_never_run(store, tmp_path):
    folder = write_hostile(tmp_path / "hostile", "pickled shards", tmp_path / "canary")
    good = store.resolve("starter") / "unet" / "diffusion_pytorch_model.safetensors"
    (folder / "unet" / good.name).write_bytes(good.read_bytes())
    (folder / "sitecustomize.py").write_text("raise SystemExit")
    with watched() as acts:
        assert store.resolve(str(folder)) == folder
    assert acts == []


def test_the_watch_sees_what_it_is_there_for(tmp_path):
    with watched() as acts:
        exec(compile("1 + 1", str(tmp_path / "evil.py"), "exec"))
    assert len(acts) == 1
