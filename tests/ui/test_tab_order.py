"""Tab goes through the column from above to below, through what came later as well."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.core.chain import Card
from desktop_app.core.conditions import Control, ControlMode


def stops(qtbot, first: QWidget, last: QWidget) -> list[QWidget]:
    """Where Tab comes by on its way from ``first`` to ``last``."""
    found, each = [first], first
    first.setFocus()
    while each is not last:
        qtbot.keyClick(each, Qt.Key.Key_Tab)
        each = QApplication.focusWidget()
        assert each not in found
        found.append(each)
    return found


def test_tab_comes_by_cards_and_control_images_where_they_are(qtbot, window):
    window.chain_panel.title.setChecked(True)
    window.control_panel.fold.setChecked(True)
    window.document.set_param("controls", (Control(ControlMode.TILE),))
    window.document.set_param("chain", (Card(), Card()))
    window.document.set_param("controls", (Control(ControlMode.TILE), Control(ControlMode.CANNY)))
    controls = window.control_panel
    qtbot.waitUntil(lambda: all(row.isVisible() for row in controls.rows))
    rows = [*window.chain_panel.cards, controls.fold, *controls.rows, controls.add]
    found = stops(qtbot, window.chain_panel.title, window.adapter_panel.fold)
    places = [place for each in found for place, row in enumerate(rows) if row is each or row.isAncestorOf(each)]
    assert set(places) == set(range(len(rows)))
    assert places == sorted(places)


def test_tab_comes_by_the_parts_of_a_card_from_above_to_below(qtbot, window):
    window.document.set_param("chain", (Card(),))
    card = window.chain_panel.cards[0]
    card.header.fold.click()
    found = [
        each for each in stops(qtbot, card.header.grip, window.control_panel.fold) if card.fields.isAncestorOf(each)
    ]
    names = [each.objectName() for each in found if each.objectName()]
    assert names[:2] == ["cardKindCombo", "cardCheckpointCombo"]
    assert names[-2:] == ["cardStepsSpin", "cardSchedulerCombo"]
