"""``generate --sweep``: the pictures of a sweep, their grid, and what is refused."""

from __future__ import annotations

import json

import pytest
from support import make_picture

from desktop_app.cli import main
from desktop_app.core.image import load_image
from desktop_app.engine.fake import FakeEngine


@pytest.fixture
def sweep(monkeypatch, data_dir, tmp_path, capsys):
    """Runs it on a picture: the exit status, what was printed, and the folder."""
    monkeypatch.setattr("desktop_app.cli.generate._make_engine", lambda *_: FakeEngine())
    make_picture((64, 64), "RGB", 1).save(tmp_path / "in.png")

    def run(*arguments):
        common = ["--data-dir", str(data_dir), "generate", str(tmp_path / "in.png"), "--prompt", "a cat, oil"]
        status = main([*common, "-o", str(tmp_path / "out.png"), *arguments])
        return status, capsys.readouterr(), tmp_path

    return run


def test_each_value_makes_a_picture_and_all_make_a_grid(sweep):
    status, told, folder = sweep("--sweep", "strength=0.4,1.0", "--sweep", "guidance=1,5,9", "--json")
    requests = [json.loads(line)["request"] for line in told.out.splitlines()]
    assert status == 0
    assert [request["stages"][0]["strength"] for request in requests] == [0.4, 1.0] * 3
    assert [request["stages"][0]["guidance_scale"] for request in requests] == [1, 1, 5, 5, 9, 9]
    assert len({request["seed"] for request in requests}) == 1
    assert {path.name for path in folder.glob("out*")} == {*(f"out-{n}.png" for n in range(1, 7)), "out-grid.png"}
    assert load_image(folder / "out-grid.png").width > 2 * 64


def test_words_of_the_prompt_are_replaced(sweep):
    _status, told, _folder = sweep("--sweep", "prompt=cat,dog", "--json")
    prompts = [json.loads(line)["request"]["stages"][0]["prompt"] for line in told.out.splitlines()]
    assert prompts == ["a cat, oil", "a dog, oil"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--grid"], "needs several pictures"),
        (["--sweep", "strength"], "--sweep cannot be read"),
        (["--sweep", "strength=0.4,7"], "not between 0 and 1"),
        (["--sweep", "width=64,128"], "cannot be varied"),
        (["--sweep", "refiner-share=0.5,0.8"], "has no effect"),
        (["--sweep", "strength=0.4,0.8", "--count", "2"], "--count 2"),
        (["--sweep", "strength=0.4,0.8", "--sweep", "strength=0.5,1"], "different ones"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(sweep, arguments, words):
    status, told, folder = sweep(*arguments)
    assert status == 1
    assert words in told.err
    assert not list(folder.glob("out*"))


def test_a_grid_that_is_there_is_not_replaced_unasked(sweep):
    sweep("--sweep", "strength=0.4,1.0")
    for path in sweep("--sweep", "seed=1,2", "--overwrite")[2].glob("out-?.png"):
        path.unlink()
    status, told, _folder = sweep("--sweep", "strength=0.4,1.0")
    assert (status, "out-grid.png" in told.err) == (1, True)


def test_several_variations_make_a_grid_when_asked(sweep):
    status, told, folder = sweep("--count", "3", "--grid", "--seed", "5")
    assert (status, "out-grid.png: 3 pictures" in told.out) == (0, True)
    grid = load_image(folder / "out-grid.png")
    assert grid.width > 3 * 192 > grid.height  # the seeds are the columns


def test_letters_of_the_grid_for_which_there_is_no_font_are_named(sweep):
    status, told, folder = sweep("--sweep", "prompt=cat,\ufdd0")
    assert (status, (folder / "out-grid.png").exists()) == (0, True)
    assert "no font for \ufdd0. Install" in told.err
