"""Requests that come back: the values of the controls that a request shows make it again; and those of anybody are
either run or refused.
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import PIXEL_UPSCALER, CheckpointInfo
from desktop_app.core.conditions import Adapter, AdapterKind, ColourMatch, Control, ControlMode
from desktop_app.core.control_modes import CONTROL_NET
from desktop_app.core.errors import CheckpointMissing, RequestError
from desktop_app.core.families import KANDINSKY, LATENT_UPSCALER, SD, SDXL, UPSCALER, family_named
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import Fit, Params
from desktop_app.core.planning import build_request, plan_run
from desktop_app.core.request import ImageRef, Request, request_from_json
from desktop_app.core.validation import params_from_json

FAMILIES = {
    "sd": SD,
    "other": SD,
    "xl": SDXL,
    "refiner": f"{SDXL} refiner",
    "decoder": KANDINSKY,
    "decoder-2": KANDINSKY,
    "prior": f"{KANDINSKY} prior",
    "prior-2": f"{KANDINSKY} prior",
    "double": LATENT_UPSCALER,
    "fourfold": UPSCALER,
}
INIT = ImageRef("1" * 64, (150, 91), Path("init.png"), "init.png")
MASK = ImageRef("2" * 64, (150, 91), Path("mask.png"), "mask.png")
OWN = ImageRef("3" * 64, (40, 40), Path("own.png"), "own.png")
PICTURES = {each.sha256: each.path for each in (INIT, MASK, OWN)}


def describe(ref: str) -> CheckpointInfo:
    """Of the checkpoints in `FAMILIES`, a ControlNet and a pixel upscaler."""
    plain = CheckpointInfo(ref, ref, Path(ref), "", 512, 8, 77, None, 0, ())
    if ref == "net":
        return replace(plain, family=CONTROL_NET, fits=(SD,))
    if ref == "/x4.safetensors":
        return replace(plain, family=PIXEL_UPSCALER, kinds=(StageKind.PIXEL_UPSCALE,), scale=4, multiple=1)
    if ref not in (*FAMILIES, "starter"):
        raise CheckpointMissing("The checkpoint is not on this machine", ref, "Download it.", ref)
    family = family_named(FAMILIES.get(ref, SD))
    assert family is not None
    prior = {"decoder": "prior", "decoder-2": "prior-2"}.get(ref, "")
    return replace(plain, family=family.label, kinds=family.kinds, prior=prior)


def build(params: Params, init: ImageRef | None = None, mask: ImageRef | None = None, seed: int = 7) -> Request:
    return build_request(params, init, describe(params.checkpoint), seed, describe, mask)


def again(request: Request) -> Request:
    """Written, read, shown and made again."""
    read = request_from_json(json.loads(json.dumps(request.to_json())), PICTURES)
    params = params_from_json(json.loads(json.dumps(read.to_params().to_json())), PICTURES)
    return build(params, read.init_image, read.mask)


USUAL = Params("a cat", "dog", checkpoint="sd", recipe="")
KINDS = StageKind


@pytest.mark.parametrize(
    ("changes", "cards"),
    [
        ({}, [Card(checkpoint="other", prompt="{prompt}, in oil"), Card(checkpoint="xl", negative_prompt="")]),
        ({}, [Card(KINDS.LATENT_UPSCALE, "double"), Card(KINDS.UPSCALE, "fourfold", noise_level=90)]),
        ({}, [Card(KINDS.PIXEL_UPSCALE, "/x4.safetensors"), Card(strength=0.2)]),
        ({"prior_steps": 9, "prior_guidance_scale": 2.0}, [Card(checkpoint="decoder")]),
        ({"prior": "prior-2", "prior_steps": 9}, [Card(checkpoint="decoder")]),
        ({"checkpoint": "decoder", "prior": "prior-2"}, [Card(checkpoint="decoder-2"), Card()]),
        ({"checkpoint": "xl", "refiner": "refiner", "aesthetic_score": 8.0}, []),
        ({"checkpoint": "xl", "refiner": "refiner", "refiner_strength": 0.3}, [Card(checkpoint="sd")]),
        ({"checkpoint": "xl", "aesthetic_score": 8.0, "strength": 1.0}, [Card(checkpoint="refiner", begin=0.8)]),
        ({"controls": (Control(ControlMode.DEPTH, "net", OWN, derive=False, weight=0.5),)}, [Card()]),
        ({"first_stage": False}, [Card(KINDS.PIXEL_UPSCALE, "/x4.safetensors")]),
        ({"first_stage": False}, [Card(KINDS.PIXEL_UPSCALE, "/x4.safetensors"), Card(checkpoint="xl")]),
        ({"first_stage": False}, [Card(KINDS.UPSCALE, "fourfold")]),
        ({"first_stage": False}, [Card(checkpoint="other"), Card(checkpoint="decoder")]),
        ({"first_stage": False, "checkpoint": "decoder", "prior": "prior-2"}, [Card(checkpoint="sd"), Card()]),
        ({"fit": Fit.PAD, "own_size": False, "colour_match": ColourMatch.LAB}, [Card(is_on=False), Card()]),
        ({"prompt": "a {red|blue} cat", "negative_prompt": r"\{dog\}"}, [Card(prompt="{one|two} of {prompt}")]),
        (
            {"prompt": "no {prompt}", "negative_prompt": "{prompt}"},
            [Card(prompt="{prompt}!", negative_prompt="x"), Card()],
        ),
        ({"prompt": r"\\{prompt}"}, [Card(prompt=r"\{prompt} {prompt} \\{prompt}")]),
    ],
)
def test_what_a_request_shows_makes_it_again(changes, cards):
    request = build(replace(USUAL, chain=tuple(cards), **changes), INIT)
    assert again(request) == request
    assert again(again(request)) == request


@pytest.mark.parametrize("chain", [(), (Card(KINDS.INPAINT, strength=0.7),), (Card(),)])
@pytest.mark.parametrize("first_stage", [True, False])
def test_a_mask_comes_back_with_all_that_is_said_of_it(chain, first_stage):
    if not (chain or first_stage):
        return
    params = replace(USUAL, chain=chain, first_stage=first_stage, mask_feather=3, masked_only=True, mask_padding=9)
    request = build(params, INIT, MASK)
    assert again(request) == request


def test_adapters_of_a_card_come_back_where_the_first_stage_is_off():
    adapters = (Adapter(AdapterKind.LORA, "/a.safetensors", 0.5), Adapter(AdapterKind.IP_ADAPTER, "/b", image=OWN))
    request = build(
        replace(USUAL, first_stage=False, chain=(Card(checkpoint="other"), Card()), adapters=adapters), INIT
    )
    assert [bool(stage.adapters) for stage in request.stages] == [False, True]
    assert again(request) == request


def test_what_is_off_with_the_first_stage_is_told():
    controls = (Control(ControlMode.DEPTH, "net"),)
    adapters = (Adapter(AdapterKind.LORA, "/a.safetensors"),)
    params = replace(USUAL, first_stage=False, chain=(Card(checkpoint="xl"),), controls=controls, adapters=adapters)
    facts = plan_run(params, INIT.size, describe("sd"), describe, has_mask=True)
    assert [sentence.partition(".")[0] for sentence in facts.unused] == [
        "Control images are not used",
        "Adapters are not used",
        "The mask is not used",
    ]


def test_a_size_that_an_upscaler_does_not_heed_is_told():
    params = replace(USUAL, first_stage=False, chain=(Card(KINDS.UPSCALE, "fourfold"),), width=64, height=64)
    facts = plan_run(params, INIT.size, describe("sd"), describe)
    assert facts.sizes == ((4 * 150, 4 * 91),)
    assert "own size" in facts.unused[0]


@pytest.mark.parametrize(
    ("card", "title"),
    [
        (Card(checkpoint="decoder"), "Prior: The checkpoint is not on this machine"),
        (Card(checkpoint="decoder-2"), "The prior does not fit the checkpoint"),
    ],
)
def test_a_card_whose_prior_is_missing_or_another_is_refused_before_it_runs(card, title):
    params = replace(USUAL, chain=(card,), prior="nowhere" if card.checkpoint == "decoder" else "sd")
    with pytest.raises(RequestError, match=title) as caught:
        build(params, INIT)
    assert (caught.value.param, bool(caught.value.hint)) == ("chain.0", True)


@pytest.mark.parametrize(
    "changes", [{"strength": 5.0}, {"steps": 10**9}, {"guidance_scale": float("nan")}, {"prompt": "x" * 10_001}]
)
def test_a_card_with_a_value_of_its_own_kind_is_refused(changes):
    with pytest.raises(RequestError) as caught:
        build(replace(USUAL, chain=(Card(**changes),)), INIT)
    assert caught.value.param == "chain.0"


def test_a_mask_without_its_picture_is_refused():
    with pytest.raises(RequestError, match="needs a picture"):
        build(USUAL, None, MASK)
    with pytest.raises(RequestError, match="does not fit the init image"):
        build(USUAL, INIT, OWN)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (150, 91)),
        ({"own_size": False, "masked_only": True}, (150, 91)),
        ({"own_size": False, "width": 64, "height": 64}, (64, 64)),
        ({"own_size": False, "masked_only": True, "width": 64, "height": 64, "chain": (Card(),)}, (64, 64)),
    ],
)
def test_the_size_of_a_result_with_a_mask_is_known_before(changes, size):
    facts = plan_run(replace(USUAL, **changes), INIT.size, describe("sd"), describe, has_mask=True)
    assert facts.result_size == size


# Of anybody ---------------------------------------------------------------------------------------

WHOLE = build(
    replace(
        USUAL,
        chain=(Card(checkpoint="decoder"), Card(KINDS.UPSCALE, "fourfold")),
        controls=(Control(ControlMode.DEPTH, "net", OWN, derive=False),),
        adapters=(Adapter(AdapterKind.IP_ADAPTER, "/b", image=OWN),),
        masked_only=True,
    ),
    INIT,
    MASK,
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=9)
    | st.sampled_from([10**400, -1, 0, 1e308, float("inf"), "\ud800", "\0", "../" * 9, "x" * 5000])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=9), inner), max_leaves=20
)


def places(data, path=()):
    """Where something stands in plain data."""
    entries = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in entries:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(data, path, value):
    result = copy.deepcopy(data)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


REQUEST = WHOLE.to_json()
PARAMS = WHOLE.to_params().to_json()


@given(st.sampled_from(list(places(REQUEST))), ANYTHING)
@settings(max_examples=400)
def test_a_request_of_anybody_is_run_or_refused(path, value):
    try:
        request = request_from_json(changed(REQUEST, path, value), PICTURES)
        build(request.to_params(), request.init_image, request.mask)
    except (RequestError, CheckpointMissing):
        return


@given(st.sampled_from(list(places(PARAMS))), ANYTHING)
@settings(max_examples=400)
def test_values_of_anybody_are_run_or_refused(path, value):
    try:
        build(params_from_json(changed(PARAMS, path, value), PICTURES), INIT, MASK)
    except (RequestError, CheckpointMissing):
        return


@given(st.sampled_from(list(places(REQUEST))), SCALARS)
@settings(max_examples=200)
def test_what_is_read_is_written_the_same(path, value):
    try:
        request = request_from_json(changed(REQUEST, path, value), PICTURES)
    except RequestError:
        return
    assert request_from_json(request.to_json(), PICTURES) == request
