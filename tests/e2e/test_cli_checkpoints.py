"""``generate`` with every kind of REF: the tiny checkpoints are fetched from a hub on this machine, or lie here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from single_file import write_tiny_file
from support import PROJECT, make_picture
from tiny import write_stable_diffusion, write_stable_diffusion_xl
from tiny_flow import write_flux
from tiny_kandinsky import write_decoder, write_prior

from desktop_app.__main__ import main
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths

TINY, PICKLED, KONTEXT = "org/tiny", "org/pickled", "org/kontext"
BASE = "stabilityai/stable-diffusion-xl-base-1.0"
REFINER = "stabilityai/stable-diffusion-xl-refiner-1.0"
DECODER, PRIOR = "kandinsky-community/kandinsky-2-2-decoder", "kandinsky-community/kandinsky-2-2-prior"

QUICK = ("--prompt", "the cat", "--seed", 7, "--steps", 4, "--size", "64x64")
"""What every picture here is."""


@dataclass(frozen=True)
class Hub:
    """Folders of its repositories, and a data folder into which they were downloaded."""

    repositories: Path
    data: Path


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    """All repositories, downloaded by the program itself."""
    root, data = tmp_path_factory.mktemp("hub"), tmp_path_factory.mktemp("data")
    write_stable_diffusion(root / TINY, safety_checker=False)
    write_stable_diffusion_xl(root / BASE)
    write_stable_diffusion_xl(root / REFINER, is_refiner=True)
    write_prior(root / PRIOR)
    write_decoder(root / DECODER, PRIOR)
    write_flux(root / KONTEXT, is_kontext=True)
    pickle_weights(shutil.copytree(root / TINY, root / PICKLED))
    with HubServer(root) as server, pytest.MonkeyPatch.context() as patch:
        go_online(patch, server, root / "none")
        for ref in (TINY, PICKLED, BASE, REFINER, DECODER, KONTEXT):
            assert main(["--data-dir", str(data), "checkpoints", "download", ref, "--yes"]) == 0
    return Hub(root, data)


def go_online(patch: pytest.MonkeyPatch, server: HubServer, home: Path) -> None:
    """Downloads come from ``server``, and nothing was fetched by another program."""
    patch.delenv("HF_HUB_OFFLINE")
    patch.delenv("HF_HUB_CACHE", raising=False)
    for name, value in {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(home),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
    }.items():
        patch.setenv(name, value)


def pickle_weights(folder: Path) -> None:
    """Only pickles in place of the safetensors of ``folder``."""
    import torch
    from safetensors.torch import load_file

    for file in list(folder.rglob("*.safetensors")):
        name = file.name.replace(".safetensors", ".bin")
        torch.save(load_file(file), file.with_name(f"pytorch_{name}" if name.startswith("model") else name))
        file.unlink()


Generate = Callable[..., dict[str, Any]]


@pytest.fixture
def attempt(
    hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Runs ``generate`` in this process and on the data folder of the hub, or on another: exit status, stdout and
    stderr. ``image``: from a picture; the result is ``out.png``.
    """
    monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)
    make_picture((64, 64)).save(tmp_path / "init.png")

    def run(*arguments: object, data: Path = hub.data, image: bool = True) -> tuple[int, str, str]:
        start = ["init.png"] if image else []
        given = ["generate", *start, *arguments, "--json", "-o", "out.png", "--overwrite"]
        capsys.readouterr()
        status = main(["--data-dir", str(data), *map(str, given)])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


@pytest.fixture
def generate(attempt: Callable[..., tuple[int, str, str]]) -> Generate:
    """What the result of ``attempt`` says of itself."""

    def run(*arguments: object, **options: Any) -> dict[str, Any]:
        status, out, err = attempt(*arguments, **options)
        assert (status, err) == (0, "")
        return json.loads(out)

    return run


@pytest.fixture
def refused(attempt: Callable[..., tuple[int, str, str]]) -> Callable[..., list[str]]:
    """The two lines of what fails: what is wrong, and what can be done."""

    def run(*arguments: object, **options: Any) -> list[str]:
        status, out, err = attempt(*arguments, **options)
        assert (status, out) == (1, "")
        return err.splitlines()

    return run


def checkpoints_of(facts: dict[str, Any]) -> list[str]:
    return [stage["checkpoint"] for stage in facts["request"]["stages"]]


def repeat(generate: Generate, first: dict[str, Any], **options: Any) -> None:
    """The picture just made is made again by what it holds."""
    Path("out.png").rename("first.png")
    again = generate("--from", "first.png", **options)
    assert again["pixels_sha256"] == first["pixels_sha256"]
    assert again["request"] == first["request"]


# Paths -------------------------------------------------------------------------------------------


def test_a_folder_is_written_down_by_its_absolute_path(generate, hub, tmp_path, monkeypatch):
    shutil.copytree(hub.repositories / TINY, tmp_path / "mine" / "icons")
    first = generate(*QUICK, "--checkpoint", "mine/icons")
    assert checkpoints_of(first) == [str(tmp_path / "mine" / "icons")]
    repeat(generate, first)
    (tmp_path / "deeper").mkdir()
    monkeypatch.chdir("deeper")
    make_picture((64, 64)).save("init.png")
    again = generate(*QUICK, "--checkpoint", "../mine/icons")
    assert checkpoints_of(again) == checkpoints_of(first)


def test_a_name_in_the_checkpoints_folder_is_written_down_by_its_absolute_path(generate, hub, data_dir):
    folder = shutil.copytree(hub.repositories / TINY, data_dir / "checkpoints" / "mine")
    first = generate(*QUICK, "--checkpoint", "mine", data=data_dir)
    assert checkpoints_of(first) == [str(folder)]
    repeat(generate, first, data=data_dir)


@pytest.fixture
def single_file(tmp_path, monkeypatch):
    """A tiny Stable Diffusion in one file, with layouts as tiny as it."""
    made = write_tiny_file(tmp_path / "made", "sd1")
    monkeypatch.setattr("desktop_app.store.single_file.layouts_dir", lambda: made.layouts)
    return made.file


def test_a_single_file_is_used_where_it_is(generate, single_file, tmp_path):
    first = generate(*QUICK, "--checkpoint", single_file.relative_to(tmp_path))
    assert checkpoints_of(first) == [str(single_file)]
    repeat(generate, first)


def test_an_imported_file_is_used_by_its_name(generate, single_file, data_dir, capsys):
    assert main(["--data-dir", str(data_dir), "checkpoints", "import", str(single_file)]) == 0
    single_file.unlink()
    first = generate(*QUICK, "--checkpoint", single_file.name, data=data_dir)
    assert checkpoints_of(first) == [str(data_dir / "checkpoints" / single_file.name)]
    repeat(generate, first, data=data_dir)


# Hub ids -----------------------------------------------------------------------------------------


@pytest.mark.timeout(240)
def test_from_an_empty_folder_a_hub_id_is_downloaded_painted_with_and_repeated(hub, data_dir, tmp_path, monkeypatch):
    make_picture((64, 64)).save(tmp_path / "init.png")
    with HubServer(hub.repositories) as server:
        go_online(monkeypatch, server, tmp_path / "none")
        assert run(data_dir, "checkpoints", "download", TINY)["ref"] == TINY
    arguments = ("generate", tmp_path / "init.png", *QUICK, "--checkpoint", TINY, "-o", tmp_path / "out.png")
    first = run(data_dir, *arguments)
    assert (checkpoints_of(first), first["request"]["recipe"]) == ([TINY], "")
    again = run(data_dir, "generate", tmp_path / "init.png", "--from", tmp_path / "out.png", "-o", tmp_path / "2.png")
    assert again["pixels_sha256"] == first["pixels_sha256"]


def run(data: Path, *arguments: object) -> dict[str, Any]:
    """One result of the program, in a process of its own."""
    command = [sys.executable, "-m", "desktop_app", "--data-dir", data, *arguments, "--json"]
    variables = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*map(str, command)], cwd=PROJECT, env=variables, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_hub_id_stays_one_also_where_another_program_has_fetched_it(generate, hub, data_dir, monkeypatch):
    first = generate(*QUICK, "--checkpoint", TINY)
    monkeypatch.setenv("HF_HUB_CACHE", str(hub.data / "checkpoints"))
    shared = generate(*QUICK, "--checkpoint", TINY, data=data_dir)
    assert checkpoints_of(shared) == [TINY]
    assert shared["pixels_sha256"] == first["pixels_sha256"]
    repeat(generate, shared, data=data_dir)


def put_into_cache(cache: Path, source: Path, name: str) -> None:
    """The file or the folder ``source`` as the repository ``name`` in the cache of another program."""
    repository, commit = cache / f"models--{name.replace('/', '--')}", "0123456789abcdef0123456789abcdef01234567"
    for folder in ("refs", f"snapshots/{commit}"):
        (repository / folder).mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    if source.is_file():
        shutil.copy(source, repository / "snapshots" / commit)
    else:
        shutil.copytree(source, repository / "snapshots" / commit, dirs_exist_ok=True)


def test_a_single_file_of_the_hub_is_called_by_its_hub_id(generate, single_file, data_dir, tmp_path, monkeypatch):
    put_into_cache(tmp_path / "cache", single_file, "org/single")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    first = generate(*QUICK, "--checkpoint", "org/single", data=data_dir)
    assert checkpoints_of(first) == ["org/single"]
    repeat(generate, first, data=data_dir)


def test_pickles_that_another_program_has_fetched_are_told_with_what_converts_them(
    refused, hub, data_dir, tmp_path, monkeypatch
):
    put_into_cache(tmp_path / "cache", hub.repositories / PICKLED, "org/theirs")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    said, hint = refused(*QUICK, "--checkpoint", "org/theirs", data=data_dir)
    assert said == "underpaint: The weights of the checkpoint are pickled: org/theirs"
    assert hint.endswith("underpaint checkpoints download org/theirs")


def test_a_picture_is_not_repeated_without_its_checkpoint(generate, refused, data_dir):
    generate(*QUICK, "--checkpoint", TINY)
    Path("out.png").rename("first.png")
    said, hint = refused("--from", "first.png", data=data_dir)
    assert said == f"underpaint: The checkpoint is not on this machine: {TINY}"
    assert hint.endswith(f"underpaint checkpoints download {TINY}")


def test_a_snapshot_that_is_named_by_its_path_stays_a_path(generate, hub):
    snapshot = CheckpointStore(user_paths(hub.data)).describe(TINY).path
    assert checkpoints_of(generate(*QUICK, "--checkpoint", snapshot)) == [str(snapshot)]


def test_what_became_of_pickles_is_called_by_its_hub_id(generate, hub):
    converted = generate(*QUICK, "--checkpoint", PICKLED)
    assert checkpoints_of(converted) == [PICKLED]
    repeat(generate, converted)
    assert converted["pixels_sha256"] == generate(*QUICK, "--checkpoint", TINY)["pixels_sha256"]


def test_a_hub_id_that_is_not_here_is_told_with_the_command_that_fetches_it(refused, data_dir):
    said, hint = refused(*QUICK, "--checkpoint", TINY, data=data_dir)
    assert said == f"underpaint: The checkpoint is not on this machine: {TINY}"
    assert hint.endswith(f"underpaint checkpoints download {TINY}")


# Two checkpoints, and other families -------------------------------------------------------------


def test_a_decoder_of_the_hub_finds_its_prior_by_the_card_or_by_name(generate, hub):
    by_card = generate(*QUICK, "--checkpoint", DECODER, "--prior-steps", 3)
    named = generate(*QUICK, "--checkpoint", DECODER, "--prior", PRIOR, "--prior-steps", 3)
    assert by_card["request"] == named["request"]
    assert (checkpoints_of(named), named["request"]["stages"][0]["prior"]) == ([DECODER], PRIOR)
    assert by_card["pixels_sha256"] == named["pixels_sha256"]
    repeat(generate, named)


def test_a_decoder_without_its_prior_says_which_one_to_fetch(refused, hub, data_dir):
    name = f"models--{DECODER.replace('/', '--')}"
    shutil.copytree(hub.data / "checkpoints" / name, data_dir / "checkpoints" / name, symlinks=True)
    said, hint = refused(*QUICK, "--checkpoint", DECODER, data=data_dir)
    assert said == f"underpaint: Prior: The checkpoint is not on this machine: {PRIOR}"
    assert hint.endswith(f"checkpoints download {PRIOR}")


def test_base_and_refiner_are_written_down_by_their_hub_ids(generate):
    first = generate(*QUICK, "--checkpoint", BASE, "--refiner", REFINER, "--strength", 1)
    assert (checkpoints_of(first), first["steps_run"]) == ([BASE, REFINER], [3, 1])
    repeat(generate, first)


def test_an_edit_family_takes_no_strength_and_says_so(generate, refused):
    first = generate(*QUICK, "--checkpoint", KONTEXT)
    assert (checkpoints_of(first), first["steps_run"]) == ([KONTEXT], [4])
    [said, _] = refused(*QUICK, "--checkpoint", KONTEXT, "--strength", 0.5)
    assert said.startswith("underpaint: Strength has no effect: ")
    repeat(generate, first)


def test_weights_that_a_family_reads_as_plain_text_are_told(attempt):
    status, _, err = attempt(*QUICK, "--checkpoint", KONTEXT, "--prompt", "a (cat:1.3)")
    assert status == 0
    assert err.startswith("underpaint: Weights are not used.")


# Recipes -----------------------------------------------------------------------------------------


def test_a_recipe_by_name_runs_on_what_is_here(generate):
    facts = generate(*QUICK, "--recipe", "sdxl-refiner", "--steps", 10)
    assert (checkpoints_of(facts), facts["request"]["recipe"]) == ([BASE, REFINER], "sdxl-refiner")
    assert facts["steps_run"] == [3, 2]
    repeat(generate, facts)


def test_a_recipe_says_which_of_its_checkpoints_are_not_here(refused, hub, data_dir):
    said, hint = refused(*QUICK, "--recipe", "sdxl-refiner", data=data_dir)
    assert f"SDXL + refiner takes is not on this machine: {BASE}, {REFINER}" in said
    assert hint.endswith("by: underpaint checkpoints download sdxl-refiner")
    name = f"models--{BASE.replace('/', '--')}"
    shutil.copytree(hub.data / "checkpoints" / name, data_dir / "checkpoints" / name, symlinks=True)
    said, _ = refused(*QUICK, "--recipe", "sdxl-refiner", data=data_dir)
    assert said.endswith(f"machine: {REFINER}")


def test_a_checkpoint_in_the_place_of_a_recipe_s_is_enough(generate, data_dir):
    facts = generate(*QUICK, "--recipe", "stable-diffusion-1.5", "--checkpoint", "starter", data=data_dir)
    assert checkpoints_of(facts) == ["starter"]


def test_a_recipe_in_a_file_says_what_to_fetch_for_it(refused, data_dir, tmp_path):
    (tmp_path / "a.toml").write_text(f'label = "Mine"\ncheckpoint = "{TINY}"\nneeds = ["{PICKLED}"]\n')
    said, hint = refused(*QUICK, "--recipe", "a.toml", data=data_dir)
    assert said.endswith(f"{TINY}, {PICKLED}")
    assert hint.endswith(f"checkpoints download {TINY}; underpaint checkpoints download {PICKLED}")


# What is damaged ---------------------------------------------------------------------------------


def test_weights_that_are_cut_off_are_told_before_anything_is_loaded(refused, hub, tmp_path):
    folder = shutil.copytree(hub.repositories / TINY, tmp_path / "cut")
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-10])
    [said, _] = refused(*QUICK, "--checkpoint", folder)
    assert said.startswith("underpaint: The checkpoint is damaged: unet/")
