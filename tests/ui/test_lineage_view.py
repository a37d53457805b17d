"""The lineage in the real window: it follows the canvas, and any of its pictures can be looked at and gone on from."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QMenu

from desktop_app.core.chain import Card
from desktop_app.studio.lineage_model import LineageModel, NodeKind

CARDS = (Card(strength=0.5, steps=2), Card(strength=0.25, steps=4))


@pytest.fixture
def panel(window):
    return window.lineage_panel


@pytest.fixture
def start(qtbot, window, picture):
    """Opens a picture as init image, and waits until the lineage shows it."""
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("cat.png"))
    qtbot.waitUntil(lambda: window.lineage_panel.model.rowCount() == 1)
    return window.document.init_image.ref


@pytest.fixture
def paint_chain(qtbot, window, start, paint_seeds):
    """A result of three stages, on the canvas."""
    window.document.set_params("Chain", chain=CARDS)
    (variation,) = paint_seeds(1)
    qtbot.waitUntil(lambda: shown_id(window) == variation.id)
    return variation


def shown_id(window) -> str | None:
    """Of the row that is marked."""
    variation = window.lineage_panel.model.current_index().data(LineageModel.VariationRole)
    return variation.id if variation else None


def row(window, *path: int):
    model = window.lineage_panel.model
    index = model.index(0, 0)
    for number in path:
        index = model.index(number, 0, index)
    return index


def click(qtbot, window, index, double: bool = False) -> None:
    """A click, and with ``double`` a second one at the same place."""
    view = window.lineage_panel.view
    for press in (qtbot.mouseClick, qtbot.mouseDClick)[: 2 if double else 1]:
        press(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())


def choose(menu: QMenu, text: str) -> None:
    next(action for action in menu.actions() if action.text() == text).trigger()
    menu.deleteLater()


def test_says_what_it_is_for_while_the_canvas_is_empty(panel):
    assert "came from" in panel.empty.sentence


def test_a_finished_picture_stands_below_its_init_image_and_is_marked(qtbot, window, start, paint_seeds):
    first, second = paint_seeds(1, 2)
    qtbot.waitUntil(lambda: shown_id(window) == second.id)
    assert row(window).data(LineageModel.PhotoRole) == start
    assert row(window, 1).data(LineageModel.VariationRole).id == first.id
    assert window.lineage_panel.view.isExpanded(row(window))
    assert window.lineage_panel.view.currentIndex() == row(window, 0)


def test_a_finished_chain_shows_its_stages(qtbot, window, paint_chain):
    model = window.lineage_panel.model
    assert window.lineage_panel.view.isExpanded(row(window, 0))
    qtbot.waitUntil(lambda: model.rowCount(row(window, 0)) == 2)
    assert [row(window, 0, number).data().split()[0] for number in range(2)] == ["1", "2"]
    assert row(window, 0, 0).data(LineageModel.KindRole) is NodeKind.STAGE


def test_a_click_shows_a_picture_and_keeps_the_tree_as_it_is(qtbot, window, paint_chain):
    click(qtbot, window, row(window, 0, 0))
    qtbot.waitUntil(lambda: row(window, 0, 0).data(LineageModel.CurrentRole))
    assert window.presenter.shown.chain_id == paint_chain.id
    assert not row(window, 0).data(LineageModel.CurrentRole)


def test_a_click_on_the_photo_shows_the_init_image(qtbot, window, paint_chain):
    click(qtbot, window, row(window))
    qtbot.waitUntil(lambda: window.presenter.shown is None)
    qtbot.waitUntil(lambda: row(window).data(LineageModel.CurrentRole))


def test_a_double_click_starts_from_a_picture_and_the_tree_leads_to_it(qtbot, window, paint_chain):
    stage = row(window, 0, 1).data(LineageModel.VariationRole)
    with qtbot.waitSignal(window.document.init_image_changed):
        click(qtbot, window, row(window, 0, 1), double=True)
    assert window.document.init_image.ref.sha256 == stage.pixels_sha256
    qtbot.waitUntil(lambda: shown_id(window) == stage.id)
    with qtbot.waitSignal(window.document.init_image_changed):
        click(qtbot, window, row(window), double=True)
    assert window.document.init_image.name == "cat.png"


def test_a_branch_takes_over_the_settings_up_to_a_stage(qtbot, window, panel, paint_chain):
    window.document.set_params("Other", chain=(), prompt="something else", steps=9)
    choose(panel.make_menu(row(window, 0, 1)), "Branch from this stage")
    qtbot.waitUntil(lambda: window.document.params.prompt == paint_chain.request.stages[0].prompt)
    (request,) = window.document.make_requests()
    assert request == row(window, 0, 1).data(LineageModel.VariationRole).request


def test_only_a_stage_can_be_branched_from_and_the_photo_only_used(window, panel, paint_chain):
    texts = [[action.text() for action in panel.make_menu(index).actions()] for index in (row(window), row(window, 0))]
    assert texts[0] == ["Use as init image"]
    assert "Branch from this stage" not in texts[1]
    assert "Move to trash" in texts[1]


def test_a_trashed_picture_leaves_and_undo_brings_it_back(qtbot, window, panel, paint_chain):
    choose(panel.make_menu(row(window, 0)), "Move to trash")
    qtbot.waitUntil(lambda: panel.model.rowCount(row(window)) == 0)
    assert window.presenter.shown is None
    window.actions_by_id["undo"].trigger()
    qtbot.waitUntil(lambda: panel.model.rowCount(row(window)) == 1)


def test_a_trashed_chain_takes_the_shown_stage_off_the_canvas(qtbot, window, paint_chain):
    click(qtbot, window, row(window, 0, 0))
    qtbot.waitUntil(lambda: window.presenter.shown.chain_id == paint_chain.id)
    window.commands.trash(paint_chain)
    assert window.presenter.shown is None


def test_the_gallery_and_the_strip_show_the_final_picture_alone(qtbot, window, paint_chain):
    assert window.gallery_panel._model.rowCount() == 1
    assert window.strip.model.rowCount() == 1


def test_a_hidden_panel_reads_nothing_and_catches_up_when_it_is_shown(qtbot, window, panel, start, paint_seeds):
    window.lineage_dock.hide()
    asked = panel.model._asked
    (variation,) = paint_seeds(1)
    assert panel.model._asked == asked
    window.lineage_dock.show()
    qtbot.waitUntil(lambda: shown_id(window) == variation.id)


def test_more_pictures_come_with_a_click(qtbot, monkeypatch, window, start, paint_seeds):
    monkeypatch.setattr("desktop_app.studio.lineage.PAGE", 2)
    *_, third = paint_seeds(1, 2, 3)
    qtbot.waitUntil(lambda: shown_id(window) == third.id)
    assert row(window, 2).data() == "Show more"
    click(qtbot, window, row(window, 2))
    qtbot.waitUntil(lambda: row(window, 2).data() != "Show more")


def test_a_picture_is_dragged_out_as_from_the_gallery(window, panel, paint_chain):
    mime = panel.model.mimeData([row(window, 0, 1)])
    assert window.canvas.window() is window
    assert Path(mime.urls()[0].toLocalFile()) == row(window, 0, 1).data(LineageModel.VariationRole).path
    assert panel.view.dragEnabled()


def test_the_menu_of_no_picture_is_none(panel):
    assert panel.make_menu(panel.view.indexAt(QPoint(1, 1))) is None
