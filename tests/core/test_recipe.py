"""Recipe: a TOML file with a checkpoint and good defaults."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import PROJECT

from desktop_app.core.catalog import CATALOG_NAME, find_entry, read_catalog
from desktop_app.core.chain import CARD_KINDS, Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Adapter, AdapterKind, ColourMatch, Control, ControlMode
from desktop_app.core.control_modes import ANNOTATOR, CONTROL_NET
from desktop_app.core.errors import RequestError
from desktop_app.core.families import SD, family_named
from desktop_app.core.family import Family
from desktop_app.core.params import PARAM_SPECS, Fit, Params, clean_text
from desktop_app.core.planning import plan_run
from desktop_app.core.recipe import Recipe, make_recipe, read_recipe, read_recipes, refs_used, write_recipe
from desktop_app.core.request import ImageRef, StageKind
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
    assert labels[:2] == ["Starter (offline, small pictures)", "Starter: three passes"]
    assert labels[2:7] == guide


def test_the_first_recipe_of_a_checkpoint_paints_with_it_alone():
    first: dict[str, Recipe] = {}
    for recipe in read_recipes(RECIPES):
        first.setdefault(recipe.checkpoint, recipe)
    plain = {ref for ref, recipe in first.items() if not {"chain", "controls", "first_stage"} & set(recipe.defaults)}
    assert {ref.partition("/")[0] for ref in set(first) - plain} == {"kandinsky-community", "stabilityai"}
    assert "stable-diffusion-v1-5/stable-diffusion-v1-5" in plain


@pytest.mark.parametrize("recipe", read_recipes(RECIPES), ids=lambda recipe: recipe.name)
def test_every_recipe_that_ships_fits_its_family(recipe):
    family = family_of(recipe.checkpoint)
    named = {"strength", "guidance_scale", "steps", "scheduler"} if recipe.defaults.get("first_stage", True) else set()
    usual = {"scheduler", "first_stage", "chain", "colour_match"}  # the usual scheduler, said for clarity
    assert set(recipe.defaults) >= {name for name in named if family.takes(name)}
    assert all(family.takes(name) for name in recipe.defaults if name not in usual)
    assert recipe.defaults.get("scheduler", "default") in (family.schedulers or SCHEDULERS)
    assert recipe.suggestions
    assert recipe.name == "starter" or recipe.description.endswith(".")
    assert family.takes("negative_prompt") or not recipe.negative_suggestions


@pytest.mark.parametrize("recipe", read_recipes(RECIPES), ids=lambda recipe: recipe.name)
def test_every_recipe_that_ships_runs_some_steps_whatever_was_before(recipe):
    family = family_of(recipe.checkpoint)
    before = Params(strength=0.01, steps=900, guidance_scale=30, chain=(Card(steps=3),), first_stage=False)
    params = recipe.apply(before)
    if params.first_stage:
        assert family.effective_steps(StageKind.IMAGE_TO_IMAGE, params.steps, params.strength) >= 2
        assert params == recipe.apply(Params())


WITH_CHAINS = [recipe for recipe in read_recipes(RECIPES) if "chain" in recipe.defaults]


@pytest.mark.parametrize("recipe", read_recipes(RECIPES), ids=lambda recipe: recipe.name)
def test_every_recipe_that_ships_can_be_planned_on_a_picture(recipe):
    params = recipe.apply(Params("a cat"))
    has_mask = recipe.name == "restore-areas"
    facts = plan_run(params, (64, 64), describe(recipe.checkpoint), describe, has_mask=has_mask)
    cards = recipe.defaults.get("chain", ())
    assert facts.cards == len(cards)
    assert facts.stage_kinds[len(facts.stage_kinds) - len(cards) :] == tuple(card.kind for card in cards)
    assert all(steps >= 2 for steps in facts.stage_steps)


def test_the_chains_of_the_guide_are_there():
    chains = {recipe.name: [card.checkpoint for card in recipe.defaults["chain"]] for recipe in WITH_CHAINS}
    assert chains["text-to-picture-to-picture"] == ["kandinsky-community/kandinsky-2-2-decoder"]
    assert chains["three-styles"] == ["ogkalu/Comic-Diffusion", "kohbanye/pixel-art-style"]
    assert chains["upscale-8"] == ["stabilityai/sd-x2-latent-upscaler", "stabilityai/stable-diffusion-x4-upscaler"]
    assert chains["depth-restyle"] == ["nitrosocke/elden-ring-diffusion"]
    restyle = read_recipe(RECIPES / "depth-restyle.toml").defaults["chain"][0]
    assert (restyle.strength, restyle.guidance_scale) == (0.45, 10.5)
    assert restyle.negative_prompt == "ugly, deformed, disfigured, poor details, bad anatomy"


def family_of(ref: str) -> Family:
    entry = find_entry(read_catalog(PROJECT / "resources" / CATALOG_NAME), ref)
    family = family_named(entry.family if entry else SD)
    assert family is not None
    return family


def describe(ref: str) -> CheckpointInfo:
    if ref == "lllyasviel/control_v11f1p_sd15_depth":
        return CheckpointInfo(ref, ref, PROJECT, CONTROL_NET, 0, 8, 0, None, 0, (), fits=(SD,))
    if ref == "depth-anything/Depth-Anything-V2-Small-hf":
        return CheckpointInfo(ref, ref, PROJECT, ANNOTATOR, 0, 8, 0, None, 0, (), mode=ControlMode.DEPTH)
    family = family_of(ref)
    prior = "kandinsky-community/kandinsky-2-2-prior" if family.prior else ""
    return CheckpointInfo(ref, ref, PROJECT, family.label, 512, 8, 77, None, 0, family.kinds, prior=prior)


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
        (HEAD + "chain = 5", "list of tables"),
        (HEAD + "chain = ['a']", "list of tables"),
        (HEAD + "[[chain]]\nkind = 'text-to-image'", "no stage that follows"),
        (HEAD + "[[chain]]\nstrength = 2", "not between"),
        (HEAD + "[[chain]]\ncolour = 'red'", "'colour' is not known"),
        (HEAD + "[[chain]]\n" * 17, "at most 16"),
        (HEAD + "[[controls]]\ncheckpoint = 'a/b'", "mode is missing"),
        (HEAD + "[[controls]]\nmode = 'lineart'", "'lineart' is none of: canny, depth, .*line art"),
        (HEAD + "[[controls]]\nmode = 'depth'\nimage = 'cat.png'", "no pictures"),
        (HEAD + "[[adapters]]\nkind = 'LoRA'", "ref is missing"),
        (HEAD + "[[adapters]]\nkind = 'lora'\nref = 'a'", "'lora' is none of: LoRA, textual inversion, IP-Adapter"),
        (HEAD + "[[chain]]\nkind = 'upscale x4'", "'upscale x4' is none of: image-to-image, "),
        (HEAD + "[[chain]]\nkind = ['upscale']", "is none of: "),
        (HEAD + "[defaults]\nchain = []", "chain is not known"),
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


def test_a_recipe_keeps_the_chain_and_the_controls_without_their_pictures(tmp_path):
    picture = ImageRef("0" * 64, (8, 8), tmp_path / "cat.png")
    shown = Params(
        first_stage=False,
        chain=(Card(prompt="a cat"), Card(StageKind.PIXEL_UPSCALE, str(tmp_path / "x4.safetensors"))),
        controls=(Control(ControlMode.DEPTH, "a/depth", picture, derive=False),),
        adapters=(Adapter(AdapterKind.IP_ADAPTER, "/a.safetensors", 0.5, image=picture),),
    )
    taken = make_recipe("Mine", shown).apply(Params(prompt="mine"))
    assert (taken.chain, taken.first_stage) == (shown.chain, False)
    assert taken.controls == (Control(ControlMode.DEPTH, "a/depth"),)
    assert taken.adapters == (Adapter(AdapterKind.IP_ADAPTER, "/a.safetensors", 0.5),)


def test_a_recipe_names_the_checkpoints_of_its_cards_but_no_file(tmp_path):
    cards = (Card(checkpoint="a/b"), Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors"), Card(checkpoint="starter"))
    control = Control(ControlMode.DEPTH, "a/depth", annotator="a/annotator")
    recipe = Recipe("mine", "Mine", "c/d", {"chain": cards, "controls": (control,)}, needs=("e/f",))
    assert recipe.refs == ("c/d", "e/f", "a/b", "a/depth", "a/annotator")


def test_what_values_use_is_what_is_on():
    chain = (Card(checkpoint="a/b"), Card(checkpoint="a/off", is_on=False), Card(StageKind.PIXEL_UPSCALE, "/x4"))
    controls = (Control(ControlMode.DEPTH, "a/depth"), Control(ControlMode.TILE, "a/tile", is_on=False))
    params = Params(checkpoint="c/d", refiner="e/f", chain=chain, controls=controls)
    assert refs_used(params) == ("c/d", "e/f", "a/b", "a/depth")


def test_a_recipe_without_a_chain_takes_one_away():
    before = Params(chain=(Card(),), first_stage=False, controls=(Control(ControlMode.TILE),), masked_only=True)
    params = read_recipe(RECIPES / "sdxl.toml").apply(before)
    assert (params.chain, params.first_stage, params.controls) == ((), True, ())
    assert params.masked_only


@pytest.mark.parametrize("label", ["", "  ", "\n", "!!"])
def test_a_recipe_without_a_name_is_refused(label):
    with pytest.raises(RequestError, match="no name"):
        make_recipe(label, Params())


_LINES = st.text(min_size=1, max_size=40).map(clean_text).map(str.strip).filter(bool)
_LISTS = st.lists(_LINES, max_size=3).map(tuple)
_CARDS = st.builds(
    Card,
    kind=st.sampled_from(CARD_KINDS),
    checkpoint=st.just("") | _LINES,
    prompt=st.none() | st.text(max_size=20).map(clean_text),
    negative_prompt=st.none() | _LINES,
    strength=st.floats(0, 1),
    steps=st.integers(1, 1000),
    guidance_scale=st.floats(0, 30),
    begin=st.floats(0, 0.99),
    noise_level=st.integers(0, 350),
    is_on=st.booleans(),
)
_CONTROLS = st.builds(Control, st.sampled_from(ControlMode), _LINES, weight=st.floats(0, 2), derive=st.booleans())
_ADAPTERS = st.builds(Adapter, st.sampled_from(AdapterKind), _LINES, st.floats(-4, 4), token=st.just("") | _LINES)


def _several(items):
    return st.lists(items, min_size=1, max_size=3).map(tuple)


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
        "first_stage": st.booleans(),
        "colour_match": st.sampled_from(ColourMatch),
        "chain": _several(_CARDS),
        "controls": _several(_CONTROLS),
        "adapters": _several(_ADAPTERS),
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
