"""MaskStage: what mouse, pen and keys do to the mask, on the real window."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QInputDevice, QMouseEvent, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from desktop_app.ui.compare_view import CompareView, ViewMode
from desktop_app.ui.mask_stage import MaskStage
from desktop_app.ui.mask_tools import Tool

LEFT, RIGHT, NO_BUTTON = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.NoButton
PLAIN, SHIFT, ALT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.AltModifier,
)
SIZE = (240, 160)


class Hand:
    """Does on the canvas what a user's hand does, at points in pixels of the init image."""

    def __init__(self, window) -> None:
        self.window = window
        self.document = window.document
        self.mask = window.document.mask
        self.tools = window.canvas.mask_tools
        self.view = window.findChild(CompareView)
        self.stage = window.findChild(MaskStage)
        self.is_right_pane = False

    def take(self, tool: Tool, brush: int = 20) -> Hand:
        self.window.actions_by_id[f"tool_{tool.value}"].trigger()
        self.tools.brush = brush
        return self

    def at(self, point: tuple[int, int]) -> QPoint:
        pane = QPointF(self.view.width() - 5.0 if self.is_right_pane else 0.0, 0.0)
        return self.view.from_picture(QRectF(*point, 0, 0), pane).topLeft().toPoint()

    def press(self, point, modifiers=PLAIN, button=LEFT) -> None:
        QTest.mousePress(self.stage, button, modifiers, self.at(point))

    def move(self, point, modifiers=PLAIN, button=LEFT) -> None:
        at = QPointF(self.at(point))
        place = self.stage.mapToGlobal(at)
        QApplication.sendEvent(self.stage, QMouseEvent(QEvent.Type.MouseMove, at, place, NO_BUTTON, button, modifiers))

    def pull(self, *points, modifiers=PLAIN, button=LEFT) -> None:
        self.press(points[0], modifiers, button)
        for point in points[1:]:
            self.move(point, modifiers, button)
        QTest.mouseRelease(self.stage, button, modifiers, self.at(points[-1]))

    def pen(self, kind, point, pressure: float, pointer=QPointingDevice.PointerType.Pen) -> None:
        can = QInputDevice.Capability
        device = QPointingDevice("pen", 1, QInputDevice.DeviceType.Stylus, pointer, can.Position | can.Pressure, 1, 1)
        at = QPointF(self.at(point))
        place, button = self.stage.mapToGlobal(at), NO_BUTTON if kind is QEvent.Type.TabletMove else LEFT
        held = NO_BUTTON if kind is QEvent.Type.TabletRelease else LEFT
        event = QTabletEvent(kind, device, at, place, pressure, 0, 0, 0, 0, 0, PLAIN, button, held)
        QApplication.sendEvent(self.stage, event)

    def value(self, *point: int) -> int:
        return self.mask.copy().getpixel(point)


@pytest.fixture
def hand(qtbot, window, tmp_path) -> Hand:
    """On a picture whose left half is red and whose right half is blue."""
    picture = Image.new("RGB", SIZE, (200, 20, 20))
    picture.paste((20, 20, 200), (SIZE[0] // 2, 0, *SIZE))
    picture.save(tmp_path / "halves.png")
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(tmp_path / "halves.png")
    return Hand(window)


def test_a_brush_marks_what_it_is_drawn_over_and_an_eraser_takes_it_away(hand):
    hand.take(Tool.BRUSH).pull((40, 40), (120, 40))
    assert (hand.value(80, 40), hand.value(80, 60)) == (255, 0)
    assert hand.document.undo_stack.undoText() == "Brush"
    hand.take(Tool.ERASER).pull((80, 20), (80, 60))
    assert (hand.value(80, 40), hand.value(50, 40)) == (0, 255)
    hand.document.undo_stack.undo()
    assert hand.value(80, 40) == 255


def test_a_click_with_shift_draws_a_straight_line_from_the_last_stroke(hand):
    hand.take(Tool.BRUSH).pull((40, 40), (40, 60))
    hand.pull((200, 60), modifiers=SHIFT)
    assert [hand.value(x, 60) for x in (60, 120, 180)] == [255, 255, 255]
    hand.document.undo_stack.undo()
    assert (hand.value(120, 60), hand.value(40, 50)) == (0, 255)


@pytest.mark.parametrize("mode", list(ViewMode))
def test_strokes_lie_where_they_are_drawn_in_every_view(hand, mode):
    hand.take(Tool.BRUSH, 10)
    hand.window.canvas.mode = mode
    hand.is_right_pane = mode is ViewMode.SIDE
    hand.pull((30, 100), (200, 30))
    left, top, right, bottom = hand.mask.copy().getbbox()
    assert (left, top, right, bottom) == pytest.approx((25, 25, 205, 105), abs=2)


def test_strokes_lie_where_they_are_drawn_when_zoomed_and_moved(hand):
    hand.view.zoom_actual()
    hand.view._zoom_by(9.0, QPointF(200, 200))
    hand.view.pan(QPointF(-150, -90))
    hand.take(Tool.BRUSH, 1)
    first = hand.view.to_picture(QPointF(300, 300))
    QTest.mouseClick(hand.stage, LEFT, PLAIN, QPoint(300, 300))
    x, y = int(first.x()), int(first.y())
    assert hand.mask.copy().getbbox() == (x, y, x + 1, y + 1)


def test_a_rectangle_is_of_whole_pixels_with_shift_a_square_and_with_alt_a_hole(hand):
    hand.take(Tool.RECTANGLE).pull((20, 20), (100, 80))
    assert set(hand.mask.copy().tobytes()) == {0, 255}
    hand.pull((40, 40), (60, 50), modifiers=ALT)
    assert (hand.value(50, 45), hand.value(30, 30)) == (0, 255)
    hand.pull((150, 20), (200, 40), modifiers=SHIFT)
    left, top, right, bottom = hand.mask.copy().crop((130, 0, *SIZE)).getbbox()
    assert abs((right - left) - (bottom - top)) <= 1
    assert right - left == pytest.approx(50, abs=2)


def test_a_lasso_marks_what_it_goes_around(hand):
    hand.take(Tool.LASSO).pull((20, 20), (100, 20), (100, 100), (20, 100))
    assert (hand.value(60, 60), hand.value(110, 60)) == (255, 0)
    hand.pull((50, 50), (70, 50), (70, 70), (50, 70), modifiers=ALT)
    assert (hand.value(60, 60), hand.value(30, 60)) == (0, 255)


def test_filling_marks_the_region_of_one_colour_in_the_init_image(qtbot, hand):
    hand.take(Tool.FILL).pull((30, 30))
    qtbot.waitUntil(lambda: not hand.mask.is_empty)
    assert hand.mask.copy().getbbox() == (0, 0, 120, 160)
    hand.pull((30, 30), modifiers=ALT)
    qtbot.waitUntil(lambda: hand.mask.is_empty)


def test_a_pen_that_is_pressed_harder_draws_broader(hand):
    kinds = QEvent.Type
    hand.take(Tool.BRUSH, 40)
    hand.pen(kinds.TabletPress, (40, 80), 0.1)
    for number in range(1, 11):
        hand.pen(kinds.TabletMove, (40 + number * 15, 80), 0.1 + 0.09 * number)
    hand.pen(kinds.TabletRelease, (190, 80), 0.0)
    mask = hand.mask.copy()
    widths = [sum(value > 127 for value in mask.crop((x, 0, x + 1, SIZE[1])).tobytes()) for x in (50, 110, 170)]
    assert widths[0] < widths[1] < widths[2]
    assert hand.document.undo_stack.undoText() == "Brush"


def test_the_other_end_of_a_pen_erases(hand):
    hand.take(Tool.BRUSH, 30).pull((40, 80), (200, 80))
    kinds, eraser = QEvent.Type, QPointingDevice.PointerType.Eraser
    for kind in (kinds.TabletPress, kinds.TabletMove, kinds.TabletRelease):
        hand.pen(kind, (100, 80), 1.0, eraser)
    assert (hand.value(100, 80), hand.value(150, 80)) == (0, 255)
    assert hand.tools.tool is Tool.BRUSH


def test_keys_change_the_brush_and_swap_it_with_the_eraser(hand):
    hand.take(Tool.BRUSH, 40)
    canvas = hand.window.canvas
    canvas.setFocus()
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert hand.tools.brush == 50
    QTest.keyClick(canvas, Qt.Key.Key_BracketLeft)
    assert hand.tools.brush == 40
    QTest.keyClick(canvas, Qt.Key.Key_X)
    assert hand.tools.tool is Tool.ERASER
    QTest.keyClick(canvas, Qt.Key.Key_X)
    assert hand.tools.tool is Tool.BRUSH


def test_a_right_pull_sizes_the_brush_and_marks_nothing(hand):
    hand.take(Tool.BRUSH, 40).pull((100, 80), (150, 80), button=RIGHT)
    assert hand.tools.brush == pytest.approx(90, abs=2)
    assert hand.mask.is_empty


def test_with_a_tool_in_hand_the_wheel_zooms_and_the_middle_button_moves_the_picture(hand):
    hand.take(Tool.BRUSH)
    window, zoom = hand.window.windowHandle(), hand.view.zoom
    first, last = (hand.stage.mapTo(hand.window, QPoint(*at)) for at in ((300, 300), (340, 320)))
    QTest.wheelEvent(window, QPointF(first), QPoint(0, 480))
    assert hand.view.zoom > zoom
    before = hand.view.picture_rect.topLeft()
    QTest.mousePress(window, Qt.MouseButton.MiddleButton, PLAIN, first)
    QTest.mouseMove(window, last)
    QTest.mouseRelease(window, Qt.MouseButton.MiddleButton, PLAIN, last)
    assert hand.view.picture_rect.topLeft() - before == QPointF(40, 20)
    assert hand.mask.is_empty


def test_letters_typed_in_a_prompt_are_no_tools(hand, qtbot):
    hand.take(Tool.BRUSH, 40)
    prompt = hand.window.findChild(QPlainTextEdit, "promptEdit")
    prompt.setFocus()
    qtbot.keyClicks(prompt, "vexgo[]")
    assert prompt.toPlainText() == "vexgo[]"
    assert (hand.tools.tool, hand.tools.brush) == (Tool.BRUSH, 40)


def test_escape_calls_a_stroke_off(hand):
    hand.take(Tool.BRUSH)
    hand.press((40, 40))
    hand.move((120, 40))
    QTest.keyClick(hand.window.canvas, Qt.Key.Key_Escape)
    assert (hand.mask.is_painted_on, hand.mask.copy().getbbox()) == (False, None)


def test_who_undoes_during_a_stroke_can_still_redo(hand):
    hand.take(Tool.BRUSH).pull((40, 40), (120, 40))
    before = hand.mask.copy().tobytes()
    hand.press((40, 120))
    hand.move((120, 120))
    hand.document.undo_stack.undo()
    hand.move((200, 120))
    QTest.mouseRelease(hand.stage, LEFT, PLAIN, hand.at((200, 120)))
    assert hand.mask.is_empty
    hand.document.undo_stack.redo()
    assert hand.mask.copy().tobytes() == before


def test_a_change_of_all_of_the_mask_ends_a_stroke(qtbot, hand):
    hand.take(Tool.BRUSH)
    hand.press((40, 40))
    hand.document.mask_work.invert()
    hand.move((120, 40))
    QTest.mouseRelease(hand.stage, LEFT, PLAIN, hand.at((120, 40)))
    qtbot.waitUntil(lambda: not hand.document.mask_work.is_working)
    assert hand.mask.coverage == 1.0


def test_an_edge_that_is_drawn_out_extends_the_picture_and_marks_the_new_room(qtbot, hand):
    hand.document.set_param("mask_feather", 0)
    hand.take(Tool.EXTEND)
    with qtbot.waitSignal(hand.document.init_image_changed):
        hand.pull((SIZE[0], 80), (SIZE[0] + 60, 80))
    size = hand.document.init_image.ref.size
    assert size == (pytest.approx(SIZE[0] + 60, abs=2), SIZE[1])
    assert [hand.value(x, 80) for x in (100, SIZE[0] + 10, size[0] - 1)] == [0, 255, 255]
    hand.document.undo_stack.undo()
    assert (hand.document.init_image.ref.size, hand.mask.is_empty) == (SIZE, True)


def test_without_a_picture_no_tool_is_there(window):
    assert not window.findChild(MaskStage).isVisible()
    assert not window.actions_by_id["tool_brush"].isEnabled()
    assert not window.actions_by_id["mask_invert"].isEnabled()
