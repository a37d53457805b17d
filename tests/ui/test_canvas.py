"""The canvas: modes, keys, bars, words, drag and drop, by real events."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDragLeaveEvent, QDragMoveEvent, QDropEvent, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QToolButton
from pytestqt.qtbot import QtBot

from desktop_app.studio.gallery_model import VARIATION_MIME
from desktop_app.ui.canvas import Canvas, DropZone, ViewMode
from desktop_app.ui.canvas_drop import DropOverlay
from desktop_app.ui.compare_view import CompareView

INIT, RESULT = QColor("#204080"), QColor("#c06020")
COPY = Qt.DropAction.CopyAction


def make_image(color: QColor, width: int = 200, height: int = 100) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(color)
    return image


@pytest.fixture
def canvas(qtbot: QtBot, tmp_path: Path) -> Canvas:
    """Empty, 640 x 480."""
    canvas = Canvas(tmp_path / "samples")
    qtbot.addWidget(canvas)
    canvas.resize(640, 480)
    canvas.show()
    canvas.activateWindow()
    return canvas


@pytest.fixture
def full(canvas: Canvas) -> Canvas:
    """With init image and result, and the keyboard."""
    canvas.set_init(make_image(INIT))
    canvas.set_result(make_image(RESULT))
    canvas.setFocus()
    return canvas


def view_of(canvas: Canvas) -> CompareView:
    return canvas.findChild(CompareView, "compareView")


def button_of(canvas: Canvas, name: str) -> QToolButton:
    return canvas.findChild(QToolButton, name)


def overlay_of(canvas: Canvas) -> DropOverlay:
    return canvas.findChild(DropOverlay, "dropOverlay")


# Modes and pictures


def test_the_empty_canvas_shows_the_card_only(canvas: Canvas) -> None:
    shown = {name for name in ("compareView", "emptyCanvas", "modeBar") if canvas.findChild(object, name).isVisible()}
    assert shown == {"emptyCanvas"}


def test_a_picture_replaces_the_card(canvas: Canvas) -> None:
    canvas.set_preview(make_image(INIT, 64, 64))
    assert view_of(canvas).isVisible()
    canvas.set_preview(None)
    assert not view_of(canvas).isVisible()


def test_a_result_is_shown_to_who_looks_at_the_init_image(full: Canvas, qtbot: QtBot) -> None:
    full.mode = ViewMode.INIT
    with qtbot.waitSignal(full.mode_changed) as told:
        full.set_result(make_image(RESULT))
    assert told.args == [ViewMode.RESULT]


def test_a_result_leaves_a_comparison_as_it_is(full: Canvas) -> None:
    full.mode = ViewMode.SPLIT
    full.set_result(make_image(RESULT))
    assert full.mode is ViewMode.SPLIT


def test_the_same_mode_again_is_not_told(full: Canvas, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(full.mode_changed):
        full.mode = full.mode


@pytest.mark.parametrize("mode", ViewMode)
def test_the_mode_bar_shows_and_sets_the_mode(full: Canvas, mode: ViewMode) -> None:
    button = button_of(full, f"{mode.value}ModeButton")
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    assert full.mode is mode
    assert button.isChecked()


def test_setting_the_mode_presses_its_button(full: Canvas) -> None:
    full.mode = ViewMode.SIDE
    assert button_of(full, "sideModeButton").isChecked()


def test_clicking_the_bars_leaves_the_keyboard_with_the_canvas(full: Canvas) -> None:
    QTest.mouseClick(button_of(full, "splitModeButton"), Qt.MouseButton.LeftButton)
    assert full.hasFocus()


def test_split_on_the_canvas_shows_both(full: Canvas) -> None:
    full.mode = ViewMode.SPLIT
    shown = full.grab().toImage()
    assert shown.pixelColor(100, 200) == INIT
    assert shown.pixelColor(540, 200) == RESULT


def test_the_held_init_image_is_released_with_the_window(full: Canvas) -> None:
    full.hold_init(True)
    assert full.grab().toImage().pixelColor(320, 240) == INIT
    QApplication.sendEvent(full, QEvent(QEvent.Type.WindowDeactivate))
    assert full.grab().toImage().pixelColor(320, 240) == RESULT


# Zoom and keys


def test_the_zoom_bar_tells_size_and_zoom(full: Canvas) -> None:
    full.zoom_actual()
    texts = [label.text() for label in full.findChildren(QLabel) if label.isVisible()]
    assert texts == ["200 × 100", "100 %"]


def test_the_zoom_buttons_zoom(full: Canvas) -> None:
    fit, actual = button_of(full, "zoomFitButton"), button_of(full, "zoomActualButton")
    QTest.mouseClick(actual, Qt.MouseButton.LeftButton)
    assert (view_of(full).zoom, fit.isChecked(), actual.isChecked()) == (1.0, False, True)
    QTest.mouseClick(fit, Qt.MouseButton.LeftButton)
    assert (view_of(full).is_fit, fit.isChecked(), actual.isChecked()) == (True, True, False)


def test_pressing_fit_twice_leaves_it_pressed(full: Canvas) -> None:
    fit = button_of(full, "zoomFitButton")
    QTest.mouseClick(fit, Qt.MouseButton.LeftButton)
    assert fit.isChecked()


def test_zoom_in_and_out_are_steps(full: Canvas) -> None:
    full.zoom_actual()
    full.zoom_in()
    full.zoom_in()
    full.zoom_out()
    assert view_of(full).zoom == 1.5


@pytest.mark.parametrize(
    ("key", "split"),
    [(Qt.Key.Key_Left, 0.48), (Qt.Key.Key_Right, 0.52), (Qt.Key.Key_Home, 0.0), (Qt.Key.Key_End, 1.0)],
)
def test_keys_move_the_divider(full: Canvas, key: Qt.Key, split: float) -> None:
    full.mode = ViewMode.SPLIT
    QTest.keyClick(full, key)
    assert view_of(full).split == pytest.approx(split)


def test_shift_moves_the_divider_further(full: Canvas) -> None:
    full.mode = ViewMode.SPLIT
    QTest.keyClick(full, Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier)
    assert view_of(full).split == pytest.approx(0.6)


def test_arrows_pan_a_single_picture(full: Canvas) -> None:
    full.zoom_in()
    full.zoom_in()
    before = view_of(full).picture_rect
    QTest.keyClick(full, Qt.Key.Key_Right)
    QTest.keyClick(full, Qt.Key.Key_Down)
    assert view_of(full).picture_rect == before.translated(-40, -40)


@pytest.mark.parametrize(("key", "zoom"), [(Qt.Key.Key_Plus, 1.5), (Qt.Key.Key_Minus, 0.67)])
def test_plus_and_minus_zoom(full: Canvas, key: Qt.Key, zoom: float) -> None:
    full.zoom_actual()
    QTest.keyClick(full, key)
    assert view_of(full).zoom == zoom


def test_the_canvas_shows_that_it_has_the_keyboard(full: Canvas) -> None:
    ringed = full.grab().toImage().pixelColor(0, 100)
    full.clearFocus()
    assert full.grab().toImage().pixelColor(0, 100) != ringed


def test_the_empty_canvas_hands_the_keyboard_to_its_first_button(canvas: Canvas) -> None:
    canvas.setFocus()
    assert QApplication.focusWidget().objectName() == "openButton"


def test_the_keyboard_goes_from_the_card_to_the_picture(canvas: Canvas) -> None:
    canvas.setFocus()
    canvas.set_init(make_image(INIT))
    assert QApplication.focusWidget() is canvas


def test_bars_lie_in_the_canvas_at_every_size(full: Canvas) -> None:
    for size in ((500, 400), (1600, 1000)):
        full.resize(*size)
        for name in ("modeBar", "zoomBar"):
            assert full.rect().contains(full.findChild(object, name).geometry()), (name, size)


# Words


@pytest.mark.parametrize(
    ("init", "result", "preview", "words"),
    [
        (None, None, None, "Empty. Open, paste or drop a picture to start from."),
        ((600, 400), None, None, "Init image 600 × 400, no result yet"),
        ((600, 400), (64, 64), None, "Init image 600 × 400, result 64 × 64"),
        ((600, 400), (64, 64), (8, 8), "Init image 600 × 400, result being painted"),
        (None, (64, 64), None, "No init image, result 64 × 64"),
    ],
)
def test_the_description_says_what_is_shown(
    canvas: Canvas,
    init: tuple[int, int] | None,
    result: tuple[int, int] | None,
    preview: tuple[int, int] | None,
    words: str,
) -> None:
    for size, show in ((init, canvas.set_init), (result, canvas.set_result), (preview, canvas.set_preview)):
        show(make_image(INIT, *size) if size else None)
    assert canvas.accessibleDescription() == words


def test_every_button_has_a_name(full: Canvas) -> None:
    assert canvas_names(full) == ["100 %", "Fit", "Init", "Result", "Side", "Split"]


def canvas_names(canvas: Canvas) -> list[str]:
    return sorted(button.accessibleName() for button in canvas.findChildren(QToolButton))


# Drag and drop


def make_drag(**formats: bytes) -> QMimeData:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile("/tmp/cat.png")])
    for kind, content in formats.items():
        mime.setData(kind, content)
    return mime


def enter(canvas: Canvas, mime: QMimeData, at: QPoint, actions: Qt.DropAction = COPY) -> bool:
    event = QDragEnterEvent(at, actions, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)
    return event.isAccepted()


def move(canvas: Canvas, mime: QMimeData, at: QPoint) -> None:
    event = QDragMoveEvent(at, COPY, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)


def drop(canvas: Canvas, mime: QMimeData, at: QPoint) -> bool:
    enter(canvas, mime, at)
    event = QDropEvent(QPointF(at), COPY, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(canvas, event)
    return event.isAccepted()


def middle_of(canvas: Canvas, zone: DropZone) -> QPoint:
    return overlay_of(canvas).zone_rect(zone).center().toPoint()


@pytest.mark.parametrize("zone", DropZone)
def test_a_dropped_file_is_told_with_its_zone(full: Canvas, qtbot: QtBot, zone: DropZone) -> None:
    canvas = full
    with qtbot.waitSignal(canvas.image_dropped) as told:
        assert drop(canvas, make_drag(), middle_of(canvas, zone))
    assert told.args == [Path("/tmp/cat.png"), zone]


def test_a_drop_in_the_middle_is_an_init_image(canvas: Canvas, qtbot: QtBot) -> None:
    with qtbot.waitSignal(canvas.image_dropped) as told:
        drop(canvas, make_drag(), canvas.rect().center())
    assert told.args[1] is DropZone.INIT


def test_dropped_pixels_are_told(full: Canvas, qtbot: QtBot) -> None:
    mime = QMimeData()
    mime.setImageData(make_image(INIT))
    with qtbot.waitSignal(full.image_dropped) as told:
        drop(full, mime, QPoint(100, 100))
    assert told.args[0].size().toTuple() == (200, 100)


def test_a_dropped_variation_is_told_by_its_id(canvas: Canvas, qtbot: QtBot) -> None:
    mime = make_drag(**{VARIATION_MIME: b"first\nsecond"})
    with qtbot.assertNotEmitted(canvas.image_dropped), qtbot.waitSignal(canvas.variation_dropped) as told:
        drop(canvas, mime, middle_of(canvas, DropZone.RESTORE))
    assert told.args == ["first", DropZone.RESTORE]


def test_the_zones_light_up_under_the_cursor(full: Canvas) -> None:
    mime = make_drag()
    assert enter(full, mime, middle_of(full, DropZone.INIT))
    unlit = full.grab().toImage().pixelColor(middle_of(full, DropZone.RESTORE) + QPoint(0, 40))
    move(full, mime, middle_of(full, DropZone.RESTORE))
    assert overlay_of(full).zone is DropZone.RESTORE
    assert full.grab().toImage().pixelColor(middle_of(full, DropZone.RESTORE) + QPoint(0, 40)) != unlit


def test_the_zones_go_when_the_drag_leaves(full: Canvas) -> None:
    enter(full, make_drag(), QPoint(50, 50))
    assert overlay_of(full).isVisible()
    QApplication.sendEvent(full, QDragLeaveEvent())
    assert not overlay_of(full).isVisible()


def test_the_zones_go_with_the_drop(full: Canvas) -> None:
    drop(full, make_drag(), QPoint(50, 50))
    assert not overlay_of(full).isVisible()


def test_what_is_no_picture_is_refused(full: Canvas) -> None:
    mime = QMimeData()
    mime.setText("words")
    assert not enter(full, mime, QPoint(50, 50))
    assert not overlay_of(full).isVisible()


def test_a_drag_that_would_move_the_file_away_is_refused(full: Canvas) -> None:
    assert not enter(full, make_drag(), QPoint(50, 50), Qt.DropAction.MoveAction)


def test_a_drop_without_a_readable_picture_is_refused(full: Canvas, qtbot: QtBot) -> None:
    mime = QMimeData()
    mime.setText("only words")
    with qtbot.assertNotEmitted(full.image_dropped):
        assert not drop(full, mime, QPoint(50, 50))


@pytest.mark.parametrize("size", [(900, 600), (400, 700)])
def test_the_zones_lie_beside_or_over_each_other(canvas: Canvas, size: tuple[int, int]) -> None:
    canvas.resize(*size)
    first, *others = (overlay_of(canvas).zone_rect(zone) for zone in overlay_of(canvas).zones)
    assert not any(one.intersects(other) for one, other in combinations((first, *others), 2))
    assert all(first.width() * first.height() > other.width() * other.height() for other in others)
    assert all((first.right() < other.left()) is (size == (900, 600)) for other in others)


def test_a_mask_can_be_dropped_where_there_is_a_picture_for_it(full: Canvas) -> None:
    assert DropZone.MASK in overlay_of(full).zones
    full.set_init(None)
    assert DropZone.MASK not in overlay_of(full).zones


def test_the_zones_follow_the_reading_direction(canvas: Canvas) -> None:
    canvas.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    first, *others = (overlay_of(canvas).zone_rect(zone) for zone in overlay_of(canvas).zones)
    assert all(other.right() < first.left() for other in others)
