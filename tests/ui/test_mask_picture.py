"""MaskPicture: the tint and the outline of a mask, piece by piece."""

from __future__ import annotations

import random

import pytest
from PySide6.QtCore import QRect, QRectF, QSize
from PySide6.QtGui import QColor, QImage, QPainter, QUndoStack

from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.ui import mask_picture
from desktop_app.ui.mask_picture import MOST, SIDE, TINT, MaskPicture, _enlarged

SIZE = (1500, 1200)


@pytest.fixture
def layer(qapp):
    made = MaskLayer(QUndoStack(qapp))
    made.show(QSize(*SIZE), None)
    yield made
    made.close()


def drawn(picture: MaskPicture, size: tuple[int, int] = SIZE) -> QImage:
    """The whole mask on black, at ``size``."""
    image = QImage(*size, QImage.Format.Format_RGB32)
    image.fill(0)
    painter = QPainter(image)
    picture.draw(painter, QRectF(0, 0, *size), QRectF(0, 0, *size), ratio=1.0, opacity=0.5)
    painter.end()
    return image


def mark(layer: MaskLayer, rect: QRect, grey: int = 255) -> None:
    layer.paint(rect, lambda painter: painter.fillRect(rect, QColor(grey, grey, grey)))
    layer.commit("Mark")


def test_what_is_marked_is_tinted_and_outlined_and_the_rest_is_untouched(layer):
    mark(layer, QRect(100, 100, 1300, 1000))
    image = drawn(MaskPicture(layer))
    inside, edge, outside = (image.pixelColor(x, 600) for x in (750, 100, 50))
    assert inside.red() == pytest.approx(TINT.red() / 2, abs=2)
    assert min(edge.red(), edge.green(), edge.blue()) > 200
    assert outside == QColor(0, 0, 0)


@pytest.mark.parametrize("feather", [0, 12, 90])
@pytest.mark.parametrize("level", [-1, 0, 1])
def test_deep_inside_a_mask_the_short_way_makes_what_the_long_way_makes(layer, feather, level):
    mark(layer, QRect(0, 0, *SIZE))
    picture = MaskPicture(layer)
    picture.feather = feather
    middle = QRect(*(round(side / 2**level / 2) - 64 for side in SIZE), 128, 128)
    short = picture._make(middle, level)
    mark(layer, QRect(0, 0, *SIZE), 254)
    long = picture._make(middle, level)
    assert set(short.tobytes()) == {MOST}
    assert set(long.tobytes()) == {254 * MOST // 255}


@pytest.mark.parametrize("times", [0.5, 1, 2])
@pytest.mark.parametrize("feather", [0, 7, 25])
def test_after_random_strokes_what_was_touched_looks_as_if_all_were_made_anew(layer, feather, times):
    chance, kept, size = random.Random(feather), MaskPicture(layer), tuple(round(side * times) for side in SIZE)
    kept.feather = feather
    layer.changed.connect(kept.touch)
    drawn(kept, size)
    for _ in range(12):
        rect = QRect(chance.randrange(-50, 1400), chance.randrange(-50, 1100), chance.randint(1, 800), 300)
        mark(layer, rect, chance.choice((0, 255)))
        drawn(kept, size)
    fresh = MaskPicture(layer)
    fresh.feather = feather
    assert drawn(kept, size) == drawn(fresh, size)


def test_at_its_pixels_no_more_of_a_soft_mask_is_enlarged_than_is_seen(layer, monkeypatch):
    enlarged = []

    def spy(mask, times):
        made = _enlarged(mask, times)
        enlarged.append(max(made.size))
        return made

    monkeypatch.setattr(mask_picture, "_enlarged", spy)
    mark(layer, QRect(400, 300, 200, 200))
    picture = MaskPicture(layer)
    picture.feather = 100
    assert picture._make(QRect(410 * 32, 310 * 32, SIDE, SIDE), -5) is not None
    assert 0 < max(enlarged) <= SIDE + 3 * 32
