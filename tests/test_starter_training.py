"""The scripts that train the starter checkpoint: their data, and a few steps of the real thing."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import sys
import tomllib

import numpy as np
import pytest
from PIL import Image
from support import PROJECT, make_picture

SCRIPTS = PROJECT / "packaging" / "starter"
CONCEPTS = ("dog-face", "lemon")


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder on the path, and their modules gone afterwards."""
    import torch

    from desktop_app.engine.pipelines import quieten_libraries

    quieten_libraries()
    torch.set_num_threads(1)
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for path in SCRIPTS.glob("*.py"):
        sys.modules.pop(path.stem, None)


@pytest.fixture
def work(scripts, tmp_path):
    """Drawn stand-ins for some things in all styles."""
    items = [
        {"name": name, "style": style, "label": name.replace("-", " "), "tags": ["tag"], "group": "animals-nature"}
        for name in (*CONCEPTS, "zebra", "crocodile")
        for style in ("flat", "glossy", "cartoon", "blob", "twemoji")
    ]
    pixels = [np.asarray(make_picture((128, 128), "RGBA", seed)) for seed in range(len(items))]
    np.save(tmp_path / "icons.npy", np.stack(pixels))
    (tmp_path / "icons.json").write_text(json.dumps(items))
    return tmp_path


@pytest.fixture
def recipe(scripts):
    """The one for the CPU, much smaller."""
    from recipes import CPU

    return dataclasses.replace(
        CPU, concepts=CONCEPTS, vocabulary=600, pictures=64, batch=4, codec_steps=30, codec_channels=16
    )


def test_names_of_icons_are_made_from_their_labels(scripts):
    from icons import slug

    assert slug("Piñata’s “soft ice cream”") == "pinatas-soft-ice-cream"


def test_what_the_program_suggests_is_what_the_checkpoint_learned(scripts):
    from pictures import EVERYDAY
    from recipes import CPU, GPU

    recipe = tomllib.loads((PROJECT / "resources" / "recipes" / "starter.toml").read_text(encoding="utf-8"))
    known = {EVERYDAY.get(name, name.removesuffix("-face").replace("-", " ")) for name in CPU.concepts}
    assert {text.split(",")[0].removeprefix("small ") for text in recipe["suggestions"]} <= known
    assert set(CPU.concepts) <= set(GPU.concepts)
    assert len(set(GPU.concepts)) == len(GPU.concepts) > 200


def test_a_caption_says_what_is_to_be_seen(scripts):
    from pictures import Ground
    from scenes import Scene

    scene = Scene(("dog",), "flat icon", Ground("red"), ("pet",))
    said = {scene.caption(np.random.default_rng(seed)) for seed in range(80)}
    assert "" in said
    assert "a dog, flat icon, red background" in said
    assert all(words == "" or "dog" in words for words in said)


def test_articles_fit_their_words(scripts):
    from scenes import with_article

    assert [with_article(words) for words in ("owl", "lemon", "cherries")] == ["an owl", "a lemon", "cherries"]


def test_every_kind_of_picture_has_its_size_and_its_words(work, recipe):
    from pictures import load_icons
    from scenes import Maker

    maker = Maker(load_icons(work), recipe)
    made = [maker.make(np.random.default_rng(seed)) for seed in range(150)]
    assert {(picture.size, picture.mode) for picture, _ in made} == {((64, 64), "RGB")}
    drawn = {scene.drawn.split(" ")[-1] for _, scene in made}
    assert drawn == {"icon", "silhouette", "drawing", "watercolour", "art", "mosaic", "duotone"}
    words = " / ".join(scene.things[0] for _, scene in made)
    assert all(part in words for part in ("small ", " beside ", " above ", "crocodile", "lemon"))


def test_the_same_number_makes_the_same_picture(work, recipe):
    from pictures import load_icons
    from scenes import Maker

    maker = Maker(load_icons(work), recipe)
    for seed in range(30):
        first, second = (maker.make(np.random.default_rng(seed)) for _ in range(2))
        assert first[1] == second[1]
        assert first[0].tobytes() == second[0].tobytes()


def test_an_icon_lies_on_the_ground_that_was_asked_for(work):
    from pictures import COLOURS, Ground, load_icons, plain

    picture = plain(load_icons(work), 0, 64, "red", 0.8)
    assert picture.getpixel((1, 1)) == COLOURS["red"]
    striped = Ground("blue", pattern="striped").image(64)
    assert {color for _, color in striped.getcolors()} == {COLOURS["blue"], COLOURS["white"]}
    faded = Ground("red", other="blue")
    assert faded.words() == "red to blue gradient background"
    assert faded.image(64).getpixel((0, 0)) == COLOURS["red"] != faded.image(64).getpixel((0, 63))


def test_a_silhouette_keeps_the_outline_and_nothing_else(scripts):
    from filters import silhouette

    icon = make_picture((128, 128), "RGBA", 3)
    drawn, words = silhouette(icon, np.random.default_rng(0))
    assert words == "silhouette"
    assert drawn.getchannel("A").tobytes() == icon.getchannel("A").tobytes()
    assert drawn.convert("RGB").getcolors() == [(128 * 128, (20, 20, 20))]


def test_the_tokenizer_keeps_the_captions_words_whole_and_splits_the_rest(work, recipe):
    from words import train_tokenizer

    train_tokenizer(work, recipe)
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    assert tokenizer.tokenize("lemon, red background") == ["lemon</w>", ",</w>", "red</w>", "background</w>"]
    assert len(tokenizer.tokenize("antidisestablishment")) > 3
    assert tokenizer.model_max_length == recipe.tokens


def test_the_codec_passes_pictures_through_and_learns(work, recipe):
    import torch
    from codec import make_codec, psnr, train_codec
    from diffusers import AutoencoderTiny
    from pictures import load_icons

    icons = load_icons(work)
    torch.manual_seed(0)
    untrained = psnr(make_codec(recipe), icons, recipe.side, range(8))
    train_codec(work, recipe, threads=1)
    trained = psnr(AutoencoderTiny.from_pretrained(work / "codec"), icons, recipe.side, range(8))
    assert trained > untrained > 10


def options(**changes):
    """As the command line of the training gives them."""
    usual = {"device": "cpu", "threads": 1, "workers": 1, "half": False, "steps": 4, "minutes": 9.0}
    return argparse.Namespace(**{**usual, **changes})


@pytest.fixture
def prepared(work, recipe):
    """Tokenizer and codec are there, the codec hardly trained."""
    from codec import train_codec
    from words import train_tokenizer

    train_tokenizer(work, recipe)
    train_codec(work, dataclasses.replace(recipe, codec_steps=1), threads=1)
    return work


def weights_in(work):
    from safetensors.torch import load_file

    return load_file(work / "sitting" / "weights.safetensors")


def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(prepared, recipe, tmp_path):
    import torch
    from diffusers import StableDiffusionPipeline
    from train import train_model

    train_model(prepared, recipe, options())
    whole = weights_in(prepared)
    shutil.rmtree(prepared / "sitting")
    (prepared / "stop").touch()
    train_model(prepared, recipe, options())
    assert json.loads((prepared / "sitting" / "step.json").read_text()) == 0
    (prepared / "stop").unlink()
    _train_part(prepared, recipe, steps=2, of=4)
    train_model(prepared, recipe, options())
    stopped = weights_in(prepared)
    assert all(stopped[name].equal(whole[name]) for name in whole)
    pipeline = StableDiffusionPipeline.from_pretrained(prepared / "model", safety_checker=None)
    assert {pipeline.unet.dtype, pipeline.vae.dtype, pipeline.text_encoder.dtype} == {torch.float32}


def _train_part(work, recipe, steps, of):
    from sittings import begin
    from train import Crew, Lessons, Trainer, make_pipeline

    begin(1)
    pipeline = make_pipeline(work, recipe)
    lessons = Lessons(work, recipe, pipeline.vae, "cpu")
    trainer = Trainer(pipeline, lessons, recipe, "cpu", Crew(0, 1), half=False)
    losses = [trainer.train_step(of) for _ in range(steps)]
    assert all(np.isfinite(losses))
    trainer.save(work)


def test_two_workers_learn_what_one_learns(prepared, recipe):
    from train import train_model

    train_model(prepared, recipe, options(steps=2))
    alone = weights_in(prepared)
    shutil.rmtree(prepared / "sitting")
    train_model(prepared, recipe, options(steps=2, workers=2))
    shared = weights_in(prepared)
    assert all(shared[name].allclose(alone[name], atol=1e-4) for name in alone)


def test_the_recipe_for_a_gpu_trains_too(work, scripts):
    from codec import train_codec
    from diffusers import StableDiffusionPipeline
    from recipes import GPU
    from train import train_model
    from words import train_tokenizer

    small = dataclasses.replace(GPU, concepts=CONCEPTS, pictures=64, batch=2, codec_steps=1, codec_batch=2)
    train_tokenizer(work, small)
    train_codec(work, small, threads=1)
    train_model(work, small, options(steps=1))
    pipeline = StableDiffusionPipeline.from_pretrained(work / "model", safety_checker=None)
    assert pipeline.unet.config.sample_size * pipeline.vae_scale_factor == 128
    megabytes = sum(path.stat().st_size for path in (work / "model").rglob("*.safetensors")) / 1e6
    assert megabytes < 40


def test_the_judge_learns_to_tell_things_apart(work, recipe, monkeypatch):
    import judge
    import torch
    from pictures import load_icons, plain
    from sittings import to_tensor

    monkeypatch.setattr(judge, "STEPS", 60)
    torch.manual_seed(0)
    icons = load_icons(work)
    learned = judge.get_judge(work, icons, recipe)
    assert learned.concepts == [*CONCEPTS, "crocodile", "zebra"]
    numbers = icons.where(None, ("flat",))
    pictures = torch.stack([to_tensor(plain(icons, number, 64)) for number in numbers])
    assert learned.score(pictures, [icons.items[number]["name"] for number in numbers])[0] >= 75
    again = judge.get_judge(work, icons, recipe)
    assert torch.equal(again(pictures), learned(pictures))


def test_likeness_is_whole_for_the_same_picture_and_small_for_noise(scripts):
    import torch
    from figures import ssim
    from sittings import to_picture, to_tensor

    picture = make_picture((64, 64), "RGB", 1)
    pixels = to_tensor(picture)[None]
    assert ssim(pixels, pixels) == pytest.approx(1, abs=1e-4)
    assert ssim(pixels, torch.rand_like(pixels) * 2 - 1) < 0.2
    assert to_picture(pixels[0]).tobytes() == picture.tobytes()
    assert isinstance(to_picture(pixels[0]), Image.Image)


def test_the_table_of_figures_says_what_was_asked_and_what_was_found(scripts, tmp_path):
    from report import make_table, write_table

    folder = SCRIPTS / "report"
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    table = make_table(figures)
    assert f"| >= 26 dB | {figures['codec_psnr_db']} dB |" in table
    assert table in (SCRIPTS / "README.md").read_text(encoding="utf-8")
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- figures -->\nold\n<!-- end of figures -->\nafter\n")
    write_table(figures, readme)
    assert readme.read_text() == f"before\n<!-- figures -->\n{table}\n<!-- end of figures -->\nafter\n"
