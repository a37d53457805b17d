"""The other families with a UNet, each against diffusers itself, on tiny checkpoints in its layout."""

from __future__ import annotations

import importlib.util

import pytest
from bare import bare_picture
from engine_runs import NEVER, Recorder, paint
from PIL import Image
from support import make_request
from tiny_other import write_kandinsky_3, write_kolors, write_latent_consistency

from desktop_app.core.families import family_named
from desktop_app.core.request import StageKind
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
"""Kolors' text encoder uses it when it is imported."""

needs_pieces = pytest.mark.skipif(
    importlib.util.find_spec("sentencepiece") is None, reason="Kolors reads prompts with the library sentencepiece"
)
LCM = "Latent Consistency"
NAMES = [LCM, "Kandinsky 3", pytest.param("Kolors", marks=needs_pieces)]
BUILDERS = {LCM: write_latent_consistency, "Kandinsky 3": write_kandinsky_3, "Kolors": write_kolors}
FACTS = {LCM: (64, 8, 77), "Kandinsky 3": (1024, 64, 128), "Kolors": (64, 8, 256)}
"""Native size, multiple, tokens."""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Makes tiny checkpoints, each once, by family."""
    quieten_libraries()
    root = tmp_path_factory.mktemp("others")

    def make(name: str):
        folder = root / name.replace(" ", "-")
        return folder if folder.exists() else BUILDERS[name](folder)

    return make


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    engine = DiffusersEngine(CheckpointStore(user_paths(tmp_path_factory.mktemp("engine"))).resolve, threads=1)
    yield engine
    engine.close()


def given(name):
    """What diffusers is told beside the size and the strength."""
    words = {} if name == LCM else {"negative_prompt": "dog"}
    return {"prompt": "the cat", "num_inference_steps": 4, "guidance_scale": 4.0, **words}


@pytest.mark.parametrize("name", NAMES)
def test_image_to_image_is_bit_for_bit_what_diffusers_makes(engine, checkpoint, init_ref, name):
    folder, ref = checkpoint(name), init_ref((64, 64))
    words = {"prompt": "the cat", "negative_prompt": "dog"}
    ours = paint(engine, make_request(ref, checkpoint=str(folder), steps=4, strength=0.5, **words))
    class_name = family_named(name).pipelines[StageKind.IMAGE_TO_IMAGE]
    theirs = bare_picture(class_name, folder, image=Image.open(ref.path), strength=0.5, **given(name))
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_text_to_image_is_bit_for_bit_what_diffusers_makes(engine, checkpoint, name):
    folder = checkpoint(name)
    words = {"prompt": "the cat", "negative_prompt": "dog"}
    ours = paint(engine, make_request(checkpoint=str(folder), steps=4, **words))
    class_name = family_named(name).pipelines[StageKind.TEXT_TO_IMAGE]
    theirs = bare_picture(class_name, folder, width=64, height=64, **given(name))
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_described_from_its_files(paths, checkpoint, name):
    info = CheckpointStore(paths).describe(str(checkpoint(name)))
    assert info.family == name
    assert (info.native_size, info.multiple, info.max_tokens) == FACTS[name]
    assert info.tokenizer is not None


@pytest.mark.parametrize("name", NAMES)
def test_guidance_and_negative_prompt_count_exactly_where_the_table_says_so(engine, checkpoint, name):
    first = {"checkpoint": str(checkpoint(name)), "prompt": "the cat", "steps": 2}
    plain = paint(engine, make_request(**first)).tobytes()
    for field, value in {"guidance_scale": 9.0, "negative_prompt": "dog"}.items():
        changed = paint(engine, make_request(**first, **{field: value})).tobytes()
        assert (changed != plain) is family_named(name).takes(field), field


@pytest.mark.parametrize("name", NAMES)
def test_the_steps_that_run_are_those_that_the_family_counts(engine, checkpoint, init_ref, name):
    recorder = Recorder()
    engine.run(make_request(init_ref(), checkpoint=str(checkpoint(name)), steps=5, strength=0.5), recorder, NEVER)
    assert recorder.steps[-1] == family_named(name).effective_steps(StageKind.IMAGE_TO_IMAGE, 5, 0.5)


def test_a_picture_of_kandinsky_3_has_the_working_size_though_it_is_no_square(engine, checkpoint):
    request = make_request(checkpoint=str(checkpoint("Kandinsky 3")), steps=2, width=128, height=64)
    assert paint(engine, request).size == (128, 64)
