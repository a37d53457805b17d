"""Autosave: soon, off the GUI thread, and never lost."""

from __future__ import annotations

import threading

import pytest

from desktop_app.core.errors import StoreError
from desktop_app.studio.autosave import Autosave


@pytest.fixture
def state():
    return {"value": 0}


@pytest.fixture
def autosave(qtbot, session, state):
    saved = Autosave(session, "document", lambda: dict(state).copy)
    yield saved
    saved.flush()


def test_a_change_is_on_disk_within_two_seconds(qtbot, autosave, session, state):
    state["value"] = 1
    autosave.touch()
    qtbot.waitUntil(lambda: session.load("document") == {"value": 1}, timeout=2000)


def test_later_changes_do_not_put_the_write_off(qtbot, autosave):
    autosave.touch()
    left = autosave._timer.remainingTime()
    autosave.touch()
    assert autosave._timer.remainingTime() <= left


def test_flushing_writes_at_once_and_only_what_has_changed(autosave, session, state):
    autosave.flush()
    assert session.load("document") is None
    autosave.touch()
    state["value"] = 2
    autosave.flush()
    assert session.load("document") == {"value": 2}


def test_the_write_is_made_in_another_thread(qtbot, autosave, session, monkeypatch):
    threads = []
    monkeypatch.setattr(session, "save", lambda *_: threads.append(threading.current_thread()))
    autosave.touch()
    qtbot.waitUntil(lambda: bool(threads), timeout=3000)
    assert threads[0] is not threading.main_thread()


def test_a_disk_that_refuses_is_told_once_until_it_works_again(qtbot, autosave, session, monkeypatch):
    told = []
    autosave.failed.connect(told.append)

    def refuse(*_):
        raise StoreError("The disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(session, "save", refuse)
        for _ in range(2):
            autosave._write()
            autosave._runner.wait()
        qtbot.waitUntil(lambda: autosave._runner.running == 0)
        assert len(told) == 1
        autosave.touch()
        with pytest.raises(StoreError):
            autosave.flush()
