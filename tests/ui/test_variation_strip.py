"""The strip under the canvas: what was made from this init image, and the picture that is being made."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPersistentModelIndex, Qt
from PySide6.QtGui import QImage
from support import make_request, make_result

from desktop_app.studio.gallery_model import VARIATION_MIME, GalleryModel
from desktop_app.ui import variation_strip
from desktop_app.ui.canvas_sources import read_variations
from desktop_app.ui.compare_view import CompareView
from desktop_app.ui.variation_strip import VariationStrip


@pytest.fixture
def strip(qtbot, document, jobs, gallery_model, presenter):
    made = VariationStrip(document, jobs, gallery_model, presenter)
    qtbot.addWidget(made)
    made.resize(600, made.height())
    made.show()
    qtbot.waitUntil(lambda: made.model._is_answered)
    yield made
    made.model.close()


def ids(strip: VariationStrip) -> list[str | None]:
    """Of all rows; None for the job."""
    found = [strip.model.index(row).data(GalleryModel.VariationRole) for row in range(strip.model.rowCount())]
    return [variation.id if variation else None for variation in found]


def facts(strip: VariationStrip, row: int = 0):
    return strip.model.facts(strip.model.index(row))


def click(qtbot, strip: VariationStrip, row: int) -> None:
    place = strip.view.visualRect(strip.model.index(row)).center()
    qtbot.mouseClick(strip.view.viewport(), Qt.MouseButton.LeftButton, pos=place)


# Which pictures ----------------------------------------------------------------------------------


def test_shows_what_was_made_from_the_init_image_newest_first(qtbot, strip, open_picture, save):
    ref = open_picture()
    made = [save("a cat", seed, ref) for seed in range(3)]
    save("a lemon from nothing")
    open_picture("other.png", seed=5)
    open_picture()
    qtbot.waitUntil(lambda: ids(strip) == [variation.id for variation in reversed(made)])


def test_shows_what_was_made_of_nothing_while_there_is_no_init_image(qtbot, save, gallery_model, request):
    made = [save("a cat", seed).id for seed in range(2)]
    strip = request.getfixturevalue("strip")
    qtbot.waitUntil(lambda: ids(strip) == made[::-1])


def test_shows_no_more_than_it_may(qtbot, monkeypatch, strip, jobs, worker):
    monkeypatch.setattr(variation_strip, "MAX_SHOWN", 2)
    for seed in range(3):
        (job,) = jobs.add([make_request(seed=seed)])
        worker.finish(job)
        qtbot.waitUntil(lambda: jobs.current is None)
    assert strip.model.rowCount() == 2
    assert strip.model.index(0).data(GalleryModel.VariationRole).request.seed == 2


def test_takes_its_pictures_from_the_gallerys_thumbnails(qtbot, strip, open_picture, save):
    save("a cat", 1, open_picture())
    open_picture("other.png", seed=5)
    open_picture()
    qtbot.waitUntil(lambda: isinstance(strip.model.index(0).data(Qt.ItemDataRole.DecorationRole), QImage))


def test_a_trashed_variation_leaves_the_strip_and_undo_brings_it_back(qtbot, strip, gallery_model, document, save):
    made = [save("a cat", seed).id for seed in range(3)]
    gallery_model.contents_changed.emit()
    qtbot.waitUntil(lambda: strip.model.rowCount() == 3)
    gallery_model.trash([made[1]])
    qtbot.waitUntil(lambda: ids(strip) == [made[2], made[0]])
    document.undo_stack.undo()
    qtbot.waitUntil(lambda: ids(strip) == made[::-1])


def test_stars_are_seen_in_the_strip(qtbot, strip, gallery_model, save):
    made = save()
    gallery_model.set_stars(made.id, 3)
    qtbot.waitUntil(lambda: strip.model.rowCount() == 1 and facts(strip).stars == 3)


# The job -----------------------------------------------------------------------------------------


def test_the_running_job_comes_first_with_preview_and_progress(qtbot, strip, jobs, worker):
    (job,) = jobs.add([make_request()])
    qtbot.waitUntil(lambda: ids(strip) == [None])
    worker.tell_step(job, 2, 4)
    qtbot.waitUntil(lambda: strip.model.index(0).data(Qt.ItemDataRole.DecorationRole) is not None)
    assert 0.4 < facts(strip).progress < 0.7
    assert "2/4" in strip.model.index(0).data(Qt.ItemDataRole.ToolTipRole)


def test_a_job_from_another_init_image_is_not_shown(qtbot, strip, jobs, open_picture):
    open_picture()
    jobs.add([make_request()])
    assert jobs.current is not None
    assert strip.model.rowCount() == 0


def test_the_job_appears_when_its_init_image_does(qtbot, strip, jobs, open_picture, document):
    jobs.add([make_request()])
    open_picture()
    assert strip.model.rowCount() == 0
    document.undo_stack.undo()
    assert ids(strip) == [None]


def test_a_finished_picture_takes_the_place_of_its_job(qtbot, strip, jobs, worker, save):
    (job,) = jobs.add([make_request()])
    made = worker.finish(job)
    qtbot.waitUntil(lambda: ids(strip) == [made.id])


def test_the_next_job_stands_before_the_finished_picture(qtbot, strip, jobs, worker):
    first, _second = jobs.add([make_request(seed=1), make_request(seed=2)])
    made = worker.finish(first)
    qtbot.waitUntil(lambda: ids(strip) == [None, made.id])


def test_a_picture_that_is_finished_while_the_strip_is_read_is_not_lost(qtbot, strip, jobs, gallery, gallery_model):
    (job,) = jobs.add([make_request()])
    gallery_model.contents_changed.emit()
    strip.model._reader.wait()  # the answer, without the picture, is on its way
    made = gallery.save(job.request, make_result(job.request))
    jobs._on_worker_finished(job.id, made)
    qtbot.waitUntil(lambda: strip.model._is_answered)
    assert ids(strip) == [made.id]


def test_an_answer_that_comes_too_late_is_dropped(qtbot, strip, gallery_model, gallery, save):
    made, shown = save(), []
    strip.model.modelReset.connect(lambda: shown.append(ids(strip)))
    gallery_model.contents_changed.emit()
    strip.model._reader.wait()
    gallery.trash([made.id])
    gallery_model.contents_changed.emit()
    qtbot.waitUntil(lambda: strip.model._reader.running == 0)
    assert shown == []


def test_a_stopped_job_leaves_the_strip(qtbot, strip, jobs, worker):
    (job,) = jobs.add([make_request()])
    worker.cancelled.emit(job.id)
    qtbot.waitUntil(lambda: strip.model.rowCount() == 0)


# Looking and dragging ----------------------------------------------------------------------------


@pytest.fixture
def filled(qtbot, strip, gallery_model, save):
    """The strip with three pictures, and their variations as the strip has them, newest first."""
    for seed in range(3):
        save("a cat", seed)
    gallery_model.contents_changed.emit()
    qtbot.waitUntil(lambda: strip.model.rowCount() == 3)
    return [strip.model.index(row).data(GalleryModel.VariationRole) for row in range(3)]


def test_a_click_says_which_variation_is_wanted(qtbot, strip, filled):
    with qtbot.waitSignal(strip.shown) as shown:
        click(qtbot, strip, 1)
    assert shown.args == [filled[1]]


def test_a_click_on_the_job_says_nothing(qtbot, strip, jobs):
    jobs.add([make_request()])
    with qtbot.assertNotEmitted(strip.shown):
        click(qtbot, strip, 0)


def test_the_keyboard_picks_a_variation(qtbot, strip, filled):
    strip.view.setCurrentIndex(strip.model.index(0))
    qtbot.keyClick(strip.view, Qt.Key.Key_Right)
    with qtbot.waitSignal(strip.shown) as shown:
        qtbot.keyClick(strip.view, Qt.Key.Key_Return)
    assert shown.args == [filled[1]]


def test_the_variation_on_the_canvas_is_marked(strip, presenter, filled):
    presenter.show_variation(filled[1])
    assert [facts(strip, row).is_shown for row in range(3)] == [False, True, False]
    assert [index.row() for index in strip.view.selectedIndexes()] == [1]


def test_no_variation_is_marked_when_the_canvas_shows_none(strip, presenter, filled):
    presenter.show_variation(filled[1])
    presenter.show_variation(None)
    assert not any(facts(strip, row).is_shown for row in range(3))
    assert not strip.view.selectedIndexes()


def test_a_variation_whose_file_is_gone_is_marked(qtbot, strip, gallery_model, filled):
    filled[0].path.unlink()
    gallery_model.contents_changed.emit()
    qtbot.waitUntil(lambda: facts(strip).is_missing)


def test_a_drag_carries_the_id_in_the_form_that_the_canvas_reads(strip, filled):
    mime = strip.model.mimeData([strip.model.index(1)])
    assert strip.model.mimeTypes() == [VARIATION_MIME, "text/uri-list"]
    assert read_variations(mime) == [filled[1].id]
    assert mime.urls()[0].toLocalFile() == str(filled[1].path)


def test_a_finished_picture_can_be_dragged_and_a_job_cannot(qtbot, strip, jobs, filled):
    jobs.add([make_request()])
    draggable = [bool(strip.model.flags(strip.model.index(row)) & Qt.ItemFlag.ItemIsDragEnabled) for row in (0, 1)]
    assert draggable == [False, True]


# Room --------------------------------------------------------------------------------------------


def test_the_canvas_says_whether_there_are_results_to_choose(qtbot, strip, canvas, open_picture, save, gallery_model):
    ref = open_picture()
    view = canvas.findChild(CompareView)
    assert view.no_result_text == "No result yet"
    save(init_image=ref)
    gallery_model.contents_changed.emit()
    qtbot.waitUntil(lambda: view.no_result_text == "No result chosen")


def test_takes_no_room_without_init_image_and_pictures(strip):
    assert strip.height() == 0


def test_says_in_one_line_that_an_init_image_has_no_variations_yet(qtbot, strip, open_picture):
    open_picture()
    assert 0 < strip.height() < 60
    assert strip.empty.sentence == "Variations of this picture line up here."


def test_grows_to_one_row_of_pictures(qtbot, strip, jobs):
    jobs.add([make_request()])
    assert strip.height() >= variation_strip.SIDE
    assert strip.view.isVisible()


# Rows under test ---------------------------------------------------------------------------------


def test_keeps_the_rules_of_qt_through_all_changes(qtbot, qtmodeltester, strip, filled, jobs, worker, gallery_model):
    qtmodeltester.check(strip.model)
    middle = QPersistentModelIndex(strip.model.index(1, 0))
    first, _second = jobs.add([make_request(seed=11), make_request(seed=12)])
    worker.tell_step(first, 1, 4)
    worker.finish(first)
    qtbot.waitUntil(lambda: strip.model.rowCount() == 5)
    gallery_model.trash([filled[0].id, filled[2].id])
    qtbot.waitUntil(lambda: strip.model.rowCount() == 3)
    assert ids(strip)[0] is None
    assert middle.row() == 2
    assert middle.data(GalleryModel.VariationRole) == filled[1]
