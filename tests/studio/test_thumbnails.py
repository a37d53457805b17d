"""Thumbnails: made when asked for, made again when lost, the last asked for first, within their memory."""

from __future__ import annotations

from gallery_rows import read
from PySide6.QtCore import Qt

from desktop_app.studio import thumbnails
from desktop_app.studio.thumbnails import Thumbnails

THUMBNAIL = Qt.ItemDataRole.DecorationRole


def test_a_thumbnail_comes_after_it_was_asked_for(qtbot, model):
    assert model.index(0).data(THUMBNAIL) is None
    assert read(qtbot, model, 0, THUMBNAIL).width() == 64


def test_a_thumbnail_can_be_had_for_a_variation_that_has_no_row(qtbot, model, saved):
    model.set_search("cat")
    with qtbot.waitSignal(model.thumbnail_ready) as ready:
        assert model.thumbnail(saved[3]) is None
    assert ready.args == [saved[3].id]
    assert model.thumbnail(saved[3]).width() == 64


def test_a_lost_thumbnail_is_made_again(qtbot, model, saved):
    saved[0].thumbnail.unlink()
    assert read(qtbot, model, 0, THUMBNAIL).width() == 64
    assert saved[0].thumbnail.is_file()


def test_a_damaged_thumbnail_gives_way_to_the_picture(qtbot, model, saved):
    saved[0].thumbnail.write_bytes(b"no picture")
    assert read(qtbot, model, 0, THUMBNAIL).width() == 64


def test_without_thumbnail_and_picture_it_is_asked_for_once(qtbot, monkeypatch, model, saved):
    calls: list[str] = []
    monkeypatch.setattr(thumbnails, "read_thumbnail", lambda _gallery, variation: calls.append(variation.id))
    for _ in range(2):
        model.thumbnail(saved[0])
        qtbot.waitUntil(lambda: not model._thumbnails._reading)
    assert calls == [saved[0].id]


def test_thumbnails_stay_within_their_memory(qtbot, gallery, saved, stack):
    small = Thumbnails(gallery, stack, max_bytes=3 * 64 * 64 * 4)
    for variation in saved:
        with qtbot.waitSignal(small.ready):
            small.get(variation)
    assert small.bytes_held == 3 * 64 * 64 * 4
    assert small.get(saved[4]) is not None
    assert small.get(saved[0]) is None
    small.close()


def test_what_was_asked_for_last_is_read_first(qtbot, gallery, saved, stack, monkeypatch):
    monkeypatch.setattr(thumbnails, "AT_ONCE", 1)
    ready: list[str] = []
    reader = Thumbnails(gallery, stack)
    reader.ready.connect(ready.append)
    for variation in saved:
        reader.get(variation)
    qtbot.waitUntil(lambda: len(ready) == 5)
    assert ready == [saved[place].id for place in (0, 4, 3, 2, 1)]
    reader.close()
