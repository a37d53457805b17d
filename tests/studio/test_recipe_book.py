"""RecipeBook: the user's own recipes are saved, shared and removed, and the document offers them."""

from __future__ import annotations

from contextlib import closing

import pytest

from desktop_app.store.paths import resources_dir
from desktop_app.store.recipes import RecipeStore
from desktop_app.studio.recipe_book import RecipeBook


@pytest.fixture
def book(document, paths):
    with closing(RecipeBook(RecipeStore(paths.recipes, resources_dir() / "recipes"), document)) as made:
        yield made


@pytest.fixture
def saved(qtbot, book, document):
    """Keeps the values under a name, and tells the recipe's name."""

    def save(label):
        with qtbot.waitSignal(document.recipes_changed):
            book.save(label)
        return document.params.recipe

    return save


def test_what_the_controls_show_is_kept_and_comes_back(document, saved, book):
    document.set_params("Values", strength=0.33, prompt="a lemon", steps=11)
    name = saved("Soft lemon")
    document.set_params("Others", strength=0.9, steps=4)
    document.apply_recipe(name)
    assert (document.params.strength, document.params.steps, document.recipe.label) == (0.33, 11, "Soft lemon")
    assert document.recipe.suggestions == ("a lemon",)
    assert book.is_own(name)
    assert not book.is_own("starter")


def test_a_name_given_again_replaces_the_recipe_that_is_called_so(qtbot, document, saved, book):
    name, count = saved("Soft lemon"), len(document.recipes)
    document.set_params("Values", steps=23)
    assert book.own_name("  soft  LEMON ") == name
    assert saved("Soft  lemon") == name
    assert len(document.recipes) == count
    assert document.recipe.defaults["steps"] == 23
    starter = next(recipe for recipe in document.recipes if recipe.name == "starter")
    assert book.own_name(starter.label) == ""


def test_a_recipe_travels_as_a_file(qtbot, document, saved, book, tmp_path, paths):
    name = saved("Soft lemon")
    with qtbot.waitSignal(document.recipes_changed):
        book.export(name, tmp_path / "lemon.toml")
    with qtbot.waitSignal(document.recipes_changed):
        book.remove(name)
    assert document.recipe is None
    with qtbot.waitSignal(document.recipes_changed):
        book.bring_in(tmp_path / "lemon.toml")
    assert document.recipe.label == "Soft lemon"


def test_a_file_that_is_no_recipe_is_told(qtbot, document, book, tmp_path):
    (tmp_path / "x.toml").write_text("label = 3")
    with qtbot.waitSignal(book.error_raised) as raised:
        book.bring_in(tmp_path / "x.toml")
    assert "cannot be read" in raised.args[0].title


def test_an_own_recipe_that_is_damaged_hides_no_other(document, saved, book, paths):
    saved("Good")
    (paths.recipes / "bad.toml").write_text("label = ")
    assert [error.param for error in book.damaged()] == ["recipe"]
    name = saved("Better")
    assert {"good", name} <= {recipe.name for recipe in document.recipes}
