"""The tree of a picture's lineage: where it leads, what it reads, and that it follows what becomes of the pictures."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import pytest
from chain_cases import make_chain, make_chain_result, ref_of
from PySide6.QtCore import QModelIndex, Qt
from PySide6.QtGui import QImage
from support import make_picture

from desktop_app.core.errors import StoreError
from desktop_app.core.kinds import StageKind
from desktop_app.studio import lineage
from desktop_app.studio.gallery_model import VARIATION_MIME, GalleryModel
from desktop_app.studio.lineage_model import LineageModel, NodeKind


@pytest.fixture
def pictures(gallery, stack):
    with closing(GalleryModel(gallery, stack)) as model:
        yield model


@pytest.fixture
def tree(gallery, pictures):
    with closing(LineageModel(gallery, pictures)) as model:
        yield model


@pytest.fixture
def photo(gallery):
    return gallery.keep_init_image(make_picture((40, 30), seed=50), "cat.png")


@pytest.fixture
def save_chain(gallery):
    def save(seed: int = 1, init_image=None):
        request = make_chain(init_image, seed)
        return gallery.save(request, make_chain_result(request))

    return save


@pytest.fixture
def show(qtbot, tree):
    """Shows a picture's lineage and waits for it."""

    def show_one(shown=None, init_image=None) -> None:
        with qtbot.waitSignal(tree.current_changed):
            tree.show(shown, init_image)

    return show_one


def titles(tree: LineageModel, parent: QModelIndex | None = None) -> list:
    """Titles of all rows that have been read; a list after a row has those below it."""
    found: list = []
    parent = parent or QModelIndex()
    for row in range(tree.rowCount(parent)):
        index = tree.index(row, 0, parent)
        found.append(index.data())
        if below := titles(tree, index):
            found.append(below)
    return found


def open_row(qtbot, tree: LineageModel, index: QModelIndex) -> None:
    with qtbot.waitSignal(tree.rowsInserted):
        tree.fetchMore(index)


# Where it leads ----------------------------------------------------------------------------------


def test_is_empty_while_the_canvas_is(show, tree):
    show()
    assert tree.rowCount() == 0
    assert not tree.current_index().isValid()


def test_begins_with_the_photo_and_what_was_made_from_it(qtbot, show, tree, save, photo):
    save("a dog", 1, init_image=photo)
    save("a cat", 2, init_image=photo)
    save("a lemon of nothing", 3)
    show(None, photo)
    assert titles(tree) == ["cat.png", ["0.5 a cat", "0.5 a dog"]]
    assert tree.current_index().data(tree.PhotoRole) == photo
    assert isinstance(tree.current_index().data(Qt.ItemDataRole.DecorationRole), QImage)


def test_a_strength_is_told_where_the_picture_began_with_another_one(show, tree, save, photo):
    save("a cat", 1, init_image=photo, strength=1.0)
    save("a cow", 2, init_image=photo, kind=StageKind.UPSCALE, strength=1.0)
    show(None, photo)
    assert titles(tree) == ["cat.png", ["a cow", "1 a cat"]]


def test_leads_from_the_photo_to_the_shown_picture(show, tree, save, photo):
    first = save("an egg", 11, init_image=photo)
    second = save("a chick", 12, init_image=ref_of(first))
    save("a duck", 13, init_image=ref_of(first))
    save("a hen", 14, init_image=ref_of(second))
    show(second, ref_of(first))
    assert titles(tree) == ["cat.png", ["0.5 an egg", ["0.5 a duck", "0.5 a chick"]]]
    assert tree.current_index().data(tree.VariationRole).id == second.id
    assert tree.current_index().data(tree.CurrentRole)
    assert tree.hasChildren(tree.current_index())


def test_what_was_made_after_a_picture_was_given_new_room_is_its_child(show, tree, gallery, save, photo):
    def extended(origin, seed):
        return replace(gallery.keep_init_image(make_picture((60, 30), seed=seed), "wide.png"), origin=origin)

    child = save("a wide cat", 1, init_image=extended(photo, 51))
    save("a wider cat", 2, init_image=extended(ref_of(child), 52))
    show(child)
    assert titles(tree) == ["cat.png", ["0.5 a wide cat"]]
    assert tree.hasChildren(tree.current_index())
    gallery.rebuild()
    show(None, extended(photo, 53))
    assert tree.current_index().data(tree.PhotoRole) == photo
    assert titles(tree) == ["cat.png", ["0.5 a wide cat"]]


def test_begins_with_the_first_picture_where_that_was_made_of_nothing(show, tree, save):
    root, child = (first := save("an egg")), save("a chick", 2, init_image=ref_of(first))
    save("another egg", 3)
    show(None, ref_of(child))
    assert titles(tree) == ["an egg", ["0.5 a chick"]]
    assert tree.index(0, 0).data(tree.VariationRole).id == root.id


def test_a_chain_has_its_stages_in_order_and_they_have_children(show, tree, gallery, save, save_chain, photo):
    final = save_chain(1, photo)
    show(final, photo)
    stages = ["1 image-to-image 0.5", "2 image-to-image 0.5"]
    title = "0.5 lemon, cartoon icon, white background"
    assert titles(tree) == ["cat.png", [title, stages]]
    second = gallery.stages_of(final.id)[1]
    child = save("a branch", 9, init_image=ref_of(second))
    show(child, ref_of(second))
    assert titles(tree) == ["cat.png", [title, [*stages, ["0.5 a branch"]]]]
    assert tree.current_index().parent().data(tree.KindRole) is NodeKind.STAGE


def test_a_stage_that_is_shown_is_found_under_its_chain(show, tree, gallery, save_chain):
    first, _, final = gallery.stages_of(save_chain().id)
    show(first)
    assert tree.current_index().data(tree.VariationRole).id == first.id
    assert tree.current_index().parent().data(tree.VariationRole).id == final.id


# What is read ------------------------------------------------------------------------------------


def test_children_are_read_when_they_are_asked_for(qtbot, show, tree, save, photo):
    first = save("an egg", 11, init_image=photo)
    save("a chick", 12, init_image=ref_of(first))
    show(None, photo)
    index = tree.index(0, 0, tree.index(0, 0))
    assert tree.rowCount(index) == 0
    assert tree.canFetchMore(index)
    open_row(qtbot, tree, index)
    assert titles(tree) == ["cat.png", ["0.5 an egg", ["0.5 a chick"]]]
    assert not tree.canFetchMore(index)


def test_a_picture_with_many_children_shows_them_page_by_page(qtbot, monkeypatch, show, tree, gallery, save, photo):
    monkeypatch.setattr(lineage, "PAGE", 2)
    saved = [save(f"{seed}", seed, init_image=photo) for seed in range(6)]
    gallery.trash([saved.pop().id])
    show(None, photo)
    assert titles(tree) == ["cat.png", ["0.5 4", "0.5 3", "Show more"]]
    with qtbot.waitSignal(tree.rowsInserted):
        tree.show_more(tree.index(2, 0, tree.index(0, 0)))
    assert titles(tree) == ["cat.png", ["0.5 4", "0.5 3", "0.5 2", "0.5 1", "Show more"]]
    show(saved[0], photo)
    assert titles(tree) == ["cat.png", [*(f"0.5 {seed}" for seed in (4, 3, 2, 1, 0)), "Show more"]]


def test_rows_asked_for_while_the_tree_is_read_anew_stay(qtbot, monkeypatch, show, tree, save, photo):
    monkeypatch.setattr(lineage, "PAGE", 2)
    for seed in range(4):
        save(f"{seed}", seed, init_image=photo)
    show(None, photo)
    tree.show_more(tree.index(2, 0, tree.index(0, 0)))
    with qtbot.waitSignal(tree.current_changed):
        tree._ask()
    qtbot.waitUntil(lambda: tree._reader.running == 0)
    assert titles(tree) == ["cat.png", [f"0.5 {seed}" for seed in (3, 2, 1, 0)]]


def test_the_shown_picture_is_there_however_many_are_newer(monkeypatch, show, tree, save, photo):
    monkeypatch.setattr(lineage, "PAGE", 2)
    saved = [save(f"{seed}", seed, init_image=photo) for seed in range(5)]
    show(saved[0], photo)
    assert titles(tree) == ["cat.png", ["0.5 4", "0.5 3", "0.5 0", "Show more"]]


def test_a_disk_that_fails_is_told_once(qtbot, monkeypatch, show, tree, gallery, save, photo):
    first = save("an egg", 11, init_image=photo)
    save("a chick", 12, init_image=ref_of(first))
    show(None, photo)

    def refuse(*_args, **_kwargs):
        raise StoreError("The disk is gone", "", "")

    monkeypatch.setattr(gallery, "made_from", refuse)
    index = tree.index(0, 0, tree.index(0, 0))
    with qtbot.waitSignal(tree.error_raised):
        tree.fetchMore(index)
    assert not tree.canFetchMore(index)


def test_a_closed_model_reads_no_more(tree, photo):
    tree.close()
    tree.show(None, photo)
    assert tree._reader.running == 0


# What becomes of the pictures --------------------------------------------------------------------


def test_a_new_picture_comes_in_and_what_was_open_stays_open(qtbot, show, tree, save, photo):
    first = save("an egg", 11, init_image=photo)
    save("a chick", 12, init_image=ref_of(first))
    show(None, photo)
    open_row(qtbot, tree, tree.index(0, 0, tree.index(0, 0)))
    save("a dog", 13, init_image=photo)
    save("a duck", 14, init_image=ref_of(first))
    with qtbot.assertNotEmitted(tree.modelReset), qtbot.waitSignal(tree.current_changed):
        tree.refresh()
    assert titles(tree) == ["cat.png", ["0.5 a dog", "0.5 an egg", ["0.5 a duck", "0.5 a chick"]]]


def test_a_trashed_picture_leaves_and_undo_brings_it_back(qtbot, show, tree, pictures, stack, save, photo):
    made = [save(prompt, seed, init_image=photo) for seed, prompt in enumerate(("a cat", "a dog", "a cow"))]
    show(None, photo)
    pictures.trash([made[1].id])
    qtbot.waitUntil(lambda: titles(tree) == ["cat.png", ["0.5 a cow", "0.5 a cat"]])
    stack.undo()
    qtbot.waitUntil(lambda: titles(tree) == ["cat.png", ["0.5 a cow", "0.5 a dog", "0.5 a cat"]])


def test_the_first_child_of_a_picture_gives_it_an_arrow(qtbot, show, tree, save, photo):
    first = save("an egg", 11, init_image=photo)
    show(None, photo)
    index = tree.index(0, 0, tree.index(0, 0))
    assert not tree.hasChildren(index)
    save("a chick", 12, init_image=ref_of(first))
    with qtbot.waitSignal(tree.layoutChanged):
        tree.refresh()
    assert tree.hasChildren(index)


def test_a_parent_in_the_trash_is_shown_as_such(show, tree, gallery, save):
    first = save("an egg")
    child = save("a chick", 2, init_image=ref_of(first))
    gallery.trash([first.id])
    show(child, ref_of(first))
    assert titles(tree) == ["an egg (in the trash)", ["0.5 a chick"]]


# Pictures and drags ------------------------------------------------------------------------------


def test_thumbnails_come_later(qtbot, show, tree, save, photo):
    saved = save("a cat", 2, init_image=photo)
    show(saved, photo)
    qtbot.waitUntil(lambda: isinstance(tree.current_index().data(Qt.ItemDataRole.DecorationRole), QImage))
    assert "a cat" in tree.current_index().data(Qt.ItemDataRole.ToolTipRole)


def test_any_picture_can_be_dragged_out(show, tree, save, photo):
    saved = save("a cat", 2, init_image=photo)
    show(saved, photo)
    mime = tree.mimeData([tree.index(0, 0), tree.current_index()])
    assert bytes(mime.data(VARIATION_MIME).data()).decode() == saved.id
    assert [url.toLocalFile() for url in mime.urls()] == [str(photo.path), str(saved.path)]
    assert tree.flags(tree.index(0, 0)) & Qt.ItemFlag.ItemIsDragEnabled


def test_keeps_the_rules_of_qt_through_all_changes(
    qtbot, monkeypatch, qtmodeltester, show, tree, save, save_chain, photo
):
    monkeypatch.setattr(lineage, "PAGE", 2)
    qtmodeltester.check(tree)
    final = save_chain(1, photo)
    save("a branch", 9, init_image=ref_of(final))
    for seed in range(3, 6):
        save(f"{seed}", seed, init_image=photo)
    show(final, photo)
    qtmodeltester.check(tree)
    with qtbot.waitSignal(tree.rowsInserted):
        tree.show_more(tree.index(tree.rowCount(tree.index(0, 0)) - 1, 0, tree.index(0, 0)))
    show(None, None)
    qtmodeltester.check(tree)
