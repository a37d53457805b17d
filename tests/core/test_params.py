"""Params: ranges, step boundaries, cleaned text, and their plain data."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.core.errors import RequestError
from desktop_app.core.params import MAX_PROMPT_CHARS, MAX_SEED, PARAM_SPECS, Fit, Params, clean_text
from desktop_app.core.steps import effective_steps, snap_strength, strength_for
from desktop_app.core.validation import params_from_json, validate

steps = st.integers(1, 1000)


@pytest.mark.parametrize(
    ("count", "strength", "expected"), [(40, 0.6, 24), (50, 0.58, 28), (100, 0.29, 28), (10, 1.0, 10), (10, 0.05, 0)]
)
def test_effective_steps_are_those_of_diffusers(count, strength, expected):
    assert effective_steps(count, strength) == expected


@given(steps, st.data())
def test_a_step_boundary_is_the_smallest_strength_that_runs_its_steps(count, data):
    wanted = data.draw(st.integers(1, count))
    strength = strength_for(count, wanted)
    assert effective_steps(count, strength) == wanted
    assert effective_steps(count, math.nextafter(strength, 0)) < wanted or strength == wanted / count


@given(steps, st.floats(0, 1))
def test_snapping_never_falls_below_one_step(count, strength):
    snapped = snap_strength(count, strength)
    assert 1 <= effective_steps(count, snapped) <= count
    assert snap_strength(count, snapped) == snapped


def test_the_usual_values_can_be_run():
    validate(Params(), has_init_image=True)
    validate(Params(), has_init_image=False)


@pytest.mark.parametrize(
    "changes",
    [
        {"strength": -0.1},
        {"strength": 1.01},
        {"strength": math.nan},
        {"strength": "much"},
        {"guidance_scale": 31.0},
        {"guidance_scale": math.inf},
        {"steps": 0},
        {"steps": 1001},
        {"steps": 2.5},
        {"steps": True},
        {"seed": -1},
        {"seed": MAX_SEED + 1},
        {"count": 0},
        {"count": 101},
        {"width": 60, "height": 64},
        {"width": 64, "height": 8200},
        {"width": 64},
        {"prior_steps": 1},
        {"refiner_share": 0.0},
        {"refiner_share": 1.0},
        {"refiner_strength": 1.1},
        {"original_width": 512},
        {"prompt": "x" * (MAX_PROMPT_CHARS + 1)},
    ],
)
def test_a_value_that_cannot_be_run_is_refused_by_name(changes):
    with pytest.raises(RequestError) as caught:
        validate(replace(Params(), **changes), has_init_image=True)
    assert caught.value.param in (*changes, "height", "original_height")
    assert caught.value.hint


def test_less_than_one_step_is_refused_with_the_strength_that_would_do():
    params = replace(Params(), steps=10, strength=0.05)
    with pytest.raises(RequestError, match="less than one") as caught:
        validate(params, has_init_image=True)
    assert "0.1" in caught.value.hint
    validate(params, has_init_image=False)
    validate(replace(params, strength=0.1), has_init_image=True)


@given(st.text())
def test_cleaning_a_text_twice_changes_nothing_more(text):
    once = clean_text(text)
    assert clean_text(once) == once
    once.encode()


def test_control_characters_and_lone_surrogates_are_taken_out():
    assert clean_text("a\0b\x1bc\ud800d\r\ne\tf\u2028g\ufeff") == "abcd\ne\tfg"
    assert clean_text("e\u0301") == "é"


def test_params_come_back_from_plain_data():
    params = Params(prompt="قطة", strength=0.35, seed=7, width=64, height=48, fit=Fit.PAD, own_size=False, count=3)
    assert params_from_json(params.to_json()) == params


@pytest.mark.parametrize("name", ["cafe\u0301", "\udcff", "a\x7fb"])
def test_the_path_of_a_checkpoint_comes_back_letter_by_letter(name):
    params = Params(checkpoint=f"/checkpoints/{name}")
    assert params_from_json(json.loads(json.dumps(params.to_json()))) == params


def test_unknown_keys_are_left_out_and_missing_ones_take_their_default():
    assert params_from_json({"prompt": "a", "from_the_future": 1}) == Params(prompt="a")


@pytest.mark.parametrize("name", PARAM_SPECS)
def test_a_value_of_another_type_is_refused(name):
    with pytest.raises(RequestError):
        params_from_json({name: ["a list"]})


def test_every_spec_names_a_field_and_says_what_it_is():
    assert set(PARAM_SPECS) == set(Params.__dataclass_fields__)
    assert all(spec.label and spec.tip.endswith(".") for spec in PARAM_SPECS.values())


@pytest.mark.parametrize("name", ["strength", "original_width", "steps"])
def test_a_number_larger_than_any_float_is_refused_like_others(name):
    with pytest.raises(RequestError, match="out of range"):
        validate(replace(Params(), **{name: 10**400}), has_init_image=False)
    with pytest.raises(RequestError):
        params_from_json({name: 10**400})
