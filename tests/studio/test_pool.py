"""PoolRunner: work elsewhere, its outcome here."""

from __future__ import annotations

import threading

import pytest

from desktop_app.core.errors import ImageError, InternalError
from desktop_app.studio.pool import PoolRunner


@pytest.fixture
def runner(qtbot):
    made = PoolRunner()
    yield made
    made.wait()
    qtbot.waitUntil(lambda: made.running == 0)


def test_work_is_done_elsewhere_and_told_here(qtbot, runner):
    heard = []
    runner.finished.connect(lambda key, thread: heard.append((key, thread, threading.current_thread())))
    runner.start("key", threading.current_thread)
    qtbot.waitUntil(lambda: bool(heard))
    key, worked_in, _told_in = heard[0]
    assert key == "key"
    assert worked_in is not threading.main_thread()


def test_an_error_of_ours_comes_as_it_is(qtbot, runner):
    error = ImageError("No picture")

    def work():
        raise error

    with qtbot.waitSignal(runner.failed) as failed:
        runner.start(1, work)
    assert failed.args == [1, error]


def test_a_bug_comes_with_its_traceback(qtbot, runner):
    with qtbot.waitSignal(runner.failed) as failed:
        runner.start(1, lambda: 1 / 0)
    assert isinstance(failed.args[1], InternalError)
    assert "ZeroDivisionError" in failed.args[1].detail


def test_a_serial_runner_keeps_the_order(qtbot):
    runner = PoolRunner(serial=True)
    order = []
    for number in range(20):
        runner.start(number, lambda number=number: order.append(number))
    runner.wait()
    qtbot.waitUntil(lambda: runner.running == 0)
    assert order == list(range(20))
