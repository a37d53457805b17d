"""Planning: the facts before a run, and the requests that follow from them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support import make_ref

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.params import MAX_RANDOM_SEED, MAX_SEED, Fit, Params
from desktop_app.core.planning import build_requests, draw_seed, plan_run
from desktop_app.core.request import StageKind
from desktop_app.core.stages import refuse_unused

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


XL = replace(INFO, ref="xl", label="Base", family="Stable Diffusion XL", multiple=8)
REFINER = replace(
    INFO, ref="refiner", label="Finish", family="Stable Diffusion XL refiner", kinds=(StageKind.IMAGE_TO_IMAGE,)
)
PRIOR = replace(INFO, ref="prior", label="Prior", family="Kandinsky 2.2 prior", kinds=())
DECODER = replace(INFO, ref="decoder", label="Decoder", family="Kandinsky 2.2", multiple=64, prior="prior")
KNOWN = {info.ref: info for info in (INFO, XL, REFINER, PRIOR, DECODER)}


def describe(ref):
    if ref not in KNOWN:
        raise CheckpointError("It is not here", ref, "Download it.")
    return KNOWN[ref]


def refine(init_size=None, **changes):
    return plan_run(Params(checkpoint="xl", refiner="refiner", **changes), init_size, XL, describe)


@pytest.mark.parametrize(
    ("size", "changes", "steps"),
    [
        (None, {"steps": 40}, (32, 8)),
        (None, {"steps": 30}, (24, 6)),
        (None, {"steps": 40, "refiner_share": 0.7}, (28, 12)),
        (None, {"steps": 2, "refiner_share": 0.5}, (1, 1)),
        ((64, 64), {"steps": 50, "strength": 0.8}, (30, 10)),
        ((64, 64), {"steps": 50, "strength": 0.22}, (1, 10)),
        (None, {"steps": 40, "refiner_strength": 0.3}, (40, 12)),
        ((64, 64), {"steps": 40, "strength": 0.6, "refiner_strength": 0.3}, (24, 12)),
    ],
)
def test_steps_are_divided_between_checkpoint_and_refiner(size, changes, steps):
    facts = refine(size, **changes)
    assert (facts.stage_steps, facts.effective_steps) == (steps, sum(steps))
    assert facts.takes_over == ("refiner_strength" not in changes)


@pytest.mark.parametrize(
    ("size", "changes", "param"),
    [
        (None, {"steps": 1}, "refiner_share"),
        (None, {"steps": 10, "refiner_share": 0.05}, "refiner_share"),
        (None, {"refiner_share": 1.0}, "refiner_share"),
        (None, {"refiner_share": 0.0}, "refiner_share"),
        ((64, 64), {"steps": 50, "strength": 0.2}, "refiner_share"),
        ((64, 64), {"steps": 10, "strength": 0.05}, "refiner_share"),
        (None, {"steps": 10, "refiner_strength": 0.05}, "refiner_strength"),
        ((64, 64), {"steps": 10, "strength": 0.05, "refiner_strength": 0.5}, "strength"),
        (None, {"refiner": "nowhere"}, "refiner"),
        (None, {"refiner": "starter"}, "refiner"),
        (None, {"original_width": 64}, "original_height"),
        (None, {"aesthetic_score": 11.0}, "aesthetic_score"),
    ],
)
def test_a_refiner_that_would_do_nothing_or_does_not_fit_is_refused(size, changes, param):
    with pytest.raises(RequestError) as caught:
        plan_run(Params(**{"checkpoint": "xl", "refiner": "refiner", **changes}), size, XL, describe)
    assert caught.value.param == param
    assert caught.value.hint


def test_a_prior_is_the_one_that_is_chosen_or_the_one_that_the_checkpoint_names():
    params = Params(checkpoint="decoder", negative_prompt="dog", prior_steps=9)
    stage = build_requests(params, None, DECODER, describe=describe)[0].stages[0]
    assert (stage.prior, stage.prior_steps, stage.negative_prompt) == ("prior", 9, "dog")
    with pytest.raises(RequestError, match="not here") as caught:
        plan_run(replace(params, prior="nowhere"), None, DECODER, describe)
    assert caught.value.param == "prior"
    with pytest.raises(RequestError, match="does not fit"):
        plan_run(replace(params, prior="xl"), None, DECODER, describe)
    with pytest.raises(RequestError, match="out of range"):
        plan_run(replace(params, prior_steps=1), None, DECODER, describe)


def test_a_prior_alone_paints_nothing():
    with pytest.raises(RequestError, match="paints nothing by itself") as caught:
        plan_run(Params(checkpoint="prior"), None, PRIOR)
    assert caught.value.param == "checkpoint"


def test_a_scheduler_that_does_not_run_with_the_checkpoint_is_refused():
    with pytest.raises(RequestError, match="does not fit") as caught:
        plan_run(Params(checkpoint="decoder", scheduler="euler"), None, DECODER, describe)
    assert caught.value.param == "scheduler"
    assert "DDIM" in caught.value.hint


def test_what_the_checkpoint_does_not_take_stays_out_of_the_request_and_is_said():
    params = Params(
        refiner="refiner", prior="prior", prior_steps=9, aesthetic_score=9.0, original_width=9, original_height=9
    )
    assert build_requests(replace(params, seed=1), None, INFO)[0] == build_requests(Params(seed=1), None, INFO)[0]
    unused = plan_run(params, None, INFO).unused
    assert [sentence.split(" is not used")[0] for sentence in unused] == [
        "Prior",
        "Prior steps",
        "Refiner",
        "Aesthetic score",
        "Original width",
        "Original height",
    ]
    assert plan_run(Params(), (64, 64), INFO).unused == ()


def test_weights_are_told_where_the_family_reads_them_as_plain_text():
    weighted = Params(prompt="a (cat:1.3)", negative_prompt="dog")
    assert plan_run(weighted, None, INFO).unused == ()
    (sentence,) = plan_run(weighted, None, replace(INFO, family="Stable Diffusion 3")).unused
    assert sentence.startswith("Weights are not used")
    assert plan_run(replace(weighted, prompt="a cat"), None, replace(INFO, family="Stable Diffusion 3")).unused == ()


def test_values_of_a_refiner_say_that_there_is_none():
    facts = plan_run(Params(checkpoint="xl", refiner_share=0.5, aesthetic_score=9.0), None, XL, describe)
    assert facts.unused == (
        "Refiner takes over at is not used. No refiner is chosen",
        "Aesthetic score is not used. No refiner is chosen",
    )


def test_a_value_that_was_given_expressly_and_has_no_effect_is_refused_by_name():
    refuse_unused(["prompt", "strength", "refiner"], Params(), XL)
    refuse_unused(["scheduler"], Params(), replace(INFO, family="Flux"))
    with pytest.raises(RequestError):
        refuse_unused(["scheduler"], Params(scheduler="ddim"), replace(INFO, family="Flux"))
    for name, info in (("prior_steps", XL), ("refiner", INFO), ("refiner_share", XL), ("aesthetic_score", DECODER)):
        with pytest.raises(RequestError) as caught:
            refuse_unused(["prompt", name], Params(), info)
        assert caught.value.param == name


def test_a_working_size_fits_checkpoint_and_refiner():
    coarse = replace(REFINER, multiple=32)
    with pytest.raises(RequestError, match="multiple of 32"):
        plan_run(Params(refiner="refiner", width=72, height=64), None, XL, lambda ref: coarse)
