"""Sweeps in the window: what is asked, the jobs in the queue, and the grid at the end."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QFileDialog

from desktop_app.core.chain import Card
from desktop_app.core.errors import RequestError
from desktop_app.core.image import load_image
from desktop_app.core.sweep import read_axis
from desktop_app.ui.sweep_dialog import SheetDialog, SweepDialog


@pytest.fixture
def with_init(qtbot, window, picture):
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("cat.png", (64, 64)))
    window.document.set_params("Prompt", prompt="cat", steps=4)
    return window


@pytest.fixture
def dialog(qtbot, with_init):
    with_init.actions_by_id["sweep"].trigger()
    qtbot.waitUntil(lambda: with_init.findChild(SweepDialog) is not None)
    return with_init.findChild(SweepDialog)


def choose(dialog, number, param, text):
    combo = dialog.choices[number]
    combo.setCurrentIndex(combo.findData(param))
    dialog.values[number].setText(text)


def jobs_of(window):
    jobs = window.jobs
    return [jobs.index(row).data(jobs.JobRole) for row in range(jobs.rowCount())]


def test_it_proposes_the_guides_strengths_and_says_how_many_pictures_that_is(dialog):
    assert dialog.values[0].text() == "0.4, 0.6, 1.0"
    assert dialog.words.text() == "3 pictures, 7 steps in all, all with the same seed"
    choose(dialog, 1, "guidance_scale", "1, 5")
    assert dialog.words.text() == "6 pictures, 14 steps in all, all with the same seed"
    choose(dialog, 0, "seed", "1, 2")
    assert dialog.words.text() == "4 pictures, 8 steps in all"


def test_what_cannot_be_read_is_said_and_not_queued(dialog):
    choose(dialog, 0, "strength", "0.4, 7")
    assert "not between 0 and 1" in dialog.words.text()
    assert not dialog.queue.isEnabled()
    choose(dialog, 0, "strength", "0.1, 1")
    assert "less than one denoising step" in dialog.words.text()
    assert not dialog.queue.isEnabled()


def test_only_values_with_an_effect_are_offered(dialog, qtbot, window):
    assert dialog.choices[0].findData("refiner_share") == -1
    assert dialog.choices[0].findData("mask_feather") == -1
    window.document.clear_init_image()
    window.actions_by_id["sweep"].trigger()
    assert window.findChildren(SweepDialog)[-1].choices[0].findData("strength") == -1


def test_the_pictures_are_queued_with_one_seed_and_the_grid_is_shown_and_saved(
    qtbot, with_init, dialog, tmp_path, monkeypatch
):
    choose(dialog, 0, "strength", "0.5, 1.0")
    choose(dialog, 1, "guidance_scale", "1, 5")
    with qtbot.waitSignal(with_init.sweep_commands.sweeps.sheet_made, timeout=20000) as told:
        dialog.accept()
    assert (told.args[0].made, told.args[0].asked, told.args[0].title) == (4, 4, "cat")
    requests = [job.request for job in jobs_of(with_init)]
    assert len({request.seed for request in requests}) == 1
    assert {request.stages[0].strength for request in requests} == {0.5, 1.0}
    shown = with_init.findChild(SheetDialog)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "grid"), ""))
    with qtbot.waitSignal(with_init.sweep_commands.sweeps.written):
        shown.save.click()
    assert load_image(tmp_path / "grid.png").width > 128


def test_the_grid_is_not_titled_with_a_choice_that_only_some_pictures_have(qtbot, with_init):
    with_init.document.set_param("prompt", "a {red|blue} cat")
    sweeps = with_init.sweep_commands.sweeps
    with qtbot.waitSignal(sweeps.sheet_made, timeout=20000) as told:
        sweeps.start([read_axis("seed", "1..6 step 1")])
    prompts = {job.request.stages[0].prompt for job in jobs_of(with_init)}
    assert (prompts, told.args[0].title) == ({"a red cat", "a blue cat"}, "a {red|blue} cat")


def test_jobs_that_were_taken_off_the_list_leave_gaps(qtbot, with_init):
    with_init.jobs.pause()
    sweeps = with_init.sweep_commands.sweeps
    sweeps.start([read_axis("strength", "0.5, 1.0")])
    with qtbot.waitSignal(sweeps.sheet_made, timeout=20000) as told:
        with_init.jobs.remove(jobs_of(with_init)[-1].id)
        with_init.jobs.resume()
    assert (told.args[0].made, told.args[0].asked) == (1, 2)


def test_values_that_have_no_effect_are_not_queued(with_init):
    with_init.document.set_params("Chain", first_stage=False, chain=(Card(strength=0.5, steps=4),))
    with pytest.raises(RequestError, match="all pictures would be the same"):
        with_init.sweep_commands.sweeps.start([read_axis("strength", "0.5, 1.0")])
    assert with_init.jobs.rowCount() == 0


def test_pictures_selected_in_the_gallery_are_exported_as_a_grid(qtbot, with_init, tmp_path, monkeypatch):
    action, panel = with_init.actions_by_id["export_grid"], with_init.gallery_panel
    sweeps = with_init.sweep_commands.sweeps
    assert not action.isEnabled()
    with qtbot.waitSignal(sweeps.sheet_made, timeout=20000) as told:
        sweeps.start([read_axis("strength", "0.5, 1.0")])
    qtbot.waitUntil(lambda: panel.view.model().rowCount() == 2)
    panel.view.selectAll()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "grid.png"), ""))
    with qtbot.waitSignal(sweeps.written):
        action.trigger()
    assert load_image(tmp_path / "grid.png").tobytes() == told.args[0].image.tobytes()


def test_a_picture_that_is_gone_leaves_a_gap_in_the_grid(qtbot, with_init):
    sweeps, jobs = with_init.sweep_commands.sweeps, with_init.jobs
    jobs.finished.connect(lambda _job, variation: variation.path.unlink() if jobs.current else None)
    with qtbot.waitSignal(sweeps.sheet_made, timeout=20000) as told:
        sweeps.start([read_axis("strength", "0.5, 1.0")])
    assert (told.args[0].made, told.args[0].asked) == (1, 2)


def test_letters_of_the_grid_for_which_there_is_no_font_are_named(qtbot, with_init):
    with_init.document.set_param("prompt", "cat \ufdd0")
    with qtbot.waitSignal(with_init.sweep_commands.sweeps.error_raised, timeout=20000):
        with_init.sweep_commands.sweeps.start([read_axis("strength", "0.5, 1.0")])
    assert with_init.findChild(SheetDialog) is not None
    assert "no font for \ufdd0" in with_init.banner.error.detail
