"""Theme: both schemes can be read, and show where the keyboard is."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QCheckBox
from support import PROJECT

from desktop_app.ui.chain_header import Grip
from desktop_app.ui.theme import DARK, LIGHT, Theme


def luminance(name: str) -> float:
    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    color = QColor(name)
    return sum(f * linear(v) for f, v in zip((0.2126, 0.7152, 0.0722), color.getRgbF()[:3], strict=True))


def contrast(first: str, second: str) -> float:
    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(scheme):
    for ground in (scheme.window, scheme.base, scheme.raised):
        assert contrast(scheme.text, ground) >= 7
        assert contrast(scheme.dim, ground) >= 4.5
        assert contrast(scheme.heavy, ground) >= 4.5
    assert contrast(scheme.error, scheme.error_ground) >= 4.5
    assert contrast(scheme.on_accent, scheme.accent) >= 4.5
    assert contrast(scheme.focus, scheme.window) >= 3
    assert contrast(scheme.focus, scheme.base) >= 4.5  # choices in a prompt


def test_a_choice_takes_effect_at_once(qtbot, qapp):
    theme = Theme(qapp, PROJECT / "resources" / "icons", "light")
    light = qapp.palette().window().color()
    theme.choose("dark")
    assert qapp.palette().window().color() != light
    theme.choose("light")
    theme.deleteLater()


@pytest.mark.parametrize("choice", ["light", "dark"])
def test_a_checked_box_without_words_shows_that_it_has_the_keyboard(qtbot, window, choice):
    window.theme.choose(choice)
    for box in (QCheckBox(window), Grip()):
        box.setParent(window)
        if isinstance(box, QCheckBox):
            box.setChecked(True)
        box.show()
        before = box.grab().toImage()
        box.setFocus()
        qtbot.waitUntil(box.hasFocus)
        assert marks(box.grab().toImage(), before) >= 30


def marks(now: QImage, before: QImage) -> int:
    """How many pixels are clearly lighter or darker than before."""
    places = [(x, y) for x in range(now.width()) for y in range(now.height())]
    return sum(abs(now.pixelColor(*at).lightness() - before.pixelColor(*at).lightness()) > 30 for at in places)
