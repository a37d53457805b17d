"""MaskLayer: painted in place, undone piece by piece, never copied as a whole for it."""

from __future__ import annotations

import random

import pytest
from PIL import Image
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage

from desktop_app.studio import mask_steps
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.mask_steps import TILE

WHITE, BLACK = QColor(255, 255, 255), QColor(0, 0, 0)


@pytest.fixture
def layer(stack):
    """Of a picture of 1300 x 700, more than one tile each way."""
    made = MaskLayer(stack)
    made.show(QSize(1300, 700), None)
    yield made
    made.close()


def paint(layer: MaskLayer, rect: QRect, color: QColor = WHITE, text: str = "Brush") -> None:
    layer.paint(rect, lambda painter: painter.fillRect(rect, color))
    layer.commit(text)


def pack(qtbot, layer: MaskLayer) -> None:
    """Pack all steps of undo, which happens by itself a little later."""
    layer.pack()
    qtbot.waitUntil(lambda: not layer._packer.running)


def noise(size: tuple[int, int], seed: int) -> Image.Image:
    return Image.frombytes("L", size, random.Random(seed).randbytes(size[0] * size[1]))


def test_what_is_painted_is_there_and_one_step_of_undo(layer, stack):
    paint(layer, QRect(500, 400, 40, 300))
    assert layer.copy().getbbox() == (500, 400, 540, 700)
    assert (stack.count(), stack.undoText()) == (1, "Brush")
    stack.undo()
    assert layer.copy().getbbox() is None
    stack.redo()
    assert layer.copy().getbbox() == (500, 400, 540, 700)


def test_a_stroke_is_told_by_the_pixels_it_touches(layer):
    told: list[QRect] = []
    layer.changed.connect(told.append)
    layer.paint(QRect(10, 20, 30, 40), lambda painter: painter.fillRect(0, 0, 9999, 9999, Qt.GlobalColor.white))
    assert told == [QRect(10, 20, 30, 40)]
    assert layer.copy().getbbox() == (10, 20, 40, 60)


def test_painting_moves_no_pixel_of_the_rest(layer):
    before = layer._image.cacheKey() >> 32
    for x in range(0, 1200, 100):
        layer.paint(QRect(x, 50, 30, 30), lambda painter, x=x: painter.fillRect(x, 50, 30, 30, WHITE))
    assert layer._image.cacheKey() >> 32 == before, "the whole mask was copied"
    assert set(layer._before) == {(0, 0), (1, 0), (2, 0)}
    assert all(tile.width() * tile.height() <= TILE * TILE for tile in layer._before.values())


def test_painting_white_on_white_is_no_step_of_undo(layer, stack):
    paint(layer, QRect(0, 0, 50, 50))
    paint(layer, QRect(10, 10, 20, 20))
    assert stack.count() == 1


def test_a_stroke_can_be_abandoned(layer, stack):
    paint(layer, QRect(0, 0, 5, 5))
    layer.paint(QRect(0, 0, 900, 600), lambda painter: painter.fillRect(0, 0, 900, 600, WHITE))
    layer.abandon()
    assert layer.copy().getbbox() == (0, 0, 5, 5)
    assert stack.count() == 1


def test_whether_it_is_empty_and_how_much_is_marked_is_known(qtbot, layer, stack):
    assert layer.is_empty
    with qtbot.waitSignal(layer.state_changed):
        paint(layer, QRect(0, 0, 650, 700))
    assert (layer.is_empty, layer.coverage) == (False, pytest.approx(0.5))
    paint(layer, QRect(0, 0, 1300, 700), BLACK)
    assert (layer.is_empty, layer.coverage) == (True, 0.0)
    stack.undo()
    assert layer.coverage == pytest.approx(0.5)


@pytest.mark.parametrize("pause", [1, 7, 100], ids=["all packed", "some packed", "none packed"])
def test_twenty_random_edits_are_undone_and_redone_bit_for_bit(qtbot, layer, stack, pause):
    chance = random.Random(1)
    states = [(layer.copy().tobytes(), layer.coverage)]
    for seed in range(20):
        if seed % 5 == 4:
            layer.replace("Replace", noise((1300, 700), seed))
        elif seed % 5 == 2:
            layer.clear("Clear")
        else:
            rect = QRect(chance.randrange(1200), chance.randrange(600), chance.randint(1, 900), chance.randint(1, 500))
            paint(layer, rect, QColor.fromHsv(0, 0, chance.randrange(256)))
        states.append((layer.copy().tobytes(), layer.coverage))
        if seed % pause == pause - 1:
            pack(qtbot, layer)
    for state in reversed(states[:-1]):
        stack.undo()
        assert (layer.copy().tobytes(), layer.coverage) == state
    for state in states[1:]:
        stack.redo()
        assert (layer.copy().tobytes(), layer.coverage) == state


def test_undo_while_the_steps_are_being_packed_is_right_bit_for_bit(qtbot, layer, stack):
    masks = [noise((1300, 700), seed).tobytes() for seed in range(4)]
    for seed in range(4):
        layer.replace("Noise", noise((1300, 700), seed))
    layer.pack()
    stack.undo()
    stack.undo()
    paint(layer, QRect(3, 3, 700, 9))
    qtbot.waitUntil(lambda: not layer._packer.running)
    stack.undo()
    assert layer.copy().tobytes() == masks[1]
    stack.undo()
    assert layer.copy().tobytes() == masks[0]


def test_painting_after_undo_leaves_what_can_be_undone_as_it_was(layer, stack):
    """Whole masks are kept without being copied, and what is painted next must not be seen in them."""
    first, second = (noise((1300, 700), seed) for seed in (1, 2))
    layer.replace("First", first)
    layer.replace("Second", second)
    stack.undo()
    layer.paint(QRect(0, 0, 900, 600), lambda painter: painter.fillRect(0, 0, 900, 600, WHITE))
    stack.redo()
    assert layer.copy().tobytes() == second.tobytes()
    layer.paint(QRect(0, 0, 900, 600), lambda painter: painter.fillRect(0, 0, 900, 600, WHITE))
    stack.undo()
    assert layer.copy().tobytes() == first.tobytes()


def test_steps_are_packed_by_themselves_soon(qtbot, layer):
    paint(layer, QRect(0, 0, 600, 600))
    layer.clear("Clear")
    steps = list(layer._unpacked)
    qtbot.waitUntil(lambda: all(not step.swaps and step.patches for step in steps))


def test_a_change_that_does_not_pack_well_is_not_kept_in_memory(qtbot, layer, stack):
    layer.replace("Noise", noise((1300, 700), 7))
    (step,) = layer._unpacked
    pack(qtbot, layer)
    assert (layer._file.is_used, step.swaps) == (True, ())
    stack.undo()
    assert layer.is_empty
    stack.redo()
    assert layer.copy().tobytes() == noise((1300, 700), 7).tobytes()


def test_on_a_full_disk_a_large_change_can_be_undone_all_the_same(qtbot, layer, stack, monkeypatch):
    def full(**_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mask_steps.tempfile, "TemporaryFile", full)
    before = layer.copy().tobytes()
    layer.replace("Noise", noise(layer.copy().size, 3))
    pack(qtbot, layer)
    stack.undo()
    assert layer.copy().tobytes() == before


def test_a_snapshot_stays_as_it_was(layer):
    paint(layer, QRect(0, 0, 5, 5))
    taken = layer.snapshot()
    paint(layer, QRect(0, 0, 900, 600))
    assert taken.pixelColor(100, 100) == BLACK
    assert taken.pixelColor(4, 4) == WHITE


def test_an_empty_mask_has_no_snapshot(layer):
    assert layer.snapshot() is None


def test_another_picture_has_an_empty_mask_of_its_size(qtbot, layer):
    paint(layer, QRect(0, 0, 5, 5))
    with qtbot.waitSignals([layer.replaced, layer.state_changed]):
        layer.show(QSize(30, 20), None)
    assert (layer.size, layer.is_empty) == (QSize(30, 20), True)
    layer.show(None, None)
    assert (layer.size, layer.is_empty, layer.coverage) == (None, True, 0.0)
    paint(layer, QRect(0, 0, 5, 5))
    assert layer.is_empty


def test_a_mask_that_is_shown_is_weighed(layer):
    image = QImage(20, 10, QImage.Format.Format_Grayscale8)
    image.fill(51)
    layer.show(QSize(20, 10), image)
    assert layer.coverage == pytest.approx(0.2)


def test_clearing_is_one_step_of_undo_and_nothing_is_cleared_twice(layer, stack):
    paint(layer, QRect(0, 0, 600, 5))
    layer.clear("Clear")
    layer.clear("Clear")
    assert layer.is_empty
    assert stack.count() == 2
