"""``underpaint checkpoints``, with a real hub on this machine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hub_server import HubServer
from single_file import write_header
from support import PROJECT, STARTER

from desktop_app.__main__ import main
from desktop_app.cli.checkpoint_console import ByteBar, time_text
from desktop_app.core.download import DownloadProgress
from desktop_app.core.params import Params
from desktop_app.core.recipe import make_recipe
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths
from desktop_app.store.recipes import RecipeStore

UNET = "unet/diffusion_pytorch_model.safetensors"
GATED = "black-forest-labs/FLUX.1-schnell"

Run = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with org/icons and org/other, which are the starter; no keyring, no cache of another program."""
    import keyring
    from keyring.backends.null import Keyring

    before = keyring.get_keyring()
    keyring.set_keyring(Keyring())
    for name in ("org/icons", "org/other"):
        shutil.copytree(STARTER, tmp_path / "hub" / name)
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "huggingface"))
    with HubServer(tmp_path / "hub") as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server
    keyring.set_keyring(before)


@pytest.fixture
def run(hub: HubServer, data_dir: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in this process: exit status, results on stdout, and stderr."""

    def run(*arguments: object) -> tuple[int, list[dict[str, Any]], str]:
        capsys.readouterr()
        status = main(["--data-dir", str(data_dir), "checkpoints", *map(str, arguments), "--json"])
        told = capsys.readouterr()
        return status, [json.loads(line) for line in told.out.splitlines()], told.err

    return run


def pickle_weights(folder: Path) -> None:
    """Only pickles in place of the safetensors of ``folder``."""
    import torch
    from safetensors.torch import load_file

    for file in list(folder.rglob("*.safetensors")):
        name = file.name.replace(".safetensors", ".bin")
        torch.save(load_file(file), file.with_name(f"pytorch_{name}" if name.startswith("model") else name))
        file.unlink()


# Download ----------------------------------------------------------------------------------------


def test_a_hub_id_is_fetched_once_and_can_be_used(run, hub, data_dir):
    status, [told], err = run("download", "org/icons")
    assert (status, told["ref"], told["was_here"]) == (0, "org/icons", False)
    assert str(CheckpointStore(user_paths(data_dir)).resolve("org/icons")) == told["path"]
    assert "licence openrail" in err
    before = len(hub.requests)
    assert run("download", "org/icons")[1][0]["was_here"]
    assert len(hub.requests) == before


def test_a_recipe_s_name_fetches_all_that_it_takes(run, data_dir):
    recipe = make_recipe("Both", Params(checkpoint="org/icons", refiner="org/other"))
    RecipeStore(user_paths(data_dir).recipes, PROJECT / "resources" / "recipes").save(recipe)
    status, told, _ = run("download", "both")
    assert (status, [each["ref"] for each in told]) == (0, ["org/icons", "org/other"])


def test_a_checkpoint_is_fetched_with_what_it_cannot_paint_without(run, hub, tmp_path):
    _, _, err = run("download", "kandinsky-community/kandinsky-2-2-decoder")
    assert "not on the hub" in err
    shutil.copytree(STARTER, tmp_path / "hub" / "kandinsky-community" / "kandinsky-2-2-decoder")
    status, told, err = run("download", "kandinsky-community/kandinsky-2-2-decoder")
    assert (status, told) == (1, [])
    assert "kandinsky-2-2-prior" in err
    assert set(hub.sent) == {"model_index.json"}


def test_what_another_program_has_fetched_is_not_fetched_again(run, hub, tmp_path, data_dir):
    run("download", "org/icons")
    (tmp_path / "huggingface").mkdir()
    (data_dir / "checkpoints").rename(tmp_path / "huggingface" / "hub")
    (data_dir / "checkpoints").mkdir()
    before = len(hub.requests)
    status, [told], _ = run("download", "org/icons")
    assert (status, told["was_here"], len(hub.requests)) == (0, True, before)
    states = {row["ref"]: row["state"] for row in run("list")[1]}
    assert states["org/icons"] == "shared, read-only"
    assert run("remove", "org/icons")[0] == 1


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("org/nothing", "not on the hub"),
        ("starter", "nothing to download"),
        ("no-recipe", "no such recipe"),
        ("a b/c", "no name of a checkpoint"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_a_hint_and_status_one(run, ref, words):
    status, told, err = run("download", ref)
    assert (status, told) == (1, [])
    assert words in err.splitlines()[-2]


@pytest.mark.parametrize(
    ("before", "after", "variable"), [(["--offline"], [], ""), ([], ["--offline"], "0"), ([], [], "1")]
)
def test_offline_tries_no_connection(hub, data_dir, monkeypatch, capsys, before, after, variable):
    monkeypatch.setenv("UNDERPAINT_OFFLINE", variable)
    arguments = ["--data-dir", str(data_dir), *before, "checkpoints", "download", "org/icons", *after]
    assert main(arguments) == 1
    assert "switched off" in capsys.readouterr().err
    assert not hub.requests


def test_a_variable_that_says_no_is_not_offline(run, monkeypatch):
    monkeypatch.setenv("UNDERPAINT_OFFLINE", "no")
    assert run("download", "org/icons")[0] == 0


def test_a_gated_checkpoint_needs_the_user_s_word_and_token(run, hub, tmp_path, monkeypatch):
    shutil.copytree(STARTER, tmp_path / "hub" / GATED)
    hub.gated[GATED] = "hf_mine"
    status, _, err = run("download", GATED, "--yes")
    assert status == 1
    assert "conditions to accept" in err
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    status, _, err = run("download", GATED)
    assert status == 1
    assert "--yes" in err
    assert run("download", GATED, "--yes")[0] == 0


@pytest.mark.timeout(300)
def test_pickled_weights_are_converted_only_after_agreement(run, hub, tmp_path, data_dir):
    pickle_weights(tmp_path / "hub" / "org" / "icons")
    status, told, err = run("download", "org/icons")
    assert (status, told) == (1, [])
    assert "A pickle is a small program" in " ".join(err.split())
    assert set(hub.sent) == {"model_index.json"}
    status, [told], err = run("download", "org/icons", "--yes")
    assert (status, told["is_converted"]) == (0, True)
    assert not list((data_dir / "checkpoints").rglob("*.bin"))
    assert run("verify", "org/icons")[1] == [{"ref": "org/icons", "is_whole": True, "is_compared": True, "damaged": []}]
    assert run("download", "org/icons")[1][0]["was_here"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are different there")
def test_an_interrupt_keeps_what_is_here_and_the_next_download_goes_on(run, hub, data_dir):
    hub.rate = 2_000_000
    code = "import sys; from desktop_app.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "--data-dir", str(data_dir), "checkpoints", "download", "org/icons"]
    environment = {**os.environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert "files" in process.stderr.readline()
        while hub.total_sent() < 500_000:
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
        assert "goes on from there" in process.stderr.read()
    hub.rate = 0
    [left] = [row for row in run("list")[1] if row["ref"] == "org/icons"]
    assert left["state"].startswith("unfinished")
    sent = hub.total_sent()
    assert run("download", "org/icons")[0] == 0
    assert hub.total_sent() - sent < left["size_bytes"] - left["done_bytes"] + 50_000


# The others --------------------------------------------------------------------------------------


def test_damaged_files_are_named_thrown_away_and_fetched_again(run, hub, data_dir):
    path = Path(run("download", "org/icons")[1][0]["path"])
    assert run("verify", "org/icons")[0] == 0
    content = bytearray((path / UNET).read_bytes())
    content[-1] ^= 1
    (path / UNET).resolve().write_bytes(content)
    status, [told], err = run("verify", "org/icons")
    assert (status, told["damaged"]) == (1, [UNET])
    assert "--discard" in err
    assert run("verify", "org/icons", "--discard")[0] == 1
    before = dict(hub.sent)
    assert run("download", "org/icons")[0] == 0
    again = {name for name in hub.sent if hub.sent[name] != before.get(name)}
    assert again == {"model_index.json", UNET}
    assert run("verify", "org/icons")[0] == 0


def test_a_removed_checkpoint_is_gone(run, data_dir):
    run("download", "org/icons")
    status, [told], _ = run("remove", "org/icons")
    assert status == 0
    assert told["freed_bytes"] > 1e7
    assert [row["ref"] for row in run("list")[1]] == ["starter"]
    assert run("remove", "org/icons")[0] == 1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals there")
def test_on_a_terminal_the_user_is_asked(run, data_dir):
    shutil.copytree(STARTER, data_dir / "checkpoints" / "mine")
    status, said = on_a_terminal("n\n", "--data-dir", data_dir, "checkpoints", "remove", "mine")
    assert status == 1
    assert "[y/N]" in said
    assert (data_dir / "checkpoints" / "mine").is_dir()
    assert on_a_terminal("y\n", "--data-dir", data_dir, "checkpoints", "remove", "mine")[0] == 0
    assert not (data_dir / "checkpoints" / "mine").exists()


def on_a_terminal(answer: str, *arguments: object) -> tuple[int, str]:
    """Exit status and what is said, of a command that has a terminal, on which ``answer`` is typed."""
    keyboard, terminal = os.openpty()
    os.write(keyboard, answer.encode())
    command = [sys.executable, "-m", "desktop_app", *map(str, arguments)]
    done = subprocess.run(command, cwd=PROJECT, stdin=terminal, stdout=subprocess.PIPE, stderr=terminal, timeout=60)
    said = os.read(keyboard, 10_000).decode()
    os.close(terminal)
    os.close(keyboard)
    return done.returncode, said


def test_the_list_names_what_is_here_and_what_could_be(run):
    run("download", "org/icons")
    here = {row["ref"]: row for row in run("list")[1]}
    assert here["starter"]["home"] == "program"
    assert (here["org/icons"]["home"], here["org/icons"]["family"]) == ("own", "Stable Diffusion")
    available = {row["ref"]: row for row in run("list", "--available")[1]}
    assert available["ogkalu/Comic-Diffusion"]["is_pickled"]
    assert available["kandinsky-community/kandinsky-2-2-prior"]["role"] == "prior"
    assert available["stabilityai/sd-x2-latent-upscaler"]["role"] == "upscaler"
    assert not set(here) & set(available)


def test_the_list_is_a_table_for_people(hub, data_dir, capsys):
    (data_dir / "checkpoints" / "broken").mkdir(parents=True)
    (data_dir / "checkpoints" / "broken" / "model_index.json").write_text("{")
    assert main(["--data-dir", str(data_dir), "checkpoints", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"REF +FAMILY +SIZE +STATE", lines[0])
    assert re.fullmatch(r"starter +Stable Diffusion +19\.9 MB +part of the program", lines[1])
    assert "damaged" in lines[2]


def test_a_folder_is_used_in_place_and_a_file_is_copied(run, data_dir, tmp_path):
    folder = shutil.copytree(STARTER, tmp_path / "mine")
    assert run("import", folder)[1][0]["state"] == "used in place"
    file = write_single_file(tmp_path / "community.safetensors")
    status, [told], _ = run("import", file)
    assert (status, told["family"], told["home"]) == (0, "Stable Diffusion", "own")
    assert Path(told["path"]).parent == data_dir / "checkpoints"
    assert run("verify", told["ref"])[1][0]["is_compared"]
    assert {str(folder), told["ref"]} <= {row["ref"] for row in run("list")[1]}


@pytest.mark.parametrize(("name", "content"), [("a.ckpt", b"\x80\x02"), ("a.safetensors", b"<html>"), ("none", None)])
def test_what_is_no_checkpoint_is_not_imported(run, data_dir, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    status, told, err = run("import", tmp_path / name)
    assert (status, told) == (1, [])
    assert err.startswith("underpaint: ")
    assert not list((data_dir / "checkpoints").iterdir())


@pytest.mark.parametrize(
    "arguments", [[], ["download"], ["list", "--yes"], ["verify", "a", "b"], ["import"], ["unknown"]]
)
def test_wrong_usage_has_status_two(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["checkpoints", *arguments])
    assert ended.value.code == 2


def test_the_bar_says_how_far_how_quick_and_how_long(monkeypatch):
    class Terminal:
        """Keeps what is written."""

        text = ""

        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            self.text += text

        def flush(self) -> None:
            """Nothing waits."""

    terminal = Terminal()
    bar = ByteBar(terminal)
    bar.title = "Downloading org/icons"
    bar(DownloadProgress(500_000_000, 2_000_000_000, 12_000_000.0, 125.0))
    assert terminal.text.endswith(
        "Downloading org/icons [######------------------] 0.5 GB of 2.0 GB, 12.0 MB/s, 2:05 left"
    )
    assert [time_text(seconds) for seconds in (7, 3723)] == ["0:07", "1:02:03"]


def write_single_file(path: Path) -> Path:
    """Names and shapes by which a file is known as Stable Diffusion 1, and next to nothing in it."""
    unet = "model.diffusion_model."
    shapes = {f"{unet}input_blocks.{number}.0.bias": [1] for number in range(1, 12)}
    shapes |= {f"{unet}output_blocks.{number}.1.attn2.to_k.weight": [1, 768] for number in range(16)}
    shapes |= {f"{unet}input_blocks.0.0.weight": [320, 4, 3, 3], f"{unet}out.2.weight": [4, 320, 3, 3]}
    shapes |= {"first_stage_model.encoder.conv_in.weight": [128, 3, 3, 3]}
    shapes |= {"first_stage_model.decoder.conv_in.weight": [512, 4, 3, 3]}
    shapes |= {"cond_stage_model.transformer.text_model.final_layer_norm.bias": [768]}
    return write_header(path, shapes)
