"""RecipeStore: the program's recipes and the user's own beside them."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import PROJECT

from desktop_app.core.errors import RequestError, StoreError
from desktop_app.core.params import Params
from desktop_app.core.recipe import LAST, Recipe, make_recipe, read_recipe
from desktop_app.store.recipes import RecipeStore, slug

SHIPPED = PROJECT / "resources" / "recipes"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "recipes"


@pytest.fixture
def store(own: Path) -> RecipeStore:
    return RecipeStore(own, SHIPPED)


def test_the_user_s_own_come_after_those_that_ship(store):
    shipped = [recipe.name for recipe in store.list()]
    store.save(make_recipe("A first", Params(steps=12)))
    names = [recipe.name for recipe in store.list()]
    assert names == [*shipped, "a-first"]
    assert names[0] == "starter"


def test_a_saved_recipe_comes_back_as_it_was(store, own):
    kept = store.save(make_recipe("Soft ink", Params(prompt="a cat", steps=12, strength=0.45), "Thin lines."))
    assert store.find("soft-ink") == kept == read_recipe(own / "soft-ink.toml")
    assert kept.apply(Params(prompt="mine")).steps == 12


def test_the_same_label_twice_replaces_nothing(store):
    first = store.save(make_recipe("Mine", Params(steps=5)))
    second = store.save(make_recipe("Mine", Params(steps=6)))
    assert (first.name, second.name) == ("mine", "mine-2")
    assert store.find("mine").defaults["steps"] == 5


def test_a_recipe_never_takes_the_name_of_one_that_ships(store):
    assert store.save(make_recipe("Starter", Params())).name == "starter-2"


def test_an_own_recipe_can_be_replaced_and_removed(store, own):
    kept = store.save(make_recipe("Mine", Params(steps=5)))
    store.replace(dataclasses.replace(kept, label="Mine, longer"))
    assert store.find("mine").label == "Mine, longer"
    store.remove("mine")
    assert not list(own.iterdir())


@pytest.mark.parametrize("name", ["starter", "nothing", "../starter", ""])
def test_what_is_not_the_user_s_own_cannot_be_removed(store, name):
    with pytest.raises(RequestError, match="not your own"):
        store.remove(name)
    assert (SHIPPED / "starter.toml").is_file()


def test_a_broken_own_recipe_is_told_and_does_not_hide_the_others(store, own):
    store.save(make_recipe("Mine", Params()))
    (own / "broken.toml").write_text("label = ")
    (own / "sdxl.toml").write_text('label = "x"\ncheckpoint = "starter"\n')
    survey = store.survey()
    assert "mine" in [recipe.name for recipe in store.list()]
    assert isinstance(survey["broken"], RequestError)
    assert "another name" in survey["sdxl (own)"].hint
    store.remove("broken")


def test_a_recipe_travels_as_a_file(store, tmp_path):
    kept = store.save(make_recipe("Mine", Params(prompt="a cat", negative_prompt="fog", strength=0.3)))
    store.export("mine", tmp_path / "for you.toml")
    other = RecipeStore(tmp_path / "other", SHIPPED)
    arrived = other.bring_in(tmp_path / "for you.toml")
    assert arrived == kept
    assert other.bring_in(tmp_path / "for you.toml") == arrived
    assert len(list((tmp_path / "other").iterdir())) == 1


def test_a_file_that_is_no_recipe_is_not_brought_in(store, own, tmp_path):
    (tmp_path / "letter.toml").write_text("dear = 'Sir'")
    with pytest.raises(RequestError, match="cannot be read"):
        store.bring_in(tmp_path / "letter.toml")
    assert not own.exists()


def test_a_recipe_is_found_by_its_name_or_its_file(store):
    assert store.find(str(SHIPPED / "sdxl.toml")) == store.find("sdxl")
    with pytest.raises(RequestError, match="no such recipe") as raised:
        store.find("nothing")
    assert "starter, starter-passes, stable-diffusion-1.5" in raised.value.hint


@pytest.mark.parametrize("name", ["~nobody-at-all/a.toml", "a\0.toml", "/no/such.toml"])
def test_a_file_that_cannot_be_there_is_told(store, name):
    with pytest.raises(RequestError):
        store.find(name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="This system has no pipes with names")
def test_a_pipe_among_the_recipes_is_told_and_not_waited_for(store, own):
    own.mkdir()
    os.mkfifo(own / "pipe.toml")
    assert isinstance(store.survey()["pipe"], RequestError)


@pytest.mark.parametrize("name", ["caf\u00e9", "cafe\u0301", "a\x7fb", "with space "])
def test_the_path_of_a_checkpoint_comes_back_letter_by_letter(store, name):
    kept = store.save(make_recipe("Mine", Params(checkpoint=f"/checkpoints/{name}")))
    assert store.find(kept.name).checkpoint == f"/checkpoints/{name}"


def test_a_path_that_is_no_text_is_told_instead_of_kept(store, own):
    with pytest.raises(RequestError, match="cannot be kept"):
        store.save(make_recipe("Mine", Params(checkpoint="/checkpoints/\udcff")))
    assert not list(own.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        RecipeStore(tmp_path / "file" / "recipes", SHIPPED).save(make_recipe("Mine", Params()))


@given(st.text(max_size=300) | st.sampled_from(["CON", "nul.txt", "COM1", "???", "ملصقي"]))
def test_every_label_becomes_a_name_that_every_system_takes(label):
    name = slug(label)
    assert name
    assert len(f"{name}-999.toml".encode()) < 100
    assert not set(name) & set('/\\:*?"<>| \0\n')
    assert name == name.strip(".-")
    assert name.partition(".")[0] not in ("con", "nul", "com1")


def test_own_recipes_keep_no_place_among_those_that_ship(store, tmp_path):
    (tmp_path / "first.toml").write_text('label = "First"\ncheckpoint = "starter"\norder = 1\n')
    assert store.bring_in(tmp_path / "first.toml") == Recipe("first", "First", "starter", order=LAST)
