"""Recipe: a TOML file with a checkpoint and good defaults."""

from __future__ import annotations

import pytest
from support import PROJECT

from desktop_app.core.errors import RequestError
from desktop_app.core.params import Params
from desktop_app.core.recipe import read_recipe, read_recipes

RECIPES = PROJECT / "resources" / "recipes"
HEAD = 'label = "Mine"\ncheckpoint = "starter"\n'


def test_the_recipes_that_ship_can_be_read():
    recipes = read_recipes(RECIPES)
    assert [recipe.name for recipe in recipes] == ["starter"]
    assert len(recipes[0].suggestions) >= 8


def test_a_recipe_leaves_prompt_and_seed_as_they_are():
    recipe = read_recipe(RECIPES / "starter.toml")
    params = recipe.apply(Params(prompt="mine", seed=7, guidance_scale=12))
    assert (params.prompt, params.seed, params.guidance_scale, params.recipe) == ("mine", 7, 4.0, "starter")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "label. is missing"),
        ("label = 5\ncheckpoint = 'starter'", "not a text"),
        (HEAD + "colour = 'red'", "colour is not known"),
        (HEAD + "[defaults]\nprompt = 'a'", "prompt is not known"),
        (HEAD + "[defaults]\nsteps = 0", "out of range"),
        (HEAD + "[defaults]\nstrength = 'much'", "not a number"),
        (HEAD + "defaults = 5", "not a table"),
        (HEAD + "suggestions = 'one'", "not a list"),
        (HEAD + "suggestions = ['']", "not a text"),
        ("not toml at all", "."),
    ],
)
def test_a_recipe_that_cannot_be_read_is_told(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(RequestError, match=words):
        read_recipe(path)


def test_a_recipe_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RequestError):
        read_recipe(tmp_path / "none.toml")
