"""GarbageCollector: cycles go, and only in the GUI thread."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from desktop_app.studio.collector import GarbageCollector


class Node:
    """Refers to itself, so that only a collection can free it; tells which thread that was."""

    def __init__(self, told: list[threading.Thread]) -> None:
        self.me = self
        weakref.finalize(self, lambda: told.append(threading.current_thread()))


@pytest.fixture
def collector(qtbot):
    was_enabled = gc.isenabled()
    made = GarbageCollector()
    yield made
    made.close()
    if not was_enabled:
        gc.disable()


def test_cycles_are_collected_in_the_gui_thread_though_another_makes_them(collector):
    told: list[threading.Thread] = []

    def work() -> None:
        for _ in range(20_000):
            Node(told)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not told
    collector.collect()
    assert len(told) > 10_000
    assert set(told) == {threading.main_thread()}


def test_python_decides_again_when_it_is_closed(collector):
    assert not gc.isenabled()
    collector.close()
    assert gc.isenabled()
