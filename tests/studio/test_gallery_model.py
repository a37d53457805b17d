"""The gallery's rows: what is shown, when it is read, and that nothing is lost on the way to the trash and back."""

from __future__ import annotations

import os
import threading
from dataclasses import replace

import pytest
from chain_cases import make_chain, make_chain_result, ref_of
from gallery_rows import read
from PySide6.QtCore import QModelIndex, Qt
from support import make_picture, make_request, make_result

from desktop_app.core.errors import StoreError
from desktop_app.core.variation import Variation
from desktop_app.studio import gallery_model
from desktop_app.studio.gallery_model import VARIATION_MIME, GalleryModel, describe_in_full
from desktop_app.studio.tips import plain_tip

THUMBNAIL = Qt.ItemDataRole.DecorationRole
PROMPTS = ("a red lemon", "a green lemon", "a blue plum", "a white plum", "a black cat")


def ids_of(what: GalleryModel | list[Variation]) -> list[str]:
    if isinstance(what, GalleryModel):
        return [what.index(row).data(what.IdRole) for row in range(what.rowCount())]
    return [variation.id for variation in what]


def refuse(*_args, **_kwargs):
    raise StoreError("The disk is full", "", "Make room.")


# What is shown -----------------------------------------------------------------------------------


def test_has_no_rows_until_they_are_read_and_then_all_newest_first(qtbot, gallery, saved):
    model = GalleryModel(gallery)
    assert model.rowCount() == 0
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))
    model.close()


def test_a_variation_is_read_when_it_is_asked_for(qtbot, model, saved):
    assert model.index(2).data(model.VariationRole) is None
    assert read(qtbot, model, 2) == saved[2]


def test_says_which_rows_have_been_read(qtbot, model):
    with qtbot.waitSignal(model.dataChanged) as changed:
        model.index(2).data(model.VariationRole)
    first, last, _roles = changed.args
    assert first.row() <= 2 <= last.row()


def test_reads_a_page_at_a_time(qtbot, monkeypatch, model, saved):
    monkeypatch.setattr(gallery_model, "PAGE", 2)
    read(qtbot, model, 2)
    known = [model.index(row).data(model.VariationRole) is not None for row in range(5)]
    assert known == [False, False, True, True, False]


def test_keeps_no_more_variations_than_it_may(qtbot, monkeypatch, model):
    monkeypatch.setattr(gallery_model, "PAGE", 1)
    monkeypatch.setattr(gallery_model, "MAX_KNOWN", 2)
    for row in range(5):
        read(qtbot, model, row)
    assert model.index(4).data(model.VariationRole)
    assert not model.index(0).data(model.VariationRole)


def test_an_entry_that_is_gone_stays_empty_and_is_asked_for_once(qtbot, monkeypatch, model, gallery):
    asked: list[str] = []
    monkeypatch.setattr(gallery, "get", asked.append)
    with qtbot.waitSignal(model.dataChanged):
        model.index(0).data(model.VariationRole)
    assert [model.index(row).data(model.VariationRole) for row in range(5)] == [None] * 5
    assert len(asked) == 5


def test_tells_when_the_gallery_cannot_be_read(qtbot, monkeypatch, model, gallery):
    monkeypatch.setattr(gallery, "get", refuse)
    with qtbot.waitSignal(model.error_raised) as raised:
        model.index(0).data(model.VariationRole)
    assert raised.args[0].title == "The disk is full"


def test_a_screen_reader_is_told_what_it_was_made_of(qtbot, model):
    text = read(qtbot, model, 4, Qt.ItemDataRole.AccessibleTextRole)
    assert text.startswith("a red lemon\nseed 0 · 64 × 64\n")


def test_the_tool_tip_names_the_checkpoints_in_full(gallery):
    request = make_request(checkpoint="org/kandinsky", prior="org/prior")
    variation = gallery.save(request, make_result(request))
    lines = describe_in_full(variation).splitlines()
    assert lines[2] == "kandinsky · prior prior, 25 steps"
    assert lines[-2:] == ["org/kandinsky", "org/prior"]


def test_the_tool_tip_says_the_same_as_plain_words(qtbot, model):
    text = read(qtbot, model, 4, Qt.ItemDataRole.AccessibleTextRole)
    assert model.index(4).data(Qt.ItemDataRole.ToolTipRole) == plain_tip(text)


def test_finds_the_row_of_an_id_and_none_for_a_strange_one(model, saved):
    assert model.index_of(saved[3].id).row() == 3
    assert not model.index_of("strange").isValid()


def test_typing_letters_in_the_view_does_not_search_the_rows(model):
    found = model.match(model.index(0), Qt.ItemDataRole.DisplayRole, "a", 1, Qt.MatchFlag.MatchStartsWith)
    assert found == []


# Searching ---------------------------------------------------------------------------------------


def test_the_search_leaves_what_it_finds(qtbot, model, saved):
    model.set_search("lemon")
    qtbot.waitUntil(lambda: ids_of(model) == [saved[3].id, saved[4].id])


def test_an_empty_search_brings_all_back(qtbot, model, saved):
    model.set_search("lemon")
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    model.set_search("")
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))


def test_of_quick_searches_only_the_last_is_shown(qtbot, monkeypatch, model, gallery):
    asked, resets, gate, real = [], [], threading.Event(), gallery.ids

    def ids_after_gate(*, search: str, trashed: bool) -> list[str]:
        asked.append(search)
        assert gate.wait(20)
        return real(search=search, trashed=trashed)

    monkeypatch.setattr(gallery, "ids", ids_after_gate)
    model.modelReset.connect(lambda: resets.append(model.rowCount()))
    model.set_search("lemon")
    qtbot.waitUntil(lambda: asked == ["lemon"])
    for text in ("p", "plum", "cat"):
        model.set_search(text)
    gate.set()
    qtbot.waitUntil(lambda: bool(resets))
    assert resets == [1]
    assert asked == ["lemon", "cat"]


def test_the_trash_is_shown_when_wanted(qtbot, gallery, saved, make_model):
    gallery.trash([saved[1].id])
    model = make_model()
    model.set_trashed(True)
    qtbot.waitUntil(lambda: ids_of(model) == [saved[1].id])


# Finished pictures -------------------------------------------------------------------------------


def test_a_new_variation_becomes_the_first_row(qtbot, model, save):
    read(qtbot, model, 0)
    new = save("a fig")
    model.insert(new)
    assert model.index(0).data(model.VariationRole) == new
    assert model.rowCount() == 6


def test_a_new_variation_comes_though_no_row_was_looked_at(qtbot, model, save):
    new = save("a fig")
    model.insert(new)
    qtbot.waitUntil(lambda: ids_of(model)[0] == new.id and model.rowCount() == 6)


def test_a_variation_is_inserted_once(qtbot, model, save):
    new = save("a fig")
    read(qtbot, model, 0)
    model.insert(new)
    model.insert(new)
    model.refresh()
    with qtbot.waitSignal(model.modelReset):
        pass
    assert ids_of(model).count(new.id) == 1


def test_one_that_is_saved_while_the_ids_are_read_is_not_lost(qtbot, gallery, saved, save):
    model = GalleryModel(gallery)
    new = save("a fig")
    model.insert(new)
    qtbot.waitUntil(lambda: ids_of(model) == [new.id, *ids_of(saved)])
    model.close()


@pytest.mark.parametrize(("prompt", "rows"), [("a yellow lemon", 3), ("a fig", 2)])
def test_a_new_variation_shows_up_in_a_search_only_if_it_matches(qtbot, model, save, prompt, rows):
    model.set_search("lemon")
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    new = save(prompt)
    model.insert(new)
    qtbot.waitUntil(lambda: model._runner.running == 0)
    assert model.rowCount() == rows
    assert (new.id in ids_of(model)) is (rows == 3)


def test_one_that_is_not_the_newest_goes_to_its_place(qtbot, gallery, saved, make_model):
    gallery.trash([saved[2].id])
    model = make_model()
    read(qtbot, model, 0)
    gallery.restore([saved[2].id])
    model.insert(saved[2])
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))


def test_the_queue_hands_its_finished_pictures_over(qtbot, model, save):
    new = save("a fig")
    model.insert_finished(None, new)
    qtbot.waitUntil(lambda: new.id in ids_of(model))


# Trash -------------------------------------------------------------------------------------------


def test_trashed_rows_go_at_once_and_the_files_follow(qtbot, model, gallery, saved):
    model.trash([saved[1].id, saved[2].id])
    assert ids_of(model) == ids_of([saved[0], *saved[3:]])
    qtbot.waitUntil(lambda: gallery.count(trashed=True) == 2)


def test_undo_brings_trashed_rows_back_to_their_places(qtbot, model, gallery, saved, stack):
    model.trash([saved[0].id, saved[2].id, saved[4].id])
    stack.undo()
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))
    assert gallery.count(trashed=True) == 0


def test_undo_finds_the_places_after_other_rows_have_come(qtbot, model, saved, save, stack):
    model.trash([saved[2].id])
    new = save("a fig")
    model.insert(new)
    stack.undo()
    qtbot.waitUntil(lambda: ids_of(model) == [new.id, *ids_of(saved)])


def test_undo_while_searching_brings_back_only_what_the_search_finds(qtbot, model, saved, stack):
    model.trash([saved[0].id, saved[4].id])
    model.set_search("lemon")
    stack.undo()
    qtbot.waitUntil(lambda: ids_of(model) == [saved[3].id, saved[4].id])


def test_trash_undo_and_redo_in_one_go_end_in_the_trash(qtbot, model, gallery, saved, stack):
    model.trash([saved[2].id])
    stack.undo()
    stack.redo()
    qtbot.waitUntil(lambda: model._runner.running == 0)
    assert gallery.ids(trashed=True) == [saved[2].id]
    assert saved[2].id not in ids_of(model)


def test_a_restored_variation_has_its_file_and_thumbnail_again(qtbot, model, saved, stack):
    model.trash([saved[0].id])
    stack.undo()
    qtbot.waitUntil(lambda: model.rowCount() == 5)
    assert read(qtbot, model, 0).path.is_file()
    assert read(qtbot, model, 0, THUMBNAIL) is not None


def test_rows_come_back_when_the_disk_refuses_to_trash_them(qtbot, monkeypatch, model, gallery, saved):
    monkeypatch.setattr(gallery, "trash", refuse)
    with qtbot.waitSignal(model.error_raised):
        model.trash(ids_of(saved[1:3]))
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))


def test_one_that_cannot_be_trashed_does_not_keep_the_others(qtbot, model, gallery, saved):
    with qtbot.waitSignal(model.error_raised):
        model.trash([saved[0].id, "strange", saved[1].id])
    qtbot.waitUntil(lambda: model._runner.running == 0)
    assert ids_of(model) == ids_of(saved[2:])
    assert set(gallery.ids(trashed=True)) == set(ids_of(saved[:2]))


def test_a_row_goes_when_it_turns_out_to_be_in_the_trash(qtbot, model, gallery, saved):
    gallery.trash([saved[2].id])
    model.set_stars(saved[2].id, 1)
    qtbot.waitUntil(lambda: ids_of(model) == ids_of([*saved[:2], *saved[3:]]))


def test_a_picture_that_is_back_has_a_thumbnail_again(qtbot, model, gallery, saved, stack):
    content = saved[0].path.read_bytes()
    saved[0].path.unlink()
    saved[0].thumbnail.unlink()
    model.thumbnail(replace(saved[0], thumbnail=None))
    qtbot.waitUntil(lambda: saved[0].id in model._thumbnails._unreadable)
    saved[0].path.write_bytes(content)
    model.set_stars(saved[0].id, 1)
    assert read(qtbot, model, 0, THUMBNAIL).width() == 64


def test_many_scattered_rows_are_trashed_and_restored(qtbot, monkeypatch, model, saved, stack):
    monkeypatch.setattr(gallery_model, "MAX_SMALL_CHANGE", 1)
    model.trash([saved[0].id, saved[2].id, saved[4].id])
    assert ids_of(model) == [saved[1].id, saved[3].id]
    stack.undo()
    qtbot.waitUntil(lambda: ids_of(model) == ids_of(saved))


def test_restoring_takes_rows_out_of_the_trash_at_once(qtbot, gallery, saved, make_model):
    gallery.trash(ids_of(saved[:2]))
    model = make_model()
    model.set_trashed(True)
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    model.restore([saved[0].id])
    assert ids_of(model) == [saved[1].id]
    qtbot.waitUntil(lambda: gallery.ids(trashed=True) == [saved[1].id])


def test_emptying_the_trash_leaves_no_row_in_it(qtbot, monkeypatch, model, gallery, saved):
    monkeypatch.setattr("desktop_app.store.gallery.send2trash", os.remove)
    gallery.trash(ids_of(saved[:2]))
    model.set_trashed(True)
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    model.empty_trash()
    qtbot.waitUntil(lambda: model.rowCount() == 0)
    assert not any(gallery.get(variation.id) for variation in saved[:2])


def test_tells_when_the_trash_cannot_be_emptied(qtbot, monkeypatch, model, gallery):
    monkeypatch.setattr(gallery, "empty_trash", refuse)
    with qtbot.waitSignal(model.error_raised):
        model.empty_trash()


def test_closing_waits_for_what_was_asked_for(model, gallery, saved):
    model.trash([saved[0].id])
    model.close()
    assert gallery.ids(trashed=True) == [saved[0].id]


def test_a_closed_model_asks_for_nothing_more(model, saved):
    model.close()
    model.index(0).data(model.VariationRole)
    model.thumbnail(saved[0])
    model.set_search("lemon")
    assert model._runner.running == 0
    assert model._thumbnails._runner.running == 0


# Stars, dragging, tips ---------------------------------------------------------------------------


def test_stars_are_seen_at_once_and_kept(qtbot, model, gallery, saved):
    read(qtbot, model, 1)
    with qtbot.waitSignal(model.contents_changed):
        model.set_stars(saved[1].id, 4)
        assert model.index(1).data(model.VariationRole).stars == 4
    assert gallery.get(saved[1].id).stars == 4


def test_stars_fall_back_when_the_disk_refuses_them(qtbot, monkeypatch, model, gallery, saved):
    read(qtbot, model, 1)
    monkeypatch.setattr(gallery, "set_stars", refuse)
    told: list[int] = []
    model.dataChanged.connect(lambda first, _last: told.append(first.data(model.VariationRole).stars))
    with qtbot.waitSignal(model.error_raised):
        model.set_stars(saved[1].id, 4)
    qtbot.waitUntil(lambda: told == [4, 0])


def test_a_drag_carries_the_ids_and_the_files(model, saved):
    mime = model.mimeData([model.index(3), model.index(1)])
    assert bytes(mime.data(VARIATION_MIME).data()).decode() == f"{saved[1].id}\n{saved[3].id}"
    assert [url.toLocalFile() for url in mime.urls()] == [str(saved[1].path), str(saved[3].path)]


def test_rows_can_be_dragged_but_only_to_be_copied(model):
    assert model.flags(model.index(0)) & Qt.ItemFlag.ItemIsDragEnabled
    assert model.supportedDragActions() == Qt.DropAction.CopyAction


def test_too_many_rows_are_not_dragged_and_the_user_is_told(qtbot, monkeypatch, model):
    monkeypatch.setattr(gallery_model, "MAX_DRAGGED", 1)
    with qtbot.waitSignal(model.error_raised) as raised:
        assert model.mimeData([model.index(0), model.index(1)]) is None
    assert raised.args[0].hint


def test_finds_variations_that_have_no_row(qtbot, model, saved):
    model.trash([saved[0].id])
    qtbot.waitUntil(lambda: model._runner.running == 0)
    assert model.find(saved[0].id).trashed
    assert model.find("strange") is None


def test_the_tip_of_a_chained_picture_tells_its_stages_and_what_was_re_used(gallery):
    request = make_chain()
    tip = describe_in_full(gallery.save(request, make_chain_result(request)))
    assert "1 text-to-image · 2 image-to-image 0.5 · 3 image-to-image 0.5" in tip
    assert "1 of 3 stages were re-used." in tip
    assert "refiner" not in tip


def test_finds_what_was_made_from_an_init_image_and_what_from_none(model, save, saved):
    child = save("a chick", 12, init_image=ref_of(saved[0]))
    assert ids_of(model.made_from(ref_of(saved[0]), 10)) == [child.id]
    assert ids_of(model.made_from(None, 2)) == ids_of(saved[:2])


def test_what_was_given_new_room_first_is_another_init_image(model, gallery, save, saved):
    origin = ref_of(saved[0])
    extended = replace(gallery.keep_init_image(make_picture((50, 40)), "wide.png"), origin=origin)
    children = [save("a chick", seed, init_image=ref) for seed in range(3) for ref in (origin, extended)]
    assert ids_of(model.made_from(origin, 2)) == ids_of(children[4:1:-2])
    assert ids_of(model.made_from(extended, 9)) == ids_of(children[5::-2])


# Rows under test ---------------------------------------------------------------------------------


def test_keeps_the_rules_of_qt_through_all_changes(qtbot, qtmodeltester, model, saved, save, stack):
    qtmodeltester.check(model)
    for row in range(5):
        read(qtbot, model, row, THUMBNAIL)
    model.insert(save("a fig"))
    model.trash([saved[0].id, saved[1].id, saved[4].id])
    stack.undo()
    qtbot.waitUntil(lambda: model.rowCount() == 6)
    model.set_search("plum")
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    model.set_stars(saved[1].id, 3)
    model.insert(save("another plum"))
    qtbot.waitUntil(lambda: model.rowCount() == 3)
    model.set_trashed(True)
    qtbot.waitUntil(lambda: model.rowCount() == 0)
    assert not model.data(QModelIndex(), model.VariationRole)
