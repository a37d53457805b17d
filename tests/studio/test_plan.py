"""RunPlan: what is said before it runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import LATENT_UPSCALER, UPSCALER
from desktop_app.core.params import Fit, Params
from desktop_app.core.request import StageKind
from desktop_app.studio.plan import make_plan

LATENT, UPSCALE, PIXELS = StageKind.LATENT_UPSCALE, StageKind.UPSCALE, StageKind.PIXEL_UPSCALE

INFO = CheckpointInfo("starter", "Starter", Path(), "Stable Diffusion", 64, 4, 24, None, 0)
PARAMS = Params(steps=40, strength=0.6)


@pytest.mark.parametrize(
    ("params", "size", "sentence"),
    [
        (PARAMS, None, "Painted from the prompt alone, 40 steps. Works at 64 × 64."),
        (PARAMS, (64, 64), "24 of 40 steps run. Works at 64 × 64."),
        (PARAMS, (600, 400), "24 of 40 steps run. Works at 72 × 48, then scaled to 600 × 400."),
        (
            replace(PARAMS, width=64, height=64),
            (600, 400),
            "24 of 40 steps run. The init image is cropped from 600 × 400 to 400 × 400."
            " Works at 64 × 64, then scaled to 400 × 400.",
        ),
        (
            replace(PARAMS, width=64, height=64, fit=Fit.PAD, own_size=False),
            (600, 400),
            "24 of 40 steps run. The edges of the init image are extended to fill the shape. Works at 64 × 64.",
        ),
        (
            replace(PARAMS, width=64, height=64, fit=Fit.SCALE, own_size=False),
            (600, 400),
            "24 of 40 steps run. The init image is stretched to the shape. Works at 64 × 64.",
        ),
        (replace(PARAMS, steps=1, strength=1.0), (64, 64), "1 of 1 step runs. Works at 64 × 64."),
    ],
)
def test_the_plan_is_said_in_plain_words(params, size, sentence):
    assert make_plan(params, size, INFO, None).sentence == sentence


@pytest.mark.parametrize(
    ("changes", "size", "sentence"),
    [
        ({}, None, "Painted from the prompt alone, 40 steps, the last 8 by the refiner. "),
        ({}, (64, 64), "24 of 40 steps run, the last 8 by the refiner. "),
        ({"steps": 5}, (64, 64), "3 of 5 steps run, the last one by the refiner. "),
        ({"refiner_strength": 0.3}, (64, 64), "24 of 40 steps run, then 12 more by the refiner. "),
        ({"refiner": ""}, (64, 64), "24 of 40 steps run. "),
    ],
)
def test_what_the_refiner_does_is_said(changes, size, sentence):
    xl = replace(INFO, family="Stable Diffusion XL")
    params = replace(PARAMS, **{"refiner": "refiner", **changes})
    plan = make_plan(params, size, xl, None, lambda ref: replace(INFO, family="Stable Diffusion XL refiner"))
    assert plan.sentence == f"{sentence}Works at 64 × 64."


@pytest.mark.parametrize(
    ("changes", "size", "sentence"),
    [
        ({"chain": (Card(steps=20, strength=0.45),)}, (64, 64), "2 stages: 24 of 40 steps, then 9 of 20. "),
        ({"chain": (Card(steps=20),)}, None, "2 stages: 40 steps, then 10 of 20. "),
        ({"chain": (Card(steps=20), Card(is_on=False))}, None, "2 stages: 40 steps, then 10 of 20. "),
        ({"chain": (Card(is_on=False),)}, (64, 64), "24 of 40 steps run. "),
        ({"chain": (Card(steps=20),), "first_stage": False}, (64, 64), "1 stage: 10 of 20 steps. "),
    ],
)
def test_the_stages_of_a_chain_are_said(changes, size, sentence):
    plan = make_plan(replace(PARAMS, **changes), size, INFO, None)
    assert plan.sentence == f"{sentence}Works at 64 × 64."
    assert plan.stages == max(sum(card.is_on for card in changes["chain"]) + changes.get("first_stage", True), 1)


def test_what_takes_over_is_said():
    xl = replace(INFO, family="Stable Diffusion XL")
    plan = make_plan(replace(PARAMS, chain=(Card(begin=0.8),)), None, xl, None)
    assert plan.sentences[0] == "2 stages: 32 of 40 steps, then the last 8"


def test_what_upscalers_make_of_the_size_is_said():
    cards = (Card(LATENT, "x2", steps=20), Card(UPSCALE, "x4", steps=75), Card(PIXELS, "/x4.safetensors"))
    known = {"x2": (LATENT_UPSCALER, LATENT, 0), "x4": (UPSCALER, UPSCALE, 0), "/x4.safetensors": ("", PIXELS, 3)}

    def describe(ref):
        family, kind, scale = known[ref]
        return replace(INFO, ref=ref, family=family, kinds=(kind,), scale=scale)

    plan = make_plan(replace(PARAMS, chain=cards), (64, 64), INFO, None, describe)
    assert plan.sentence.startswith("4 stages: 24 of 40 steps, then ×2 in 20 steps, then ×4 in 75 steps, then ×3. ")
    assert plan.sentences[1:] == ("Works at 64 × 64", "Comes out at 1536 × 1536")


def test_a_mask_is_said():
    masking = replace(INFO, kinds=(StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT))
    chain = (Card(StageKind.INPAINT, steps=20),)
    plan = make_plan(PARAMS, (64, 64), masking, None, has_mask=True)
    assert plan.sentences[0] == "24 of 40 steps run inside the mask"
    plan = make_plan(replace(PARAMS, chain=chain), (64, 64), masking, None, has_mask=True)
    assert plan.sentences[0] == "2 stages: 24 of 40 steps, then 10 of 20 inside the mask"


def test_what_is_wrong_with_a_card_names_it():
    plan = make_plan(replace(PARAMS, chain=(Card(), Card(strength=0.0))), (64, 64), INFO, None)
    assert plan.error is not None
    assert plan.error.param == "chain.1"


def test_a_value_without_effect_is_said():
    plan = make_plan(replace(PARAMS, refiner="refiner"), None, INFO, None)
    assert plan.unused == ("Refiner is not used. There is no refiner for this family of checkpoints",)
    assert plan.sentences[-1] == plan.unused[0]


def test_what_cannot_be_run_is_an_error_of_the_plan():
    plan = make_plan(replace(PARAMS, strength=0.0), (64, 64), INFO, None)
    assert plan.error is not None
    assert plan.error.param == "strength"
    assert plan.sentence == ""


def test_a_checkpoint_that_cannot_be_used_is_told_beside_its_control():
    plan = make_plan(PARAMS, None, None, CheckpointError("Damaged", "unet", "Again."))
    assert plan.error is not None
    assert (plan.error.param, plan.error.title, plan.error.hint) == ("checkpoint", "Damaged", "Again.")
    assert make_plan(PARAMS, None, None, None).error is not None


def test_the_plan_is_made_even_of_values_that_are_no_numbers():
    assert make_plan(replace(PARAMS, strength=float("nan")), (64, 64), INFO, None).effective_steps == 0
