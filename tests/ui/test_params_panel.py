"""ParamsPanel: every control shows the document's value and changes it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from desktop_app.core.conditions import ColourMatch
from desktop_app.core.params import Fit
from desktop_app.core.schedulers import SCHEDULERS


@pytest.fixture
def panel(window):
    return window.params_panel


@pytest.fixture
def with_init(qtbot, window, picture):
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("cat.png", (60, 40)))
    return window


def test_the_strength_slider_says_how_many_steps_run(with_init, panel):
    with_init.document.set_param("steps", 40)
    panel.strength.slider.setValue(0.6)
    assert with_init.document.params.strength == 0.6
    assert panel.strength.sentence == "24 of 40 steps run"


def test_a_dragged_strength_snaps_to_whole_steps_and_never_below_one(with_init, panel):
    with_init.document.set_param("steps", 10)
    panel.strength.slider.setSliderDown(True)
    panel.strength.slider.setValue(0.47)
    assert with_init.document.params.strength == pytest.approx(0.5)
    panel.strength.slider.setValue(0.0)
    assert panel.strength.sentence == "1 of 10 steps run"
    panel.strength.slider.setSliderDown(False)


def test_a_family_that_rounds_up_says_and_snaps_so(with_init, panel, pretend):
    with_init.document.set_params("Ten", steps=10, strength=0.41)
    pretend("Stable Diffusion 3")
    assert panel.strength.sentence == "5 of 10 steps run"
    panel.strength.slider.setSliderDown(True)
    for value, steps in ((0.28, 3), (0.69, 7), (0.0, 1), (1.0, 10)):
        panel.strength.slider.setValue(value)
        assert panel.strength.sentence == f"{steps} of 10 steps run"
    panel.strength.slider.setSliderDown(False)


def test_the_sides_go_by_what_the_checkpoint_takes(window, panel, pretend):
    pretend("Kandinsky 2.2", multiple=64)
    panel.size_control.combo.activated.emit(1)
    assert (panel.size_control.width_spin.singleStep(), panel.size_control.width_spin.value()) == (64, 64)
    panel.size_control.width_spin.stepUp()
    assert window.document.params.width == 128
    assert "multiple of 64" in panel.size_control.height_spin.toolTip()
    pretend("Stable Diffusion", multiple=8)
    assert panel.size_control.height_spin.singleStep() == 8


def test_only_schedulers_that_the_family_runs_with_are_offered(window, panel, pretend):
    def offered():
        return [panel.scheduler.itemData(index) for index in range(panel.scheduler.count())]

    assert offered() == list(SCHEDULERS)
    pretend("Kandinsky 3")
    assert offered() == ["default", "ddpm"]
    pretend("Stable Diffusion")
    window.document.set_param("scheduler", "euler")
    pretend("Kandinsky 3")
    assert set(offered()) == {"default", "ddpm", "euler"}
    assert panel.scheduler.currentData() == "euler"


def test_a_scheduler_that_does_not_fit_is_refused_beside_the_choice(window, panel, pretend):
    window.document.set_param("scheduler", "euler")
    pretend("Kandinsky 3")
    assert "does not fit the checkpoint" in panel.fields["scheduler"].error_text
    window.document.set_param("scheduler", "ddpm")
    assert panel.fields["scheduler"].error_text == ""
    assert panel.scheduler.findData("euler") < 0


def test_a_typed_strength_is_kept_as_typed(with_init, panel):
    panel.strength.slider.setValue(0.47)
    assert with_init.document.params.strength == 0.47


def test_the_strength_slider_goes_by_keys_from_step_to_step(qtbot, with_init, panel):
    with_init.document.set_params("Ten", steps=10, strength=0.5)
    bar = panel.strength.slider.bar
    bar.setFocus()
    values = []
    for key in (Qt.Key.Key_Right, Qt.Key.Key_Left, Qt.Key.Key_PageUp, Qt.Key.Key_Home, Qt.Key.Key_End):
        qtbot.keyClick(bar, key)
        values.append(with_init.document.params.strength)
    assert values == pytest.approx([0.6, 0.5, 0.6, 0.1, 1.0])
    with_init.actions_by_id["snap_strength"].trigger()
    qtbot.keyClick(bar, Qt.Key.Key_Left)
    assert with_init.document.params.strength == pytest.approx(0.99)


def test_the_guidance_slider_goes_by_keys(qtbot, window, panel):
    panel.guidance.setFocus()
    assert panel.guidance.bar.hasFocus()
    qtbot.keyClick(panel.guidance.bar, Qt.Key.Key_Right)
    assert window.document.params.guidance_scale == pytest.approx(4.0 + panel.guidance.singleStep())


def test_a_wheel_that_scrolls_the_panel_changes_no_slider(window, panel):
    bar = panel.strength.slider.bar
    window.prompt_panel.prompt.setFocus()
    before = window.document.params
    at, none = QPointF(20, 8), Qt.MouseButton.NoButton
    keys, phase = Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase
    wheel = QWheelEvent(at, at, QPoint(), QPoint(0, -120), none, keys, phase, False)
    QApplication.sendEvent(bar, wheel)
    assert window.document.params == before
    assert not wheel.isAccepted()


def test_every_part_of_a_slider_is_one_stop_and_has_a_name(qtbot, panel):
    slider = panel.strength.slider
    assert [part.accessibleName() for part in (slider, slider.bar, slider.box)] == ["Strength"] * 3
    slider.bar.setFocus()
    qtbot.keyClick(slider.bar, Qt.Key.Key_Tab)
    assert slider.box.hasFocus()
    qtbot.keyClick(slider.box, Qt.Key.Key_Tab)
    assert panel.guidance.bar.hasFocus()


@pytest.mark.parametrize("modifier", [Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ControlModifier])
def test_a_strength_that_is_being_typed_counts_when_return_is_pressed(qtbot, with_init, panel, modifier):
    box = panel.strength.slider.box
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "0.35")
    qtbot.keyClick(box, Qt.Key.Key_Return, modifier)
    assert with_init.document.params.strength == pytest.approx(0.35)
    assert panel.strength.slider.bar.hasFocus()
    jobs = [with_init.jobs.index(row, 0).data(with_init.jobs.JobRole) for row in range(with_init.jobs.rowCount())]
    assert all(job.request.stages[0].strength == pytest.approx(0.35) for job in jobs)


def test_a_slider_from_right_to_left_is_filled_from_the_right(qtbot, window, panel):
    bar = panel.guidance.bar
    accent = window.palette().link().color()

    def is_filled(x: int) -> bool:
        return bar.grab().toImage().pixelColor(x, bar.height() // 2) == accent

    assert is_filled(6)
    assert not is_filled(bar.width() - 6)
    panel.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    qtbot.waitUntil(lambda: is_filled(bar.width() - 6) and not is_filled(6))


def test_snapping_can_be_switched_off(with_init, panel):
    with_init.actions_by_id["snap_strength"].trigger()
    panel.strength.slider.setSliderDown(True)
    panel.strength.slider.setValue(0.47)
    panel.strength.slider.setSliderDown(False)
    assert with_init.document.params.strength == 0.47


def test_numbers_and_choices_reach_the_document(window, panel):
    panel.guidance.setValue(7.5)
    panel.steps.setValue(33)
    for combo, value in ((panel.scheduler, "euler"), (panel.fit, "pad"), (panel.colour_match, "lab")):
        combo.setCurrentIndex(combo.findData(value))
        combo.activated.emit(combo.currentIndex())
    panel.own_size.click()
    params = window.document.params
    assert (params.guidance_scale, params.steps, params.scheduler, params.fit) == (7.5, 33, "euler", Fit.PAD)
    assert params.own_size is False
    assert params.colour_match is ColourMatch.LAB


def test_undo_shows_in_the_controls(window, panel):
    panel.steps.setValue(33)
    panel.guidance.setValue(9.0)
    window.document.undo_stack.undo()
    window.document.undo_stack.undo()
    assert (panel.steps.value(), panel.guidance.value()) == (20, 4.0)


def test_a_seed_is_random_fixed_or_reused(qtbot, window, panel):
    assert panel.seed.edit.placeholderText() == "random"
    qtbot.keyClicks(panel.seed.edit, "77")
    assert window.document.params.seed == 77
    panel.seed.edit.clear()
    panel.seed.edit.textEdited.emit("")
    assert window.document.params.seed is None
    panel.seed.set_last(5)
    panel.seed.reuse()
    assert panel.seed.edit.text() == "5"


def test_the_seed_of_the_last_result_can_be_fixed(qtbot, window, panel):
    action = window.actions_by_id["reuse_seed"]
    assert not action.isEnabled()
    window.document.set_params("Quick", steps=2)
    with qtbot.waitSignal(window.jobs.finished) as finished:
        window.commands.generate()
    action.trigger()
    assert window.document.params.seed == finished.args[1].request.seed


def test_the_seed_of_a_result_that_is_looked_at_can_be_fixed(window, paint_seeds):
    made = paint_seeds(42, 43)
    window.commands.show_variation(made[0])
    window.actions_by_id["reuse_seed"].trigger()
    assert window.document.params.seed == 42


def test_a_seed_out_of_range_is_told_beside_it(qtbot, window, panel):
    qtbot.keyClicks(panel.seed.edit, "9" * 20)
    assert "out of range" in panel.fields["seed"].error_text
    panel.seed.roll()
    assert panel.fields["seed"].error_text == ""


def test_a_size_of_ones_own_is_told_when_it_does_not_fit(window, panel):
    panel.size_control.combo.setCurrentIndex(1)
    panel.size_control.combo.activated.emit(1)
    assert (window.document.params.width, window.document.params.height) == (64, 64)
    panel.size_control.width_spin.setValue(70)
    assert "multiple of 8" in panel.fields["size"].error_text
    panel.size_control.combo.setCurrentIndex(0)
    panel.size_control.combo.activated.emit(0)
    assert window.document.params.width is None
    assert panel.fields["size"].error_text == ""


def test_the_plan_is_said_above_the_button(with_init):
    plan = with_init.findChild(QLabel, "planLabel")
    assert "12 of 20 steps run" in plan.text()
    with_init.document.clear_init_image()
    assert "Painted from the prompt alone" in plan.text()


def test_why_nothing_can_be_run_is_said_above_the_button_too(with_init):
    plan = with_init.findChild(QLabel, "planLabel")
    with_init.document.set_params("Odd", width=72, height=70)
    assert plan.text() == "Height is not a multiple of 8."
    assert plan.property("role") == "error"
    with_init.document.set_params("Even", width=None, height=None)
    assert plan.property("role") == "caption"


def test_generate_brings_the_user_to_the_value_that_cannot_be_run(qtbot, with_init, panel):
    with_init.resize(1000, 520)
    with_init.document.set_params("Odd", width=72, height=70)
    with_init.commands.generate()
    assert panel.size_control.combo.hasFocus()
    qtbot.waitUntil(lambda: not panel.size_control.combo.visibleRegion().isEmpty())


def test_the_button_and_the_keys_generate_as_many_as_asked(qtbot, window):
    window.generate_panel.count.setValue(3)
    window.findChild(QPushButton, "generateButton").click()
    assert window.jobs.rowCount() == 3
    window.prompt_panel.prompt.setFocus()
    qtbot.keyClick(window.prompt_panel.prompt, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    assert window.jobs.rowCount() == 6


def test_long_words_below_a_control_are_seen_whole(qtbot, window):
    window.document.set_param("checkpoint", f"/models/{'a-rather-long-name-' * 8}")
    field = window.prompt_panel.fields["checkpoint"]
    qtbot.waitUntil(lambda: field.error_text != "")
    label = next(label for label in field.findChildren(QLabel) if label.text() == field.error_text)
    qtbot.waitUntil(lambda: label.height() >= label.heightForWidth(label.width()))
