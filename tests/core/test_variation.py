"""What a picture says about itself: its request, the same for other programs, and texts of others."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from chain_cases import make_chain
from support import make_picture, make_ref, make_request, make_result

from desktop_app.core.conditions import Adapter, AdapterKind, Control, ControlMode
from desktop_app.core.errors import RequestError
from desktop_app.core.image import encode_png, read_texts
from desktop_app.core.parameters import LoraTag, parameters_text, parse_parameters, read_generation_text
from desktop_app.core.request import StageKind
from desktop_app.core.variation import PROGRAM_KEY, read_request, read_variation, write_texts


def texts_of(request):
    """The texts, through a real PNG."""
    return read_texts(encode_png(make_picture(), write_texts(request, make_result(request), "id1")))


def test_the_request_comes_back_out_of_the_picture(tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    request = make_request(ref, prompt="قطة, \U0001f34b\nsecond line", negative_prompt='with "quotes"')
    found = read_request(texts_of(request), lambda sha256: ref.path if sha256 == ref.sha256 else None)
    assert found == request
    assert found.init_image.path == ref.path


def test_a_picture_of_others_holds_no_request():
    assert read_request({"parameters": "a cat"}) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": 1}', '{"seed": NaN}', "[" * 50_000])
def test_a_damaged_request_is_told(text):
    with pytest.raises(RequestError):
        read_request({PROGRAM_KEY: text})


def test_a_request_that_cannot_be_run_is_told():
    data = make_request().to_json()
    data["stages"][0]["steps"] = 100_000
    with pytest.raises(RequestError, match="out of range"):
        read_request({PROGRAM_KEY: json.dumps(data)})


def test_the_results_facts_come_back_too():
    request = make_request()
    result = make_result(request)
    found = read_variation(write_texts(request, result, "id1")[PROGRAM_KEY], Path("x.png"))
    assert (found.id, found.request, found.steps_run, found.size) == ("id1", request, result.steps_run, (64, 64))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "../../elsewhere"},
        {"id": 5},
        {"width": 10**30},
        {"height": 0},
        {"pixels_sha256": "x"},
        {"created": "9999-12-31T23:59:59-12:00"},
        {"steps_run": 4},
    ],
)
def test_a_record_that_is_not_as_it_should_be_is_refused(change):
    request = make_request()
    data = json.loads(write_texts(request, make_result(request), "id1")[PROGRAM_KEY])
    data["variation"] |= change
    with pytest.raises(RequestError, match="record"):
        read_variation(json.dumps(data), Path("x.png"))


def test_a_file_name_that_is_not_unicode_comes_back_too(tmp_path):
    ref = replace(make_ref(tmp_path / "cat.png"), name="caf\udce9.png")
    found = read_request(texts_of(make_request(ref, checkpoint="/caf\udce9")))
    assert (found.init_image.name, found.stages[0].checkpoint) == ("caf\udce9.png", "/caf\udce9")


@pytest.mark.parametrize("prompt", ["a lemon", "two\nlines", 'with "quotes", and: colons', "", "قطة"])
@pytest.mark.parametrize("negative", ["", "a dog", "two\nlines"])
def test_generation_text_comes_back_as_values(prompt, negative):
    request = make_request(prompt=prompt, negative_prompt=negative, scheduler="dpmpp_2m_karras", guidance_scale=5.5)
    values = parse_parameters(parameters_text(request, (64, 64)))
    assert (values["prompt"], values["negative_prompt"]) == (prompt, negative)
    assert (values["steps"], values["guidance_scale"], values["seed"]) == (4, 5.5, 7)
    assert (values["width"], values["height"], values["scheduler"]) == (64, 64, "dpmpp_2m_karras")


def test_strength_is_told_as_others_call_it(tmp_path):
    request = make_request(make_ref(tmp_path / "cat.png"), strength=0.35)
    assert "Denoising strength: 0.35" in parameters_text(request, (48, 32))
    assert "Final size: 48x32" in parameters_text(request, (48, 32))
    assert "Denoising" not in parameters_text(make_request(), (64, 64))


def test_a_refiner_and_a_prior_are_told_and_their_numbers_come_back():
    first = make_request(end=0.7).stages[0]
    second = replace(first, checkpoint="/here/refiner", begin=0.7, end=1.0)
    text = parameters_text(replace(make_request(), stages=(first, second)), (64, 64))
    assert "Refiner: refiner, Refiner switch at: 0.7" in text
    found = read_generation_text(text)
    assert found.values["refiner_share"] == 0.7
    assert found.left_out == ("Refiner 'refiner' is not known here.",)
    text = parameters_text(make_request(prior="/here/prior", prior_steps=9), (64, 64))
    assert "Prior: prior, Prior steps: 9, Prior CFG scale: 4" in text
    assert read_generation_text(text).values["prior_steps"] == 9


def test_a_mask_is_told_as_others_call_it_and_comes_back(tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    request = make_request(ref, kind=StageKind.INPAINT, mask=ref, mask_feather=6, masked_only=True, mask_padding=48)
    text = parameters_text(request, (64, 64))
    assert "Denoising strength: 0.5, Mask blur: 6, Inpaint area: Only masked, Masked area padding: 48" in text
    values = read_generation_text(text).values
    assert (values["mask_feather"], values["masked_only"], values["mask_padding"]) == (6, True, 48)
    assert "Mask" not in parameters_text(make_request(ref, mask_feather=6), (64, 64))


def test_loras_stand_in_the_prompt_as_others_have_them_and_are_read_back():
    on = Adapter(AdapterKind.LORA, "/there/Soft: Light.safetensors", 0.8)
    others = (replace(on, is_on=False), Adapter(AdapterKind.TEXTUAL_INVERSION, "/there/cat.safetensors", token="cat"))
    text = parameters_text(make_request(prompt="a cat", adapters=(on, *others)), (64, 64))
    assert text.split("\n")[0] == "a cat <lora:Soft_ Light:0.8>"
    found = read_generation_text(text)
    assert found.values["prompt"] == "a cat"
    assert found.loras == (LoraTag("Soft_ Light", 0.8, "<lora:Soft_ Light:0.8>"),)
    assert found.left_out == ()


@pytest.mark.parametrize(
    ("tag", "weight"),
    [
        ("<lora:ink>", 1.0),
        ("<lyco:ink:-0.5>", -0.5),
        ("<LORA: ink :0.7:0.7>", 0.7),
        ("<lora:ink:te=0.4:unet=0.4>", 0.4),
        ("<lora:ink:0.7:0.2>", None),
        ("<lora:ink:1:lbw=OUTALL>", None),
        ("<lora:ink:nan>", None),
        ("<lora:ink:99>", None),
        ("<hypernet:ink:1>", None),
    ],
)
def test_tags_of_other_programs_are_read_or_said_to_be_left_out(tag, weight):
    found = read_generation_text(f"a cat {tag} in oil\nSteps: 5, Seed: 3")
    assert found.values["prompt"] == "a cat in oil"
    assert [(lora.name, lora.weight) for lora in found.loras] == ([("ink", weight)] if weight is not None else [])
    assert len(found.left_out) == (weight is None)
    assert all(tag.strip() in sentence for sentence in found.left_out)


def test_control_images_are_told_as_the_extension_for_them_does():
    canny = Control(ControlMode.CANNY, "org/sd-controlnet-canny", weight=0.7, start=0.1, end=0.9, low=50, high=150)
    depth = Control(ControlMode.DEPTH, "org/depth", derive=False)
    text = parameters_text(make_request(controls=(canny, replace(canny, is_on=False), depth)), (64, 64))
    assert (
        'ControlNet 0: "Module: canny, Model: sd-controlnet-canny, Weight: 0.7, Resize Mode: Crop and Resize, '
        "Threshold A: 50, Threshold B: 150, Guidance Start: 0.1, Guidance End: 0.9, Pixel Perfect: True, "
        'Control Mode: Balanced", ControlNet 1: "Module: none, Model: depth, Weight: 1,'
    ) in text
    assert "ControlNet 2" not in text
    assert [sentence.split(":")[0] for sentence in read_generation_text(text).left_out] == [
        "ControlNet 0 'Module",
        "ControlNet 1 'Module",
    ]


def test_cards_of_a_chain_are_not_told_as_a_refiner():
    request = make_chain()
    assert "Refiner" not in parameters_text(request, (64, 64))
    refiner = replace(request.stages[0], checkpoint="/here/refiner", begin=0.7)
    refined = replace(request, stages=(request.stages[0], refiner, *request.stages[1:]))
    assert "Refiner: refiner, Refiner switch at: 0.7" in parameters_text(refined, (64, 64))


def test_what_changes_a_picture_and_has_no_place_here_is_told():
    found = read_generation_text("a cat\nSteps: 20, CFG scale: 7, Clip skip: 2, Hires upscale: 2, Version: v1.10")
    assert found.left_out == ("Clip skip '2' is not known here.", "Hires upscale '2' is not known here.")


def test_text_of_another_program_is_read():
    found = read_generation_text(
        "masterpiece, a cat\nNegative prompt: blurry\n"
        "Steps: 28, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6, Seed: 1234, Size: 512x768, "
        'Model hash: abc, Lora hashes: "a: 1, b: 2", Version: v1.10'
    )
    assert found.values == {
        "prompt": "masterpiece, a cat",
        "negative_prompt": "blurry",
        "steps": 28,
        "scheduler": "dpmpp_2m_karras",
        "guidance_scale": 6.0,
        "seed": 1234,
        "width": 512,
        "height": 768,
    }
    assert found.left_out == ()


def test_a_value_that_cannot_be_taken_over_is_told_and_the_others_are_taken():
    found = read_generation_text("a cat\nSteps: 5000, Sampler: Restart, CFG scale: 7, Seed: -1, Size: 510x512")
    assert found.values == {"prompt": "a cat", "negative_prompt": "", "guidance_scale": 7.0}
    assert len(found.left_out) == 3


@pytest.mark.parametrize("text", ["", "just words", "Steps: 20", "x" * 70_000])
def test_words_alone_are_no_generation_text(text):
    with pytest.raises(RequestError, match="no generation text"):
        parse_parameters(text)
