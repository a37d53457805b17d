"""The card on the empty canvas: the ways to a first picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton
from pytestqt.qtbot import QtBot
from support import PROJECT, make_picture

from desktop_app.ui.canvas import Canvas
from desktop_app.ui.canvas_empty import EmptyCanvas, SampleButton
from desktop_app.ui.theme import Theme


@pytest.fixture
def samples_dir(tmp_path: Path) -> Path:
    """Three samples and a file that is none."""
    folder = tmp_path / "samples"
    folder.mkdir()
    make_picture((300, 200)).save(folder / "coffee-cup.png")
    make_picture((64, 128)).save(folder / "astronaut.jpg")
    make_picture((48, 48), "RGBA").save(folder / "our_drawing.png")
    (folder / "README.md").write_text("where they come from")
    return folder


@pytest.fixture
def canvas(qtbot: QtBot, samples_dir: Path) -> Canvas:
    canvas = Canvas(samples_dir)
    qtbot.addWidget(canvas)
    canvas.resize(900, 600)
    canvas.show()
    return canvas


def card_of(canvas: Canvas) -> EmptyCanvas:
    return canvas.findChild(EmptyCanvas)


def samples_of(canvas: Canvas) -> list[SampleButton]:
    return canvas.findChildren(SampleButton)


@pytest.mark.parametrize(
    ("name", "signal"),
    [("openButton", "open_requested"), ("pasteButton", "paste_requested"), ("urlButton", "url_requested")],
)
def test_each_button_says_what_is_wanted(canvas: Canvas, qtbot: QtBot, name: str, signal: str) -> None:
    with qtbot.waitSignal(getattr(canvas, signal)):
        QTest.mouseClick(canvas.findChild(QPushButton, name), Qt.MouseButton.LeftButton)


def test_samples_are_named_after_their_files(canvas: Canvas) -> None:
    assert [button.accessibleName() for button in samples_of(canvas)] == ["Astronaut", "Coffee cup", "Our drawing"]


def test_a_sample_is_asked_for_by_its_path(canvas: Canvas, qtbot: QtBot, samples_dir: Path) -> None:
    with qtbot.waitSignal(canvas.sample_requested) as told:
        QTest.mouseClick(samples_of(canvas)[1], Qt.MouseButton.LeftButton)
    assert told.args == [samples_dir / "coffee-cup.png"]


def test_a_sample_is_taken_by_the_keyboard(canvas: Canvas, qtbot: QtBot, samples_dir: Path) -> None:
    samples_of(canvas)[0].setFocus()
    with qtbot.waitSignal(canvas.sample_requested) as told:
        QTest.keyClick(samples_of(canvas)[0], Qt.Key.Key_Space)
    assert told.args == [samples_dir / "astronaut.jpg"]


def test_tab_reaches_every_button_in_reading_order(canvas: Canvas, qtbot: QtBot) -> None:
    canvas.activateWindow()
    canvas.setFocus()
    seen = []
    for _ in range(6):
        seen.append(QApplication.focusWidget().text())
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert seen == ["Open…", "Paste", "From web address…", "Astronaut", "Coffee cup", "Our drawing"]


def test_a_sample_shows_its_picture_cut_square(canvas: Canvas) -> None:
    shown = samples_of(canvas)[1].grab().toImage()
    side = samples_of(canvas)[1].width()
    assert len({shown.pixelColor(x, side // 2).name() for x in range(4, side - 4)}) > 10


@pytest.mark.parametrize("make_folder", [True, False])
def test_without_samples_the_card_does_without(qtbot: QtBot, tmp_path: Path, make_folder: bool) -> None:
    folder = tmp_path / "empty"
    if make_folder:
        folder.mkdir()
    canvas = Canvas(folder)
    qtbot.addWidget(canvas)
    canvas.show()
    assert [label.text() for label in canvas.findChildren(QLabel) if label.isVisible()] == ["Drop a picture here", "or"]


def test_a_damaged_sample_keeps_its_name(qtbot: QtBot, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    canvas = Canvas(tmp_path)
    qtbot.addWidget(canvas)
    canvas.show()
    assert not canvas.grab().isNull()
    assert [button.text() for button in samples_of(canvas)] == ["Broken"]


@pytest.mark.parametrize("size", [(500, 400), (900, 600), (1600, 1000)])
def test_nothing_is_cut_at_any_size(canvas: Canvas, size: tuple[int, int]) -> None:
    canvas.resize(*size)
    QApplication.processEvents()
    for button in card_of(canvas).findChildren(QAbstractButton):
        if button.isVisible():
            assert not button.visibleRegion().isEmpty()
            assert button.visibleRegion().boundingRect() == button.rect(), button.text()


def test_a_small_canvas_has_small_samples(canvas: Canvas) -> None:
    before = samples_of(canvas)[0].width()
    canvas.resize(500, 400)
    assert samples_of(canvas)[0].width() < before


def test_the_card_follows_the_theme(canvas: Canvas, qapp: QApplication) -> None:
    palette, sheet = qapp.palette(), qapp.styleSheet()
    theme = Theme(qapp, PROJECT / "resources" / "icons", "light")
    light = canvas.grab().toImage().pixelColor(5, 5).lightness()
    theme.choose("dark")
    try:
        assert canvas.grab().toImage().pixelColor(5, 5).lightness() < 80 < light
    finally:
        qapp.setPalette(palette)
        qapp.setStyleSheet(sheet)
        theme.deleteLater()
