"""Weights in the prompt's box: seen as they are typed, told where they mean nothing, changed by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt
from PySide6.QtGui import QColor, QFont, QHelpEvent, QTextCharFormat
from PySide6.QtWidgets import QApplication, QToolTip

from desktop_app.core.choices import BRACE_NOT_CLOSED
from desktop_app.core.weighting import NOT_CLOSED, NOT_WHOLE
from desktop_app.ui.schemes import DARK, LIGHT
from desktop_app.ui.weight_note import WeightNote

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def prompt(window):
    edit = window.prompt_panel.prompt
    edit.setFocus()
    return edit


def type_in(edit, text):
    """Sign by sign, as an input method commits them: pytest-qt types no emoji."""
    for sign in text:
        edit.insertPlainText(sign)


def format_of(edit, words):
    """The format in which ``words`` are shown."""
    text = edit.toPlainText()
    at = len(text[: text.index(words)].encode("utf-16-le")) // 2
    block = edit.document().findBlock(at)
    spans = [
        span for span in block.layout().formats() if span.start <= at - block.position() < span.start + span.length
    ]
    return QTextCharFormat(spans[-1].format) if spans else QTextCharFormat()


def select(edit, words):
    cursor = edit.textCursor()
    at = edit.toPlainText().index(words)
    cursor.setPosition(at)
    cursor.setPosition(at + len(words), cursor.MoveMode.KeepAnchor)
    edit.setTextCursor(cursor)


def note(window):
    return next(
        label for label in window.prompt_panel.findChildren(WeightNote) if label._edit.objectName() == "promptEdit"
    )


def test_a_heavier_word_looks_heavier_and_a_lighter_one_dim(qtbot, window, prompt):
    type_in(prompt, "a (big:1.4) [small] cat")
    scheme = window.theme.scheme
    assert format_of(prompt, "big").fontWeight() == QFont.Weight.Bold
    assert format_of(prompt, "big").foreground().color() == QColor(scheme.heavy)
    assert format_of(prompt, "small").foreground().color() == QColor(scheme.dim)
    assert not format_of(prompt, "cat").hasProperty(QTextCharFormat.Property.FontWeight)


def test_the_colours_follow_the_theme(window, prompt):
    window.document.set_param("prompt", "a (big:1.4) cat")
    for name, scheme in (("dark", DARK), ("light", LIGHT)):
        window.theme.choose(name)
        assert format_of(prompt, "big").foreground().color() == QColor(scheme.heavy)


def test_a_bracket_that_closes_lines_below_makes_all_lines_heavier(qtbot, prompt):
    type_in(prompt, "☂🍋 (lemon\nand more")
    assert format_of(prompt, "lemon").fontWeight() != QFont.Weight.Bold
    type_in(prompt, ":1.5)")
    assert format_of(prompt, "lemon").fontWeight() == QFont.Weight.Bold
    assert format_of(prompt, "and").fontWeight() == QFont.Weight.Bold
    assert format_of(prompt, "🍋").fontWeight() != QFont.Weight.Bold


def test_a_bracket_that_is_not_closed_is_underlined_and_told_while_it_is_typed(qtbot, window, prompt):
    type_in(prompt, "a (cat")
    assert format_of(prompt, "(").underlineStyle() == QTextCharFormat.UnderlineStyle.WaveUnderline
    assert note(window).isVisible()
    assert NOT_CLOSED in note(window).text()
    type_in(prompt, ")")
    assert note(window).isHidden()
    assert format_of(prompt, "(").underlineStyle() == QTextCharFormat.UnderlineStyle.NoUnderline


def test_a_problem_has_a_tip(window, prompt):
    window.document.set_param("prompt", "(cat")
    at = prompt.cursorRect().center()
    tip = QHelpEvent(QEvent.Type.ToolTip, QPoint(2, at.y()), prompt.viewport().mapToGlobal(QPoint(2, at.y())))
    QApplication.sendEvent(prompt.viewport(), tip)
    assert QToolTip.text() == NOT_CLOSED
    QToolTip.hideText()


def test_choices_have_a_colour_and_their_signs_are_bold(window, prompt):
    type_in(prompt, "☂ a {red|(big:1.3)\n{dark|} blue} cat")
    scheme = window.theme.scheme
    for words in ("red", "dark", "blue", "{dark", "|", "}"):
        assert format_of(prompt, words).foreground().color() == QColor(scheme.focus)
    assert format_of(prompt, "big").foreground().color() == QColor(scheme.heavy)
    assert format_of(prompt, "|").fontWeight() == QFont.Weight.Bold
    assert format_of(prompt, "red").fontWeight() != QFont.Weight.Bold
    assert format_of(prompt, "cat").foreground().color() != QColor(scheme.focus)


def test_a_brace_that_is_not_closed_is_told_in_every_family(pretend, window, prompt):
    pretend("Flux")
    type_in(prompt, "a {red|blue")
    assert format_of(prompt, "{").underlineStyle() == QTextCharFormat.UnderlineStyle.WaveUnderline
    assert BRACE_NOT_CLOSED in note(window).text()
    type_in(prompt, "}")
    assert note(window).isHidden()
    assert format_of(prompt, "red").foreground().color() == QColor(window.theme.scheme.focus)


def test_a_call_that_is_not_around_the_whole_prompt_is_told(window, prompt):
    type_in(prompt, '("a", "b").blend(1, 1)')
    assert note(window).isHidden()
    type_in(prompt, ", rain")
    assert NOT_WHOLE in note(window).text()


def test_keys_weigh_words_in_a_blend_and_in_a_choice(qtbot, window, prompt):
    type_in(prompt, '("a {red|blue} cat", "dog").blend()')
    for words in ("blue", "dog", "blend"):
        select(prompt, words)
        qtbot.keyClick(prompt, Qt.Key.Key_Up, CTRL)
    assert window.document.params.prompt == '("a {red|(blue:1.1)} cat", "(dog:1.1)").blend()'


def test_where_weights_are_not_read_nothing_is_shown_of_them(pretend, window, prompt):
    window.document.set_param("prompt", "a (big:1.4) cat (")
    pretend("Flux")
    assert format_of(prompt, "big").fontWeight() != QFont.Weight.Bold
    assert note(window).isHidden()
    assert any("Weights are not used" in sentence for sentence in window.document.plan().unused)
    pretend("Stable Diffusion XL")
    assert format_of(prompt, "big").fontWeight() == QFont.Weight.Bold


def test_keys_change_the_weight_of_what_is_selected(qtbot, window, prompt):
    type_in(prompt, "a big cat")
    select(prompt, "big cat")
    qtbot.keyClick(prompt, Qt.Key.Key_Up, CTRL)
    qtbot.keyClick(prompt, Qt.Key.Key_Up, CTRL)
    assert window.document.params.prompt == "a (big cat:1.2)"
    assert prompt.textCursor().selectedText() == "big cat"
    for _ in range(3):
        qtbot.keyClick(prompt, Qt.Key.Key_Down, CTRL)
    assert window.document.params.prompt == "a (big cat:0.9)"


def test_a_weight_is_one_step_of_undo(window, prompt):
    window.document.set_params("Typed", prompt="a 🍋 lemon")
    window.actions_by_id["weight_up"].trigger()
    assert window.document.params.prompt == "a 🍋 (lemon:1.1)"
    window.document.undo_stack.undo()
    assert window.document.params.prompt == prompt.toPlainText() == "a 🍋 lemon"


def test_weights_are_left_alone_while_no_prompt_has_the_keyboard(window, prompt):
    window.document.set_param("prompt", "lemon")
    window.canvas.setFocus()
    window.actions_by_id["weight_up"].trigger()
    assert window.document.params.prompt == "lemon"
