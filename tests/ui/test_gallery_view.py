"""The gallery's panel: search, selection, and what it says the user wants."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QItemSelectionModel, QModelIndex, Qt
from PySide6.QtWidgets import QMenu

from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.ui.gallery_view import GalleryPanel

PROMPTS = ("a red lemon", "a green lemon", "a blue plum")


@pytest.fixture
def panel(qtbot, gallery_model, icons):
    made = GalleryPanel(gallery_model, icons)
    qtbot.addWidget(made)
    made.resize(400, 600)
    made.show()
    return made


@pytest.fixture
def filled(qtbot, save, panel, gallery_model):
    """Three pictures in the panel, and their variations, newest first; all have been read."""
    for seed, prompt in enumerate(PROMPTS):
        save(prompt, seed)
    gallery_model.refresh()
    qtbot.waitUntil(lambda: gallery_model.rowCount() == 3 and bool(row_data(gallery_model, 0)))
    return [row_data(gallery_model, row) for row in range(3)]


def row_data(model: GalleryModel, row: int):
    return model.index(row).data(model.VariationRole)


def select(panel: GalleryPanel, *rows: int) -> None:
    model = panel.view.model()
    panel.view.selectionModel().clear()
    for row in rows:
        panel.view.selectionModel().setCurrentIndex(model.index(row, 0), QItemSelectionModel.SelectionFlag.Select)


def entry(menu: QMenu, text: str):
    return next(action for action in menu.actions() if action.text() == text)


# Searching and counting --------------------------------------------------------------------------


def test_says_how_many_pictures_there_are(panel, filled):
    assert panel._count.text() == "3 pictures"


def test_counts_one_picture_as_one(qtbot, panel, save, gallery_model):
    gallery_model.insert(save())
    qtbot.waitUntil(lambda: panel._count.text() == "1 picture")


def test_finds_pictures_by_words_of_their_prompt(qtbot, panel, filled):
    qtbot.keyClicks(panel.search, "lem")
    qtbot.waitUntil(lambda: panel._count.text() == "2 pictures")


def test_clearing_the_search_brings_all_back(qtbot, panel, filled):
    panel.search.setText("lemon")
    qtbot.waitUntil(lambda: panel.view.model().rowCount() == 2)
    panel.search.clear()
    qtbot.waitUntil(lambda: panel.view.model().rowCount() == 3)


def test_an_empty_gallery_says_that_pictures_are_kept_by_themselves(panel):
    assert "is kept here" in panel.empty.sentence


def test_a_search_without_find_says_for_which_word(qtbot, panel, filled):
    panel.search.setText("zebra")
    qtbot.waitUntil(lambda: panel.empty.sentence == "No picture's prompt has “zebra”.")


def test_the_pictures_are_shown_when_there_are_some(panel, filled):
    assert panel.view.isVisible()
    assert panel.empty.sentence == ""


# Looking -----------------------------------------------------------------------------------------


def test_a_click_says_which_variation_is_wanted(qtbot, panel, filled):
    place = panel.view.visualRect(panel.view.model().index(1, 0)).center()
    with qtbot.waitSignal(panel.shown) as shown:
        qtbot.mouseClick(panel.view.viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert shown.args == [filled[1]]


def test_the_enter_key_says_which_variation_is_wanted(qtbot, panel, filled):
    select(panel, 2)
    with qtbot.waitSignal(panel.shown) as shown:
        qtbot.keyClick(panel.view, Qt.Key.Key_Return)
    assert shown.args == [filled[2]]


def test_cells_fill_the_width_in_whole_columns(panel, filled):
    for width in (260, 400, 700):
        panel.resize(width, 600)
        columns, rest = divmod(panel.view.viewport().width(), panel.view.gridSize().width())
        assert columns >= 2
        bar = panel.view.verticalScrollBar()
        assert rest <= columns + (0 if bar.isVisible() else bar.sizeHint().width())


# Keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Backspace])
def test_the_delete_key_trashes_the_selection(qtbot, panel, filled, gallery, key):
    select(panel, 0, 2)
    qtbot.keyClick(panel.view, key)
    assert panel.view.model().rowCount() == 1
    qtbot.waitUntil(lambda: set(gallery.ids(trashed=True)) == {filled[0].id, filled[2].id})


def test_undo_brings_the_selection_back(qtbot, panel, filled, document):
    select(panel, 0, 2)
    panel.trash_selected()
    document.undo_stack.undo()
    model = panel.view.model()
    qtbot.waitUntil(lambda: [model.index(row, 0).data(model.IdRole) for row in range(3)] == [v.id for v in filled])


def test_who_comes_by_the_keyboard_has_a_picture_selected_but_not_who_clicks(qtbot, panel, filled):
    panel.activateWindow()
    panel.search.setFocus()
    panel.view.setFocus(Qt.FocusReason.MouseFocusReason)
    qtbot.waitUntil(panel.view.hasFocus)
    assert panel.selected_ids() == []
    panel.search.setFocus()
    panel.view.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.waitUntil(panel.view.hasFocus)
    assert panel.selected_ids() == [filled[0].id]


def test_the_delete_key_without_a_selection_trashes_nothing(qtbot, panel, filled, document):
    qtbot.keyClick(panel.view, Qt.Key.Key_Delete)
    assert panel.view.model().rowCount() == 3
    assert document.undo_stack.count() == 0


def test_a_digit_gives_stars_to_the_selection(qtbot, panel, filled, gallery):
    select(panel, 0, 1)
    qtbot.keyClick(panel.view, Qt.Key.Key_4)
    qtbot.waitUntil(lambda: [gallery.get(v.id).stars for v in filled] == [4, 4, 0])


def test_there_are_no_six_stars(qtbot, panel, filled):
    select(panel, 0)
    with qtbot.assertNotEmitted(panel.view.stars_requested):
        qtbot.keyClick(panel.view, Qt.Key.Key_6)


# The menu ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "signal"),
    [
        ("Use as init image", "use_requested"),
        ("Restore settings…", "restore_requested"),
        ("Copy", "copy_requested"),
        ("Export…", "export_requested"),
        ("Show in folder", "reveal_requested"),
    ],
)
def test_the_menu_says_what_is_wanted_with_the_variation(qtbot, panel, filled, text, signal):
    menu = panel.make_menu(filled[1])
    with qtbot.waitSignal(getattr(panel, signal)) as wanted:
        entry(menu, text).trigger()
    assert wanted.args == [filled[1]]


def test_the_menu_trashes_the_selection(panel, filled):
    select(panel, 1)
    entry(panel.make_menu(filled[1]), "Move to trash").trigger()
    assert not panel.view.model().index_of(filled[1].id).isValid()


def test_the_menu_gives_stars(qtbot, panel, filled, gallery):
    select(panel, 1)
    stars = next(action.menu() for action in panel.make_menu(filled[1]).actions() if action.menu())
    entry(stars, "★★★").trigger()
    qtbot.waitUntil(lambda: gallery.get(filled[1].id).stars == 3)


def test_pictures_are_dragged_out_of_the_gallery_not_into_it(panel):
    assert panel.view.dragEnabled()
    assert not panel.view.acceptDrops()
    assert panel.view.model().flags(QModelIndex()) == Qt.ItemFlag.NoItemFlags
