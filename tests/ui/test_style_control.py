"""Styles in the window: chosen, shown, counted, told when they are not there."""

from __future__ import annotations

from contextlib import contextmanager

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QComboBox, QLabel

from desktop_app.app import create_window
from desktop_app.core.styles import STYLES_NAME, Style
from desktop_app.engine.fake import FakeEngine


def combo(window) -> QComboBox:
    found = window.findChild(QComboBox, "styleCombo")
    assert isinstance(found, QComboBox)
    return found


def pick(box, text):
    box.setCurrentIndex(box.findText(text))
    box.activated.emit(box.currentIndex())


@contextmanager
def opened(qtbot, data_dir):
    made = create_window(data_dir, engine=FakeEngine())
    made.show()
    qtbot.waitUntil(lambda: made.document.checkpoint_info is not None)
    yield made
    made.close_now()
    made.deleteLater()


def test_no_style_comes_first_and_each_shows_its_words(window):
    box = combo(window)
    assert (box.itemText(0), box.currentText()) == ("No style", "No style")
    assert box.count() == len(window.document.styles) + 1
    tip = box.itemData(box.findText("Ink drawing"), Qt.ItemDataRole.ToolTipRole)
    assert "{prompt}, line drawing" in tip
    assert "Negative prompt: colour" in tip


def test_a_style_is_one_step_of_undo(window):
    pick(combo(window), "Mosaic")
    assert window.document.params.style == "mosaic"
    assert "small glazed tiles" in combo(window).toolTip()
    window.document.undo_stack.undo()
    assert (window.document.params.style, combo(window).currentText()) == ("", "No style")
    assert "tiles" not in combo(window).toolTip()


def test_the_words_of_the_style_are_counted_and_the_tip_says_so(window):
    counter, negative = (window.findChild(QLabel, name) for name in ("promptCounter", "negativePromptCounter"))
    window.document.set_param("prompt", "lemon")
    assert (counter.text(), negative.text()) == ("4/24", "2/24")
    assert "of the style" not in counter.toolTip()
    pick(combo(window), "Flat icon")
    assert int(counter.text().split("/")[0]) > 10
    assert int(negative.text().split("/")[0]) > 5
    assert "of the style" in counter.toolTip()


def test_of_choices_the_longest_words_are_counted(window):
    counter = window.findChild(QLabel, "promptCounter")
    window.document.set_param("prompt", "{red|blue green} lemon")
    assert counter.text() == "6/24"
    assert "choice" in counter.toolTip()
    window.document.set_param("prompt", '("red lemon", "lemon").blend()')
    assert counter.text() == "5/24"
    assert "choice" not in counter.toolTip()


def test_the_end_that_is_not_read_is_marked_where_it_was_written(pretend, window):
    pretend("Flux")
    window.document.styles.append(Style("short", "Short", "icon of {prompt}"))
    written = "🍋 {red|} " + "lemon " * 30
    window.document.set_params("x", style="short", prompt=written)
    (selection,) = window.prompt_panel.prompt.extraSelections()
    marked = selection.cursor.selectedText()
    assert written.endswith(marked)
    read = written.removesuffix(marked).replace("{red|}", "red")
    assert window.document.count_tokens(f"icon of {read}").used == 24
    long = Style("long", "Long", "{prompt}, " + "icon " * 30)
    window.document.styles.append(long)
    window.document.set_params("x", style="long", prompt="lemon")
    assert "the end is not read" in window.findChild(QLabel, "promptCounter").text()
    assert not window.prompt_panel.prompt.extraSelections()


def test_own_styles_follow_those_of_the_program(qtbot, data_dir):
    data_dir.mkdir(exist_ok=True)
    (data_dir / STYLES_NAME).write_text('[mine]\nlabel = "Mine"\nprompt = "{prompt}, mine"')
    with opened(qtbot, data_dir) as window:
        box = combo(window)
        assert box.itemText(box.count() - 1) == "Mine"


def test_own_styles_that_cannot_be_read_are_told(qtbot, data_dir):
    data_dir.mkdir(exist_ok=True)
    (data_dir / STYLES_NAME).write_text('[mine]\nlabel = "Mine"')
    with opened(qtbot, data_dir) as window:
        assert any("styles.toml" in label.text() for label in window.banner.findChildren(QLabel))
        assert combo(window).count() > 16


def test_a_style_that_is_not_there_is_shown_by_its_name(window):
    window.document.set_param("style", "from-another-machine")
    box = combo(window)
    assert (box.currentIndex(), box.placeholderText()) == (-1, "from-another-machine")
    pick(box, "No style")
    assert window.document.params.style == ""


def test_the_wheel_passes_over_what_is_chosen_above_it(window):
    box = combo(window)
    window.prompt_panel.prompt.setFocus()
    middle = QPointF(box.rect().center())
    wheel = QWheelEvent(
        middle, box.mapToGlobal(middle), QPoint(), QPoint(0, -120), Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(box, wheel)
    assert window.document.params.style == ""
