"""ControlPictures: pictures of their own for control images, opened away from the window."""

from __future__ import annotations

from contextlib import closing

import pytest
from support import make_picture

from desktop_app.core.conditions import MAX_CONTROLS, Control, ControlMode
from desktop_app.core.errors import ImageError
from desktop_app.core.request import hash_pixels
from desktop_app.studio.control_pictures import ControlPictures

CANNY = Control(ControlMode.CANNY)
DEPTH = Control(ControlMode.DEPTH)


@pytest.fixture
def pictures(document, gallery):
    with closing(ControlPictures(document, gallery)) as made:
        yield made


def modes_and_images(document):
    return [(control.mode, control.image.sha256 if control.image else "") for control in document.params.controls]


def test_a_picture_is_opened_and_kept_for_its_control_and_can_be_undone(qtbot, document, pictures, picture, gallery):
    document.set_params("Add", controls=(CANNY, DEPTH))
    with qtbot.waitSignal(document.params_changed):
        pictures.open(1, picture("own.png", seed=3))
    sha256 = hash_pixels(make_picture(seed=3))
    assert modes_and_images(document) == [(ControlMode.CANNY, ""), (ControlMode.DEPTH, sha256)]
    assert gallery.find_image(sha256) is not None
    document.undo_stack.undo()
    assert document.params.controls == (CANNY, DEPTH)


def test_a_picture_can_come_with_a_new_control(qtbot, document, pictures, picture):
    with qtbot.waitSignal(document.params_changed):
        pictures.add(DEPTH, picture("own.png"))
        assert pictures.is_opening(0)
    assert [mode for mode, _image in modes_and_images(document)] == [ControlMode.DEPTH]
    assert not pictures.is_opening(0)


def test_the_newest_picture_of_a_control_counts(qtbot, document, pictures, picture):
    document.set_params("Add", controls=(CANNY,))
    pictures.open(0, picture("first.png", (640, 480), seed=1))
    pictures.open(0, picture("second.png", seed=2))
    qtbot.waitUntil(lambda: document.params.controls[0].image is not None and not pictures.is_opening(0))
    assert document.params.controls[0].image.name == "second.png"


def test_a_control_that_has_moved_meanwhile_still_gets_its_picture(qtbot, document, pictures, picture):
    document.set_params("Add", controls=(CANNY, DEPTH))
    pictures.open(1, picture("own.png"))
    document.set_params("Remove", controls=(DEPTH,))
    qtbot.waitUntil(lambda: not pictures.is_opening(1))
    assert [(mode, bool(image)) for mode, image in modes_and_images(document)] == [(ControlMode.DEPTH, True)]


def test_a_control_that_is_gone_meanwhile_takes_its_picture_with_it(qtbot, document, pictures, picture):
    document.set_params("Add", controls=(CANNY,))
    pictures.open(0, picture("own.png"))
    document.set_params("Remove", controls=())
    qtbot.waitUntil(lambda: not pictures.is_opening(0))
    assert document.params.controls == ()


def test_a_picture_that_cannot_be_opened_is_told_and_changes_nothing(qtbot, document, pictures, tmp_path):
    document.set_params("Add", controls=(CANNY,))
    with qtbot.waitSignal(pictures.error_raised) as told:
        pictures.open(0, tmp_path / "none.png")
    assert isinstance(told.args[0], ImageError)
    assert document.params.controls == (CANNY,)


def test_no_more_are_taken_than_can_be_used(qtbot, document, pictures, picture):
    document.set_params("Add", controls=(CANNY,) * MAX_CONTROLS)
    with qtbot.waitSignal(pictures.error_raised) as told:
        pictures.add(DEPTH, picture("own.png"))
    assert told.args[0].param == "controls"
    assert not pictures.is_opening(MAX_CONTROLS)


def test_a_picture_of_its_own_is_found_again_at_the_next_start(qtbot, make_document, gallery, picture):
    document = make_document()
    with closing(ControlPictures(document, gallery)) as pictures, qtbot.waitSignal(document.params_changed):
        pictures.add(DEPTH, picture("own.png"))
    document.flush()
    again = make_document()
    again.restore_session()
    assert again.params.controls == document.params.controls
    assert again.params.controls[0].image.path.is_file()
