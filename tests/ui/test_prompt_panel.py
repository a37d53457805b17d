"""PromptPanel: typing is editing the document, and the counter says what is read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QMenu, QPushButton

from desktop_app.studio.tips import plain_tip
from desktop_app.ui.chip import Chip
from desktop_app.ui.texts import file_size


def chips(window) -> list[Chip]:
    return [chip for chip in window.prompt_panel.findChildren(Chip) if chip.isVisible()]


def test_typed_words_are_the_documents_prompt(qtbot, window):
    qtbot.keyClicks(window.prompt_panel.prompt, "a lemon")
    qtbot.keyClicks(window.prompt_panel.negative, "dog")
    assert (window.document.params.prompt, window.document.params.negative_prompt) == ("a lemon", "dog")


def test_undo_is_the_documents_though_the_prompt_has_the_keyboard(qtbot, window):
    prompt = window.prompt_panel.prompt
    prompt.setFocus()
    qtbot.keyClicks(prompt, "a lemon")
    qtbot.keyClick(prompt, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert window.document.params.prompt == ""
    assert prompt.toPlainText() == ""


def test_the_cursor_stays_while_typing_in_the_middle(qtbot, window):
    prompt = window.prompt_panel.prompt
    qtbot.keyClicks(prompt, "a lemon")
    qtbot.keyClick(prompt, Qt.Key.Key_Home)
    qtbot.keyClicks(prompt, "so ")
    assert window.document.params.prompt == "so a lemon"


def test_the_counter_shows_in_how_many_chunks_a_long_prompt_is_read(qtbot, window):
    counter = window.findChild(QLabel, "promptCounter")
    assert counter.text() == "2/24"
    window.document.set_param("prompt", "lemon " * 30)
    assert counter.text() == "60/22 × 3"
    assert not window.prompt_panel.prompt.extraSelections()


def test_the_counter_says_when_the_end_is_not_read(pretend, window):
    pretend("Flux")
    counter = window.findChild(QLabel, "promptCounter")
    window.document.set_param("prompt", "lemon " * 30)
    assert "the end is not read" in counter.text()
    assert window.prompt_panel.prompt.extraSelections()
    window.document.set_param("prompt", "lemon")
    assert "not read" not in counter.text()
    assert not window.prompt_panel.prompt.extraSelections()


def test_suggestions_are_offered_while_there_is_no_prompt(qtbot, window):
    suggestion = chips(window)[0]
    suggestion.click()
    assert window.document.params.prompt == suggestion.words
    assert not chips(window)


def test_all_that_the_recipe_suggests_is_in_a_menu(qtbot, window):
    button = window.findChild(QPushButton, "allSuggestionsButton")
    known = window.document.recipes[0].suggestions
    assert button.text() == f"All {len(known)} ▾"
    button.click()
    menu = window.findChild(QMenu, "allSuggestionsMenu")
    qtbot.waitUntil(menu.isVisible)
    actions = menu.actions()
    assert [action.text() for action in actions] == list(known)
    menu.close()
    actions[-1].trigger()
    assert window.document.params.prompt == known[-1]
    assert not button.isVisible()


def test_suggestions_come_after_the_prompt_and_are_shortened_where_there_is_no_room(qtbot, window):
    suggestion = chips(window)[0]
    window.prompt_panel.prompt.setFocus()
    qtbot.keyClick(window.prompt_panel.prompt, Qt.Key.Key_Tab)
    assert suggestion.hasFocus()
    suggestion.resize(90, suggestion.height())
    assert suggestion.text().endswith("…")
    assert suggestion.accessibleName() == suggestion.words


def test_tab_leaves_the_prompt(qtbot, window):
    prompt = window.prompt_panel.prompt
    prompt.setFocus()
    qtbot.keyClick(prompt, Qt.Key.Key_Tab)
    assert not prompt.hasFocus()
    assert prompt.toPlainText() == ""


def test_a_checkpoint_that_is_missing_is_told_beside_its_control(qtbot, window):
    window.document.set_param("checkpoint", "/no/such/folder")
    qtbot.waitUntil(lambda: window.document.checkpoint_error is not None)
    assert "cannot be found" in window.prompt_panel.fields["checkpoint"].error_text
    combo = window.prompt_panel.checkpoint.combo
    assert (combo.currentText(), combo.currentData()) == ("folder", "/no/such/folder")
    window.commands.generate()
    assert window.prompt_panel.checkpoint.combo.hasFocus()
    assert not window.banner.isVisible()


@pytest.fixture
def offer(window):
    """Lets the recipe in use suggest other things."""

    def offer(**changes):
        recipe = replace(window.document.recipes[0], **changes)
        window.document.set_recipes([recipe, *window.document.recipes[1:]])
        window.document.apply_recipe(recipe.name)
        window.document.params_changed.emit(window.document.params)

    return offer


def test_words_that_call_the_style_are_added_to_a_prompt_that_has_none(qtbot, window, offer):
    window.document.set_param("prompt", "a lemon, ")
    offer(trigger_words=("charliebo artstyle", "other artstyle"))
    qtbot.waitUntil(lambda: [chip.words for chip in chips(window)] == ["charliebo artstyle", "other artstyle"])
    chips(window)[0].click()
    assert window.document.params.prompt == "a lemon, charliebo artstyle"
    assert not chips(window)


def test_a_negative_prompt_is_offered_where_there_is_none(qtbot, window, offer):
    offer(negative_suggestions=("ugly, deformed",))
    window.document.set_param("prompt", "a lemon")
    qtbot.waitUntil(lambda: [chip.words for chip in chips(window)] == ["ugly, deformed"])
    chips(window)[0].click()
    assert window.document.params.negative_prompt == "ugly, deformed"
    assert not chips(window)


def test_what_is_missing_can_be_downloaded(qtbot, window):
    button = window.prompt_panel.download
    assert button.isHidden()
    window.document.apply_recipe("sdxl-refiner")
    qtbot.waitUntil(lambda: not button.isHidden())
    assert window.document.missing == (
        "stabilityai/stable-diffusion-xl-base-1.0",
        "stabilityai/stable-diffusion-xl-refiner-1.0",
    )
    with qtbot.waitSignal(window.prompt_panel.download_requested):
        button.click()
    window.document.apply_recipe("starter")
    qtbot.waitUntil(button.isHidden)


def test_a_long_suggestion_makes_the_panel_no_wider(window, offer):
    before = window.prompt_panel.minimumSizeHint().width()
    offer(suggestions=("a long prompt " * 20,))
    assert window.prompt_panel.minimumSizeHint().width() <= max(before, 280)


def test_the_download_says_what_it_fetches_and_how_much(qtbot, window):
    window.document.apply_recipe("sdxl-refiner")
    button = window.prompt_panel.download
    qtbot.waitUntil(lambda: button.isVisible() and "GB" in button.text())
    for ref in window.document.missing:
        size = file_size(window.parts.checkpoints.model.size_of(ref))
        assert f"{ref} ({size})" in button.accessibleDescription()
    total = sum(map(window.parts.checkpoints.model.size_of, window.document.missing))
    assert button.text() == f"Download what is missing ({file_size(total)})…"


def test_a_download_of_unknown_size_names_what_it_fetches(qtbot, window):
    window.document.set_param("checkpoint", "org/unknown")
    button = window.prompt_panel.download
    qtbot.waitUntil(lambda: button.isVisible() and "org/unknown" in button.accessibleDescription())
    assert button.text() == "Download what is missing…"
    assert button.toolTip() == plain_tip("Downloads org/unknown")


def test_generate_without_the_checkpoint_leads_to_the_download(qtbot, window):
    window.resize(1000, 520)
    window.document.apply_recipe("sdxl-refiner")
    button = window.prompt_panel.download
    qtbot.waitUntil(button.isVisible)
    window.prompt_panel.prompt.setFocus()
    qtbot.keyClick(window.prompt_panel.prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert "is not on this machine" in window.prompt_panel.fields["checkpoint"].error_text
    qtbot.waitUntil(lambda: not button.visibleRegion().isEmpty())
    qtbot.keyClick(window.prompt_panel.checkpoint.combo, Qt.Key.Key_Tab)
    assert button.hasFocus()
    with qtbot.waitSignal(window.prompt_panel.download_requested):
        qtbot.keyClick(button, Qt.Key.Key_Space)


def test_what_the_user_should_know_of_a_checkpoint_is_said_under_its_name(window, pretend):
    note = window.findChild(QLabel, "checkpointNote")
    assert note.isHidden()
    pretend("Stable Diffusion", note="The file does not say how it was trained.")
    assert note.isVisible()
    assert note.text() == "The file does not say how it was trained."
    pretend("Stable Diffusion", note="")
    assert note.isHidden()


def test_a_suggestion_that_has_room_is_shown_whole(qtbot, window, offer):
    window.resize(1600, 900)
    offer(suggestions=("cat wizard, charliebo artstyle",))
    qtbot.waitUntil(lambda: [chip.text() for chip in chips(window)] == ["cat wizard, charliebo artstyle"])


def test_suggestions_belong_to_the_checkpoint_that_paints(window):
    assert chips(window)
    window.document.choose_checkpoint("/some/folder")
    assert not chips(window)
    assert window.prompt_panel.recipe.currentText() == ""


def test_a_prior_is_not_offered_to_paint(window):
    info = window.document.checkpoint_info
    window.prompt_panel.checkpoint.set_checkpoints([info, replace(info, ref="a/prior", label="A prior", kinds=())])
    combo = window.prompt_panel.checkpoint.combo
    assert combo.findData("a/prior") < 0
    assert combo.findData(info.ref) == 0
