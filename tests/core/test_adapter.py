"""Which adapters a checkpoint can be run with, and how a refusal reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.core.adapter import AdapterInfo, active, check_adapters, misfit, named_for_good, unused_adapters
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import CheckpointError, RequestError
from desktop_app.core.families import FAMILIES, KANDINSKY, SD, SDXL, family_named
from desktop_app.core.image_ref import ImageRef

LORA, WORD, PICTURE = AdapterKind.LORA, AdapterKind.TEXTUAL_INVERSION, AdapterKind.IP_ADAPTER
IMAGE = ImageRef("0" * 64, (8, 8), Path("a.png"))
DOG = AdapterInfo("dog", "dog", Path("dog.safetensors"), LORA, 1, (SD,), width=768)
STYLE = AdapterInfo("style", "style", Path("style.safetensors"), WORD, 1, (SD,), width=768, token="<style>", vectors=1)
LOOK = AdapterInfo(
    "look", "look", Path("look.safetensors"), PICTURE, 1, (SD,), width=768, image_encoder=Path("encoder")
)
KNOWN = {info.ref: info for info in (DOG, STYLE, LOOK)}


def checkpoint(family=SD, width=768):
    return CheckpointInfo("c", "My checkpoint", Path("c"), family, 512, 8, 77, None, 1, text_width=width)


def check(*adapters, family=SD, width=768, **known):
    infos = {**KNOWN, **known}
    label = family_named(family)
    assert label
    check_adapters(adapters, checkpoint(family, width), label, lambda adapter: infos[adapter.ref])


def refused(*adapters, **more):
    with pytest.raises(RequestError) as caught:
        check(*adapters, **more)
    assert caught.value.param == "adapters"
    assert caught.value.hint
    return f"{caught.value}"


def test_what_fits_passes():
    check(Adapter(LORA, "dog"), Adapter(WORD, "style"), Adapter(PICTURE, "look", image=IMAGE))
    check(Adapter(LORA, "dog"), family=f"{SD} inpainting")


def test_what_is_off_or_weighs_nothing_is_not_looked_at():
    off = (Adapter(LORA, "gone", is_on=False), Adapter(LORA, "gone", weight=0.0))
    assert active(off) == ()
    check(*off, family=KANDINSKY)


def test_a_family_that_takes_none_says_so():
    assert "takes no adapters" in refused(Adapter(LORA, "dog"), family=KANDINSKY)


def test_another_family_is_refused_with_the_reason():
    text = refused(Adapter(LORA, "dog"), family=SDXL, width=2048)
    assert text == (
        "The adapter does not fit the checkpoint: dog: It is for Stable Diffusion 1, and My checkpoint is of the "
        "family Stable Diffusion XL"
    )


def test_words_of_another_width_are_refused_within_a_family():
    assert "words are 768 numbers each; those of My checkpoint are 1024" in refused(Adapter(LORA, "dog"), width=1024)


def test_what_nobody_knows_may_be_tried():
    unknown = replace(DOG, families=(), width=0, reason="Its layers have names that are not known.")
    assert misfit(unknown, checkpoint(), family_named(SD)) == ""
    check(Adapter(LORA, "dog"), dog=unknown)


def test_another_kind_is_refused():
    assert "dog is a LoRA, not a textual inversion" in refused(Adapter(WORD, "dog"))


def test_a_file_that_cannot_be_described_is_told_at_the_adapters():
    def describe(adapter):
        raise CheckpointError("The adapter cannot be found", adapter.ref, "Choose another.")

    with pytest.raises(RequestError, match="cannot be found: gone"):
        check_adapters((Adapter(LORA, "gone"),), checkpoint(), family_named(SD), describe)


def test_an_ip_adapter_needs_a_picture_and_an_encoder():
    assert "has no picture" in refused(Adapter(PICTURE, "look"))
    alone = replace(LOOK, image_encoder=None, note="It was not found.")
    assert "image encoder is missing" in refused(Adapter(PICTURE, "look", image=IMAGE), look=alone)


def test_two_image_encoders_at_once_are_refused():
    other = replace(LOOK, ref="other", label="other", image_encoder=Path("other"))
    pair = (Adapter(PICTURE, "look", image=IMAGE), Adapter(PICTURE, "other", image=IMAGE))
    assert "look and other" in refused(*pair, other=other)


def test_the_same_lora_twice_is_refused():
    assert "there twice" in refused(Adapter(LORA, "dog"), Adapter(LORA, "dog", 0.5))
    copy = replace(DOG, ref="copy", label="hound", path=Path("copy.safetensors"))
    same = (Adapter(LORA, "dog", sha256="a1"), Adapter(LORA, "copy", sha256="a1"))
    assert "dog and hound" in refused(*same, copy=copy)
    check(same[0], replace(same[1], sha256="b2"), copy=copy)


def test_a_word_is_one_word_and_calls_one_textual_inversion():
    other = replace(STYLE, ref="other", path=Path("other.safetensors"))
    assert "same word" in refused(Adapter(WORD, "style"), Adapter(WORD, "other"), other=other)
    check(Adapter(WORD, "style"), Adapter(WORD, "other", token="<other>"), other=other)
    assert "no word" in refused(Adapter(WORD, "style", token="two words"))


def test_a_word_that_is_in_no_prompt_is_told():
    def unused(*prompts):
        return unused_adapters((Adapter(WORD, "style"),), prompts, lambda adapter: KNOWN[adapter.ref])

    assert unused("a dog in <style>", "") == unused("", "<style>") == ()
    assert unused("a dog") == ("style is not used. Its word, <style>, is not in the prompt",)


def test_each_family_that_takes_adapters_is_one_that_they_are_for():
    from desktop_app.core.adapter import line_of

    lines = {
        SD,
        SDXL,
        f"{SDXL} refiner",
        "Stable Diffusion 3",
        "Flux",
        "Flux 2",
        "Flux 2 Klein",
        "Qwen-Image",
        "Z-Image",
    }
    assert {line_of(family.label) for family in FAMILIES if family.adapters} <= lines


def test_a_request_names_what_nobody_has_read_by_its_file_and_contents():
    infos = {"ink": replace(DOG, ref="/there/ink.safetensors", sha256="a1"), "style": replace(STYLE, sha256="b2")}
    given = (Adapter(LORA, "ink", 0.5), Adapter(WORD, "style", sha256="c3"), Adapter(WORD, "style", token="<my>"))
    named = named_for_good(given, lambda adapter: infos[adapter.ref])
    assert named[0] == Adapter(LORA, "/there/ink.safetensors", 0.5, sha256="a1")
    assert named[1] == Adapter(WORD, "style", sha256="c3", token="<style>")
    assert (named[2].sha256, named[2].token) == ("b2", "<my>")
    assert named_for_good(given, None) == given
