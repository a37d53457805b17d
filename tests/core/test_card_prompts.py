"""What a card of a chain says, inherited or its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.families import LATENT_UPSCALER, SD
from desktop_app.core.params import Params
from desktop_app.core.request import StageKind
from desktop_app.core.stages import plan_stages

BOTH = (StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE)


def info(family=SD, kinds=BOTH):
    return CheckpointInfo("here", "Here", Path("here"), family, 512, 8, 77, None, 1, kinds)


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (None, "a cat"),
        ("a dog", "a dog"),
        ("", ""),
        ("{prompt}, pixelartstyle", "a cat, pixelartstyle"),
        ("elden ring style {prompt}", "elden ring style a cat"),
        (r"\{prompt}, {prompt}", r"\{prompt}, a cat"),
    ],
)
def test_a_card_says_what_the_first_stage_does_or_its_own(own, said):
    card = Card(prompt=own, negative_prompt=own)
    params = Params("a cat", "fog", chain=(card,))
    stage = plan_stages(params, info(), None, has_init_image=False).stages[1]
    assert stage.prompt == said
    assert stage.negative_prompt == ("fog" if own is None else said.replace("a cat", "fog"))


def test_an_upscaler_may_be_the_checkpoint_of_the_first_stage_that_is_off():
    chain = (Card(StageKind.LATENT_UPSCALE),)
    params = Params("a cat", first_stage=False, chain=chain, checkpoint="here")
    stages = plan_stages(params, info(LATENT_UPSCALER, (StageKind.LATENT_UPSCALE,)), None, has_init_image=True).stages
    assert [stage.checkpoint for stage in stages] == ["here"]
    with pytest.raises(RequestError, match="has no checkpoint"):
        plan_stages(params, info(), None, has_init_image=True)
