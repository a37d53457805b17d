"""JobBar: what was changed to make a picture run is said where its progress was."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QLabel

from desktop_app.app import create_window
from desktop_app.engine.fake import FakeEngine

NOTE = "Memory was full; the picture was made in tiles."


class TightEngine(FakeEngine):
    """Changes something at every other run, and leaves a stage out."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0

    def run(self, request, report, cancel):
        self._count += 1
        result = super().run(request, report, cancel)
        return replace(result, notes=(NOTE,), reused=1) if self._count % 2 else result


@pytest.fixture
def window(qtbot, data_dir):
    made = create_window(data_dir, engine=TightEngine())
    made.show()
    qtbot.waitUntil(lambda: made.document.checkpoint_info is not None)
    made.document.set_params("Quick", steps=2, prompt="a lemon")
    yield made
    made.close_now()
    made.deleteLater()


def test_a_note_is_said_until_the_next_picture_is_made(qtbot, window):
    label = window.job_bar.findChild(QLabel, "phaseLabel")
    for expected in (f"{NOTE} 1 of 1 stages were re-used.", "Ready"):
        with qtbot.waitSignal(window.jobs.finished):
            window.commands.generate()
        qtbot.waitUntil(lambda expected=expected: label.text() == expected)
        assert (NOTE in label.toolTip()) is (NOTE in expected)
