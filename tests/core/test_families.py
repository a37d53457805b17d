"""The table of families: which one an index means, and what each takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from desktop_app.core.families import FAMILIES, REFUSED, family_named, family_of, signed_parts
from desktop_app.core.family import USUAL_KEYWORDS
from desktop_app.core.request import StageKind

IMAGE, TEXT = StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE
ROWS = {f"{number} {family.label}": family for number, family in enumerate(FAMILIES)}


def index(class_name, *parts, **more):
    return {"_class_name": class_name, **{part: ["transformers", "X"] for part in parts}, **more}


def test_stable_diffusion_3_is_known_without_its_largest_text_encoder_too():
    whole = family_of(index("StableDiffusion3Pipeline", "text_encoder", "text_encoder_2", "text_encoder_3"))
    small = family_of(index("StableDiffusion3Pipeline", "text_encoder", "text_encoder_2", text_encoder_3=[None, None]))
    assert whole.label == small.label == "Stable Diffusion 3"
    assert whole.max_tokens == 256
    assert "text_encoder_3" not in small.required


def test_what_has_guidance_built_in_is_told_from_its_twin_by_a_configuration():
    schnell = index("FluxPipeline", "text_encoder", "text_encoder_2")
    assert signed_parts(schnell) == {"transformer"}
    assert family_of(schnell, {"transformer": {"guidance_embeds": False}}).label == "Flux Schnell"
    assert family_of(schnell, {"transformer": {"guidance_embeds": True}}).label == "Flux"
    assert family_of(schnell).label == "Flux"


def test_a_distilled_klein_is_told_by_its_index_alone():
    assert family_of(index("Flux2KleinPipeline", "text_encoder", is_distilled=True)).label == "Flux 2 Klein"
    assert family_of(index("Flux2KleinPipeline", "text_encoder", is_distilled=False)).label == "Flux 2 Klein Base"


@pytest.mark.parametrize("class_name", [None, 7, "NoSuchPipeline", *REFUSED])
def test_what_is_no_family_is_none(class_name):
    assert family_of({"_class_name": class_name}) is None


@pytest.mark.parametrize("name", ROWS)
def test_each_usual_control_is_taken_or_has_a_sentence_that_says_why_not(name):
    family = ROWS[name]
    for param in (*USUAL_KEYWORDS, "scheduler"):
        reason = family.reason(param)
        assert family.takes(param) is not bool(reason)
        assert not reason or (reason[0].isupper() and reason.endswith(".") and len(reason) < 140)


@pytest.mark.parametrize("name", ROWS)
def test_a_reason_is_given_only_for_what_is_not_taken(name):
    family = ROWS[name]
    assert not set(family.reasons) & set(family.keywords)


@pytest.mark.parametrize("class_name", REFUSED)
def test_a_refusal_is_a_sentence(class_name):
    assert REFUSED[class_name][0].isupper()
    assert REFUSED[class_name].endswith(".")
    assert not any(class_name in family.index_classes for family in FAMILIES)


@pytest.mark.parametrize(
    ("label", "kind", "expected"),
    [
        ("Stable Diffusion", IMAGE, 2),
        ("Stable Diffusion", TEXT, 5),
        ("Flux", IMAGE, 3),
        ("Flux", TEXT, 5),
        ("Flux Kontext", IMAGE, 5),
        ("Qwen-Image Edit", IMAGE, 5),
        ("Latent Consistency", IMAGE, 5),
    ],
)
def test_effective_steps_of_5_at_half_strength(label, kind, expected):
    assert family_named(label).effective_steps(kind, 5, 0.5) == expected


@given(st.sampled_from(["Stable Diffusion", "Flux"]), st.integers(1, 1000), st.data())
def test_a_snapped_strength_runs_the_steps_that_it_stands_for(label, steps, data):
    family, wanted = family_named(label), data.draw(st.integers(1, steps))
    snapped = family.snap_strength(steps, wanted / steps)
    assert family.effective_steps(IMAGE, steps, snapped) == wanted
    assert family.snap_strength(steps, 0.0) == family.snap_strength(steps, 1 / steps)


def test_where_all_steps_run_any_strength_is_as_good():
    assert family_named("Latent Consistency").snap_strength(5, 0.47) == 0.47
