"""Weights and long prompts: the pipelines' own embeddings without any, Compel's with them; on tiny checkpoints."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from engine_runs import NEVER, SAME, Recorder, distance, paint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import make_request
from tiny import write_stable_diffusion, write_stable_diffusion_xl

from desktop_app.core.engine import EngineOptions
from desktop_app.core.families import SDXL, SDXL_REFINER, family_named
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import Stage, StageKind
from desktop_app.core.weighting import parse, unweighted
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.pipelines import load_pipelines
from desktop_app.engine.weighting import _embeddings, _Reader, read_stage

SD = "Stable Diffusion"
SIGNS = [
    *'()[]:+-<>.\\|{}" ,ab1\n☂',
    "BREAK ",
    "the ",
    "cat ",
    "++",
    "--",
    ":1.2)",
    ").and()",
    '("',
    '", "',
    ".swap(dog)",
]
PROMPTS = st.lists(st.sampled_from(SIGNS), max_size=30).map("".join)
LONG = "the cat, " * 30 + "catastrophe " * 10
"""More than 200 tokens, with words of several that chunks could be cut in."""


@pytest.fixture(scope="module", params=[SD, SDXL, SDXL_REFINER])
def loaded(request, tmp_path_factory):
    """A family and its image-to-image pipeline."""
    import torch

    folder = tmp_path_factory.mktemp("weighting") / "tiny"
    if request.param == SD:
        write_stable_diffusion(folder)
    else:
        write_stable_diffusion_xl(folder, is_refiner=request.param == SDXL_REFINER)
    pipeline = load_pipelines(folder, torch.float32, "cpu")[StageKind.IMAGE_TO_IMAGE]
    return family_named(request.param), pipeline


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The quickest of them."""
    import torch

    folder = write_stable_diffusion(tmp_path_factory.mktemp("weighting") / "small")
    return family_named(SD), load_pipelines(folder, torch.float32, "cpu")[StageKind.IMAGE_TO_IMAGE]


def stage(prompt, negative_prompt=""):
    return Stage(StageKind.IMAGE_TO_IMAGE, "tiny", prompt, negative_prompt)


def read(loaded, prompt, negative_prompt="dog"):
    """Our embeddings of a positive and a negative prompt, and of each as a whole where there are such."""
    family, pipeline = loaded
    return list(_embeddings(pipeline, family, (parse(prompt), parse(negative_prompt))).values())


def their_own(loaded, prompt, negative_prompt):
    import torch

    with torch.no_grad():
        made = loaded[1].encode_prompt(
            prompt,
            device="cpu",
            num_images_per_prompt=1,
            do_classifier_free_guidance=True,
            negative_prompt=negative_prompt or None,
        )
    return list(made)


def by_compel(loaded, prompt, negative_prompt):
    """What Compel makes of both, in the order of ours; a prompt as a whole from its words without weights."""
    import compel
    import torch
    from compel.embeddings_provider import SplitLongTextMode

    family, pipeline = loaded
    is_xl = "text_encoder_2" in family.text_encoders
    kinds = compel.ReturnedEmbeddingsType
    kind = kinds.PENULTIMATE_HIDDEN_STATES_NON_NORMALIZED if is_xl else kinds.LAST_HIDDEN_STATES_NORMALIZED
    made = []
    for tokenizer, encoder in zip(family.tokenizers, family.text_encoders, strict=True):
        one = compel.Compel(
            getattr(pipeline, tokenizer),
            getattr(pipeline, encoder),
            compel.DiffusersTextualInversionManager(
                SimpleNamespace(
                    tokenizer=getattr(pipeline, tokenizer), maybe_convert_prompt=pipeline.maybe_convert_prompt
                )
            ),
            truncate_long_prompts=False,
            returned_embeddings_type=kind,
            split_long_text_mode=SplitLongTextMode.WORDS,
        )
        made.append(one([prompt, negative_prompt]))
    both = torch.cat(made, dim=-1)
    return [both[:1], both[1:]]


def differ(first, second):
    assert first.shape == second.shape
    return float((first - second).abs().max())


def test_without_weights_the_embeddings_are_the_pipelines_own(loaded):
    import torch

    for prompt, negative_prompt in (("the cat", "a dog"), ("the cat", ""), ("", "a dog"), ("the cat\nمرحبا", "!")):
        pairs = zip(read(loaded, prompt, negative_prompt), their_own(loaded, prompt, negative_prompt), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)


@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=PROMPTS)
def test_any_prompt_without_weights_is_embedded_as_by_the_pipeline(small, text):
    import torch

    family, pipeline = small
    plain, embeddings = read_stage(pipeline, family, stage(unweighted(text), "a dog"))
    pairs = zip(read(small, unweighted(text), "a dog"), their_own(small, plain.prompt, "a dog"), strict=True)
    assert embeddings or all(torch.equal(ours, theirs) for ours, theirs in pairs)


def test_a_prompt_that_needs_none_is_handed_on_as_it_is(loaded):
    family, pipeline = loaded
    plain, embeddings = read_stage(pipeline, family, stage("the (cat:1.0), \\(big\\)", "dog"))
    assert (plain.prompt, plain.negative_prompt, embeddings) == ("the cat, (big)", "dog", {})


@pytest.mark.parametrize("prompt", ["the cat++ sat", "(the cat)1.3, big", "a cat-- and (dog)0.5", "the (cat)0.0 a"])
def test_weights_do_what_they_do_in_compel(loaded, prompt):
    for pair in zip(read(loaded, prompt, "the dog+"), by_compel(loaded, prompt, "the dog+"), strict=False):
        assert differ(*pair) < 1e-5
    plain = read(loaded, parse(prompt).text, "the dog")
    assert differ(read(loaded, prompt)[0], plain[0]) > 1e-3


CALLS = [
    '("the cat", "a dog").blend(0.7, 0.3)',
    '("the cat", "a dog", "the sun").blend(2, -0.5, 1)',
    '("the cat", "a dog").blend(1, -1, no_normalize)',
    '("the cat++ sat", "a dog-- (big)0.5").blend()',
    f'("the cat", "{LONG}").blend(1, 2)',
    '("the cat++", "a dog").and()',
    '("the cat", "a dog-", "the sun").and(1, 0.5, -1)',
    f'("{LONG}", "a dog").and(0.9, 1)',
    'a "big cat".swap("dog") sat',
    "the++ cat.swap(big dog, s_end=0.3) sat",
]


@pytest.mark.parametrize("prompt", CALLS)
def test_calls_do_what_they_do_in_compel(loaded, prompt):
    for pair in zip(read(loaded, prompt, "the dog+"), by_compel(loaded, prompt, "the dog+"), strict=False):
        assert differ(*pair) < 1e-5
    plain = read(loaded, parse(prompt).text, "the dog+")
    is_swap = "swap" in prompt
    assert (
        is_swap or plain[0].shape != read(loaded, prompt)[0].shape or differ(read(loaded, prompt)[0], plain[0]) > 1e-3
    )


def test_a_negative_prompt_may_be_a_blend_too(loaded):
    blend = '("the cat", "a dog").blend(1, 3)'
    for pair in zip(read(loaded, "sun", blend), by_compel(loaded, "sun", blend), strict=False):
        assert differ(*pair) < 1e-5


def test_a_blend_as_a_whole_is_blended_and_joined_texts_are_the_first_one(loaded):
    if loaded[0].text_encoders[-1] != "text_encoder_2":
        assert len(read(loaded, "the cat")) == 2
        return
    cat, dog = (read(loaded, prompt)[2] for prompt in ("the cat", "a dog"))
    assert differ(read(loaded, '("the cat", "a dog").blend(3, 1)')[2], cat * 0.75 + dog * 0.25) < 1e-5
    assert differ(read(loaded, '("the cat", "a dog").and()')[2], cat) == 0


def test_a_long_prompt_is_read_in_chunks_as_by_compel(loaded):
    ours = read(loaded, LONG, "the dog")
    assert ours[0].shape[1] == ours[1].shape[1] == 3 * 77
    for pair in zip(ours, by_compel(loaded, LONG, "the dog"), strict=False):
        assert differ(*pair) < 1e-5


def test_a_long_negative_prompt_is_read_in_chunks_too(loaded):
    ours = read(loaded, "the cat", LONG)
    for pair in zip(ours, by_compel(loaded, "the cat", LONG), strict=False):
        assert differ(*pair) < 1e-5


def test_break_begins_a_new_chunk(loaded):
    import torch

    ours = read(loaded, "the cat BREAK dog")
    alone = read(loaded, "dog")[0]
    assert torch.equal(ours[0][:, 77:], alone)
    assert torch.equal(ours[0][:, :77], read(loaded, "the cat")[0])


def test_a_missing_negative_prompt_is_none_where_the_checkpoint_was_trained_so(loaded):
    ours = read(loaded, "the cat++", "")
    is_none = bool(getattr(loaded[1].config, "force_zeros_for_empty_prompt", False))
    assert bool(ours[1].any()) is not is_none


def test_each_family_paints_by_weights_and_long_prompts(loaded):
    import torch

    family, pipeline = loaded
    picture = torch.full((1, 3, 64, 64), 0.5)
    made = []
    for prompt in ("the cat", "the (cat:1.6)", LONG):
        plain, embeddings = read_stage(pipeline, family, stage(prompt, "dog"))
        words = embeddings or {"prompt": plain.prompt, "negative_prompt": plain.negative_prompt}
        noise = torch.Generator("cpu").manual_seed(1)
        steps = {"num_inference_steps": 4, "strength": 0.5, "generator": noise}
        made.append(pipeline(**words, **steps, image=picture, output_type="pt").images)
    assert len({tuple(each.flatten().tolist()) for each in made}) == 3


@pytest.fixture(scope="module")
def taught(loaded, tmp_path_factory):
    """A pipeline that was taught one word of one vector and one of three, from safetensors files."""
    family, pipeline = loaded
    folder = tmp_path_factory.mktemp("words")
    parts = list(zip(family.tokenizers, family.text_encoders, strict=True))
    for word, vectors in (("<one>", 1), ("<style>", 3)):
        for number, (tokenizer, part) in enumerate(parts):
            encoder = getattr(pipeline, part)
            path = folder / f"{vectors}-{number}.safetensors"
            write_words(path, word, vectors, encoder.config.hidden_size)
            pipeline.load_textual_inversion(
                str(folder), weight_name=path.name, tokenizer=getattr(pipeline, tokenizer), text_encoder=encoder
            )
    yield family, pipeline
    for tokenizer, part in parts:
        pipeline.unload_textual_inversion(tokenizer=getattr(pipeline, tokenizer), text_encoder=getattr(pipeline, part))


def write_words(path, word, vectors, width):
    import torch
    from safetensors.torch import save_file

    noise = torch.Generator().manual_seed(vectors)
    save_file({word: torch.randn(vectors, width, generator=noise)}, path)


TAUGHT = ("a <style> cat", "<one>", "<style><one>, <style>", "a cat in <style>, by <one>")


def test_words_that_were_taught_are_those_of_the_pipeline(taught):
    import torch

    for prompt in TAUGHT:
        pairs = zip(read(taught, prompt, "<one> dog"), their_own(taught, prompt, "<one> dog"), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    untaught = read(taught, "a <other> cat")
    assert differ(read(taught, "a <style> cat")[0], untaught[0]) > 1e-3


@pytest.mark.parametrize(
    "prompt", ["a <style>++ cat", "(the <style> cat)1.3, <one>-", '("a <style>", "<one>++").blend(2, 1)']
)
def test_words_that_were_taught_have_weights(taught, prompt):
    for pair in zip(read(taught, prompt, "<one> dog"), by_compel(taught, prompt, "<one> dog"), strict=False):
        assert differ(*pair) < 1e-5


def test_a_prompt_of_one_chunk_with_a_taught_word_is_left_to_the_pipeline(taught):
    family, pipeline = taught
    plain, embeddings = read_stage(pipeline, family, stage("a <style> cat", "dog"))
    assert (plain.prompt, embeddings) == ("a <style> cat", {})
    assert read_stage(pipeline, family, stage("a <style> cat " * 16, "dog"))[1]


def test_chunks_are_cut_between_words_that_were_taught(taught):
    family, pipeline = taught
    reader = _Reader(pipeline, family.tokenizers[0])
    chunks = reader.chunks(parse("<style> " * 60).parts[0])
    assert [len(chunk) for chunk in chunks] == [75, 75, 30]
    chunks = reader.chunks(parse("<one> <one>" + "<style> " * 60).parts[0])
    assert [len(chunk) for chunk in chunks] == [74, 75, 33]


def test_families_that_read_no_weights_are_given_braces_without_backslashes(loaded):
    plain, _ = read_stage(loaded[1], family_named("Flux"), stage(r"a \{b\|c\} (cat:1.2)", r"\\"))
    assert (plain.prompt, plain.negative_prompt) == ("a {b|c} (cat:1.2)", "\\")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = write_stable_diffusion(tmp_path_factory.mktemp("weighting") / "painted")
    engine = DiffusersEngine(lambda _ref: folder, threads=1)
    yield engine
    engine.close()


def test_weights_change_the_picture_and_a_weight_of_one_does_not(engine):
    plain, one, heavy, light = (
        paint(engine, make_request(steps=3, prompt=prompt)).tobytes()
        for prompt in ("the cat", "the (cat:1.0)", "the (cat:1.5)", "the [cat]")
    )
    assert plain == one
    assert len({plain, heavy, light}) == 3


def test_the_end_of_a_long_prompt_counts_and_nothing_is_said(engine):
    requests = [make_request(steps=3, prompt=LONG + end) for end in ("dog", "sun")]
    results = [engine.run(request, Recorder(), NEVER) for request in requests]
    assert results[0].image.tobytes() != results[1].image.tobytes()
    assert not [note for note in results[0].notes if "read" in note]


def test_layers_from_the_disk_read_weights_and_long_prompts_as_well(engine, tmp_path):
    request = make_request(steps=3, prompt="the (cat:1.5)-- " + LONG, negative_prompt="dog+")
    expected = paint(engine, request)
    folder = engine._find_checkpoint("")
    other = DiffusersEngine(lambda _ref: folder, threads=1, offload_dir=tmp_path / "disk")
    other.configure(EngineOptions(plan=MemoryPlan.GROUP_OFFLOAD))
    assert distance(paint(other, request), expected) < SAME
    other.close()
