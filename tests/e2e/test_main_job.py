"""The main job as a user does it, on the real window, with the starter checkpoint in the engine's own process."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from PySide6.QtCore import QMimeData, QSize, Qt, QUrl
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QLabel,
    QListView,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QWidget,
)
from superqt import QLabeledDoubleSlider
from support import PROJECT

from desktop_app.core.image import load_image
from desktop_app.core.request import hash_pixels
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.studio.jobs import JobState
from desktop_app.studio.restoring import PARTS
from desktop_app.ui.compare_view import ViewMode

SAMPLE = PROJECT / "resources" / "samples" / "drawing.png"
LOADING_S = 60_000


def generate(qtbot, window, strength: float = 0.6):
    """Drop-free half of the job: prompt, strength, Ctrl+Enter; returns the finished variation."""
    prompt = window.findChild(QPlainTextEdit, "promptEdit")
    prompt.setFocus()
    prompt.clear()
    qtbot.keyClicks(prompt, "lemon, glossy icon, purple background")
    window.findChild(QLabeledDoubleSlider, "strengthSlider").setValue(strength)
    with qtbot.waitSignal(window.jobs.finished, timeout=LOADING_S) as finished:
        qtbot.keyClick(window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    return finished.args[1]


@pytest.mark.timeout(300)
def test_a_dropped_picture_is_painted_kept_and_made_again_after_a_restart(qtbot, open_window, drop):
    window = open_window()
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE)
    window.findChild(QSpinBox, "stepsSpin").setValue(10)
    told = []
    window.jobs.progressed.connect(lambda job: told.append((job.progress.phase.value, job.progress.step)))
    first = generate(qtbot, window)
    assert ("denoising", 6) in told
    assert window.findChild(QProgressBar, "progressBar").maximum() > 0
    gallery = window.findChild(QListView, "galleryView").model()
    qtbot.waitUntil(lambda: gallery.rowCount() == 1)
    assert first.size == (512, 512)
    assert first.request.init_image.name == "drawing.png"
    window.close_now()

    again = open_window()
    gallery = again.findChild(QListView, "galleryView").model()
    qtbot.waitUntil(lambda: gallery.rowCount() == 1)
    qtbot.waitUntil(lambda: gallery.index(0, 0).data(GalleryModel.VariationRole) is not None)
    kept = gallery.index(0, 0).data(GalleryModel.VariationRole)
    assert kept == first
    qtbot.waitUntil(lambda: again.document.init_image is not None)
    assert again.document.params.prompt == "lemon, glossy icon, purple background"

    again.document.set_params("Something else", prompt="bird", strength=0.2, steps=4)
    again.document.clear_init_image()
    with qtbot.waitSignal(again.document.init_image_changed):
        again.document.restore(kept.request, set(PARTS))
    with qtbot.waitSignal(again.jobs.finished, timeout=LOADING_S) as finished:
        again.findChild(QPushButton, "generateButton").click()
    assert finished.args[1].request == first.request
    assert finished.args[1].pixels_sha256 == first.pixels_sha256
    assert hash_pixels(load_image(finished.args[1].path)) == first.pixels_sha256


@pytest.mark.timeout(300)
def test_an_engine_that_is_killed_in_a_job_is_told_and_the_next_job_succeeds(qtbot, open_window, drop):
    window = open_window()
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE)
    window.document.set_params("Long", steps=900, strength=1.0, prompt="lemon")
    window.commands.generate()
    wait_for_steps(qtbot, window)
    window.document.set_param("steps", 3)
    window.commands.generate()
    with qtbot.waitSignals([window.jobs.failed, window.jobs.finished], timeout=LOADING_S):
        os.kill(engine_of(window).pid, signal.SIGKILL)
    states = [window.jobs.index(row, 0).data(window.jobs.JobRole).state for row in range(2)]
    assert states == [JobState.DONE, JobState.FAILED]
    assert window.banner.isVisible()
    assert "engine" in window.banner.error.title.lower()


@pytest.mark.timeout(300)
def test_stop_ends_within_a_step_and_nothing_is_saved(qtbot, open_window):
    window = open_window()
    window.document.set_params("Long", steps=900, prompt="lemon")
    window.commands.generate()
    wait_for_steps(qtbot, window)
    window.canvas.setFocus()
    with qtbot.waitSignal(window.jobs.cancelled, timeout=5000):
        qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert window.parts.gallery.rowCount() == 0
    assert window.findChild(QLabel, "phaseLabel").text() == "Ready"


def test_what_is_no_picture_is_told_where_the_user_looks(qtbot, open_window, drop, tmp_path):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    letter = tmp_path / "letter.png"
    letter.write_text("Dear Sir or Madam")
    with qtbot.waitSignal(window.document.error_raised):
        drop(window.canvas, letter)
    assert window.banner.isVisible()
    assert "letter.png is a text" in window.banner.error.detail


def test_a_value_that_cannot_be_run_is_told_beside_its_control(qtbot, open_window, drop):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE)
    window.document.set_params("Too little", strength=0.01, steps=10)
    window.commands.generate()
    assert window.jobs.rowCount() == 0
    assert "No step would run" in window.params_panel.fields["strength"].error_text
    assert not window.banner.isVisible()


def test_the_canvas_shows_init_image_and_result(qtbot, open_window, drop):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE)
    variation = generate(qtbot, window)
    qtbot.waitUntil(lambda: window.presenter.shown == variation)
    view = window.findChild(QWidget, "compareView")
    qtbot.waitUntil(lambda: view.result_size == QSize(512, 512))
    picture = QImage(str(variation.path))
    middle = view.picture_rect.center().toPoint()
    seen = view.grab().toImage().pixelColor(middle)
    assert abs(seen.red() - picture.pixelColor(256, 256).red()) < 12


def test_a_picture_dropped_beside_the_canvas_is_opened_and_its_address_is_no_prompt(qtbot, open_window, drop):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    prompt = window.findChild(QPlainTextEdit, "promptEdit")
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(SAMPLE))])
    data.setText(str(SAMPLE))
    assert not prompt.canInsertFromMimeData(data)
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window, SAMPLE)
    assert window.document.init_image.name == "drawing.png"
    assert prompt.toPlainText() == ""


def test_of_several_dropped_pictures_the_first_is_taken_and_the_others_are_named(qtbot, open_window, drop):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE, SAMPLE.with_name("cat.jpg"))
    assert window.document.init_image.name == "drawing.png"
    assert window.banner.error.detail == "cat.jpg"


def test_a_digit_gives_stars_in_the_gallery_and_changes_the_view_elsewhere(qtbot, open_window, drop):
    from desktop_app.engine.fake import FakeEngine

    window = open_window(FakeEngine())
    with qtbot.waitSignal(window.document.init_image_changed):
        drop(window.canvas, SAMPLE)
    variation = generate(qtbot, window)
    view = window.gallery_panel.view
    qtbot.waitUntil(lambda: view.model().index(0, 0).data(GalleryModel.VariationRole) is not None)
    view.setFocus()
    view.setCurrentIndex(view.model().index(0, 0))
    mode = window.canvas.mode
    qtbot.keyClick(view, Qt.Key.Key_3)
    qtbot.waitUntil(lambda: window.parts.gallery.find(variation.id).stars == 3)
    assert window.canvas.mode is mode
    window.canvas.setFocus()
    qtbot.keyClick(window.canvas, Qt.Key.Key_4)
    assert window.canvas.mode is ViewMode.SIDE


@pytest.mark.timeout(120)
def test_a_window_closes_at_once_while_its_engine_starts(qtbot, open_window):
    window = open_window()
    with qtbot.waitSignal(window.engine_wanted):
        pass
    qtbot.waitUntil(lambda: engine_of(window).pid is not None)
    child = psutil.Process(engine_of(window).pid)
    window.close_now()
    assert not child.is_running()


def wait_for_steps(qtbot, window) -> None:
    """Until the running job has done three steps."""

    def is_on_its_way() -> bool:
        progress = window.jobs.current.progress
        return progress is not None and progress.step > 2

    qtbot.waitUntil(is_on_its_way, timeout=LOADING_S)


def engine_of(window):
    """The engine behind ``window``."""
    return window.parts.close.__self__._engine
