"""Request: plain data there and back, and foreign data refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import make_picture, make_ref, make_request

from desktop_app.core.errors import (
    EngineCrashed,
    InternalError,
    OutOfMemory,
    RequestError,
    StudioError,
    error_from_json,
)
from desktop_app.core.params import Fit
from desktop_app.core.request import ImageRef, hash_pixels, image_from_json, request_from_json


def test_a_request_comes_back_from_its_plain_data(tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    request = make_request(ref, prompt="قطة", negative_prompt="dog", fit=Fit.SCALE, own_size=False, scheduler="euler")
    data = json.loads(json.dumps(request.to_json()))
    again = request_from_json(data, {ref.sha256: ref.path})
    assert again == request
    assert again.init_image.path == ref.path


def test_plain_data_holds_no_folder(tmp_path):
    request = make_request(make_ref(tmp_path / "secret folder" / "cat.png"))
    assert "secret folder" not in json.dumps(request.to_json())


def test_params_of_a_request_make_it_again():
    request = make_request(seed=9, prompt="lemon", steps=12, recipe="starter")
    params = request.to_params()
    assert (params.seed, params.prompt, params.steps, params.width) == (9, "lemon", 12, 64)


OLDER = ("kind", "checkpoint", "prompt", "negative_prompt", "strength", "steps", "guidance_scale", "scheduler")


def test_a_record_from_before_there_were_priors_and_refiners_is_read():
    request = make_request()
    data = request.to_json()
    data["stages"] = [{name: data["stages"][0][name] for name in OLDER}]
    assert request_from_json(data) == request


@pytest.mark.parametrize(
    ("begin", "end", "steps"), [(0.0, 0.8, 32), (0.8, 1.0, 8), (0.2, 0.6, 16), (0.0, 1.0, 20), (0.6, 0.2, 0)]
)
def test_a_stage_runs_its_share_of_the_schedule(tmp_path, begin, end, steps):
    kind = {} if begin or end == 1 else {"strength": 1.0}
    stage = make_request(make_ref(tmp_path / "cat.png"), steps=40, begin=begin, end=end, **kind).stages[0]
    assert stage.effective_steps == steps


@pytest.mark.parametrize(
    "change",
    [
        {"version": 99},
        {"stages": []},
        {"stages": [{}]},
        {"seed": "seven"},
        {"seed": True},
        {"seed": 1.5},
        {"width": None},
        {"fit": "squash"},
        {"init_image": {"sha256": 5, "width": 1, "height": 1}},
        {"init_image": "cat"},
        {"stages": [{**make_request().stages[0].to_json(), "kind": "embedding"}]},
        {"stages": [{**make_request().stages[0].to_json(), "begin": 1.5}]},
        {"stages": [{**make_request().stages[0].to_json(), "end": -0.1}]},
        {"stages": [{**make_request().stages[0].to_json(), "prior_steps": 2.5}]},
        {"stages": [{**make_request().stages[0].to_json(), "original_width": "wide"}]},
        {"seed": float("inf")},
        {"init_image": {"sha256": "", "width": float("inf"), "height": 1}},
        {"stages": [{**make_request().stages[0].to_json(), "strength": 10**400}]},
    ],
)
def test_foreign_data_is_refused(change):
    with pytest.raises(RequestError):
        request_from_json({**make_request().to_json(), **change})


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_data_is_either_read_or_refused(data):
    with pytest.raises(RequestError):
        request_from_json(data)


def test_pixels_and_mode_decide_the_hash():
    picture = make_picture((8, 4))
    assert hash_pixels(picture) == hash_pixels(picture.copy())
    assert hash_pixels(picture) != hash_pixels(picture.convert("RGBA"))
    assert hash_pixels(picture) != hash_pixels(picture.resize((4, 8)))


def test_refs_are_equal_when_their_pixels_are(tmp_path):
    first = ImageRef("a" * 64, (4, 4), tmp_path / "one.png", "one")
    second = ImageRef("a" * 64, (4, 4), tmp_path / "two.png", "two")
    assert first == second
    assert hash(first) == hash(second)
    assert first != ImageRef("b" * 64, (4, 4), tmp_path / "one.png", "one")
    assert image_from_json(None) is None


@pytest.mark.parametrize(
    "error",
    [StudioError("t", "d", "h"), OutOfMemory("t", "d"), EngineCrashed("t"), RequestError("t", "d", "h", "seed")],
)
def test_errors_come_back_from_their_plain_data(error):
    again = error_from_json(error.to_json())
    assert (type(again), again.args) == (type(error), error.args)
    assert getattr(again, "param", None) == getattr(error, "param", None)


def test_an_error_of_an_unknown_kind_comes_back_as_a_bug():
    assert type(error_from_json({"kind": "FromTheFuture", "title": "t"})) is InternalError
