"""MaskKeeper: large masks are written on the pool; requests have the mask of the moment they were asked for."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect, Qt

from desktop_app.core.errors import RequestError, StoreError
from desktop_app.studio import mask_keeper
from desktop_app.studio.document import Document


def paint(document: Document, rect: QRect) -> None:
    document.mask.paint(rect, lambda painter: painter.fillRect(rect, Qt.GlobalColor.white))
    document.mask.commit("Brush")


@pytest.fixture
def masked(qtbot, document, picture, monkeypatch) -> Document:
    """Its mask is too large to be written in a moment."""
    monkeypatch.setattr(mask_keeper, "SMALL", 0)
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(picture("cat.png", (96, 64)))
    paint(document, QRect(30, 40, 20, 10))
    return document


def boxes(gallery, answers) -> list:
    return [gallery.load_ref(made[0].mask).getbbox() if made[0].mask else None for made in answers]


def test_requests_have_the_mask_and_the_values_of_when_they_were_asked_for_in_that_order(qtbot, masked, gallery):
    answers: list = []
    masked.make_requests_soon(answers.append)
    paint(masked, QRect(0, 0, 5, 5))
    masked.set_param("prompt", "later")
    masked.make_requests_soon(answers.append, 2)
    masked.mask.clear("Clear")
    masked.make_requests_soon(answers.append)
    assert answers == [], "what asks later came first"
    qtbot.waitUntil(lambda: len(answers) == 3)
    assert boxes(gallery, answers) == [(30, 40, 50, 50), (0, 0, 50, 50), None]
    assert [made[0].stages[0].prompt for made in answers] == ["", "later", "later"]
    assert [len(made) for made in answers] == [1, 2, 1]


def test_a_mask_that_is_written_is_answered_at_once_and_as_ever(qtbot, masked):
    answers: list = []
    masked.set_param("seed", 5)
    masked.make_requests_soon(answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    masked.make_requests_soon(answers.append)
    assert answers == [masked.make_requests()] * 2


def test_a_small_mask_is_answered_at_once(masked, monkeypatch):
    monkeypatch.setattr(mask_keeper, "SMALL", 96 * 64)
    answers: list = []
    masked.make_requests_soon(answers.append)
    assert answers[0][0].mask is not None


def test_what_cannot_be_run_is_told_at_once(masked):
    answers: list = []
    masked.set_param("strength", 0.0)
    masked.make_requests_soon(answers.append)
    assert isinstance(answers[0], RequestError)


@pytest.mark.parametrize("small", [0, 96 * 64])
def test_a_mask_that_cannot_be_written_is_told(qtbot, masked, gallery, monkeypatch, small):
    def full(*_):
        raise StoreError("The disk is full", "", "Make room.")

    monkeypatch.setattr(mask_keeper, "SMALL", small)
    monkeypatch.setattr(gallery, "keep_mask", full)
    answers: list = []
    masked.make_requests_soon(answers.append)
    qtbot.waitUntil(lambda: bool(answers))
    assert isinstance(answers[0], StoreError)


def test_who_waits_when_the_document_closes_is_answered(masked, gallery):
    answers: list = []
    masked.make_requests_soon(answers.append)
    masked.close()
    assert boxes(gallery, answers) == [(30, 40, 50, 50)]
