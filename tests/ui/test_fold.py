"""The lines that open and close parts of a panel."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from desktop_app.ui.fold import ARROW_ROOM, ArrowButton, FoldButton


def test_the_part_is_there_while_the_line_is_checked(qtbot):
    body = QLabel("inside")
    qtbot.addWidget(body)
    button = FoldButton("fold", "Chain", "Stages", body)
    qtbot.addWidget(button)
    assert body.isHidden()
    button.click()
    assert not body.isHidden()
    button.show_count("2")
    assert button.text() == "Chain (2)"


@pytest.mark.parametrize("is_open", [False, True])
def test_the_arrow_stands_before_the_words_and_not_on_them_whoever_reads_from_the_right(qtbot, is_open):
    button = ArrowButton("fold")
    qtbot.addWidget(button)
    button.setText("MMMMMM")
    button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    button.setChecked(is_open)
    button.resize(button.sizeHint())
    with_words = button.grab().toImage()
    button.setText("")
    without = button.grab().toImage()
    rows, place = range(without.height()), without.width() - ARROW_ROOM + 2
    arrow = {without.pixel(x, y) for x in range(place, without.width() - 2) for y in rows}
    assert len(arrow) > 1, "there is no arrow"
    assert all(with_words.pixel(x, y) == without.pixel(x, y) for x in range(place, without.width()) for y in rows)
    assert any(with_words.pixel(x, y) != without.pixel(x, y) for x in range(place) for y in rows)
