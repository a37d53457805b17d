"""The scripts that train the starter checkpoint: their data, and a few steps of the real thing."""

from __future__ import annotations

import dataclasses
import json
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
    assert {text.split(",")[0] for text in recipe["suggestions"]} <= known
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


def test_training_that_was_stopped_goes_on_as_if_it_had_not_been(work, recipe, tmp_path_factory, expect_log):
    import shutil

    from codec import train_codec
    from diffusers import StableDiffusionPipeline
    from safetensors.torch import load_file
    from train import train_model
    from words import train_tokenizer

    expect_log("kept in float32: []")  # nothing is, but diffusers says so when a model is cast
    train_tokenizer(work, recipe)
    train_codec(work, dataclasses.replace(recipe, codec_steps=1), threads=1)
    whole = tmp_path_factory.mktemp("whole") / "work"
    shutil.copytree(work, whole)
    train_model(whole, recipe, "cpu", 1, steps=4, minutes=9)
    (work / "stop").touch()
    train_model(work, recipe, "cpu", 1, steps=4, minutes=9)
    assert json.loads((work / "sitting" / "step.json").read_text()) == 0
    (work / "stop").unlink()
    _train_part(work, recipe, steps=2, of=4)
    train_model(work, recipe, "cpu", 1, steps=4, minutes=9)
    stopped, unstopped = (load_file(folder / "sitting" / "weights.safetensors") for folder in (work, whole))
    assert all(stopped[name].equal(unstopped[name]) for name in unstopped)
    pipeline = StableDiffusionPipeline.from_pretrained(work / "model", safety_checker=None)
    assert pipeline.unet.config.sample_size == 16


def _train_part(work, recipe, steps, of):
    from sittings import begin
    from train import Lessons, Trainer, make_pipeline

    begin(1)
    pipeline = make_pipeline(work, recipe)
    trainer = Trainer(pipeline, Lessons(work, recipe, pipeline.vae, "cpu"), recipe, "cpu")
    losses = [trainer.train_step(of) for _ in range(steps)]
    assert all(np.isfinite(losses))
    trainer.save(work)


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
