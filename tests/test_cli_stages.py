"""The command line with a refiner and with a prior, on tiny checkpoints and with the real engine."""

from __future__ import annotations

import json

import pytest
from support import make_picture
from tiny_kandinsky import write_stages

from desktop_app.__main__ import main
from desktop_app.core.image import read_texts


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """A folder with one of each kind."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return write_stages(folder)


@pytest.fixture
def generate(checkpoints, tmp_path, capsys, monkeypatch):
    """Runs ``generate`` in this process, in the folder of checkpoints; its JSON, or what it says on stderr."""
    monkeypatch.chdir(checkpoints)
    make_picture((64, 64)).save(tmp_path / "init.png")

    def run(*arguments: object, image: bool = True):
        start = [tmp_path / "init.png"] if image else []
        given = ["generate", *start, *arguments, "--json", "-o", tmp_path / "out.png", "--overwrite"]
        failed = main(["--data-dir", str(tmp_path / "data"), *map(str, given)])
        said = capsys.readouterr()
        return said.err if failed else json.loads(said.out)

    return run


XL = ("--checkpoint", "base", "--prompt", "the cat", "--seed", 7, "--steps", 10, "--size", "64x64")
KANDINSKY = ("--checkpoint", "decoder", "--prompt", "the cat", "--seed", 7, "--steps", 4, "--size", "64x64")


def test_a_refiner_takes_over_and_the_picture_can_be_made_again(generate, checkpoints, tmp_path):
    first = generate(*XL, "--refiner", "refiner", "--refiner-share", 0.7, "--strength", 0.8, "--aesthetic-score", 8)
    assert first["steps_run"] == [5, 3]
    assert [stage["checkpoint"] for stage in first["request"]["stages"]] == [
        str(checkpoints / "base"),
        str(checkpoints / "refiner"),
    ]
    assert "Refiner: refiner, Refiner switch at: 0.7" in read_texts(tmp_path / "out.png")["parameters"]
    (tmp_path / "out.png").rename(tmp_path / "first.png")
    again = generate("--from", tmp_path / "first.png")
    assert again["pixels_sha256"] == first["pixels_sha256"]
    other = generate("--from", tmp_path / "first.png", "--refiner-share", 0.5)
    assert other["steps_run"] == [3, 5]


def test_a_refiner_works_over_the_finished_picture(generate):
    assert generate(*XL, "--refiner", "refiner", "--refiner-strength", 0.3, image=False)["steps_run"] == [10, 3]


def test_a_prior_is_found_by_the_card_or_named(generate, checkpoints):
    by_card = generate(*KANDINSKY, "--prior-steps", 3, "--negative", "dog", image=False)
    named = generate(*KANDINSKY, "--prior", "prior", "--prior-steps", 3, "--negative", "dog", image=False)
    assert by_card["pixels_sha256"] == named["pixels_sha256"]
    assert named["request"]["stages"][0]["prior"] == str(checkpoints / "prior")
    other = generate(*KANDINSKY, "--prior-steps", 3, "--prior-guidance", 1, image=False)
    assert other["pixels_sha256"] != named["pixels_sha256"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--checkpoint", "base", "--prior-steps", 9), "Prior steps has no effect"),
        (("--checkpoint", "decoder", "--refiner", "refiner"), "Refiner has no effect"),
        (
            ("--checkpoint", "decoder", "--original-width", 512, "--original-height", 512),
            "Original width has no effect",
        ),
        (("--checkpoint", "decoder", "--scheduler", "euler"), "does not fit the checkpoint"),
        (("--checkpoint", "base", "--refiner-share", 0.5), "No refiner is chosen"),
        (("--checkpoint", "base", "--refiner", "decoder"), "does not fit the checkpoint"),
        (("--checkpoint", "base", "--refiner", "nowhere"), "cannot be found"),
        (("--checkpoint", "base", "--refiner", "refiner", "--refiner-share", 1), "out of range"),
        (("--checkpoint", "base", "--refiner", "refiner", "--steps", 1), "would take over before the first step"),
        (("--checkpoint", "decoder", "--prior", "base"), "does not fit the checkpoint"),
        (("--checkpoint", "decoder", "--prior-steps", 1), "out of range"),
        (("--checkpoint", "prior"), "paints nothing by itself"),
        (("--checkpoint", "refiner"), "needs a picture"),
    ],
)
def test_what_cannot_be_run_is_told_before_anything_is_loaded(generate, arguments, said):
    assert said in generate("--prompt", "x", *arguments, image=False)
