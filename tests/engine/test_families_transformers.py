"""The families that denoise with a transformer, each against diffusers itself, on tiny checkpoints in its layout."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from bare import bare_picture
from engine_runs import NEVER, Recorder, paint
from PIL import Image
from support import make_request
from tiny_flow import write_flux, write_stable_diffusion_3, write_z_image
from tiny_qwen import write_flux_2, write_flux_2_klein, write_qwen_image

from desktop_app.core.engine import Phase
from desktop_app.core.errors import Cancelled, CheckpointError, RequestError
from desktop_app.core.families import family_named
from desktop_app.core.request import StageKind
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.pipelines import quieten_libraries
from desktop_app.engine.processors import PIXTRAL, QWEN, load_processor
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths

SIZE = {"width": 64, "height": 64}
GUIDED = {"guidance_scale": 4.0}
QWEN_GUIDED = {"true_cfg_scale": 4.0}
NEGATIVE = {"negative_prompt": "dog"}
KONTEXT = {"max_area": 64 * 64, "_auto_resize": False}

BUILDERS = {
    "sd3": write_stable_diffusion_3,
    "sd3-small": lambda folder: write_stable_diffusion_3(folder, has_t5=False),
    "flux": write_flux,
    "flux-schnell": lambda folder: write_flux(folder, has_guidance=False),
    "flux-shards": lambda folder: write_flux(folder, max_shard_size="40KB"),
    "kontext": lambda folder: write_flux(folder, is_kontext=True),
    "flux2": write_flux_2,
    "klein": lambda folder: write_flux_2_klein(folder, is_distilled=True),
    "klein-base": write_flux_2_klein,
    "qwen": write_qwen_image,
    "qwen-edit": lambda folder: write_qwen_image(folder, edit="QwenImageEditPipeline"),
    "qwen-edit-plus": lambda folder: write_qwen_image(folder, edit="QwenImageEditPlusPipeline"),
    "z-image": write_z_image,
}

NAMES_AND_TOKENS = {
    "sd3": ("Stable Diffusion 3", 64, 256),
    "sd3-small": ("Stable Diffusion 3", 64, 77),
    "flux": ("Flux", 1024, 512),
    "flux-schnell": ("Flux Schnell", 1024, 512),
    "flux-shards": ("Flux", 1024, 512),
    "kontext": ("Flux Kontext", 1024, 512),
    "flux2": ("Flux 2", 1024, 472),
    "klein": ("Flux 2 Klein", 1024, 500),
    "klein-base": ("Flux 2 Klein Base", 1024, 500),
    "qwen": ("Qwen-Image", 1024, 507),
    "qwen-edit": ("Qwen-Image Edit", 1024, 128000),
    "qwen-edit-plus": ("Qwen-Image Edit Plus", 1024, 128000),
    "z-image": ("Z-Image", 1024, 504),
}

IMAGE_TO_IMAGE = {
    "sd3": ("StableDiffusion3Img2ImgPipeline", {"strength": 0.6, **GUIDED, **NEGATIVE}),
    "sd3-small": ("StableDiffusion3Img2ImgPipeline", {"strength": 0.6, **GUIDED, **NEGATIVE}),
    "flux": ("FluxImg2ImgPipeline", {"strength": 0.6, **GUIDED}),
    "flux-schnell": ("FluxImg2ImgPipeline", {"strength": 0.6}),
    "kontext": ("FluxKontextPipeline", {**GUIDED, **KONTEXT}),
    "flux2": ("Flux2Pipeline", GUIDED),
    "klein": ("Flux2KleinPipeline", {"guidance_scale": 1.0}),
    "klein-base": ("Flux2KleinPipeline", GUIDED),
    "qwen": ("QwenImageImg2ImgPipeline", {"strength": 0.6, **QWEN_GUIDED, **NEGATIVE}),
    "qwen-edit": ("QwenImageEditPipeline", {**QWEN_GUIDED, **NEGATIVE}),
    "qwen-edit-plus": ("QwenImageEditPlusPipeline", {**QWEN_GUIDED, **NEGATIVE}),
    "z-image": ("ZImageImg2ImgPipeline", {"strength": 0.6, **GUIDED, **NEGATIVE}),
}

TEXT_TO_IMAGE = {
    "sd3": ("StableDiffusion3Pipeline", GUIDED),
    "sd3-small": ("StableDiffusion3Pipeline", GUIDED),
    "flux": ("FluxPipeline", GUIDED),
    "flux-schnell": ("FluxPipeline", {}),
    "flux-shards": ("FluxPipeline", GUIDED),
    "kontext": ("FluxKontextPipeline", {**GUIDED, **KONTEXT}),
    "flux2": ("Flux2Pipeline", GUIDED),
    "klein": ("Flux2KleinPipeline", {"guidance_scale": 1.0}),
    "klein-base": ("Flux2KleinPipeline", GUIDED),
    "qwen": ("QwenImagePipeline", {**QWEN_GUIDED, "negative_prompt": " "}),
    "z-image": ("ZImagePipeline", GUIDED),
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Makes tiny checkpoints, each once: ``checkpoint("flux")``."""
    quieten_libraries()
    root = tmp_path_factory.mktemp("transformers")

    def make(name: str):
        folder = root / name
        return folder if folder.exists() else BUILDERS[name](folder)

    return make


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    paths = user_paths(tmp_path_factory.mktemp("engine"))
    engine = DiffusersEngine(CheckpointStore(paths).resolve, threads=1)
    yield engine
    engine.close()


def missing_parts(name, folder):
    """What diffusers alone cannot load: parts that were left out, and processors that want more libraries."""
    if name == "sd3-small":
        return {"text_encoder_3": None, "tokenizer_3": None}
    if name == "flux2":
        return {"tokenizer": load_processor(folder / "tokenizer", PIXTRAL)}
    if name.startswith("qwen-edit"):
        return {"processor": load_processor(folder / "processor", QWEN)}
    return {}


@pytest.mark.parametrize("name", IMAGE_TO_IMAGE)
def test_image_to_image_is_bit_for_bit_what_diffusers_makes(engine, checkpoint, init_ref, name):
    class_name, arguments = IMAGE_TO_IMAGE[name]
    folder, ref = checkpoint(name), init_ref((64, 64))
    words = {"prompt": "the cat", "negative_prompt": "dog"}
    ours = paint(engine, make_request(ref, checkpoint=str(folder), steps=2, strength=0.6, **words))
    parts, given = missing_parts(name, folder), {"image": Image.open(ref.path), "num_inference_steps": 2, **SIZE}
    theirs = bare_picture(class_name, folder, parts, prompt="the cat", **given, **arguments)
    assert ours.size == (64, 64)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", TEXT_TO_IMAGE)
def test_text_to_image_is_bit_for_bit_what_diffusers_makes(engine, checkpoint, name):
    class_name, arguments = TEXT_TO_IMAGE[name]
    folder = checkpoint(name)
    ours = paint(engine, make_request(checkpoint=str(folder), prompt="the cat", steps=2))
    parts, given = missing_parts(name, folder), {"num_inference_steps": 2, **SIZE}
    theirs = bare_picture(class_name, folder, parts, prompt="the cat", **given, **arguments)
    assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("name", NAMES_AND_TOKENS)
def test_a_checkpoint_is_described_from_its_files(paths, checkpoint, name):
    info = CheckpointStore(paths).describe(str(checkpoint(name)))
    assert (info.family, info.native_size, info.max_tokens) == NAMES_AND_TOKENS[name]
    assert info.multiple == 16
    assert info.kinds == tuple(family_named(info.family).pipelines)
    assert info.tokenizer is not None


@pytest.mark.parametrize("name", TEXT_TO_IMAGE)
def test_guidance_and_negative_prompt_count_exactly_where_the_table_says_so(engine, checkpoint, paths, name):
    folder = checkpoint(name)
    family = family_named(CheckpointStore(paths).describe(str(folder)).family)
    first = make_request(checkpoint=str(folder), prompt="the cat", steps=2)
    plain = paint(engine, first).tobytes()
    for field, value in {"guidance_scale": 9.0, "negative_prompt": "dog"}.items():
        changed = make_request(checkpoint=str(folder), prompt="the cat", steps=2, **{field: value})
        assert (paint(engine, changed).tobytes() != plain) is family.takes(field), field


@pytest.mark.parametrize("name", IMAGE_TO_IMAGE)
def test_the_init_image_counts_and_strength_exactly_where_the_table_says_so(engine, checkpoint, init_ref, paths, name):
    family = family_named(CheckpointStore(paths).describe(str(checkpoint(name))).family)
    first = {"checkpoint": str(checkpoint(name)), "prompt": "the cat", "steps": 2, "strength": 0.5}
    plain = paint(engine, make_request(init_ref(seed=0), **first)).tobytes()
    assert paint(engine, make_request(init_ref(seed=1), **first)).tobytes() != plain
    stronger = paint(engine, make_request(init_ref(seed=0), **{**first, "strength": 1.0})).tobytes()
    assert (stronger != plain) is family.takes("strength")


def test_a_picture_that_flux_2_does_not_look_at_is_refused_in_words(engine, checkpoint, init_ref):
    request = make_request(init_ref((48, 96)), checkpoint=str(checkpoint("klein")), width=48, height=96, steps=2)
    with pytest.raises(RequestError, match="too small") as caught:
        engine.run(request, Recorder(), NEVER)
    assert caught.value.param == "width"


def test_the_picture_has_the_working_size_though_it_is_no_square(engine, checkpoint, init_ref):
    for name in ("flux", "kontext", "klein", "qwen", "z-image", "sd3"):
        ref = init_ref((96, 64))
        request = make_request(ref, checkpoint=str(checkpoint(name)), steps=2, width=112, height=80, own_size=False)
        assert paint(engine, request).size == (112, 80), name


def test_the_steps_that_run_are_those_that_the_family_counts(engine, checkpoint, init_ref, paths):
    for name in ("flux", "kontext", "z-image"):
        family = family_named(CheckpointStore(paths).describe(str(checkpoint(name))).family)
        recorder = Recorder()
        engine.run(make_request(init_ref(), checkpoint=str(checkpoint(name)), steps=5, strength=0.5), recorder, NEVER)
        assert recorder.steps[-1] == family.effective_steps(StageKind.IMAGE_TO_IMAGE, 5, 0.5), name


def test_a_cancel_in_the_middle_leaves_the_pipeline_clean(engine, checkpoint):
    request = make_request(checkpoint=str(checkpoint("flux")), prompt="the cat", steps=3)
    before = paint(engine, request).tobytes()
    cancel = threading.Event()
    recorder = Recorder(at_step=lambda step: cancel.set())
    with pytest.raises(Cancelled):
        engine.run(request, recorder, cancel)
    assert recorder.steps == [1]
    assert Phase.DECODING not in recorder.phases
    assert paint(engine, request).tobytes() == before


def test_shards_of_every_part_are_found_by_their_index(checkpoint):
    folder = checkpoint("flux-shards")
    for part in ("transformer", "text_encoder_2"):
        assert len(list((folder / part).glob("*-of-*.safetensors"))) > 1, part


def test_a_shard_that_is_gone_is_missed(paths, checkpoint, tmp_path):
    folder = tmp_path / "flux"
    shutil.copytree(checkpoint("flux-shards"), folder)
    next((folder / "transformer").glob("*-of-*.safetensors")).unlink()
    with pytest.raises(CheckpointError, match="damaged"):
        CheckpointStore(paths).resolve(str(folder))


@pytest.mark.parametrize("name", ["flux", "z-image", "qwen"])
def test_a_text_encoder_that_lacks_a_weight_is_refused_and_not_filled(engine, checkpoint, tmp_path, expect_log, name):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / name
    shutil.copytree(checkpoint(name), folder)
    part = "text_encoder_2" if name == "flux" else "text_encoder"
    weights = load_file(folder / part / "model.safetensors")
    weights.pop(next(key for key in weights if key.endswith(("layer_norm.weight", "layernorm.weight"))))
    save_file(weights, folder / part / "model.safetensors", {"format": "pt"})
    expect_log("MISSING")
    with pytest.raises(CheckpointError, match="lacks"):
        paint(engine, make_request(checkpoint=str(folder), steps=2))


def test_the_text_encoder_of_z_image_is_read_from_a_file_with_more_than_it_uses(engine, checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "z-image"
    shutil.copytree(checkpoint("z-image"), folder)
    path = folder / "text_encoder" / "model.safetensors"
    weights = load_file(path)
    words = weights["embed_tokens.weight"]
    save_file({**{f"model.{key}": weights[key] for key in weights}, "lm_head.weight": words.clone()}, path)
    request = make_request(checkpoint=str(checkpoint("z-image")), prompt="the cat", steps=2)
    expected = paint(engine, request).tobytes()
    assert paint(engine, make_request(checkpoint=str(folder), prompt="the cat", steps=2)).tobytes() == expected


def test_weights_that_are_tied_to_others_may_be_left_out_of_the_file(engine, checkpoint, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "klein"
    shutil.copytree(checkpoint("klein-base"), folder)
    config, path = folder / "text_encoder" / "config.json", folder / "text_encoder" / "model.safetensors"
    config.write_text(json.dumps({**json.loads(config.read_text()), "tie_word_embeddings": True}))
    weights = load_file(path)
    del weights["lm_head.weight"]
    save_file(weights, path, {"format": "pt"})
    assert paint(engine, make_request(checkpoint=str(folder), steps=2)).size == (64, 64)


def test_a_class_that_runs_code_of_the_checkpoint_is_never_taken(paths, checkpoint, tmp_path):
    folder = tmp_path / "flux"
    shutil.copytree(checkpoint("flux"), folder)
    path = folder / "model_index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "transformer": ["my_code", "MyTransformer"]}))
    with pytest.raises(CheckpointError, match="not known"):
        CheckpointStore(paths).resolve(str(folder))
