"""SessionStore: JSON files that survive, and damaged ones that are kept."""

from __future__ import annotations

import pytest
from support import make_picture

from desktop_app.core.errors import ImageError, StoreError
from desktop_app.core.image import encode_png
from desktop_app.store.session import SessionStore


def test_what_was_saved_is_loaded(session, paths):
    session.save("document", {"prompt": "قطة", "number": 1.5})
    assert SessionStore(paths).load("document") == {"prompt": "قطة", "number": 1.5}


def test_names_that_are_not_unicode_are_kept(session):
    session.save("document", {"name": "caf\udce9.png"})
    assert session.load("document") == {"name": "caf\udce9.png"}


def test_what_was_never_saved_is_none(session):
    assert session.load("document") is None


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_is_kept_aside(session, paths, content):
    (paths.session / "queue.json").write_bytes(content)
    assert session.load("queue") is None
    assert [path.read_bytes() for path in session.moved_aside] == [content]
    session.save("queue", {"jobs": []})
    assert session.load("queue") == {"jobs": []}


def test_what_is_no_json_is_refused_and_the_old_file_stays(session):
    session.save("document", {"a": 1})
    for value in (float("nan"), object()):
        with pytest.raises(StoreError):
            session.save("document", {"a": value})
    assert session.load("document") == {"a": 1}


def test_a_name_cannot_lead_out_of_the_folder(session):
    for name in ("../secret", "a/b", "", "A"):
        with pytest.raises(ValueError, match="part of the session"):
            session.load(name)


def test_a_picture_is_kept_pixel_by_pixel_and_others_are_dropped(session, paths):
    for name in ("mask-a", "mask-b", "other-a"):
        session.save_picture(name, encode_png(make_picture((9, 7))))
    session.drop_pictures("mask-", {"mask-b"})
    assert sorted(path.name for path in paths.session.glob("*.png")) == ["mask-b.png", "other-a.png"]
    assert session.load_picture("mask-b").tobytes() == make_picture((9, 7)).tobytes()


def test_a_damaged_picture_is_kept_aside(session, paths):
    (paths.session / "mask-a.png").write_bytes(b"nothing")
    with pytest.raises(ImageError):
        session.load_picture("mask-a")
    assert [path.read_bytes() for path in session.moved_aside] == [b"nothing"]
    session.drop_pictures("mask-", set())
    assert session.moved_aside[0].is_file()


def test_a_picture_that_is_not_there_is_told(session):
    with pytest.raises(ImageError):
        session.load_picture("mask-a")
    assert session.moved_aside == []
