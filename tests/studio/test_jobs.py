"""JobQueue and Worker together, on a real thread, with an engine that needs no torch."""

from __future__ import annotations

import threading

import pytest
from support import make_picture, make_request

from desktop_app.core.engine import Phase
from desktop_app.core.errors import EngineCrashed, InternalError, StoreError
from desktop_app.engine.fake import FakeEngine
from desktop_app.studio.jobs import MAX_ENDED, JobQueue, JobState
from desktop_app.studio.worker import WorkerThread


class Gate:
    """Holds the engine in the middle of a run until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def __call__(self, request) -> None:
        self.reached.set()
        assert self.opened.wait(20)


@pytest.fixture
def run_queue(qtbot, session, gallery):
    """Makes a queue whose worker runs ``engine``; everything ends with the test."""
    started = []

    def make(engine: FakeEngine | None = None) -> JobQueue:
        queue = JobQueue(session, gallery)
        thread = WorkerThread(engine or FakeEngine(), gallery)
        thread.start()
        queue.attach(thread.worker)
        started.append((queue, thread))
        return queue

    yield make
    for queue, thread in started:
        queue.close()
        assert thread.stop()


@pytest.fixture
def idle_queue(qtbot, session, gallery):
    """A queue without a worker: nothing starts."""
    queue = JobQueue(session, gallery)
    yield queue
    queue.close()


def states(queue: JobQueue) -> list[JobState]:
    return [queue.index(row, 0).data(JobQueue.JobRole).state for row in range(queue.rowCount())]


def seeds(queue: JobQueue) -> list[int]:
    return [queue.index(row, 0).data(JobQueue.JobRole).request.seed for row in range(queue.rowCount())]


def requests(*numbers: int, **changes):
    return [make_request(seed=number, **changes) for number in numbers]


def wait_done(qtbot, queue: JobQueue) -> None:
    qtbot.waitUntil(lambda: queue.current is None and (queue.waiting == 0 or queue.paused), timeout=20_000)


def test_jobs_run_in_their_order_and_are_saved(qtbot, run_queue, gallery):
    engine = FakeEngine()
    queue = run_queue(engine)
    queue.add(requests(1, 2, 3))
    wait_done(qtbot, queue)
    assert [request.seed for request in engine.runs] == [1, 2, 3]
    assert states(queue) == [JobState.DONE] * 3
    assert gallery.count() == 3


def test_a_finished_job_names_its_variation(qtbot, run_queue, gallery):
    queue = run_queue()
    with qtbot.waitSignal(queue.finished) as finished:
        queue.add(requests(1))
    job, variation = finished.args
    assert gallery.get(job.variation_id) == variation
    assert variation.path.is_file()


def test_progress_is_told_by_phase_and_step_with_a_preview(qtbot, run_queue):
    queue = run_queue(FakeEngine(step_s=0.08))
    seen = []
    queue.progressed.connect(lambda job: seen.append((job.progress.phase, job.progress.step, job.preview is not None)))
    queue.add([make_request(steps=5)])
    wait_done(qtbot, queue)
    assert [step for phase, step, _ in seen if phase is Phase.DENOISING] == [1, 2, 3, 4, 5]
    assert any(has_preview for *_, has_preview in seen)
    assert seen[-1][0] is Phase.SAVING


def test_progress_faster_than_the_eye_is_thinned_out(qtbot, run_queue):
    queue = run_queue()
    steps = []
    queue.progressed.connect(lambda job: steps.append(job.progress.step))
    queue.add([make_request(steps=400)])
    wait_done(qtbot, queue)
    assert len(steps) < 200
    assert 400 in steps


def test_more_can_be_queued_while_one_runs(qtbot, run_queue):
    gate = Gate()
    queue = run_queue(FakeEngine(fail_with=gate))
    queue.add(requests(1))
    qtbot.waitUntil(gate.reached.is_set)
    queue.add(requests(2, 3))
    assert states(queue) == [JobState.RUNNING, JobState.QUEUED, JobState.QUEUED]
    gate.opened.set()
    wait_done(qtbot, queue)
    assert states(queue) == [JobState.DONE] * 3


def test_stop_now_ends_within_a_step_and_saves_nothing(qtbot, run_queue, gallery):
    queue = run_queue(FakeEngine(step_s=0.02))
    queue.add([make_request(steps=900)])
    qtbot.waitUntil(lambda: queue.current.progress is not None and queue.current.progress.step > 1)
    with qtbot.waitSignal(queue.cancelled, timeout=2000):
        queue.stop_now()
    assert states(queue) == [JobState.CANCELLED]
    assert gallery.count() == 0


def test_stop_now_pauses_when_others_wait_and_the_next_order_resumes(qtbot, run_queue):
    queue = run_queue(FakeEngine(step_s=0.02))
    queue.add([make_request(steps=900), *requests(2)])
    qtbot.waitUntil(lambda: queue.current.progress is not None)
    queue.stop_now()
    qtbot.waitUntil(lambda: queue.current is None)
    assert queue.paused
    assert queue.notice
    queue.add(requests(3))
    wait_done(qtbot, queue)
    assert states(queue).count(JobState.DONE) == 2


def test_a_job_that_the_worker_has_not_begun_stops_at_once(qtbot, session, gallery):
    queue = JobQueue(session, gallery)
    engine = FakeEngine()
    thread = WorkerThread(engine, gallery)
    queue.attach(thread.worker)
    queue.add(requests(1))
    queue.stop_now()
    assert states(queue) == [JobState.CANCELLED]
    thread.start()
    queue.add(requests(2))
    wait_done(qtbot, queue)
    assert states(queue) == [JobState.DONE, JobState.CANCELLED]
    queue.close()
    assert thread.stop()


def test_stop_after_this_finishes_one_and_pauses(qtbot, run_queue):
    gate = Gate()
    queue = run_queue(FakeEngine(fail_with=gate))
    queue.add(requests(1, 2))
    qtbot.waitUntil(gate.reached.is_set)
    queue.stop_after_this()
    gate.opened.set()
    wait_done(qtbot, queue)
    assert states(queue) == [JobState.QUEUED, JobState.DONE]
    queue.resume()
    wait_done(qtbot, queue)
    assert states(queue) == [JobState.DONE, JobState.DONE]


def test_a_failed_job_keeps_its_reason_and_the_queue_goes_on(qtbot, run_queue):
    crash = EngineCrashed("The engine stopped", "signal 9", "Try again.")
    queue = run_queue(FakeEngine(fail_with=lambda request: crash if request.seed == 1 else None))
    queue.add(requests(1, 2))
    wait_done(qtbot, queue)
    assert states(queue) == [JobState.DONE, JobState.FAILED]
    assert queue.index(1, 0).data(JobQueue.JobRole).error is crash


def test_a_bug_in_the_engine_fails_the_job_with_its_traceback(qtbot, run_queue):
    queue = run_queue(FakeEngine(fail_with=lambda request: ZeroDivisionError("by zero")))
    with qtbot.waitSignal(queue.failed) as failed:
        queue.add(requests(1))
    assert isinstance(failed.args[1], InternalError)
    assert "ZeroDivisionError" in failed.args[1].detail


def paint_unsaved(qtbot, queue, gallery, monkeypatch):
    """A job whose finished picture the disk refused."""
    with monkeypatch.context() as patch:
        patch.setattr(gallery, "save", lambda *_: (_ for _ in ()).throw(StoreError("The disk is full")))
        queue.add(requests(1))
        wait_done(qtbot, queue)
    return queue.index(0, 0).data(JobQueue.JobRole)


def test_a_picture_that_cannot_be_saved_is_kept_and_saved_later(qtbot, run_queue, gallery, monkeypatch, tmp_path):
    queue = run_queue()
    job = paint_unsaved(qtbot, queue, gallery, monkeypatch)
    assert (job.state, queue.can_save(job.id)) == (JobState.FAILED, True)
    queue.clear_finished()
    assert queue.rowCount() == 1
    with qtbot.waitSignal(queue.finished):
        queue.retry_save(job.id)
    assert (job.state, queue.can_save(job.id), gallery.count()) == (JobState.DONE, False, 1)


def test_asking_twice_to_save_saves_once(qtbot, run_queue, gallery, monkeypatch):
    queue = run_queue()
    job = paint_unsaved(qtbot, queue, gallery, monkeypatch)
    queue.retry_save(job.id)
    queue.retry_save(job.id)
    queue.add(requests(2))  # comes behind both
    wait_done(qtbot, queue)
    assert gallery.count() == 2


def test_a_picture_that_the_gallery_cannot_save_is_saved_elsewhere(qtbot, run_queue, gallery, monkeypatch, tmp_path):
    queue = run_queue()
    monkeypatch.setattr(gallery, "save", lambda *_: (_ for _ in ()).throw(StoreError("The disk is full")))
    queue.add(requests(1))
    wait_done(qtbot, queue)
    job = queue.index(0, 0).data(JobQueue.JobRole)
    queue.save_result_as(job.id, tmp_path / "saved.png")
    qtbot.waitUntil(lambda: job.state is JobState.DONE)
    assert (tmp_path / "saved.png").is_file()


def test_jobs_that_wait_are_moved(idle_queue):
    jobs = idle_queue.add(requests(1, 2, 3, 4))
    idle_queue.move(jobs[0].id, 2)
    assert seeds(idle_queue) == [2, 3, 1, 4]
    idle_queue.move(jobs[3].id, 0)
    assert seeds(idle_queue) == [4, 2, 3, 1]
    idle_queue.move(jobs[1].id, 99)
    assert seeds(idle_queue) == [4, 3, 1, 2]


def test_jobs_are_removed_duplicated_and_cleared(idle_queue):
    jobs = idle_queue.add(requests(1, 2, 3))
    idle_queue.remove(jobs[1].id)
    idle_queue.duplicate(jobs[0].id)
    assert seeds(idle_queue) == [1, 3, 1]
    idle_queue.clear_waiting()
    assert idle_queue.rowCount() == 0


def test_the_model_keeps_qts_rules(qtbot, qtmodeltester, run_queue):
    queue = run_queue(FakeEngine(fail_with=lambda request: EngineCrashed("x") if request.seed == 2 else None))
    qtmodeltester.check(queue)
    jobs = queue.add(requests(1, 2, 3, 4, 5))
    queue.move(jobs[4].id, 1)
    queue.remove(jobs[3].id)
    wait_done(qtbot, queue)
    queue.pause()
    queue.add(requests(6, 7))
    queue.clear_finished()
    assert seeds(queue) == [6, 7]


def test_only_so_many_ended_jobs_are_listed(qtbot, run_queue):
    queue = run_queue()
    queue.add([make_request(seed=number, steps=1, width=8, height=8) for number in range(MAX_ENDED + 5)])
    wait_done(qtbot, queue)
    assert queue.rowCount() == MAX_ENDED


def test_the_queue_comes_back_paused_with_the_interrupted_job_first(qtbot, run_queue, session, gallery, data_dir):
    gate = Gate()
    ref = gallery.keep_init_image(make_picture((64, 64)), "cat.png")
    first = run_queue(FakeEngine(fail_with=gate))
    first.add([make_request(ref, seed=1), make_request(ref, seed=2)])
    qtbot.waitUntil(gate.reached.is_set)
    first._autosave.flush()
    second = JobQueue(session, gallery)
    second.restore_session()
    assert seeds(second) == [1, 2]
    assert second.paused
    assert second.index(0, 0).data(JobQueue.JobRole).is_interrupted
    assert second.index(1, 0).data(JobQueue.JobRole).request.init_image.path == ref.path
    gate.opened.set()
    wait_done(qtbot, first)


def test_a_failed_job_comes_back_with_its_reason(qtbot, run_queue, session, gallery):
    queue = run_queue(FakeEngine(fail_with=lambda request: EngineCrashed("Gone", "signal 9", "Again.")))
    queue.add(requests(1))
    wait_done(qtbot, queue)
    queue._autosave.flush()
    again = JobQueue(session, gallery)
    again.restore_session()
    job = again.index(0, 0).data(JobQueue.JobRole)
    assert (job.state, type(job.error), job.error.hint) == (JobState.FAILED, EngineCrashed, "Again.")
    assert not again.paused


def test_a_damaged_job_is_left_out_and_told(qtbot, idle_queue, session):
    idle_queue.add(requests(1, 2))
    idle_queue._autosave.flush()
    data = session.load("queue")
    data["jobs"][0]["request"] = {"version": 1}
    session.save("queue", data)
    again = JobQueue(session, idle_queue._gallery)
    with qtbot.waitSignal(again.error_raised):
        again.restore_session()
    assert seeds(again) == [2]


@pytest.mark.parametrize("data", [{"jobs": 5}, {"jobs": {"a": 1}}, {}, {"jobs": None}])
def test_a_strange_file_of_the_queue_is_an_empty_queue(idle_queue, session, data):
    session.save("queue", data)
    idle_queue.restore_session()
    assert idle_queue.rowCount() == 0


def test_ten_thousand_jobs_are_queued_and_kept(qtbot, idle_queue, session):
    idle_queue.add([make_request(seed=number) for number in range(10_000)])
    idle_queue._autosave.flush()
    again = JobQueue(session, idle_queue._gallery)
    again.restore_session()
    assert again.rowCount() == 10_000


def test_the_engine_is_closed_with_the_thread(qtbot, gallery):
    engine = FakeEngine()
    thread = WorkerThread(engine, gallery)
    thread.start()
    thread.warm_up("starter")
    qtbot.waitUntil(lambda: engine.warmed == ["starter"])
    assert thread.stop()
    assert engine.is_closed
