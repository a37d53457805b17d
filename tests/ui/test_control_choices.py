"""A control image in the window where there is little: a small picture, and no ControlNet that fits."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.ui.control_thumb import ControlImageDialog


def test_a_small_control_image_is_shown_larger_than_it_is(qtbot):
    white = QImage(64, 48, QImage.Format.Format_RGB32)
    white.fill(Qt.GlobalColor.white)
    dialog = ControlImageDialog("Control image", white, "")
    qtbot.addWidget(dialog)
    dialog.show()
    shown = dialog.large.grab().toImage()
    seen = [shown.pixelColor(x, shown.height() // 2) for x in range(shown.width())]
    assert sum(color == QColor(Qt.GlobalColor.white) for color in seen) >= 6 * 64


def test_where_no_control_net_fits_the_list_says_so_and_does_not_open(window):
    panel = window.control_panel
    panel.fold.setChecked(True)
    panel.add.click()
    combo = panel.rows[0].net
    assert not combo.isEnabled()
    assert combo.placeholderText() == "None fits"
    assert "Stable Diffusion 1, 2 and XL" in combo.toolTip()


def test_what_is_done_to_a_control_image_names_it_to_a_screen_reader(window):
    panel = window.control_panel
    panel.fold.setChecked(True)
    window.document.set_param("controls", (Control(ControlMode.CANNY), Control(ControlMode.TILE)))
    names = [(row.on.accessibleName(), row.remove.accessibleName()) for row in panel.rows]
    assert names == [("Edges (Canny) is on", "Remove Edges (Canny)"), ("Tile is on", "Remove Tile")]
