"""QueuePanel and JobBar: what runs, what waits, and what the user can do about it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QToolButton
from support import make_ref, make_request

from desktop_app.core.engine import Phase, Progress
from desktop_app.core.errors import EngineCrashed, StoreError
from desktop_app.studio.jobs import Job, JobState
from desktop_app.studio.tips import plain_tip
from desktop_app.ui import main_window
from desktop_app.ui.job_texts import clock, progress_text, state_text, values_text


@pytest.fixture
def paused(window):
    """A paused queue of three jobs, shown."""
    window.jobs.pause()
    window.jobs.add([make_request(seed=seed) for seed in (1, 2, 3)])
    window.queue_dock.show()
    return window


def seeds(window) -> list[int]:
    jobs = [window.jobs.index(row, 0).data(window.jobs.JobRole) for row in range(window.jobs.rowCount())]
    return [job.request.seed for job in jobs]


def select(window, row: int) -> None:
    window.queue_panel.view.setCurrentIndex(window.jobs.index(row, 0))


def test_the_selected_job_is_moved_with_the_buttons(paused):
    select(paused, 2)
    paused.queue_panel.up.click()
    paused.queue_panel.up.click()
    assert seeds(paused) == [3, 1, 2]
    assert paused.queue_panel.current().request.seed == 3
    paused.queue_panel.down.click()
    assert seeds(paused) == [1, 3, 2]


def test_the_selected_job_is_repeated_and_removed(paused):
    select(paused, 0)
    paused.queue_panel.duplicate.click()
    assert seeds(paused) == [1, 2, 3, 1]
    paused.queue_panel.delete.click()
    assert seeds(paused) == [2, 3, 1]


def test_the_bar_says_that_jobs_wait_and_resumes_them(qtbot, paused):
    text, resume = paused.findChild(QLabel, "phaseLabel"), paused.findChild(QToolButton, "resumeButton")
    assert text.text() == "Paused: 3 jobs wait"
    assert resume.isVisible()
    resume.click()
    qtbot.waitUntil(lambda: paused.jobs.current is None and paused.jobs.waiting == 0, timeout=20_000)
    assert text.text() == "Ready"
    assert not resume.isVisible()


def test_a_failed_job_is_tried_again(qtbot, window):
    window.queue_dock.show()
    window.jobs.add([make_request(width=0)])
    qtbot.waitUntil(lambda: window.jobs.current is None)
    select(window, 0)
    assert window.queue_panel.current().state is JobState.FAILED
    window.queue_panel.retry.click()
    qtbot.waitUntil(lambda: window.jobs.current is None)
    assert window.jobs.rowCount() == 1


def make_unsaved(qtbot, window, monkeypatch) -> None:
    store = window.parts.gallery._gallery
    with monkeypatch.context() as patch:
        patch.setattr(store, "save", lambda *_: (_ for _ in ()).throw(StoreError("The disk is full")))
        window.jobs.add([make_request()])
        qtbot.waitUntil(lambda: window.jobs.current is None, timeout=20_000)


def test_closing_asks_before_a_picture_that_is_not_saved_is_lost(qtbot, window, monkeypatch):
    make_unsaved(qtbot, window, monkeypatch)
    answers = [False, True]
    monkeypatch.setattr(main_window, "ask_lose", lambda _parent, count: count == 1 and answers.pop(0))
    assert not window.close()
    assert window.isVisible()
    assert window.close()
    assert not answers


def test_an_unsaved_picture_is_saved_again(qtbot, window, monkeypatch):
    window.queue_dock.show()
    make_unsaved(qtbot, window, monkeypatch)
    select(window, 0)
    assert window.queue_panel.save.isVisible()
    assert window.queue_panel.retry.toolTip() == "Save again"
    window.queue_panel.retry.click()
    qtbot.waitUntil(lambda: window.queue_panel.current().state is JobState.DONE)


def test_an_empty_queue_says_what_it_is_for(window):
    window.queue_dock.show()
    assert "No jobs" in window.queue_panel.empty.sentence


def running(**changes) -> Job:
    job = Job(make_request(), state=JobState.RUNNING)
    for name, value in changes.items():
        setattr(job, name, value)
    return job


@pytest.mark.parametrize(
    ("job", "text"),
    [
        (running(), "Starting…"),
        (running(progress=Progress(Phase.LOADING)), "Loading the checkpoint…"),
        (
            running(progress=Progress(Phase.DENOISING, 0, 1, 12, 24), rate=3.14, seconds_left=7.2),
            "Denoising 12/24 · 3.1 steps/s · 0:07 left",
        ),
        (running(progress=Progress(Phase.DENOISING, 0, 1, 1, 24), rate=0.5), "Denoising 1/24 · 2.0 s/step"),
        (
            running(progress=Progress(Phase.DENOISING, 1, 3, 12, 24), seconds_left=7.2),
            "Stage 2 of 3 · Denoising 12/24 · 0:07 left in this stage",
        ),
        (
            running(progress=Progress(Phase.DENOISING, 2, 3, 12, 24), seconds_left=7.2),
            "Stage 3 of 3 · Denoising 12/24 · 0:07 left",
        ),
        (running(progress=Progress(Phase.SAVING, 2, 3)), "Saving…"),
        (running(state=JobState.STOPPING), "Stopping…"),
    ],
)
def test_what_is_said_of_a_running_job(job, text):
    assert progress_text(job) == text


def test_what_is_said_of_jobs_that_do_not_run():
    assert state_text(running(state=JobState.FAILED, error=EngineCrashed("The engine stopped"))) == (
        "Failed: The engine stopped"
    )
    assert state_text(running(state=JobState.QUEUED, is_interrupted=True)) == "Waiting: interrupted last time"
    assert clock(3725) == "1:02:05"


def test_a_queue_that_will_pause_says_so_while_the_picture_is_made(qtbot, window):
    window.document.set_params("Long", steps=900)
    window.commands.generate()
    qtbot.waitUntil(lambda: window.jobs.current is not None and window.jobs.current.progress is not None)
    window.actions_by_id["stop_after"].trigger()
    assert window.findChild(QLabel, "phaseLabel").text().endswith("then the queue pauses")
    window.actions_by_id["stop"].trigger()
    qtbot.waitUntil(lambda: window.jobs.current is None)


def test_two_jobs_of_one_prompt_can_be_told_apart(picture):
    assert values_text(Job(make_request(seed=7))) == "seed 7 · 4 steps · starter"
    init = make_ref(picture())
    request = make_request(init, seed=7, strength=0.35, checkpoint="org/kandinsky", prior="org/prior")
    assert values_text(Job(request)) == "strength 0.35 · seed 7 · 4 steps · kandinsky · prior prior, 25 steps"


def test_the_tip_of_a_job_has_the_whole_refs_of_its_checkpoints(paused):
    paused.jobs.add([make_request(prompt="a lemon", checkpoint="org/kandinsky", prior="org/prior")])
    tip = paused.jobs.index(3, 0).data(Qt.ItemDataRole.ToolTipRole)
    assert tip == plain_tip("a lemon\norg/kandinsky\norg/prior")
