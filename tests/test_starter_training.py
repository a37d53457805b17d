"""The scripts that train the starter checkpoint: their data, and a few steps of the real thing."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import pytest
from support import PROJECT, STARTER, make_picture

SCRIPTS = PROJECT / "packaging" / "starter"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts' folder on the path, and their modules gone afterwards."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    yield
    for name in ("icons", "pictures", "train", "judge", "evaluate"):
        sys.modules.pop(name, None)


@pytest.fixture
def work(scripts, tmp_path):
    """Drawn stand-ins for two concepts in three styles."""
    from pictures import CONCEPTS, STYLES

    items = [
        {"name": name, "style": style, "label": name.replace("-", " "), "tags": ["tag"], "group": "food-drink"}
        for name in CONCEPTS[:2]
        for style in STYLES
    ]
    pixels = [np.asarray(make_picture((128, 128), "RGBA", seed)) for seed in range(len(items))]
    np.save(tmp_path / "icons.npy", np.stack(pixels))
    (tmp_path / "icons.json").write_text(json.dumps(items))
    return tmp_path


def test_names_of_icons_are_made_from_their_labels(scripts):
    from icons import slug

    assert slug("Piñata’s “soft ice cream”") == "pinatas-soft-ice-cream"


def test_a_caption_says_what_is_to_be_seen(scripts):
    from pictures import caption

    item = {"label": "dog face", "style": "flat", "tags": ["pet"], "group": "animals-nature"}
    said = {caption(item, "red", np.random.default_rng(seed)) for seed in range(60)}
    assert "" in said
    assert any(words == "a dog, flat icon, red background" for words in said)
    assert all(words == "" or "dog" in words for words in said)


def test_an_icon_lies_on_the_ground_that_was_asked_for(work):
    from pictures import COLOURS, compose, load_icons

    icons = load_icons(work, 64)
    icons.pixels[0] = 0
    picture = compose(icons.pixels[0], COLOURS["red"], 0.9, 0, 0)
    assert tuple(((picture[:, 5, 5] + 1) * 127.5).round().int().tolist()) == COLOURS["red"]


def test_a_few_steps_change_the_weights_and_save_a_checkpoint_that_loads(work, expect_log):
    import torch
    from diffusers import StableDiffusionPipeline
    from pictures import CONCEPTS, STYLES, load_icons
    from train import Trainer, encode

    from desktop_app.engine.pipelines import quieten_libraries

    quieten_libraries()
    expect_log("kept in float32: []")  # nothing is, but diffusers says so when a model is cast
    torch.set_num_threads(1)
    torch.manual_seed(1)
    pipeline = StableDiffusionPipeline.from_pretrained(STARTER, dtype=torch.float32, safety_checker=None)
    icons = load_icons(work, 64)
    latents = encode(pipeline, icons, icons.where(CONCEPTS, STYLES), 2, 1)
    assert latents.values.shape == (12, 8, 16, 16)
    options = argparse.Namespace(batch=2, rate=1e-3, seed=1)
    trainer = Trainer(pipeline, icons, latents, options)
    before = trainer.means[0].conv_out.weight.clone()
    losses = [trainer.train_step(0.5) for _ in range(3)]
    assert all(np.isfinite(losses))
    assert not torch.equal(before, trainer.means[0].conv_out.weight)
    trainer.save(work / "model")
    again = StableDiffusionPipeline.from_pretrained(work / "model", dtype=torch.float32, safety_checker=None)
    assert torch.allclose(again.unet.conv_out.weight, trainer.means[0].conv_out.weight, atol=1e-3)
