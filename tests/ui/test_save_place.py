"""Where files are written: with their suffix, and over another one only when the user says so."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QFileDialog, QMessageBox

from desktop_app.ui.save_place import ask_where


@pytest.fixture
def asks(monkeypatch, tmp_path):
    """The path for what the user types; ``questions`` has what he was asked before."""
    questions = []

    def run(typed, yes=True):
        name = str(tmp_path / typed) if typed else ""
        answer = QMessageBox.StandardButton.Yes if yes else QMessageBox.StandardButton.No
        monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (name, ""))
        monkeypatch.setattr(QMessageBox, "question", lambda *given: questions.append(given[2]) or answer)
        path = ask_where(None, "Save grid", tmp_path / "grid.png", "PNG picture (*.png)")
        return path and path.name

    run.questions = questions
    return run


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("a.png", "a.png"),
        ("a.PNG", "a.PNG"),
        ("a", "a.png"),
        ("a v1.5", "a v1.5.png"),
        ("a.jpg", "a.jpg.png"),
        ("", None),
    ],
)
def test_the_suffix_says_what_the_file_is(asks, typed, name):
    assert asks(typed) == name
    assert not asks.questions


def test_what_an_added_suffix_would_replace_is_asked_for(asks, tmp_path):
    (tmp_path / "a.png").touch()
    assert (asks("a", yes=False), asks("a")) == (None, "a.png")
    assert asks.questions == ["a.png is there already. Replace it?"] * 2
