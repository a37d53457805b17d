"""What is said of a request in a few words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support import make_ref, make_request

from desktop_app.core.request import StageKind
from desktop_app.studio.request_texts import (
    chain_text,
    checkpoint_name,
    checkpoints_text,
    partners_text,
    refs_of,
    stage_text,
    strength_text,
)


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("starter", "starter"),
        ("org/sdxl-base-1.0", "sdxl-base-1.0"),
        ("org/sdxl@refs/pr/1", "sdxl"),
        ("/there/checkpoints/dream.v8.safetensors", "dream.v8"),
        (r"C:\checkpoints\Dream.SAFETENSORS", "Dream"),
        ("/there/my@folder/", "my@folder"),
        ("/", "/"),
    ],
)
def test_a_checkpoint_is_called_by_the_last_part_of_its_ref(ref, name):
    assert checkpoint_name(ref) == name


def refined(**changes):
    base = make_request(checkpoint="org/base")
    refiner = replace(base.stages[0], kind=StageKind.IMAGE_TO_IMAGE, checkpoint="/there/refiner.safetensors")
    return replace(base, stages=(*base.stages, replace(refiner, **changes)))


def test_the_second_checkpoint_is_told_with_what_it_does():
    assert partners_text(refined(begin=0.8)) == "then refiner refiner from 80 %"
    assert checkpoints_text(refined(strength=0.3)) == "base · refiner refiner at 0.3"
    assert refs_of(refined()) == ("org/base", "/there/refiner.safetensors")
    assert partners_text(make_request(prior="org/kandinsky-prior")) == "prior kandinsky-prior, 25 steps"
    assert partners_text(make_request()) == ""


def test_strength_is_told_only_where_it_leaves_steps_out(picture):
    ref = make_ref(picture())
    assert strength_text(make_request(ref, strength=0.35)) == "strength 0.35"
    assert strength_text(make_request(ref, strength=1.0)) == ""
    assert strength_text(make_request()) == ""


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"kind": StageKind.TEXT_TO_IMAGE}, "text-to-image"),
        ({"kind": StageKind.IMAGE_TO_IMAGE, "strength": 0.6}, "image-to-image 0.6"),
        ({"kind": StageKind.INPAINT, "strength": 1.0}, "inpaint 1"),
        ({"kind": StageKind.LATENT_UPSCALE}, "latent upscale ×2"),
        ({"kind": StageKind.UPSCALE}, "upscale ×4"),
        ({"kind": StageKind.PIXEL_UPSCALE}, "pixel upscale"),
        ({"kind": StageKind.IMAGE_TO_IMAGE, "begin": 0.8}, "refine from 80 %"),
    ],
)
def test_a_stage_is_told_by_what_it_does(changes, text):
    assert stage_text(make_request(**changes).stages[0]) == text


def test_a_chain_is_told_stage_by_stage_and_not_as_a_refiner():
    base = make_request(checkpoint="org/base")
    card = replace(base.stages[0], kind=StageKind.UPSCALE, checkpoint="org/x4-upscaler", is_card=True)
    chain = replace(base, stages=(*base.stages, card))
    assert chain_text(chain) == "1 text-to-image · 2 upscale ×4 (x4-upscaler)"
    assert checkpoints_text(chain) == "base"
    assert chain_text(refined(begin=0.8)) == chain_text(base) == ""
