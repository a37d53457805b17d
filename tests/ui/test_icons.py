"""Icons: sharp on every screen, and readable in both themes."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QPalette


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_an_icon_has_a_pixel_of_its_own_for_every_pixel_of_the_screen(icons, ratio):
    pixmap = icons.get("lock").pixmap(QSize(16, 16), ratio)
    assert pixmap.size() == QSize(16, 16) * ratio
    assert pixmap.deviceIndependentSize() == QSize(16, 16)


def test_an_icon_has_the_colour_of_the_words_beside_it(qapp, icons):
    image = icons.get("stop").pixmap(QSize(48, 48), 1.0).toImage()
    ink = [image.pixelColor(x, y) for x in range(48) for y in range(48) if image.pixelColor(x, y).alpha() == 255]
    assert ink
    assert {color.name() for color in ink} == {qapp.palette().color(QPalette.ColorRole.ButtonText).name()}


def test_every_action_names_an_icon_that_there_is(icons, window):
    for action in window.actions_by_id.values():
        assert action.icon().isNull() or not action.icon().pixmap(QSize(16, 16), 1.0).toImage().isNull()
