"""RecipeCommands: before a recipe of the user's own is replaced or removed, the user is asked."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QInputDialog, QMessageBox


@pytest.fixture
def recipe(qtbot, window):
    """A recipe of the user's own, in use."""
    with qtbot.waitSignal(window.document.recipes_changed):
        window.parts.recipes.save("Soft lemon")
    return window.document.recipe


@pytest.fixture
def answer(window):
    """Presses the button that says yes, or the other one, of the box that asks."""

    def press(name, role):
        box = window.findChild(QMessageBox, name)
        assert box.buttonRole(box.defaultButton()) is QMessageBox.ButtonRole.RejectRole
        next(button for button in box.buttons() if box.buttonRole(button) is role).click()

    return press


def test_an_own_recipe_is_removed_only_after_a_question(qtbot, window, recipe, answer):
    window.actions_by_id["remove_recipe"].trigger()
    answer("removeRecipeBox", QMessageBox.ButtonRole.RejectRole)
    qtbot.waitUntil(lambda: window.findChild(QMessageBox, "removeRecipeBox") is None)
    assert window.document.recipe == recipe
    window.actions_by_id["remove_recipe"].trigger()
    with qtbot.waitSignal(window.document.recipes_changed):
        answer("removeRecipeBox", QMessageBox.ButtonRole.AcceptRole)
    assert window.document.recipe is None


def test_an_own_recipe_is_replaced_only_after_a_question(qtbot, window, recipe, answer):
    window.document.set_params("Values", steps=23)
    window.actions_by_id["save_recipe"].trigger()
    dialog = window.findChild(QInputDialog, "recipeNameDialog")
    assert dialog.textValue() == "Soft lemon"
    dialog.accept()
    assert window.document.recipe.defaults["steps"] != 23
    with qtbot.waitSignal(window.document.recipes_changed):
        answer("replaceRecipeBox", QMessageBox.ButtonRole.AcceptRole)
    assert (window.document.recipe.name, window.document.recipe.defaults["steps"]) == (recipe.name, 23)
