"""ThreadRunner: each piece of work on a thread of its own; progress, outcome and end come back in the GUI thread."""

from __future__ import annotations

import threading

import pytest

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import Cancelled, CheckpointError, InternalError
from desktop_app.studio.thread_runner import ThreadRunner


@pytest.fixture
def runner(qapp):
    made = ThreadRunner("test")
    yield made
    made.close(5)


def wait_for_stop(_report, cancel) -> None:
    cancel.wait(30)
    raise Cancelled


def fail(error: Exception) -> None:
    raise error


def test_the_outcome_comes_with_its_key_in_the_gui_thread(qtbot, runner):
    heard = []
    runner.finished.connect(lambda key, outcome: heard.append((key, outcome)))
    with qtbot.waitSignal(runner.finished):
        runner.start("a", lambda _report, _cancel: threading.current_thread() is threading.main_thread())
    assert heard == [("a", False)]


def test_errors_are_told_and_bugs_become_errors(qtbot, runner):
    with qtbot.waitSignal(runner.failed) as told:
        runner.start("a", lambda _report, _cancel: fail(CheckpointError("No")))
    assert told.args[1].title == "No"
    with qtbot.waitSignal(runner.failed) as told:
        runner.start("a", lambda _report, _cancel: fail(ValueError("bug")))
    assert isinstance(told.args[1], InternalError)


def test_work_is_stopped_by_its_flag(qtbot, runner):
    flag = runner.start("a", wait_for_stop)
    with qtbot.waitSignal(runner.cancelled) as told:
        flag.set()
    assert told.args == ["a"]


def test_the_first_and_the_last_progress_are_told_and_few_between(qtbot, runner):
    told = []
    runner.progressed.connect(lambda _key, progress: told.append(progress.done))

    def count(report, _cancel) -> None:
        for done in range(10_001):
            report(DownloadProgress(done, 10_000))

    with qtbot.waitSignal(runner.finished):
        runner.start("a", count)
    assert (told[0], told[-1]) == (0, 10_000)
    assert len(told) < 1000


def test_closing_stops_work_and_lets_go_what_does_not_stop(qapp, runner):
    release = threading.Event()
    heard = []
    runner.finished.connect(lambda *told: heard.append(told))
    runner.start("deaf", lambda _report, _cancel: release.wait(30))
    assert not runner.close(0.05)
    release.set()
    assert runner.close(30)
    qapp.sendPostedEvents()
    assert not heard


def test_after_closing_nothing_begins(qapp, runner):
    assert runner.close(5)
    begun = []
    runner.start("late", lambda _report, _cancel: begun.append(1))
    assert runner.close(5)
    assert not begun
