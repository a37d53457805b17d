"""ChainPanel: the chain as cards, on the real window."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest

from desktop_app.core.chain import MAX_CARDS, Card
from desktop_app.core.engine import EngineStatus
from desktop_app.core.request import StageKind
from desktop_app.core.stage_keys import stage_keys
from desktop_app.ui.stage_card import FirstStageCard

UP, DOWN, ALT = Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier
THREE = (Card(steps=11), Card(steps=12), Card(steps=13))


@pytest.fixture
def panel(window):
    window.chain_panel.title.setChecked(True)
    return window.chain_panel


@pytest.fixture
def chain(window, panel):
    """Sets the chain, and gives what it is later."""

    def chain(*cards: Card) -> list[int]:
        if cards:
            window.document.set_param("chain", cards)
        return [card.steps for card in window.document.params.chain]

    return chain


def add(panel, text):
    next(action for action in panel.add.menu().actions() if action.text() == text).trigger()


def unfold(panel, index):
    panel.cards[index].header.fold.click()
    return panel.cards[index].fields


def titles(panel):
    return [card.header.title.text() for card in panel.cards]


def lines(panel):
    return [label.text() for label in panel._lines]


def test_a_stage_is_added_with_the_values_of_the_first(window, panel):
    window.document.set_params("Test", steps=24, guidance_scale=5.0)
    add(panel, "Image-to-image")
    assert window.document.params.chain == (Card(steps=24, guidance_scale=5.0),)
    assert panel.title.text() == "Chain (2 stages)"
    assert panel.cards[0].fields.isVisible()
    window.document.undo_stack.undo()
    assert (window.document.params.chain, panel.title.text(), panel.cards) == ((), "Chain", [])


@pytest.mark.parametrize(
    ("text", "title", "fields"),
    [
        (
            "Image-to-image",
            "2 · Image-to-image",
            {"prompt", "negative_prompt", "strength", "steps", "guidance_scale", "scheduler"},
        ),
        ("Refine (takes over)", "2 · Refine (takes over)", {"prompt", "negative_prompt", "begin", "guidance_scale"}),
        ("Inpaint", "2 · Inpaint", {"strength", "steps"}),
        ("Upscale ×4", "2 · Upscale ×4", {"noise_level", "steps"}),
        ("Pixel upscaler", "2 · Pixel upscaler", set()),
    ],
)
def test_a_card_shows_what_its_kind_takes(panel, text, title, fields):
    add(panel, text)
    card = panel.cards[0]
    shown = {name for name, field in card.fields.fields.items() if not field.isHidden()}
    assert card.header.title.text() == title
    assert shown >= fields | {"kind", "checkpoint"}
    assert not shown & {"strength", "begin", "noise_level", "steps"} - fields
    assert card.fields.choose_file.isVisible() == (text == "Pixel upscaler")


def test_a_folded_card_says_all_in_one_line(window, panel, chain):
    chain(Card(checkpoint="ogkalu/Comic-Diffusion", strength=0.45, steps=20), Card(begin=0.8))
    first, second = panel.cards
    assert first.fields.isHidden()
    assert first.summary.text() == "Comic-Diffusion · strength 0.45 · 9 of 20 steps"
    assert second.summary.text() == "as the first · takes over at 0.8"
    unfold(panel, 0)
    assert (first.fields.isVisible(), first.summary.isVisible()) == (True, False)


def test_edits_go_to_the_card_that_they_were_made_in(window, panel, chain):
    chain(*THREE)
    fields = unfold(panel, 1)
    fields.steps.setValue(40)
    fields.strength.slider.setValue(0.25)
    fields.guidance.setValue(3.5)
    fields.scheduler.activated.emit(1)
    card = window.document.params.chain[1]
    assert (card.steps, card.strength, card.guidance_scale) == (40, 0.25, 3.5)
    assert card.scheduler == fields.scheduler.itemData(1)
    assert chain() == [11, 40, 13]


def test_quick_changes_of_one_value_are_undone_at_once_and_of_another_apart(window, panel, chain):
    chain(*THREE)
    fields = unfold(panel, 0)
    count = window.document.undo_stack.count()
    for steps in (20, 30, 40):
        fields.steps.setValue(steps)
    fields.guidance.setValue(3.0)
    fields.guidance.setValue(2.0)
    unfold(panel, 1).steps.setValue(50)
    assert window.document.undo_stack.count() == count + 3
    window.document.undo_stack.undo()
    window.document.undo_stack.undo()
    assert window.document.params.chain[0] == Card(steps=40)


def test_a_prompt_is_inherited_until_it_is_the_card_s_own(window, panel, chain, qtbot):
    window.document.set_params("Test", prompt="a cat in a hat")
    chain(Card())
    prompt = unfold(panel, 0).prompt
    assert (prompt.edit.text(), prompt.edit.placeholderText()) == ("", "a cat in a hat")
    qtbot.keyClicks(prompt.edit, "dog")
    assert (window.document.params.chain[0].prompt, prompt.own.isChecked()) == ("dog", True)
    prompt.own.click()
    assert (window.document.params.chain[0].prompt, prompt.edit.text()) == (None, "")
    prompt.own.click()
    assert (window.document.params.chain[0].prompt, prompt.edit.text()) == ("a cat in a hat", "a cat in a hat")


def test_looking_at_a_card_makes_nothing_its_own(window, panel, chain):
    window.document.set_params("Test", prompt="a (cat:1.3)", negative_prompt="fog")
    chain(Card(), Card(prompt="(dog:1.2)"))
    unfold(panel, 0)
    unfold(panel, 1)
    window.document.checkpoint_changed.emit()
    assert window.document.params.chain == (Card(), Card(prompt="(dog:1.2)"))


def test_an_own_prompt_may_be_empty(window, panel, chain):
    chain(Card(prompt="dog"))
    edit = unfold(panel, 0).prompt.edit
    edit.selectAll()
    QTest.keyClick(edit, Qt.Key.Key_Delete)
    assert window.document.params.chain[0].prompt == ""


def test_another_kind_is_picked_in_the_card(window, panel, chain):
    chain(Card(prompt="dog"))
    fields = unfold(panel, 0)
    fields.kind.activated.emit(fields.kind.findText("Refine (takes over)"))
    assert window.document.params.chain == (Card(prompt="dog", begin=0.8),)
    fields.share.setValue(0.7)
    fields.kind.activated.emit(fields.kind.findText("Latent upscale ×2"))
    card = window.document.params.chain[0]
    assert (card.kind, card.begin, card.checkpoint) == (
        StageKind.LATENT_UPSCALE,
        0.0,
        "stabilityai/sd-x2-latent-upscaler",
    )


def test_only_checkpoints_that_fit_are_offered(window, panel, chain):
    info = window.document.checkpoint_info
    upscaler = replace(info, ref="up", label="Up", kinds=(StageKind.UPSCALE,))
    panel.set_checkpoints([replace(info, ref="other", label="Other"), upscaler])
    chain(Card(), Card(StageKind.UPSCALE, "up"))
    combos = [unfold(panel, index).checkpoint for index in (0, 1)]
    offered = [[combo.itemText(row) for row in range(combo.count())] for combo in combos]
    assert offered == [["As the first stage", "Other"], ["None yet", "Up"]]
    combos[0].activated.emit(1)
    assert window.document.params.chain[0].checkpoint == "other"


def test_a_pixel_upscaler_is_a_file(window, panel, monkeypatch):
    add(panel, "Pixel upscaler")
    asked = []

    def answer(*arguments):
        asked.append(arguments[1])
        return "/up/x4.safetensors", ""

    monkeypatch.setattr("desktop_app.ui.chain_fields.QFileDialog.getOpenFileName", answer)
    panel.cards[0].fields.choose_file.click()
    assert asked == ["Choose a pixel upscaler"]
    assert window.document.params.chain[0].checkpoint == "/up/x4.safetensors"


# Order -------------------------------------------------------------------------------------------


def test_cards_are_moved_by_the_keyboard(window, panel, chain):
    chain(*THREE)
    unfold(panel, 2)
    QTest.keyClick(panel.cards[2].header.grip, UP, ALT)
    assert chain() == [11, 13, 12]
    assert [card.fields.isVisible() for card in panel.cards] == [False, True, False]
    assert panel.cards[1].header.grip.hasFocus()
    QTest.keyClick(panel.cards[1].header.duplicate, UP, ALT)
    QTest.keyClick(panel.cards[0].header.grip, UP, ALT)
    assert chain() == [13, 11, 12]
    window.document.undo_stack.undo()
    window.document.undo_stack.undo()
    assert chain() == [11, 12, 13]


def test_an_arrow_alone_moves_nothing(panel, chain):
    chain(*THREE)
    QTest.keyClick(panel.cards[1].header.grip, UP)
    QTest.keyClick(panel.cards[1].header.grip, DOWN, Qt.KeyboardModifier.ControlModifier)
    assert chain() == [11, 12, 13]


def is_laid_out(panel):
    """Whether the cards stand one below the other."""
    tops = [card.geometry().top() for card in panel.cards]
    return tops == sorted(set(tops)) and max(card.height() for card in panel.cards) < 100


def drag(panel, index, target, *, drop=True):
    """Carry a card by its grip to the middle of another, or just beyond it."""
    grip, over = panel.cards[index].header.grip, panel.cards[target]
    edge = 2 if target < index else over.height() - 2
    there = grip.mapFromGlobal(over.mapToGlobal(QPoint(20, edge)))
    QTest.mousePress(grip, Qt.MouseButton.LeftButton, pos=QPoint(7, 12))
    QTest.mouseMove(grip, QPoint(7, 12) + QPoint(0, 30 if target > index else -30))
    QTest.mouseMove(grip, there)
    if drop:
        QTest.mouseRelease(grip, Qt.MouseButton.LeftButton, pos=there)
    return grip


@pytest.mark.parametrize(
    ("index", "target", "order"),
    [(0, 2, [12, 13, 11]), (2, 0, [13, 11, 12]), (0, 1, [12, 11, 13]), (1, 0, [12, 11, 13]), (1, 1, [11, 12, 13])],
)
def test_a_card_is_carried_to_another_place(qtbot, window, panel, chain, index, target, order):
    chain(*THREE)
    qtbot.waitUntil(lambda: is_laid_out(panel))
    drag(panel, index, target)
    assert chain() == order
    assert panel._drop_line.isHidden()


def test_a_line_shows_where_a_card_would_come_to_lie(qtbot, window, panel, chain):
    chain(*THREE)
    qtbot.waitUntil(lambda: is_laid_out(panel))
    grip = drag(panel, 0, 1, drop=False)
    assert panel._drop_line.isVisible()
    above, below = panel.cards[1].geometry().bottom(), panel.cards[2].geometry().top()
    assert above <= panel._drop_line.geometry().center().y() <= below
    QTest.keyClick(grip, Qt.Key.Key_Escape)
    assert panel._drop_line.isHidden()
    QTest.mouseRelease(grip, Qt.MouseButton.LeftButton)
    assert chain() == [11, 12, 13]


def test_a_press_on_the_grip_alone_is_no_move(window, panel, chain):
    chain(*THREE)
    count = window.document.undo_stack.count()
    QTest.mouseClick(panel.cards[1].header.grip, Qt.MouseButton.LeftButton)
    assert window.document.undo_stack.count() == count


def test_a_card_is_duplicated_removed_and_left_out(window, panel, chain):
    chain(*THREE)
    panel.cards[1].header.duplicate.click()
    assert chain() == [11, 12, 12, 13]
    panel.cards[0].header.remove.click()
    assert chain() == [12, 12, 13]
    panel.cards[0].header.on.click()
    assert [card.is_on for card in window.document.params.chain] == [False, True, True]
    assert titles(panel) == ["Image-to-image · off", "2 · Image-to-image", "3 · Image-to-image"]
    assert panel.title.text() == "Chain (3 stages)"
    for _ in range(3):
        window.document.undo_stack.undo()
    assert chain() == [11, 12, 13]
    assert window.document.params.chain[0].is_on


def test_the_keyboard_stays_in_the_chain_when_a_card_goes(panel, chain):
    chain(*THREE[:2])
    panel.cards[1].header.remove.click()
    assert panel.cards[0].header.grip.hasFocus()
    panel.cards[0].header.remove.click()
    assert panel.add.hasFocus()


def test_a_chain_has_an_end(panel, chain):
    chain(*(Card() for _ in range(MAX_CARDS)))
    assert not panel.add.isEnabled()
    assert "16" in panel.add.toolTip()
    panel.cards[0].header.duplicate.click()
    assert len(chain()) == MAX_CARDS


# The first stage, hand-overs, errors ----------------------------------------------------------------


def test_the_first_stage_is_left_out_only_where_another_can_begin(window, panel, chain, picture, qtbot):
    first = panel.first
    assert not first.on.isEnabled()
    chain(Card())
    assert not first.on.isEnabled()
    assert first.title.text().startswith("1 · Text-to-image – Starter")
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture())
    assert first.title.text().startswith("1 · Image-to-image – Starter")
    first.on.click()
    assert not window.document.params.first_stage
    assert (first.title.text(), titles(panel)) == ("Image-to-image · off", ["1 · Image-to-image"])
    assert panel.title.text() == "Chain (1 stage)"


def test_a_refiner_has_a_number_of_its_own(qtbot):
    first = FirstStageCard()
    qtbot.addWidget(first)
    first.show_value("Image-to-image", "base", count=2, why_not="")
    assert first.title.text() == "1–2 · Image-to-image – base"


def test_what_goes_on_stands_between_the_cards(qtbot, panel, chain):
    chain(Card(), Card(begin=0.6), Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors"), Card(is_on=False))
    qtbot.waitUntil(lambda: lines(panel)[2] != "↓")
    assert lines(panel) == [
        "↓ pixels: only latents of 4 channels can be handed on",
        "↓ takes over at 0.6 of the schedule",
        "↓ pixels: this stage works on pixels",
        "↓",
    ]


def test_what_is_wrong_is_said_in_its_card(window, panel, chain):
    chain(Card(), Card(strength=0.0))
    assert "would run no step" in panel.cards[1].error_text
    assert panel.cards[0].error_text == ""
    window.document.undo_stack.undo()
    chain(Card(), Card(strength=0.5))
    assert panel.cards[1].error_text == ""


def test_an_error_counts_the_stages_as_the_cards_do(panel, chain):
    chain(Card(is_on=False), Card(), Card(strength=0.0))
    assert titles(panel)[2] == "3 · Image-to-image"
    assert "stage 3: " in panel.cards[2].error_text


def test_long_words_in_one_card_take_no_room_from_another(qtbot, window, panel, chain):
    chain(Card(), Card(StageKind.PIXEL_UPSCALE, f"/models/{'a-rather-long-name-' * 8}.safetensors"))
    unfold(panel, 0)
    qtbot.waitUntil(lambda: panel.cards[1].error_text != "")
    wanted = panel.cards[0].minimumSizeHint().height
    qtbot.waitUntil(lambda: panel.cards[0].height() >= wanted())
    qtbot.waitUntil(lambda: panel.height() == panel.heightForWidth(panel.width()))


def test_generate_goes_to_the_card_that_cannot_be_run(window, panel, chain, qtbot):
    chain(Card(strength=0.0))
    panel.title.setChecked(False)
    window.commands.generate()
    assert panel.title.isChecked()
    assert panel.cards[0].header.grip.hasFocus()
    assert window.banner.isHidden()


def test_the_first_stage_off_without_another_is_told_in_the_first_card(window, panel, chain, picture, qtbot):
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture())
    chain(Card(is_on=False))
    panel.first.on.click()
    assert "No stage would run" in panel.first.error_text
    assert panel.first.on.isEnabled()


def test_the_button_says_which_stages_are_re_used(window, panel, chain):
    assert window.generate_panel.button.text() == "Generate"
    chain(*THREE)
    assert panel.hint.text() == "Fix the seed to re-use finished stages."
    window.document.set_param("seed", 7)
    keys = stage_keys(window.document.make_requests(1)[0])
    window.parts.chain.show_engine(EngineStatus(stage_keys=frozenset(keys[:2])))
    assert window.generate_panel.button.text() == "Generate\nre-uses 2 of 4 stages"
    window.document.set_param("count", 2)
    assert window.generate_panel.button.text() == "Generate\nre-uses 2 of 8 stages"
    keys += stage_keys(window.document.make_requests(2)[1])[:3]
    window.parts.chain.show_engine(EngineStatus(stage_keys=frozenset(keys)))
    assert window.generate_panel.button.text() == "Generate\nre-uses 6 of 8 stages"
    window.document.set_param("count", 5)
    assert window.generate_panel.button.text() == "Generate\nre-uses 6+ of 20 stages"
    window.document.set_params("Test", prompt="another", count=1)
    assert window.generate_panel.button.text() == "Generate"
    assert panel.hint.text() == ""


def test_a_recipe_with_a_chain_opens_the_section(window):
    window.chain_panel.title.setChecked(False)
    window.document.apply_recipe("starter-passes")
    assert window.chain_panel.title.isChecked()
    assert [card.fields.isHidden() for card in window.chain_panel.cards] == [True, True]
    window.document.apply_recipe("starter")
    assert window.chain_panel.cards == []


def test_a_chain_made_in_the_window_runs(window, panel, qtbot):
    add(panel, "Image-to-image")
    add(panel, "Image-to-image")
    window.document.set_params("Test", steps=4, seed=3)
    with qtbot.waitSignal(window.jobs.finished) as finished:
        window.commands.generate()
    stages = finished.args[1].request.stages
    assert [stage.is_card for stage in stages] == [False, True, True]


def test_every_control_of_a_card_has_a_name(panel, chain):
    chain(Card())
    unfold(panel, 0)
    header = panel.cards[0].header
    for widget in (header.grip, header.on, header.duplicate, header.remove, header.fold):
        assert "stage 2" in widget.accessibleName()
    header.on.click()
    for widget in (header.grip, header.on, header.duplicate, header.remove, header.fold):
        assert "Image-to-image · off" in widget.accessibleName()
    assert panel.cards[0].accessibleName() == "Image-to-image · off"
