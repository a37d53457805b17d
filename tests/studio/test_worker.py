"""Worker: one run, or one control image, from order to ending signal, called directly in this thread."""

from __future__ import annotations

import threading

import pytest
from support import make_ref, make_request

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import Phase, Progress
from desktop_app.core.errors import ImageError, InternalError, StoreError
from desktop_app.core.params import Fit
from desktop_app.core.placement import plan_placement
from desktop_app.engine.fake import FakeEngine
from desktop_app.studio.worker import DeriveOrder, RunOrder, Worker


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


@pytest.fixture
def derive(qapp, gallery, tmp_path):
    """Derives one control image on an engine; the signals in their order with what they told."""

    def derive(engine: FakeEngine, cancel: threading.Event | None = None, annotator: str = "") -> list:
        worker = Worker(engine, gallery)
        told: list = []
        for name in ("derived", "deriving_failed", "deriving_cancelled", "deriving_progressed", "status_told"):
            getattr(worker, name).connect(lambda *args, name=name: told.append((name, *args)))
        control, ref = Control(ControlMode.CANNY, annotator=annotator), make_ref(tmp_path / "source.png")
        placement = plan_placement(ref.size, (64, 64), Fit.CROP)
        worker.derive(DeriveOrder(control, ref, placement, cancel or threading.Event()))
        return told

    return derive


def ends(told: list) -> list[str]:
    return [name for name, *_ in told if name != "deriving_progressed"]


def test_a_control_image_is_told_with_its_note_as_the_window_shows_it(derive):
    _name, order, derived = derive(FakeEngine())[-1]
    assert (derived.qimage.width(), derived.qimage.height()) == (64, 64)
    assert (order.control.mode, derived.note) == (ControlMode.CANNY, "Made by no annotator.")


def test_deriving_tells_its_phase_and_its_last_step(derive):
    progress = [args[1] for name, *args in derive(FakeEngine()) if name == "deriving_progressed"]
    assert progress[0] == Progress(Phase.DERIVING)
    assert progress[-1].step == progress[-1].total > 0


def test_the_engines_status_is_told_after_an_annotator_that_took_memory(derive):
    assert ends(derive(FakeEngine())) == ["derived"]
    assert ends(derive(FakeEngine(), annotator="org/edges")) == ["derived", "status_told"]


def test_deriving_that_fails_is_told_once(derive):
    assert ends(derive(FakeEngine(fail_deriving_with=lambda _: ImageError("No")))) == ["deriving_failed"]
    (_name, _order, error), *_ = derive(FakeEngine(fail_deriving_with=lambda _: ValueError("seven")))[1:]
    assert isinstance(error, InternalError)


def test_deriving_that_is_stopped_shows_nothing(derive):
    cancel = threading.Event()
    cancel.set()
    assert ends(derive(FakeEngine(), cancel)) == ["deriving_cancelled"]
