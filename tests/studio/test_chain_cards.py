"""Cards as the window edits them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.families import KANDINSKY, LATENT_UPSCALER, SD, SDXL, SDXL_REFINER, UPSCALER, family_named
from desktop_app.core.params import Params
from desktop_app.core.request import StageKind
from desktop_app.core.stages import plan_stages
from desktop_app.studio.chain_cards import (
    CardKind,
    Surroundings,
    count_stages,
    fields_of,
    kind_of,
    new_card,
    number_cards,
    steps_of_card,
    with_kind,
)


def info(ref, family):
    known = family_named(family)
    kinds = known.kinds if known else (StageKind.PIXEL_UPSCALE,)
    return CheckpointInfo(ref, ref, Path(ref), family, 512, 8, 77, None, 1, kinds)


INFOS = (
    info("sd", SD),
    info("masks", f"{SD} inpainting"),
    info("xl", SDXL),
    info("refiner", SDXL_REFINER),
    info("kandinsky", KANDINSKY),
    info("mine/x2", LATENT_UPSCALER),
    info("/x4.safetensors", ""),
)


def around(ref="sd", **params):
    first = next(each for each in INFOS if each.ref == ref)
    return Surroundings(Params(checkpoint=ref, steps=12, guidance_scale=3.0, **params), first, INFOS)


@pytest.mark.parametrize(
    ("kind", "refs"),
    [
        (CardKind.IMAGE_TO_IMAGE, ["sd", "xl", "refiner", "kandinsky"]),
        (CardKind.INPAINT, ["sd", "masks", "xl", "refiner", "kandinsky"]),
        (CardKind.LATENT_UPSCALE, ["mine/x2"]),
        (CardKind.UPSCALE, []),
        (CardKind.PIXEL_UPSCALE, ["/x4.safetensors"]),
        (CardKind.REFINE, []),
    ],
)
def test_only_checkpoints_that_can_run_a_kind_are_offered(kind, refs):
    assert [each.ref for each in around().fitting(kind, 0)] == refs


def test_a_refiner_fits_what_runs_before_it():
    assert [each.ref for each in around("xl").fitting(CardKind.REFINE, 0)] == ["xl", "refiner"]
    after_xl = around("sd", chain=(Card(checkpoint="xl"), Card(checkpoint="sd", is_on=False)))
    assert [each.ref for each in after_xl.fitting(CardKind.REFINE, 2)] == ["xl", "refiner"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (CardKind.IMAGE_TO_IMAGE, Card(steps=12, guidance_scale=3.0)),
        (CardKind.REFINE, Card(steps=12, guidance_scale=3.0, begin=0.8)),
        (CardKind.INPAINT, Card(StageKind.INPAINT, steps=12, guidance_scale=3.0)),
        (CardKind.LATENT_UPSCALE, Card(StageKind.LATENT_UPSCALE, "mine/x2", steps=20, guidance_scale=0.0)),
        (
            CardKind.UPSCALE,
            Card(StageKind.UPSCALE, "stabilityai/stable-diffusion-x4-upscaler", steps=75, guidance_scale=9.0),
        ),
        (CardKind.PIXEL_UPSCALE, Card(StageKind.PIXEL_UPSCALE, "/x4.safetensors", steps=12, guidance_scale=3.0)),
    ],
)
def test_a_new_card_begins_with_what_suits_its_kind(kind, expected):
    card = new_card(kind, around())
    assert card == expected
    assert kind_of(card) is kind


def test_another_kind_keeps_the_words_and_a_checkpoint_that_still_fits():
    card = Card(checkpoint="masks", prompt="a cat", strength=0.3, kind=StageKind.INPAINT)
    changed = with_kind(card, CardKind.IMAGE_TO_IMAGE, around(), 0)
    assert (changed.kind, changed.prompt, changed.strength, changed.checkpoint) == (
        StageKind.IMAGE_TO_IMAGE,
        "a cat",
        0.3,
        "",
    )
    assert with_kind(replace(card, checkpoint="xl"), CardKind.IMAGE_TO_IMAGE, around(), 0).checkpoint == "xl"


@pytest.mark.parametrize(
    ("card", "family", "more", "less"),
    [
        (Card(), SD, {"strength", "steps", "negative_prompt", "scheduler"}, {"noise_level", "begin"}),
        (Card(begin=0.8), SD, {"begin", "guidance_scale"}, {"strength", "steps"}),
        (Card(), KANDINSKY, {"prompt", "negative_prompt", "strength"}, {"noise_level"}),
        (Card(), "Flux Schnell", {"prompt"}, {"negative_prompt", "scheduler"}),
        (Card(StageKind.LATENT_UPSCALE), LATENT_UPSCALER, {"steps"}, {"strength", "scheduler", "noise_level"}),
        (Card(StageKind.UPSCALE), UPSCALER, {"noise_level", "scheduler"}, {"strength"}),
        (Card(StageKind.PIXEL_UPSCALE), "", {"checkpoint"}, {"prompt", "steps"}),
        (Card(StageKind.UPSCALE), "", {"noise_level", "prompt"}, {"strength", "begin"}),
    ],
)
def test_a_card_has_the_fields_that_its_family_takes(card, family, more, less):
    fields = fields_of(card, family_named(family))
    assert fields >= more
    assert not fields & less


def test_the_steps_of_a_card_follow_its_strength_where_it_has_one():
    assert steps_of_card(Card(steps=20, strength=0.45), family_named(SD)) == 9
    assert steps_of_card(Card(steps=20, strength=0.45), None) == 9
    assert steps_of_card(Card(StageKind.UPSCALE, steps=20, strength=0.45), family_named(UPSCALER)) == 20


def test_stages_that_are_off_do_not_count():
    assert count_stages(Params(), None) == 1
    assert count_stages(Params(chain=(Card(), Card(is_on=False))), None) == 2
    assert count_stages(Params(chain=(Card(),), first_stage=False), None) == 1


@pytest.mark.parametrize("first_stage", [True, False])
@pytest.mark.parametrize("refiner", ["", "refiner"])
@pytest.mark.parametrize("ref", ["sd", "xl"])
def test_cards_are_numbered_as_progress_and_errors_count_the_stages(first_stage, refiner, ref):
    chain = (Card(prompt="a"), Card(prompt="off", is_on=False), Card(prompt="b"))
    shown = around(ref, chain=chain, first_stage=first_stage, refiner=refiner)
    params, first = shown.params, shown.info
    staging = plan_stages(params, first, lambda ref: around(ref).info, has_init_image=True)
    numbers = {stage.prompt: number for number, stage in enumerate(staging.stages, start=1) if stage.is_card}
    assert number_cards(params, first) == (numbers["a"], None, numbers["b"])
    assert count_stages(params, first) == len(staging.stages)
    wrong = replace(params, chain=(*chain[:2], Card(strength=0.0)))
    with pytest.raises(RequestError, match=f"stage {numbers['b']}: "):
        plan_stages(wrong, first, lambda ref: around(ref).info, has_init_image=True)
