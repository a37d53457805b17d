"""The compare view by the pixels it paints, and by what mouse, wheel and fingers do to it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QNativeGestureEvent, QPointingDevice, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QGestureEvent, QPinchGesture
from pytestqt.qtbot import QtBot

from desktop_app.ui.compare_view import MARGINS, CompareView, ViewMode

INIT, RESULT, PREVIEW = QColor("#204080"), QColor("#c06020"), QColor("#20a040")


def make_image(color: QColor, width: int = 200, height: int = 100) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB888)
    image.fill(color)
    return image


@pytest.fixture
def view(qtbot: QtBot) -> CompareView:
    """632 x 400: a 200 x 100 picture shown whole lies at 16, 50, 600 x 300."""
    view = CompareView()
    qtbot.addWidget(view)
    view.resize(632, 400)
    view.show()
    return view


@pytest.fixture
def both(view: CompareView) -> CompareView:
    """With init image and result."""
    view.set_init(make_image(INIT))
    view.set_result(make_image(RESULT))
    return view


def color_at(view: CompareView, x: float, y: float) -> QColor:
    return view.grab().toImage().pixelColor(int(x), int(y))


def turn_wheel(view: CompareView, at: QPointF, *, angle: int = 0, pixels: int = 0) -> None:
    event = QWheelEvent(
        at,
        view.mapToGlobal(at),
        QPoint(0, pixels),
        QPoint(0, angle),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)


def drag(view: CompareView, start: QPoint, end: QPoint, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    """Press, move, release: real mouse events."""
    QTest.mousePress(view, button, pos=start)
    QTest.mouseMove(view, end)
    QTest.mouseRelease(view, button, pos=end)


# What is painted


def test_a_picture_is_shown_whole_between_the_bars(both: CompareView) -> None:
    assert both.picture_rect == QRectF(16, 50, 600, 300)
    assert both.picture_rect == QRectF(both.rect()).marginsRemoved(MARGINS)


@pytest.mark.parametrize(("mode", "color"), [(ViewMode.INIT, INIT), (ViewMode.RESULT, RESULT)])
def test_one_picture_alone(both: CompareView, mode: ViewMode, color: QColor) -> None:
    both.mode = mode
    assert color_at(both, 100, 200) == color_at(both, 500, 200) == color


def test_split_shows_init_left_and_result_right(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    assert color_at(both, 300, 100) == INIT
    assert color_at(both, 332, 100) == RESULT


def test_side_by_side_shows_both_whole(both: CompareView) -> None:
    both.mode = ViewMode.SIDE
    shown = both.grab().toImage()
    row = [shown.pixelColor(x, 200) for x in range(shown.width())]
    assert row.count(INIT) == row.count(RESULT) == both.picture_rect.width() == 283
    assert row.index(INIT) < row.index(RESULT)


def test_nothing_is_mirrored_in_a_right_to_left_layout(both: CompareView) -> None:
    QApplication.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    try:
        both.mode = ViewMode.SPLIT
        assert color_at(both, 100, 100) == INIT
    finally:
        QApplication.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


def test_without_a_result_the_init_image_is_shown(view: CompareView) -> None:
    view.set_init(make_image(INIT))
    for view.mode in (ViewMode.RESULT, ViewMode.SPLIT):
        assert color_at(view, 500, 200) == INIT


def test_without_an_init_image_the_result_is_shown(view: CompareView) -> None:
    view.set_result(make_image(RESULT))
    for view.mode in (ViewMode.INIT, ViewMode.SPLIT):
        assert color_at(view, 100, 200) == RESULT


def test_side_by_side_keeps_the_missing_result_a_place(view: CompareView) -> None:
    view.set_init(make_image(INIT))
    view.mode = ViewMode.SIDE
    shown = view.grab().toImage()
    row = {shown.pixelColor(x, 160).name() for x in range(320, 632)}
    assert INIT.name() not in row
    assert len(row) > 1, "no frame is drawn where the result will be"


def test_the_preview_takes_the_results_place(both: CompareView) -> None:
    both.set_preview(make_image(PREVIEW, 64, 64))
    assert color_at(both, 20, 60) == color_at(both, 610, 200) == PREVIEW
    both.set_preview(None)
    assert color_at(both, 20, 60) == RESULT


def test_a_preview_alone_is_measured_by_its_own_pixels(view: CompareView) -> None:
    view.set_preview(make_image(PREVIEW, 64, 48))
    assert view.picture_size is not None
    assert view.picture_size.toTuple() == (64, 48)


def test_a_result_of_another_size_lies_on_the_init_image(both: CompareView) -> None:
    both.set_result(make_image(RESULT, 64, 64))
    assert color_at(both, 17, 52) == color_at(both, 614, 52) == RESULT
    assert color_at(both, 14, 52) != RESULT


def test_holding_shows_the_init_image(both: CompareView) -> None:
    for both.mode in (ViewMode.RESULT, ViewMode.SPLIT, ViewMode.SIDE):
        both.hold_init(True)
        assert color_at(both, 500, 200) == INIT
        both.hold_init(False)
        assert color_at(both, 500, 200) == RESULT


def test_captions_say_what_is_missing(view: CompareView) -> None:
    view.set_init(make_image(QColor("white")))
    assert color_at(view, 26, 335).lightness() < 140, "no dark pill in the lower left corner"
    view.set_result(make_image(QColor("white")))
    assert color_at(view, 26, 335) == QColor("white")


def test_alpha_shows_the_checkerboard(view: CompareView) -> None:
    clear = QImage(200, 100, QImage.Format.Format_RGBA8888)
    clear.fill(0)
    view.set_result(clear)
    shown = view.grab().toImage()
    assert shown.pixelColor(18, 52) == shown.pixelColor(26, 60) != shown.pixelColor(26, 52)


@pytest.mark.parametrize(("steps", "is_square"), [(1, False), (2, True)])
def test_pixels_are_squares_from_200_percent_on(view: CompareView, steps: int, is_square: bool) -> None:
    image = make_image(INIT)
    image.setPixelColor(100, 50, RESULT)
    view.set_result(image)
    view.zoom_actual()
    for _ in range(steps):
        view.zoom_step(1)
    shown = view.grab().toImage()
    colors = {shown.pixelColor(x, y).name() for x in range(290, 350) for y in range(175, 235)}
    assert (colors == {INIT.name(), RESULT.name()}) is is_square


# Zoom


@pytest.mark.parametrize("kind", [{"angle": 120}, {"pixels": 40}])
def test_the_wheel_zooms_in_at_the_cursor(both: CompareView, kind: dict[str, int]) -> None:
    cursor = QPointF(150, 120)
    before = both.picture_rect
    turn_wheel(both, cursor, **kind)
    after = both.picture_rect
    assert both.zoom == pytest.approx(3 * 1.25)
    assert (cursor.x() - after.x()) / after.width() == pytest.approx(
        (cursor.x() - before.x()) / before.width(), abs=0.002
    )
    assert (cursor.y() - after.y()) / after.height() == pytest.approx(
        (cursor.y() - before.y()) / before.height(), abs=0.002
    )


def test_the_wheel_zooms_both_sides_at_one_point(both: CompareView) -> None:
    both.mode = ViewMode.SIDE
    start = both.picture_rect
    turn_wheel(both, start.center() + QPointF(40, 0), angle=240)
    by_left = both.picture_rect
    both.zoom_fit()
    turn_wheel(both, start.center() + QPointF(40 + 632 - start.width() - 2 * start.x(), 0), angle=240)
    assert both.picture_rect == by_left


def test_a_pinch_zooms(both: CompareView) -> None:
    at = QPointF(300, 200)
    pad = QPointingDevice.primaryPointingDevice()
    pinch = Qt.NativeGestureType.ZoomNativeGesture
    event = QNativeGestureEvent(pinch, pad, 2, at, at, both.mapToGlobal(at), 0.5, QPointF())
    QApplication.sendEvent(both, event)
    assert both.zoom == pytest.approx(4.5)


def test_a_pinch_on_a_touch_screen_zooms(both: CompareView) -> None:
    pinch = QPinchGesture()
    pinch.setScaleFactor(1.5)
    pinch.setHotSpot(both.mapToGlobal(QPointF(100, 100)))
    QApplication.sendEvent(both, QGestureEvent([pinch]))
    assert both.zoom == pytest.approx(4.5)


def test_actual_size_is_one_to_one(both: CompareView) -> None:
    both.zoom_actual()
    assert both.picture_rect.size().toTuple() == (200, 100)


def test_a_double_click_goes_to_the_pixels_and_back(both: CompareView) -> None:
    QTest.mouseDClick(both, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert both.zoom == 1.0
    QTest.mouseDClick(both, Qt.MouseButton.LeftButton, pos=QPoint(100, 100))
    assert both.is_fit


def test_a_change_of_zoom_is_told(both: CompareView, qtbot: QtBot) -> None:
    with qtbot.waitSignal(both.view_changed):
        both.zoom_step(1)


def test_a_whole_picture_follows_the_window(both: CompareView) -> None:
    both.resize(332, 400)
    assert both.picture_rect == QRectF(16, 125, 300, 150)


# Mouse


@pytest.mark.parametrize("button", [Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton])
def test_dragging_pans(both: CompareView, button: Qt.MouseButton) -> None:
    both.zoom_step(1)
    both.zoom_step(1)
    before = both.picture_rect
    drag(both, QPoint(300, 200), QPoint(330, 188), button)
    assert both.picture_rect == before.translated(30, -12)


def test_moving_without_a_button_pans_nothing(both: CompareView) -> None:
    both.zoom_step(1)
    before = both.picture_rect
    drag(both, QPoint(300, 200), QPoint(310, 200))
    QTest.mouseMove(both, QPoint(100, 100))
    assert both.picture_rect == before.translated(10, 0)


def test_the_divider_is_dragged(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    drag(both, QPoint(318, 120), QPoint(166, 300))
    assert both.split == pytest.approx(0.25)
    assert color_at(both, 160, 100) == INIT
    assert color_at(both, 172, 100) == RESULT


def test_the_divider_stops_at_the_pictures_edge(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    drag(both, QPoint(316, 120), QPoint(5, 120))
    assert both.split == 0.0


def test_beside_the_divider_the_picture_is_taken(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    drag(both, QPoint(340, 120), QPoint(400, 120))
    assert both.split == 0.5


def test_the_divider_stays_in_sight_when_zoomed(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    both.split = 0.9
    for _ in range(5):
        both.zoom_step(1)
    assert both.divider_x == pytest.approx(0.9 * 632)


def test_the_cursor_tells_what_can_be_taken(both: CompareView) -> None:
    both.mode = ViewMode.SPLIT
    QTest.mouseMove(both, QPoint(316, 120))
    assert both.cursor().shape() is Qt.CursorShape.SplitHCursor
    QTest.mouseMove(both, QPoint(100, 120))
    assert both.cursor().shape() is Qt.CursorShape.ArrowCursor


def test_there_is_no_divider_without_a_second_picture(view: CompareView) -> None:
    view.set_init(make_image(INIT))
    view.mode = ViewMode.SPLIT
    assert not view.has_divider


def test_the_right_button_is_left_to_the_canvas(both: CompareView) -> None:
    before = both.picture_rect
    drag(both, QPoint(300, 200), QPoint(330, 188), Qt.MouseButton.RightButton)
    assert both.picture_rect == before


def test_an_empty_view_paints_its_ground(view: CompareView) -> None:
    QApplication.sendEvent(view, QEvent(QEvent.Type.PaletteChange))
    shown = view.grab().toImage()
    assert len({shown.pixelColor(x, y).name() for x in range(0, 632, 9) for y in range(0, 400, 9)}) == 1
