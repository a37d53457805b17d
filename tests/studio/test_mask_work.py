"""Changes of the whole mask: what the pool makes of it and what is left to the window's thread."""

from __future__ import annotations

import threading

from PySide6.QtCore import QRect, Qt

from desktop_app.studio import mask_layer, mask_work
from desktop_app.studio.mask_steps import new_mask


def test_a_change_is_made_ready_on_the_pool_and_only_taken_by_the_window(qtbot, document, picture, monkeypatch):
    threads: list[threading.Thread] = []

    def note(*masks):
        threads.append(threading.current_thread())
        return new_mask(*masks)

    monkeypatch.setattr(mask_work, "new_mask", note)
    monkeypatch.setattr(mask_layer, "new_mask", None)
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(picture("cat.png", (96, 64)))
    document.mask_work.invert()
    qtbot.waitUntil(lambda: not document.mask_work.is_working)
    assert document.mask.copy().getextrema() == (255, 255)
    assert len(threads) == 1
    assert threads[0] is not threading.main_thread()


def test_changes_that_follow_each_other_are_undone_in_their_order_without_a_pause(qtbot, document, picture):
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(picture("cat.png", (96, 64)))
    mask, work, stack = document.mask, document.mask_work, document.undo_stack
    states = [mask.copy().tobytes()]
    mask.paint(QRect(30, 20, 20, 10), lambda painter: painter.fillRect(30, 20, 20, 10, Qt.GlobalColor.white))
    mask.commit("Brush")
    states.append(mask.copy().tobytes())
    for begin in (lambda: work.grow(4), work.invert, lambda: work.shrink(2), lambda: mask.clear("Clear"), work.invert):
        begin()
        qtbot.waitUntil(lambda: not work.is_working)
        states.append(mask.copy().tobytes())
    assert len(set(states)) == len(states) - 1, "cleared, and empty at first, are the same"
    for state in reversed(states[:-1]):
        stack.undo()
        assert mask.copy().tobytes() == state
    for state in states[1:]:
        stack.redo()
        assert mask.copy().tobytes() == state
