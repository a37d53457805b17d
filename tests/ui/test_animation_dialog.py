"""A chain on the canvas becomes an animation in a file of the user's choice."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog

from desktop_app.core.chain import Card
from desktop_app.ui.animation_dialog import AnimationDialog


@pytest.fixture
def chained(qtbot, window, picture, paint_seeds):
    """A result of two stages, on the canvas."""
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("cat.png"))
    window.document.set_params("Chain", chain=(Card(steps=2),))
    return paint_seeds(1)[0]


@pytest.fixture
def choose_file(monkeypatch):
    """The user types that name."""

    def choose(path) -> None:
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_args: (str(path), ""))

    return choose


def open_dialog(window) -> AnimationDialog:
    window.actions_by_id["export_chain"].trigger()
    return window.findChild(AnimationDialog)


def test_only_a_result_with_stages_can_be_exported(qtbot, window, paint_seeds):
    action = window.actions_by_id["export_chain"]
    assert not action.isEnabled()
    paint_seeds(1)
    assert not action.isEnabled()
    window.document.set_params("Chain", chain=(Card(steps=2),))
    paint_seeds(2)
    qtbot.waitUntil(action.isEnabled)


def test_the_animation_is_written_as_chosen(qtbot, window, chained, choose_file, tmp_path):
    choose_file(tmp_path / "mine")
    dialog = open_dialog(window)
    dialog.format.setCurrentText("WebP")
    dialog.seconds.setValue(0.4)
    dialog.accept()
    qtbot.waitUntil((tmp_path / "mine.webp").is_file)
    with Image.open(tmp_path / "mine.webp") as made:
        assert (made.format, made.n_frames, made.size) == ("WEBP", 3, chained.size)
        made.load()
        assert made.info["duration"] == 400
    qtbot.waitUntil(lambda: window.job_bar._text.text() == "Saved as mine.webp")
    assert str(tmp_path) in window.job_bar._text.toolTip()


def test_a_stage_that_is_shown_stands_for_its_chain(qtbot, window, chained, choose_file, tmp_path):
    stage = window.parts.lineage._gallery.stages_of(chained.id)[0]
    window.presenter.show_variation(stage)
    choose_file(tmp_path / "mine.gif")
    dialog = open_dialog(window)
    dialog.with_init.setChecked(False)
    dialog.accept()
    qtbot.waitUntil((tmp_path / "mine.gif").is_file)
    with Image.open(tmp_path / "mine.gif") as made:
        assert (made.format, made.n_frames) == ("GIF", 2)


def test_a_disk_that_refuses_is_told(qtbot, window, chained, choose_file, tmp_path):
    choose_file(tmp_path / "nowhere" / "mine.gif")
    open_dialog(window).accept()
    qtbot.waitUntil(window.banner.isVisible)
    assert "mine.gif" not in window.job_bar._text.text()


def test_without_an_init_image_there_is_none_to_begin_with(qtbot, window, paint_seeds):
    window.document.set_params("Chain", chain=(Card(steps=2),))
    paint_seeds(1)
    dialog = open_dialog(window)
    assert not dialog.with_init.isEnabled()
    assert not dialog.choice().with_init
    dialog.reject()
