"""Shortcuts: every command's keys can be changed, none has those of another, and they come back after a restart."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage, QKeySequence
from PySide6.QtWidgets import QLabel, QPushButton

from desktop_app.app import create_window
from desktop_app.engine.fake import FakeEngine
from desktop_app.ui.shortcuts import COMMANDS
from desktop_app.ui.shortcuts_dialog import ShortcutsDialog


@pytest.fixture
def dialog(qtbot, window):
    made = ShortcutsDialog(window.shortcuts, window)
    qtbot.addWidget(made)
    made.show()
    return made


def press(qtbot, dialog, command, key, modifiers=Qt.KeyboardModifier.NoModifier):
    dialog.edits[command].setFocus()
    qtbot.keyClick(dialog.edits[command], key, modifiers)


def test_every_command_has_a_box_that_shows_its_keys(dialog):
    assert set(dialog.edits) == set(COMMANDS)
    assert dialog.edits["generate"].keySequence() == QKeySequence("Ctrl+Return")
    assert dialog.edits["trash"].keySequence().isEmpty()
    assert all(edit.accessibleName() for edit in dialog.edits.values())


def test_keys_that_are_pressed_in_a_box_are_the_commands(qtbot, window, dialog):
    press(qtbot, dialog, "generate", Qt.Key.Key_G, Qt.KeyboardModifier.ControlModifier)
    action = window.actions_by_id["generate"]
    assert action.shortcuts() == [QKeySequence("Ctrl+G")]
    assert action.toolTip().endswith("(Ctrl+G)")
    assert window.generate_panel.button.toolTip() == action.toolTip()


def test_keys_of_another_command_are_refused_in_words(qtbot, window, dialog):
    press(qtbot, dialog, "generate", Qt.Key.Key_O, Qt.KeyboardModifier.ControlModifier)
    note = dialog.findChild(QLabel, "keysNote")
    assert note.text() == "Ctrl+O belongs to “Open picture” already. Take it away there first."
    assert window.actions_by_id["generate"].shortcut() == QKeySequence("Ctrl+Return")
    assert dialog.edits["generate"].keySequence() == QKeySequence("Ctrl+Return")


def test_keys_can_be_taken_away_and_all_be_reset(qtbot, window, dialog):
    dialog.edits["open"].clear()
    assert window.actions_by_id["open"].shortcuts() == []
    reset = next(button for button in dialog.findChildren(QPushButton) if button.text() == "Reset all")
    reset.click()
    assert window.actions_by_id["open"].shortcut() == QKeySequence("Ctrl+O")
    assert dialog.edits["open"].keySequence() == QKeySequence("Ctrl+O")


def test_a_modifier_alone_takes_no_keys_away(qtbot, window, dialog):
    press(qtbot, dialog, "open", Qt.Key.Key_Control, Qt.KeyboardModifier.ControlModifier)
    dialog.edits["paste"].setFocus()
    assert window.actions_by_id["open"].shortcut() == QKeySequence("Ctrl+O")
    assert dialog.edits["open"].keySequence() == QKeySequence("Ctrl+O")


def test_a_key_that_is_pressed_at_once_changes_nothing(qtbot, window, dialog):
    qtbot.waitUntil(lambda: dialog.focusWidget() is not None)
    qtbot.keyClick(dialog.focusWidget(), Qt.Key.Key_X)
    assert window.settings.get("shortcuts") == {}


def test_tab_goes_from_box_to_box(qtbot, dialog):
    press(qtbot, dialog, "open", Qt.Key.Key_Tab)
    assert dialog.edits["open"].keySequence() == QKeySequence("Ctrl+O")
    assert not dialog.edits["open"].hasFocus()


def test_changed_keys_come_back_after_a_restart(window, data_dir):
    window.shortcuts.set_keys("search", ("Ctrl+K",))
    window.close_now()
    again = create_window(data_dir, engine=FakeEngine())
    assert again.actions_by_id["search"].shortcut() == QKeySequence("Ctrl+K")
    again.close_now()
    again.deleteLater()


@pytest.mark.parametrize("odd", ["Ctrl+K", [1], None])
def test_odd_keys_in_the_file_are_not_taken(window, odd):
    window.settings.set("shortcuts", {"search": odd, "from_the_future": ["X"]})
    assert window.actions_by_id["search"].shortcut() == QKeySequence("Ctrl+F")


def test_the_canvas_says_by_which_keys_it_is_left(window):
    window.canvas.set_init(QImage(60, 40, QImage.Format.Format_RGB32))
    said = window.canvas.accessibleDescription
    assert said() == "Init image 60 × 40, no result yet. F6 leaves the canvas. Tab hides or shows the panels"
    window.shortcuts.set_keys("next_pane", ("F7",))
    assert "F7 leaves the canvas" in said()
    window.shortcuts.set_keys("next_pane", ())
    assert "leaves" not in said()
