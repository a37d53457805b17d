"""ControlDeriver: which control images are made when, and what becomes of those that come too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from PySide6.QtCore import QRect, Slot
from PySide6.QtGui import QImage
from support import make_picture, make_ref, make_request

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import Phase, Progress
from desktop_app.core.errors import ImageError
from desktop_app.core.image import load_image
from desktop_app.core.params import Fit
from desktop_app.engine.fake import FakeEngine
from desktop_app.engine.framing import Frames
from desktop_app.studio.control_deriver import ControlDeriver, DeriveState
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.qimage import from_qimage
from desktop_app.studio.worker import DerivedPicture, DeriveOrder, RunOrder, Worker

CANNY = Control(ControlMode.CANNY)
DEPTH = Control(ControlMode.DEPTH)


class HeldWorker(Worker):
    """Does nothing by itself, so that a test sees a control image at whatever moment it wants."""

    def __init__(self, gallery) -> None:
        super().__init__(FakeEngine(), gallery)
        self.orders: list[DeriveOrder] = []

    @Slot(object)
    def derive(self, order: DeriveOrder) -> None:
        self.orders.append(order)

    @Slot(object)
    def run(self, order: RunOrder) -> None:
        self.begun.emit(order.job_id)


@pytest.fixture
def document(qtbot, make_document, picture):
    """With an init image."""
    document = make_document()
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(picture("init.png", (96, 64)))
    return document


@pytest.fixture
def jobs(session, gallery) -> Iterator[JobQueue]:
    with closing(JobQueue(session, gallery)) as queue:
        yield queue


@pytest.fixture
def make_deriver(document, jobs):
    made: list[tuple[ControlDeriver, Worker]] = []

    def make(worker: Worker) -> ControlDeriver:
        jobs.attach(worker)
        deriver = ControlDeriver(document, jobs)
        deriver.attach(worker)
        made.append((deriver, worker))
        return deriver

    yield make
    for deriver, _worker in made:
        deriver.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def deriver(make_deriver, engine, gallery) -> ControlDeriver:
    return make_deriver(Worker(engine, gallery))


@pytest.fixture
def held(gallery) -> HeldWorker:
    return HeldWorker(gallery)


@pytest.fixture
def held_deriver(qtbot, make_deriver, held, document) -> ControlDeriver:
    """With Canny's edges on their way."""
    deriver = make_deriver(held)
    deriver.is_watching = True
    document.set_param("controls", (CANNY,))
    qtbot.waitUntil(lambda: len(held.orders) == 1)
    return deriver


@pytest.fixture
def wait_for(qtbot, document):
    """Waits until the first control of the document is in a state."""

    def wait(deriver: ControlDeriver, state: DeriveState) -> None:
        qtbot.waitUntil(lambda: deriver.view(document.params.controls[0]).state is state)

    return wait


def picture_of(level: int) -> DerivedPicture:
    image = QImage(8, 8, QImage.Format.Format_RGB888)
    image.fill(level)
    return DerivedPicture(image)


def test_who_watches_sees_a_control_image_at_the_working_size(document, deriver, wait_for):
    deriver.is_watching = True
    document.set_params("Control", controls=(CANNY,), width=128, height=64)
    wait_for(deriver, DeriveState.DONE)
    made = deriver.view(CANNY).picture
    assert (made.qimage.width(), made.qimage.height(), made.note) == (128, 64, "Made by no annotator.")


def test_without_a_size_of_the_users_it_is_the_one_that_will_be_worked_at(document, deriver, wait_for):
    size = document.plan().working_size
    deriver.is_watching = True
    document.set_param("controls", (CANNY,))
    wait_for(deriver, DeriveState.DONE)
    qimage = deriver.view(CANNY).picture.qimage
    assert (qimage.width(), qimage.height()) == size


def test_only_what_was_asked_for_is_made_while_nobody_watches(document, deriver, engine, wait_for):
    document.set_param("controls", (DEPTH, CANNY))
    deriver.derive_now(DEPTH)
    wait_for(deriver, DeriveState.DONE)
    assert [control.mode for control, _picture in engine.derived] == [ControlMode.DEPTH]
    assert deriver.view(CANNY).state is DeriveState.WAITING


def test_one_that_is_off_is_made_only_when_asked_for(qtbot, document, deriver, engine, wait_for):
    off = replace(DEPTH, is_on=False)
    deriver.is_watching = True
    document.set_param("controls", (CANNY, off))
    wait_for(deriver, DeriveState.DONE)
    assert deriver.view(off).state is DeriveState.WAITING
    deriver.derive_now(off)
    qtbot.waitUntil(lambda: deriver.view(off).state is DeriveState.DONE)
    assert len(engine.derived) == 2


def test_how_much_it_counts_and_when_makes_no_other_control_image(document, deriver, engine, wait_for):
    deriver.is_watching = True
    document.set_param("controls", (CANNY,))
    wait_for(deriver, DeriveState.DONE)
    weaker = replace(CANNY, weight=0.4, end=0.5, checkpoint="org/net")
    document.set_param("controls", (weaker,))
    assert deriver.view(weaker).state is DeriveState.DONE
    assert len(engine.derived) == 1


def test_an_undo_has_the_earlier_control_image_back_at_once(document, deriver, engine, wait_for):
    deriver.is_watching = True
    document.set_params("Add", controls=(CANNY,))
    wait_for(deriver, DeriveState.DONE)
    document.set_params("Threshold", controls=(replace(CANNY, low=20),))
    assert deriver.view(document.params.controls[0]).state is DeriveState.QUEUED
    wait_for(deriver, DeriveState.DONE)
    document.undo_stack.undo()
    assert deriver.view(document.params.controls[0]).state is DeriveState.DONE
    assert [control.low for control, _picture in engine.derived] == [100, 20]


def test_a_picture_of_its_own_comes_before_the_init_image(document, deriver, engine, wait_for, tmp_path):
    own = make_ref(tmp_path / "own.png", make_picture(seed=9))
    deriver.is_watching = True
    document.set_param("controls", (replace(DEPTH, image=own),))
    wait_for(deriver, DeriveState.DONE)
    assert [picture for _control, picture in engine.derived] == [own]


@pytest.mark.parametrize("fit", list(Fit))
@pytest.mark.parametrize("size", [(64, 64), (120, 80)])
@pytest.mark.parametrize("mask", ["none", "whole", "close-up"])
@pytest.mark.parametrize("own", ["none", "large", "other"])
def test_it_shows_what_the_run_will_see(qtbot, document, deriver, gallery, tmp_path, fit, size, mask, own):
    """Of the init image (96 x 64), or of a picture of the control's own, with a mask or without."""
    sizes = {"none": None, "large": (192, 128), "other": (70, 90)}
    image = make_ref(tmp_path / "own.png", make_picture(sizes[own], seed=3)) if sizes[own] else None
    control = Control(ControlMode.TILE, image=image, derive=False)
    if mask != "none":
        document.mask.paint(QRect(70, 8, 12, 9), lambda painter: painter.fillRect(70, 8, 12, 9, "white"))
        document.mask.commit("Paint")
    values = {"fit": fit, "width": size[0], "height": size[1], "masked_only": mask == "close-up", "mask_feather": 5}
    document.set_params("Set", mask_padding=7, **values)
    request = document.make_requests()[0]
    deriver.is_watching = True
    document.set_param("controls", (control,))
    qtbot.waitUntil(lambda: deriver.view(control).state is DeriveState.DONE)
    frames = Frames(request)
    begin = frames.begin()
    view = frames.view(begin) if mask != "none" else None
    if image is None:
        seen = view.image if view else begin.image
    else:
        picture = load_image(image.path)
        seen = frames.seen(picture, view) if view else frames.placed(picture, size)
    assert from_qimage(deriver.view(control).picture.qimage).tobytes() == seen.tobytes()


def test_a_stroke_shows_another_close_up_and_the_one_before_meanwhile(qtbot, document, deriver, wait_for):
    def paint(left: int) -> None:
        document.mask.paint(QRect(left, 8, 12, 9), lambda painter: painter.fillRect(left, 8, 12, 9, "white"))
        document.mask.commit("Paint")

    deriver.is_watching = True
    paint(70)
    document.set_params("Set", controls=(CANNY,), masked_only=True)
    wait_for(deriver, DeriveState.DONE)
    first = deriver.view(CANNY).picture
    paint(2)
    assert deriver.view(CANNY).picture is first
    qtbot.waitUntil(lambda: deriver.view(CANNY).picture not in (None, first))
    document.undo_stack.undo()
    qtbot.waitUntil(lambda: deriver.view(CANNY).picture is first)


def test_without_any_picture_there_is_nothing_to_make(document, deriver):
    document.set_param("controls", (CANNY,))
    document.clear_init_image()
    assert deriver.view(CANNY).state is DeriveState.NO_PICTURE


def test_a_failure_is_shown_and_tried_again_when_asked(make_deriver, document, gallery, wait_for):
    errors = [ImageError("The first")]
    engine = FakeEngine(fail_deriving_with=lambda _control: errors.pop() if errors else None)
    deriver = make_deriver(Worker(engine, gallery))
    deriver.is_watching = True
    document.set_param("controls", (CANNY,))
    wait_for(deriver, DeriveState.FAILED)
    assert str(deriver.view(CANNY).error) == "The first"
    deriver.derive_now(CANNY)
    wait_for(deriver, DeriveState.DONE)


def test_what_failed_is_tried_again_when_other_checkpoints_are_there(make_deriver, document, gallery, wait_for):
    errors = [ImageError("The first")]
    deriver = make_deriver(Worker(FakeEngine(fail_deriving_with=lambda _: errors.pop() if errors else None), gallery))
    deriver.is_watching = True
    document.set_param("controls", (CANNY,))
    wait_for(deriver, DeriveState.FAILED)
    document.read_checkpoints_again()
    wait_for(deriver, DeriveState.DONE)


def test_it_tells_how_far_it_is(qtbot, held, held_deriver):
    assert held_deriver.view(CANNY).state is DeriveState.DERIVING
    with qtbot.waitSignal(held_deriver.changed):
        held.deriving_progressed.emit(held.orders[0], Progress(Phase.DERIVING, step=1, total=4))
    assert held_deriver.view(CANNY).progress.step == 1


def test_an_answer_that_comes_too_late_is_dropped(qtbot, document, held, held_deriver, wait_for):
    changed = replace(CANNY, low=20)
    document.set_param("controls", (changed,))
    assert held.orders[0].cancel.is_set()
    qtbot.waitUntil(lambda: len(held.orders) == 2)
    held.derived.emit(held.orders[0], picture_of(10))
    held.derived.emit(held.orders[1], picture_of(20))
    wait_for(held_deriver, DeriveState.DONE)
    assert held_deriver.view(CANNY).picture is None
    assert held_deriver.view(changed).picture.qimage.pixelColor(0, 0).blue() == 20


def test_a_job_goes_first_and_the_control_image_comes_after_it(qtbot, jobs, held, held_deriver):
    job = jobs.add([make_request()])[0]
    assert held.orders[0].cancel.is_set()
    assert held_deriver.view(CANNY).state is DeriveState.QUEUED
    qtbot.waitUntil(lambda: job.is_begun)
    assert len(held.orders) == 1
    held.cancelled.emit(job.id)
    qtbot.waitUntil(lambda: len(held.orders) == 2)
    assert held_deriver.view(CANNY).state is DeriveState.DERIVING


def test_a_control_that_is_removed_needs_no_picture_any_more(document, held, held_deriver):
    document.undo_stack.undo()
    assert held.orders[0].cancel.is_set()


def test_one_that_is_switched_off_is_made_no_further(document, held, held_deriver):
    off = replace(CANNY, is_on=False)
    document.set_param("controls", (off,))
    assert held.orders[0].cancel.is_set()
    assert held_deriver.view(off).state is DeriveState.WAITING


def test_one_that_was_asked_for_is_made_though_it_is_switched_off(document, held, held_deriver):
    held_deriver.derive_now(CANNY)
    document.set_param("controls", (replace(CANNY, is_on=False),))
    assert not held.orders[0].cancel.is_set()


def test_nothing_is_made_once_it_is_closed(held, held_deriver):
    held_deriver.close()
    assert held.orders[0].cancel.is_set()
    held_deriver.derive_now(DEPTH)
    assert held_deriver.view(DEPTH).state is DeriveState.QUEUED
