"""Kandinsky 2.2 against diffusers' own pipeline for prior and decoder together, on tiny checkpoints."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from engine_runs import NEVER, Recorder, paint, shares_of
from PIL import Image
from support import make_request
from tiny_kandinsky import write_decoder, write_prior

from desktop_app.core.engine import Phase
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.core.families import KANDINSKY, family_named
from desktop_app.engine.residency import Residency
from desktop_app.store.checkpoints import CheckpointStore


@pytest.fixture(scope="module")
def prior(tmp_path_factory):
    return write_prior(tmp_path_factory.mktemp("kandinsky") / "prior")


@pytest.fixture(scope="module")
def decoder(tmp_path_factory, prior):
    """Its card names the prior."""
    return write_decoder(tmp_path_factory.mktemp("kandinsky") / "decoder", str(prior))


@pytest.fixture
def kandinsky(prior, decoder):
    """Makes requests."""

    def make(ref=None, **changes):
        usual = {"checkpoint": str(decoder), "prior": str(prior), "prompt": "the cat", "prior_steps": 3, "steps": 4}
        return make_request(ref, **{**usual, **changes})

    return make


def bare(name, prior, decoder, request, **arguments):
    """The picture that diffusers' combined pipeline makes."""
    import diffusers
    import torch

    torch.set_num_threads(1)
    first = diffusers.KandinskyV22PriorPipeline.from_pretrained(prior)
    second = diffusers.KandinskyV22Pipeline.from_pretrained(decoder)
    parts = {f"prior_{name}": part for name, part in first.components.items()}
    pipeline = getattr(diffusers, name)(**second.components, **parts)
    pipeline.set_progress_bar_config(disable=True)
    stage = request.stages[0]
    sides = (request.width, request.height)
    if "image" in arguments:  # this pipeline takes width for height
        sides = sides[::-1]
    return pipeline(
        prompt=stage.prompt,
        negative_prompt=stage.negative_prompt or None,
        num_inference_steps=stage.steps,
        guidance_scale=stage.guidance_scale,
        prior_num_inference_steps=stage.prior_steps,
        prior_guidance_scale=stage.prior_guidance_scale,
        width=sides[0],
        height=sides[1],
        generator=torch.Generator("cpu").manual_seed(request.seed),
        callback_steps=None,
        **arguments,
    ).images[0]


CASES = [
    {},
    {"negative_prompt": "dog"},
    {"guidance_scale": 1.0},
    {"prior_guidance_scale": 1.0, "negative_prompt": "dog"},
    {"width": 128},
]


@pytest.mark.parametrize("changes", CASES)
def test_image_to_image_is_bit_for_bit_what_diffusers_makes(own_engine, kandinsky, prior, decoder, init_ref, changes):
    ref = init_ref((changes.get("width", 64), 64))
    ours = kandinsky(ref, steps=5, strength=0.6, **changes)
    name = "KandinskyV22Img2ImgCombinedPipeline"
    theirs = bare(name, prior, decoder, ours, image=Image.open(ref.path), strength=0.6)
    assert theirs.size == (ours.width, ours.height)
    assert paint(own_engine, ours).tobytes() == theirs.tobytes()


@pytest.mark.parametrize("changes", CASES)
def test_text_to_image_is_bit_for_bit_what_diffusers_makes(own_engine, kandinsky, prior, decoder, changes):
    ours = kandinsky(**changes)
    assert paint(own_engine, ours).tobytes() == bare("KandinskyV22CombinedPipeline", prior, decoder, ours).tobytes()


@pytest.mark.parametrize(
    "change", [{"negative_prompt": "dog"}, {"prior_steps": 5}, {"prior_guidance_scale": 2.0}, {"prompt": "a dog"}]
)
def test_all_that_is_said_to_the_prior_changes_the_picture(own_engine, kandinsky, change):
    assert paint(own_engine, kandinsky()).tobytes() != paint(own_engine, kandinsky(**change)).tobytes()


@pytest.mark.parametrize("scheduler", family_named(KANDINSKY).schedulers)
def test_each_scheduler_that_the_family_names_runs_all_its_steps(own_engine, kandinsky, init_ref, scheduler):
    result = own_engine.run(kandinsky(init_ref(), steps=5, strength=0.6, scheduler=scheduler), Recorder(), NEVER)
    assert result.steps_run == (3,)
    assert result.notes == ()


def test_the_priors_steps_are_told_as_encoding(own_engine, kandinsky):
    recorder = Recorder()
    result = own_engine.run(kandinsky(), recorder, NEVER)
    told = [(event.step, event.total) for event in recorder.events if event.phase is Phase.ENCODING]
    assert told == [(0, 0), (1, 3), (2, 3), (3, 3), (0, 0)]
    assert recorder.steps == [1, 2, 3, 4]
    assert result.steps_run == (4,)


def test_the_bar_of_a_run_with_a_prior_never_falls_and_moves_at_each_step(own_engine, kandinsky):
    request, recorder = kandinsky(), Recorder()
    own_engine.run(request, recorder, NEVER)
    shares = shares_of(request, recorder.events)
    assert shares == sorted(shares)
    steps = [share for share, event in zip(shares, recorder.events, strict=True) if event.total]
    assert len(set(steps)) == 3 + 4


def test_a_cancel_while_the_prior_runs_stops_it_at_once_and_leaves_it_whole(own_engine, kandinsky):
    before = paint(own_engine, kandinsky())
    cancel, events = threading.Event(), []

    def report(progress):
        events.append(progress)
        if progress.phase is Phase.ENCODING and progress.step == 2:
            cancel.set()

    with pytest.raises(Cancelled):
        own_engine.run(kandinsky(), report, cancel)
    assert events[-1].step == 2
    assert paint(own_engine, kandinsky()).tobytes() == before.tobytes()


def test_no_preview_is_guessed_where_nobody_knows_what_the_latents_look_like(own_engine, kandinsky):
    recorder = Recorder()
    own_engine.run(kandinsky(), recorder, NEVER)
    assert not any(event.preview for event in recorder.events)


def test_what_the_prior_does_not_read_is_told_once(own_engine, kandinsky):
    result = own_engine.run(kandinsky(prompt="cat " * 100, negative_prompt="cat " * 100), Recorder(), NEVER)
    assert [note.split(" was not read")[0] for note in result.notes] == [
        "The end of the prompt",
        "The end of the negative prompt",
    ]


def test_a_decoder_names_its_prior_and_counts_in_64_pixels(paths, prior, decoder):
    info = CheckpointStore(paths).describe(str(decoder))
    assert (info.family, info.prior, info.multiple, info.native_size) == ("Kandinsky 2.2", str(prior), 64, 64)
    assert CheckpointStore(paths).describe(str(prior)).kinds == ()


@pytest.mark.parametrize(
    ("card", "named"),
    [
        (None, "kandinsky-community/kandinsky-2-2-prior"),
        ("# No front matter\nprior: other/prior\n", "kandinsky-community/kandinsky-2-2-prior"),
        ("---\nprior: other/prior\n---\n", "other/prior"),
        ('---\nlicense: mit\nprior:\n  - "other/prior"\ntags:\n- x\n---\n', "other/prior"),
        ("---\nprior:\ntags:\n- x\n---\n", "kandinsky-community/kandinsky-2-2-prior"),
    ],
)
def test_the_prior_is_read_from_the_card(paths, decoder, tmp_path, card, named):
    folder = tmp_path / "decoder"
    shutil.copytree(decoder, folder)
    (folder / "README.md").unlink()
    if card is not None:
        (folder / "README.md").write_text(card)
    assert CheckpointStore(paths).describe(str(folder)).prior == named


def test_a_decoder_for_inpainting_that_does_not_say_so_is_refused(paths, tmp_path):
    folder = write_decoder(tmp_path / "inpaint", channels=9)
    with pytest.raises(CheckpointError, match="another task"):
        CheckpointStore(paths).resolve(str(folder))


@pytest.mark.parametrize("part", ["prior", "image_encoder", "text_encoder", "tokenizer"])
def test_a_part_of_the_prior_that_is_gone_is_missed(paths, prior, tmp_path, part):
    folder = tmp_path / "prior"
    shutil.copytree(prior, folder)
    shutil.rmtree(folder / part)
    with pytest.raises(CheckpointError, match=part):
        CheckpointStore(paths).resolve(str(folder))


@pytest.mark.parametrize("part", ["prior", "image_encoder", "text_encoder"])
def test_a_part_of_the_prior_that_lacks_weights_is_no_random_one(
    own_engine, kandinsky, prior, tmp_path, part, expect_log
):
    expect_log("MISSING" if part != "prior" else "")
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "prior"
    shutil.copytree(prior, folder)
    file = next((folder / part).glob("*.safetensors"))
    tensors = load_file(file)
    del tensors[min(name for name in tensors if "weight" in name)]
    save_file(tensors, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=part):
        paint(own_engine, kandinsky(prior=str(folder)))


def test_a_prior_of_another_class_is_refused(paths, prior, tmp_path):
    folder = tmp_path / "prior"
    shutil.copytree(prior, folder)
    index = json.loads((folder / "model_index.json").read_text())
    index["prior"] = ["os", "system"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="class that is not known"):
        CheckpointStore(paths).resolve(str(folder))


def test_the_prior_leaves_the_memory_that_the_decoder_needs(prior, decoder, tmp_path):
    roomy, small = (Residency("cpu", budget=budget, disk=tmp_path) for budget in (10**9, 8_000_000))
    for residency in (roomy, small):
        for folder in (prior, decoder):
            residency.plan(folder, (64, 64))
            residency.get(folder)
    assert [residency.has(prior) for residency in (roomy, small)] == [True, False]
    for residency in (roomy, small):
        residency.clear()
