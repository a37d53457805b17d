"""Recipe: a TOML file with a checkpoint and good defaults."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import PROJECT

from desktop_app.core.catalog import CATALOG_NAME, find_entry, read_catalog
from desktop_app.core.errors import RequestError
from desktop_app.core.families import family_named
from desktop_app.core.family import Family
from desktop_app.core.params import PARAM_SPECS, Fit, Params, clean_text
from desktop_app.core.recipe import Recipe, make_recipe, read_recipe, read_recipes, write_recipe
from desktop_app.core.request import StageKind
from desktop_app.core.schedulers import SCHEDULERS

RECIPES = PROJECT / "resources" / "recipes"
HEAD = 'label = "Mine"\ncheckpoint = "starter"\n'


def test_the_recipes_that_ship_can_be_read():
    recipes = read_recipes(RECIPES)
    assert len(recipes) == len(list(RECIPES.iterdir()))
    assert len(recipes[0].suggestions) >= 8
    assert len({recipe.label for recipe in recipes}) == len(recipes)


def test_the_starter_comes_first_then_those_of_the_guide():
    labels = [recipe.label for recipe in read_recipes(RECIPES)]
    guide = ["Stable Diffusion 1.5", "SDXL", "SDXL + refiner", "SDXL refine a picture", "Kandinsky 2.2"]
    assert labels[1:6] == guide
    assert labels[0].startswith("Starter")


@pytest.mark.parametrize("recipe", read_recipes(RECIPES), ids=lambda recipe: recipe.name)
def test_every_recipe_that_ships_fits_its_family(recipe):
    family = family_of_recipe(recipe)
    named = {"strength", "guidance_scale", "steps", "scheduler"}
    assert set(recipe.defaults) >= {name for name in named if family.takes(name)}
    assert all(family.takes(name) for name in recipe.defaults if name != "scheduler")  # the usual one, said for clarity
    assert recipe.defaults["scheduler"] in (family.schedulers or SCHEDULERS)
    assert recipe.suggestions
    assert recipe.name == "starter" or recipe.description.endswith(".")
    assert family.takes("negative_prompt") or not recipe.negative_suggestions


@pytest.mark.parametrize("recipe", read_recipes(RECIPES), ids=lambda recipe: recipe.name)
def test_every_recipe_that_ships_runs_some_steps_whatever_was_before(recipe):
    family = family_of_recipe(recipe)
    params = recipe.apply(Params(strength=0.01, steps=900, guidance_scale=30))
    assert family.effective_steps(StageKind.IMAGE_TO_IMAGE, params.steps, params.strength) >= 2
    assert params == recipe.apply(Params())


def family_of_recipe(recipe: Recipe) -> Family:
    entry = find_entry(read_catalog(PROJECT / "resources" / CATALOG_NAME), recipe.checkpoint)
    family = family_named(entry.family if entry else "Stable Diffusion")
    assert family is not None
    return family


def test_one_recipe_leaves_nothing_of_another_behind():
    refined = read_recipe(RECIPES / "sdxl-refiner.toml").apply(Params())
    plain = read_recipe(RECIPES / "sdxl.toml").apply(refined)
    assert refined.refiner == "stabilityai/stable-diffusion-xl-refiner-1.0"
    assert plain == read_recipe(RECIPES / "sdxl.toml").apply(Params())


def test_a_recipe_names_all_that_has_to_be_fetched_for_it():
    kandinsky = read_recipe(RECIPES / "kandinsky-2.2.toml")
    assert [ref.partition("/")[2] for ref in kandinsky.refs] == ["kandinsky-2-2-decoder", "kandinsky-2-2-prior"]
    assert read_recipe(RECIPES / "starter.toml").refs == ()


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
        (HEAD + "order = 1.5", "not a whole number"),
        (HEAD + "needs = [5]", "not a text"),
        (HEAD + "x = '" + "y" * 300_000 + "'", "larger than"),
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


def test_a_recipe_made_of_the_controls_holds_what_they_show():
    shown = Params(prompt="a cat", negative_prompt="fog", steps=12, fit=Fit.PAD, seed=7, width=64, height=64, count=4)
    recipe = make_recipe("  My\n ink ", shown, "Soft.")
    assert (recipe.label, recipe.suggestions, recipe.negative_suggestions) == ("My ink", ("a cat",), ("fog",))
    assert recipe.apply(Params(prompt="mine")).fit is Fit.PAD
    assert not {"seed", "count", "prompt", "checkpoint"} & set(recipe.defaults)


@pytest.mark.parametrize("label", ["", "  ", "\n", "!!"])
def test_a_recipe_without_a_name_is_refused(label):
    with pytest.raises(RequestError, match="no name"):
        make_recipe(label, Params())


_LINES = st.text(min_size=1, max_size=40).map(clean_text).map(str.strip).filter(bool)
_LISTS = st.lists(_LINES, max_size=3).map(tuple)
_DEFAULTS = st.fixed_dictionaries(
    {},
    optional={
        "strength": st.floats(0.5, 1),
        "steps": st.integers(2, 1000),
        "guidance_scale": st.floats(0, 30),
        "fit": st.sampled_from(Fit),
        "own_size": st.booleans(),
        "prior": _LINES,
        "refiner": st.just(""),
        "aesthetic_score": st.floats(1, 9),
    },
)
_RECIPES = st.builds(
    Recipe,
    name=st.just("mine"),
    label=_LINES,
    checkpoint=_LINES,
    defaults=_DEFAULTS,
    suggestions=_LISTS,
    description=st.just("") | _LINES,
    needs=_LISTS,
    trigger_words=_LISTS,
    negative_suggestions=_LISTS,
    order=st.integers(0, 2000),
)


@given(_RECIPES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_back(tmp_path, recipe):
    path = tmp_path / "mine.toml"
    path.write_text(write_recipe(recipe), encoding="utf-8", newline="")
    assert read_recipe(path) == recipe


def test_every_value_that_a_recipe_may_set_has_a_row_in_the_table():
    for recipe in read_recipes(RECIPES):
        assert set(recipe.defaults) <= set(PARAM_SPECS)
