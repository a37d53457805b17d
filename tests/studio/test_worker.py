"""Worker: one run from order to ending signal, called directly in this thread."""

from __future__ import annotations

import threading

import pytest
from support import make_request

from desktop_app.core.engine import Phase
from desktop_app.core.errors import StoreError
from desktop_app.engine.fake import FakeEngine
from desktop_app.studio.worker import RunOrder, Worker


class LateStop(FakeEngine):
    """The wish to stop comes when the picture is finished."""

    def run(self, request, report, cancel):
        result = super().run(request, report, cancel)
        cancel.set()
        return result


@pytest.fixture
def run(qapp, gallery):
    """Runs one request on an engine; the signals in their order, by name."""

    def run(engine: FakeEngine, **changes) -> list[str]:
        worker = Worker(engine, gallery)
        told: list[str] = []
        for name in ("begun", "progressed", "finished", "unsaved", "failed", "cancelled", "status_told"):
            getattr(worker, name).connect(lambda *_, name=name: told.append(name))
        worker.run(RunOrder("job", make_request(**changes), threading.Event()))
        return [name for name in told if name != "progressed"]

    return run


def test_a_picture_is_on_disk_before_it_is_told_as_finished(qapp, gallery):
    worker = Worker(FakeEngine(), gallery)
    there = []
    worker.finished.connect(lambda job_id, variation: there.append((gallery.count(), variation.path.is_file())))
    worker.run(RunOrder("job", make_request(), threading.Event()))
    assert there == [(1, True)]


def test_a_run_ends_with_one_signal_and_the_engines_status(run):
    assert run(FakeEngine()) == ["begun", "finished", "status_told"]


def test_a_failure_is_told_once(run):
    assert run(FakeEngine(fail_with=lambda _: StoreError("No"))) == ["begun", "failed", "status_told"]


def test_a_stop_that_comes_after_the_engines_last_look_saves_nothing(run, gallery):
    assert run(LateStop()) == ["begun", "cancelled", "status_told"]
    assert gallery.count() == 0


def test_saving_is_a_phase_of_its_own(qapp, gallery):
    worker = Worker(FakeEngine(), gallery)
    phases = []
    worker.progressed.connect(lambda _, report: phases.append(report.progress.phase))
    worker.run(RunOrder("job", make_request(), threading.Event()))
    assert phases[-1] is Phase.SAVING
