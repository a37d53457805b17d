"""Planning: the facts before a run, and the requests that follow from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support import make_ref

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.params import MAX_RANDOM_SEED, MAX_SEED, Fit, Params
from desktop_app.core.planning import build_requests, draw_seed, plan_run
from desktop_app.core.request import StageKind

INFO = CheckpointInfo("starter", "Starter", Path(), "Stable Diffusion", 64, 4, 24, None, 0)


def test_without_an_init_image_the_checkpoints_own_size_is_painted_in_full():
    facts = plan_run(Params(steps=20, strength=0.3), None, INFO)
    assert (facts.effective_steps, facts.working_size, facts.placement) == (20, (64, 64), None)


def test_with_an_init_image_its_shape_and_the_strength_decide():
    facts = plan_run(Params(steps=40, strength=0.6), (600, 400), INFO)
    assert (facts.effective_steps, facts.working_size, facts.result_size) == (24, (72, 48), (600, 400))


def test_a_size_that_is_given_is_kept():
    facts = plan_run(Params(width=96, height=64, fit=Fit.PAD, own_size=False), (600, 400), INFO)
    assert (facts.working_size, facts.result_size) == ((96, 64), (96, 64))


def test_a_size_must_fit_the_checkpoints_latents():
    with pytest.raises(RequestError, match="multiple of 64") as caught:
        plan_run(Params(width=96, height=64), None, replace(INFO, multiple=64))
    assert caught.value.param == "width"


def test_requests_name_what_to_run(tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    request = build_requests(Params(prompt="a\0 lemon", seed=5, recipe="starter"), ref, INFO)[0]
    stage = request.stages[0]
    assert (stage.kind, stage.prompt, request.seed, request.recipe) == (
        StageKind.IMAGE_TO_IMAGE,
        "a lemon",
        5,
        "starter",
    )
    text = build_requests(Params(strength=0.2), None, INFO, lambda: 3)[0]
    assert (text.stages[0].kind, text.stages[0].strength, text.seed) == (StageKind.TEXT_TO_IMAGE, 1.0, 3)


def test_picture_k_of_several_is_the_single_one_with_its_seed():
    several = build_requests(Params(seed=7, count=3), None, INFO)
    assert several[2] == build_requests(Params(seed=9), None, INFO)[0]


def test_seeds_that_would_pass_the_largest_are_refused():
    with pytest.raises(RequestError) as caught:
        build_requests(Params(seed=MAX_SEED, count=2), None, INFO)
    assert caught.value.param == "seed"


@pytest.mark.parametrize("count", [0, -1, 101])
def test_a_count_that_makes_no_sense_is_refused(count):
    with pytest.raises(RequestError, match="out of range"):
        build_requests(Params(count=count), None, INFO)


def test_drawn_seeds_fit_other_programs():
    seeds = {draw_seed() for _ in range(50)}
    assert len(seeds) > 40
    assert max(seeds) <= MAX_RANDOM_SEED
