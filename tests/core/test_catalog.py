"""The catalog: what is told of checkpoints before they are fetched."""

from __future__ import annotations

import re

import pytest
from support import PROJECT

from desktop_app.core.catalog import CATALOG_NAME, Role, find_entry, read_catalog
from desktop_app.core.control_modes import ANNOTATOR
from desktop_app.core.errors import StoreError
from desktop_app.core.families import family_named
from desktop_app.core.recipe import read_recipes

CATALOG = PROJECT / "resources" / CATALOG_NAME
ONE = """
[[checkpoint]]
ref = "a/b"
label = "A"
family = "Stable Diffusion"
size_bytes = 4
licence = "MIT"
note = "Small."
parts = { unet = 2 }
"""

ENTRIES = read_catalog(CATALOG)
by_ref = pytest.mark.parametrize("entry", ENTRIES, ids=[entry.ref for entry in ENTRIES])


@by_ref
def test_every_entry_is_of_a_family_that_the_program_knows(entry):
    family = family_named(entry.family)
    if entry.role is Role.CONTROL:
        assert set(entry.parts) == {"annotator" if entry.family == ANNOTATOR else "controlnet"}
        assert entry.family == ANNOTATOR or family.control_pipelines
    else:
        assert set(entry.parts) == set(family.weighted)


@by_ref
def test_sizes_fit_the_number_of_parameters(entry):
    half = 2 * sum(entry.parts.values())
    assert half <= entry.size_bytes <= 2 * half
    assert (5e7 if entry.family == ANNOTATOR else 5e8) < entry.size_bytes < 1.2e11


@by_ref
def test_every_entry_says_what_a_user_wants_to_know(entry):
    assert re.fullmatch(r"[\w.-]+/[\w.-]+", entry.ref)
    assert entry.note.endswith(".")
    assert len(entry.note) < 140
    assert entry.licence
    assert entry.native_size >= 512 or entry.role is Role.PRIOR or entry.family == ANNOTATOR
    assert all(find_entry(ENTRIES, ref) for ref in entry.needs)
    assert ("pickled" in entry.note) is entry.is_pickled


def test_the_catalog_has_all_that_the_guide_names():
    refs = {entry.ref for entry in ENTRIES}
    assert refs >= {
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "stabilityai/stable-diffusion-xl-refiner-1.0",
        "kandinsky-community/kandinsky-2-2-decoder",
        "kandinsky-community/kandinsky-2-2-prior",
        "ogkalu/Comic-Diffusion",
        "kohbanye/pixel-art-style",
        "nitrosocke/elden-ring-diffusion",
        "stabilityai/sd-x2-latent-upscaler",
        "stabilityai/stable-diffusion-x4-upscaler",
        "lllyasviel/control_v11f1p_sd15_depth",
    }


def test_what_only_works_beside_a_checkpoint_is_not_offered_as_one():
    alone = {entry.role for entry in ENTRIES if not entry.can_paint}
    assert alone == {Role.PRIOR, Role.UPSCALER, Role.CONTROL}
    assert find_entry(ENTRIES, "stabilityai/sdxl-turbo@main").can_paint


def test_every_checkpoint_that_paints_has_a_recipe_with_all_that_it_needs():
    recipes = read_recipes(PROJECT / "resources" / "recipes")
    for entry in ENTRIES:
        if entry.can_paint:
            of_it = [recipe for recipe in recipes if recipe.checkpoint == entry.ref]
            assert of_it, entry.ref
            assert all({entry.ref, *entry.needs} <= set(recipe.refs) for recipe in of_it)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ONE + "colour = 'red'", "a/b|colour is not known"),
        (ONE + "gated = 'yes'", "neither true nor false"),
        (ONE + "role = 'hero'", "hero"),
        (ONE + ONE, "twice"),
        (ONE.replace("= 4", "= 0"), "size_bytes is less than 1"),
        (ONE.replace("{ unet = 2 }", "{ unet = 0.5 }"), "not a whole number"),
        (ONE.replace('note = "Small."', ""), "note. is missing"),
        ("[checkpoint]\nref = 'a/b'", "not a table"),
        ("other = 1\n" + ONE, "other is not known"),
        ("", "checkpoint. is missing"),
        ("no toml", "."),
    ],
)
def test_a_slip_in_the_catalog_is_told(tmp_path, text, words):
    path = tmp_path / "checkpoints.toml"
    path.write_text(text)
    with pytest.raises(StoreError, match=words):
        read_catalog(path)


def test_a_catalog_that_is_not_there_is_told(tmp_path):
    with pytest.raises(StoreError, match="cannot be read"):
        read_catalog(tmp_path / "none.toml")
