"""FamilyPanel: what only some families take is shown for them alone, and edits the document."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from support import STARTER

from desktop_app.core.errors import RequestError


@pytest.fixture
def panel(window):
    return window.family_panel


def shown(panel):
    return {name for name, field in panel.fields.items() if not field.isHidden()}


def test_stable_diffusion_has_nothing_more(window, panel):
    assert panel.isHidden()
    assert shown(panel) == set()


def test_kandinsky_has_a_prior_with_its_own_steps_and_guidance(pretend, window, panel):
    pretend("Kandinsky 2.2", prior="org/the-prior")
    assert shown(panel) == {"prior", "prior_steps", "prior_guidance_scale"}
    assert panel.prior.currentText() == "org/the-prior"
    panel.prior_steps.setValue(9)
    panel.prior_guidance.setValue(2.5)
    assert (window.document.params.prior_steps, window.document.params.prior_guidance_scale) == (9, 2.5)


def test_a_refiner_is_chosen_among_those_that_fit_and_brings_its_own_controls(pretend, window, panel):
    base = pretend("Stable Diffusion XL")
    refiner = replace(base, ref="refiner", label="The refiner", family="Stable Diffusion XL refiner")
    panel.set_checkpoints([base, replace(base, ref="other", family="Stable Diffusion"), refiner])
    combo = panel.refiner.refiner
    assert [combo.itemText(index) for index in range(combo.count())] == ["None", "The refiner"]
    assert shown(panel) == {"refiner"}
    combo.activated.emit(1)
    assert window.document.params.refiner == "refiner"
    assert shown(panel) == {"refiner", "refiner_share"}


def test_a_second_pass_has_a_strength_and_a_hand_over_a_share(pretend, window, panel):
    pretend("Stable Diffusion XL")
    window.document.set_param("refiner", "refiner")
    mode = panel.refiner.mode
    assert shown(panel) == {"refiner", "refiner_share"}
    mode.setCurrentIndex(1)
    mode.activated.emit(1)
    assert window.document.params.refiner_strength == pytest.approx(0.3)
    assert shown(panel) == {"refiner", "refiner_strength"}
    panel.strength.setValue(0.0)
    assert window.document.params.refiner_strength == pytest.approx(0.01)
    mode.setCurrentIndex(0)
    mode.activated.emit(0)
    assert window.document.params.refiner_strength == 0


def test_finer_conditions_are_under_more(pretend, window, panel):
    pretend("Stable Diffusion XL refiner")
    assert shown(panel) == set()
    panel._more.click()
    assert shown(panel) == {"aesthetic_score", "negative_aesthetic_score", "original_size"}
    panel.marks["aesthetic_score"].setValue(7.5)
    assert window.document.params.aesthetic_score == 7.5
    panel.original.combo.activated.emit(1)
    assert window.document.params.original_width == window.document.plan().working_size[0]
    panel.original.spins[0].setValue(256)
    assert window.document.params.original_width == 256
    panel.original.combo.activated.emit(0)
    assert window.document.params.original_width is None


@pytest.mark.parametrize(
    ("direction", "arrow"),
    [
        (Qt.LayoutDirection.LeftToRight, Qt.ArrowType.RightArrow),
        (Qt.LayoutDirection.RightToLeft, Qt.ArrowType.LeftArrow),
    ],
)
def test_the_arrow_of_more_points_the_way_that_is_read(pretend, panel, direction, arrow):
    panel.setLayoutDirection(direction)
    pretend("Stable Diffusion XL refiner")
    assert panel._more.arrowType() is arrow


def test_an_error_opens_more_where_its_control_is_in_there(pretend, panel):
    pretend("Stable Diffusion XL refiner")
    panel.show_error(RequestError("Too much", "11", "Take less.", param="aesthetic_score"))
    assert "Too much" in panel.fields["aesthetic_score"].error_text
    assert not panel.fields["aesthetic_score"].isHidden()


def test_a_control_that_the_family_does_not_take_says_why(pretend, window):
    field = window.params_panel.fields["strength"]
    pretend("Flux Kontext")
    assert not window.params_panel.strength.isEnabled()
    assert "strength" in field._label.toolTip()
    pretend("Stable Diffusion")
    assert window.params_panel.strength.isEnabled()
    assert "share of the denoising schedule" in field._label.toolTip()


def test_the_found_checkpoints_are_offered_as_refiners_too(qtbot, window, panel, paths, pretend):
    shutil.copytree(STARTER, paths.checkpoints / "second")
    window.commands.refresh_checkpoints()
    qtbot.waitUntil(lambda: any(info.label == "second" for info in panel._infos))
