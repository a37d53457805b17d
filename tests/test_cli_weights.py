"""The command line with weights and a long prompt, through Stable Diffusion XL and its refiner, on tiny checkpoints."""

from __future__ import annotations

import json

import pytest
from tiny import write_stable_diffusion_xl

from desktop_app.__main__ import main
from desktop_app.core.image import read_texts
from desktop_app.core.parameters import parse_parameters

PROMPT = "a (big:1.3) cat++, [grass] BREAK " + "the cat sat, " * 30 + r"\(so\)"
NEGATIVE = "(dog:1.2), text--"
USUAL = ("--steps", 5, "--size", "64x64", "--seed", 3)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    write_stable_diffusion_xl(folder / "base")
    write_stable_diffusion_xl(folder / "refiner", is_refiner=True)
    return folder


@pytest.fixture
def generate(checkpoints, tmp_path, capsys):
    """Runs ``generate`` in this process; its JSON."""

    def run(name: str, *arguments: object):
        given = ["generate", *arguments, "--json", "-o", tmp_path / name]
        assert main(["--data-dir", str(tmp_path / "data"), *map(str, given)]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_weights_reach_checkpoint_and_refiner_and_stay_in_the_picture_as_typed(generate, checkpoints, tmp_path):
    both = ("--checkpoint", checkpoints / "base", "--refiner", checkpoints / "refiner", *USUAL)
    made = generate("one.png", "--prompt", PROMPT, "--negative", NEGATIVE, *both)
    assert [stage["prompt"] for stage in made["request"]["stages"]] == [PROMPT, PROMPT]
    values = parse_parameters(read_texts(tmp_path / "one.png")["parameters"])
    assert (values["prompt"], values["negative_prompt"]) == (PROMPT, NEGATIVE)
    again = generate("two.png", "--from", tmp_path / "one.png")
    assert again["pixels_sha256"] == made["pixels_sha256"]
    other = generate("three.png", "--from", tmp_path / "one.png", "--negative", NEGATIVE.replace("1.2", "1.5"))
    assert other["pixels_sha256"] != made["pixels_sha256"]


def test_a_weight_of_one_is_the_plain_word(generate, checkpoints):
    usual = ("--checkpoint", checkpoints / "base", *USUAL)
    plain, one = (generate(f"{len(text)}.png", "--prompt", text, *usual) for text in ("a cat", "a (cat:1.0)"))
    assert plain["pixels_sha256"] == one["pixels_sha256"]
