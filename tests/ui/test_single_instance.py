"""SingleInstance: one window for a data folder; a later start hands its pictures over."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop_app.ui.single_instance import SingleInstance, read_message


def test_the_second_start_hands_its_pictures_to_the_first(qtbot, data_dir):
    first, second = SingleInstance(data_dir), SingleInstance(data_dir)
    assert first.claim()
    assert not second.claim()
    with qtbot.waitSignal(first.called) as called:
        assert second.call_other([Path("/pictures/cat.png")])
    assert called.args[0] == [Path("/pictures/cat.png")]
    first.release()
    assert second.claim()
    second.release()


def test_other_data_folders_have_windows_of_their_own(qtbot, tmp_path):
    windows = [SingleInstance(tmp_path / name) for name in ("one", "two")]
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    assert all(window.claim() for window in windows)
    for window in windows:
        window.release()


def test_nobody_answers_when_there_is_no_window(qtbot, data_dir):
    assert not SingleInstance(data_dir).call_other([])


@pytest.mark.parametrize("text", [b"", b"{", b'"text"', b"[1]", b'["a\\u0000b"]', b"[" * 10_000])
def test_a_strange_message_is_nothing(text):
    assert read_message(text) is None
