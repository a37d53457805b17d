"""Pickled checkpoints made into safetensors, by real children; and what hostile ones get to do: nothing."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from engine_runs import NEVER, paint
from hostile import Call, payload, write_pickle
from support import PROJECT, make_request

from desktop_app.core.errors import Cancelled, CheckpointError, StoreError
from desktop_app.engine.conversion import convert_pickles
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.sandbox import Limits

MIB = 1024**2
UNET = Path("unet") / "diffusion_pytorch_model.bin"
ROOMY = Limits(memory_bytes=1024 * MIB, file_bytes=256 * MIB, time_s=100)


def silent(progress: object) -> None:
    """A report that nobody reads."""


def children_of_this() -> list[psutil.Process]:
    """Those that convert; one that has ended has no command line any more."""
    return [child for child in psutil.Process().children() if "conversion_child" in " ".join(child.cmdline())]


def pickle_weights(folder: Path, rename: Callable[[str, object], tuple[str, object]] = lambda *pair: pair) -> Path:
    """Only pickles in place of the safetensors of ``folder``; ``rename`` gets each tensor of the text encoder."""
    import torch
    from safetensors.torch import load_file

    for file in list(folder.rglob("*.safetensors")):
        weights = load_file(file)
        if file.parent.name == "text_encoder":
            weights = dict(rename(*pair) for pair in weights.items())
            weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
        name = file.name.replace(".safetensors", ".bin")
        torch.save(weights, file.with_name(f"pytorch_{name}" if name.startswith("model") else name))
        file.unlink()
    return folder


@pytest.fixture
def pickled(tiny_checkpoint, tmp_path):
    """The tiny checkpoint with pickles only."""
    return pickle_weights(shutil.copytree(tiny_checkpoint, tmp_path / "pickled"))


@pytest.fixture
def target(tmp_path):
    """Where the converted checkpoint goes."""
    return tmp_path / "checkpoints" / "converted"


@pytest.fixture
def one_pickle(tmp_path):
    """Makes a checkpoint of one pickle: ``one_pickle(lambda path: ...)`` writes it."""

    def make(write: Callable[[Path], object]) -> Path:
        (tmp_path / "one" / "unet").mkdir(parents=True)
        (tmp_path / "one" / "model_index.json").write_text("{}")
        write(tmp_path / "one" / UNET)
        return tmp_path / "one"

    return make


def assert_nothing_is_left(target: Path) -> None:
    assert list(target.parent.iterdir()) == []


def picture_of(folder: Path) -> bytes:
    engine = DiffusersEngine(lambda ref: folder, threads=1)
    try:
        return paint(engine, make_request()).tobytes()
    finally:
        engine.close()


# What is converted ------------------------------------------------------------------------------------


def test_a_converted_checkpoint_paints_bit_for_bit_what_the_original_paints(tiny_checkpoint, pickled, target):
    assert convert_pickles(pickled, target, silent, NEVER) == target
    assert picture_of(target) == picture_of(tiny_checkpoint)
    assert not [path for path in target.rglob("*") if path.suffix == ".bin" or path.is_symlink()]
    assert (target / "safety_checker" / "config.json").is_file()
    assert not (target / "safety_checker" / "model.safetensors").exists()
    assert [path.name for path in target.parent.iterdir()] == ["converted"]


def test_a_text_encoder_of_2022_paints_the_same(tiny_checkpoint, tmp_path, target):
    def as_then(name, tensor):
        return (name if name.startswith("text_model.") else f"text_model.{name}", tensor)

    old = pickle_weights(shutil.copytree(tiny_checkpoint, tmp_path / "old"), as_then)
    convert_pickles(old, target, silent, NEVER)
    assert picture_of(target) == picture_of(tiny_checkpoint)


def test_a_snapshot_of_the_hub_becomes_real_files(pickled, tmp_path, target):
    blobs, snapshot = tmp_path / "repo" / "blobs", tmp_path / "repo" / "snapshots" / "0123"
    blobs.mkdir(parents=True)
    for number, path in enumerate(sorted(path for path in pickled.rglob("*") if path.is_file())):
        shutil.copy(path, blobs / str(number))
        link = snapshot / path.relative_to(pickled)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blobs / str(number))
    convert_pickles(snapshot, target, silent, NEVER)
    assert (target / "vae" / "diffusion_pytorch_model.safetensors").is_file()
    assert not [path for path in target.rglob("*") if path.is_symlink()]


def test_parts_that_are_safe_already_are_taken_over_as_they_are(tiny_checkpoint, pickled, target):
    (pickled / UNET).unlink()
    safe = UNET.with_suffix(".safetensors")
    shutil.copy(tiny_checkpoint / safe, pickled / safe)
    convert_pickles(pickled, target, silent, NEVER)
    assert (target / safe).samefile(pickled / safe)
    assert (target / "vae" / "diffusion_pytorch_model.safetensors").is_file()


def test_half_precision_keeps_its_name_and_its_type(one_pickle, target):
    import torch
    from safetensors.torch import load_file

    weights = {"weight": torch.arange(6).half().reshape(2, 3), "count": torch.tensor(3)}
    folder = one_pickle(lambda path: torch.save(weights, path.with_name("diffusion_pytorch_model.fp16.bin")))
    convert_pickles(folder, target, silent, NEVER)
    made = load_file(target / "unet" / "diffusion_pytorch_model.fp16.safetensors")
    assert {name: (tensor.dtype, tensor.tolist()) for name, tensor in made.items()} == {
        name: (tensor.dtype, tensor.tolist()) for name, tensor in weights.items()
    }


@pytest.mark.parametrize("is_zip", [True, False])
def test_views_and_tied_tensors_of_a_training_program_come_out_whole(one_pickle, target, is_zip):
    import torch
    from safetensors.torch import load_file

    base = torch.arange(12.0).reshape(3, 4)
    weights = {"base": base, "tied": base, "turned": base.t(), "row": base[1], "wide": torch.ones(1).expand(5)}
    whole = {"state_dict": weights, "epoch": 3, "optimizer": {"lr": 0.1}}
    folder = one_pickle(lambda path: torch.save(whole, path, _use_new_zipfile_serialization=is_zip))
    convert_pickles(folder, target, silent, NEVER)
    made = load_file(target / "unet" / "diffusion_pytorch_model.safetensors")
    assert {name: tensor.tolist() for name, tensor in made.items()} == {
        name: tensor.tolist() for name, tensor in weights.items()
    }


def write_shards(path: Path, names: dict[str, str]) -> None:
    import torch

    for number in (1, 2):
        torch.save({f"weight{number}": torch.ones(number)}, path.with_name(f"pytorch_model-0000{number}-of-00002.bin"))
    index = {"metadata": {"total_size": 12}, "weight_map": names}
    path.with_name("pytorch_model.bin.index.json").write_text(json.dumps(index))


def test_shards_stay_shards_with_an_index_of_their_new_names(one_pickle, target):
    names = {f"weight{number}": f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)}
    convert_pickles(one_pickle(lambda path: write_shards(path, names)), target, silent, NEVER)
    index = json.loads((target / "unet" / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == {f"weight{number}": f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    files = sorted(path.name for path in (target / "unet").iterdir())
    assert files == [*index["weight_map"].values(), "model.safetensors.index.json"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"lost": "pytorch_model-00001-of-00002.bin"}, "none of its files"),
        ({"weight1": "pytorch_model-00003-of-00003.bin"}, "it is missing"),
        ({"weight1": "../../above.bin"}, "no weights file of this folder"),
        ({"weight1": 1}, "does not name any file"),
    ],
)
def test_an_index_that_lies_is_refused(one_pickle, target, names, words):
    with pytest.raises(CheckpointError, match=words):
        convert_pickles(one_pickle(lambda path: write_shards(path, names)), target, silent, NEVER)
    assert not target.exists()


def test_progress_counts_the_bytes_of_all_weights(pickled, target):
    told = []
    convert_pickles(pickled, target, told.append, NEVER)
    assert told[0].done == 0
    assert [progress.done for progress in told] == sorted({progress.done for progress in told})
    assert told[-1].done == told[-1].total > 4e6
    assert told[-1].seconds_left == 0


# What is refused ----------------------------------------------------------------------------------------


def refuse(folder: Path, target: Path, words: str, limits: Limits | None = ROOMY) -> None:
    with pytest.raises(CheckpointError, match=words) as caught:
        convert_pickles(folder, target, silent, NEVER, limits=limits)
    assert caught.value.hint
    assert_nothing_is_left(target)


@pytest.mark.parametrize("is_zip", [True, False])
def test_a_pickle_that_runs_a_program_is_refused_and_runs_none(one_pickle, target, tmp_path, is_zip):
    canary = tmp_path / "canary"
    folder = one_pickle(lambda path: write_pickle(path, payload(canary), is_zip=is_zip))
    refuse(folder, target, f"unsafe: {UNET.as_posix()}: it asks for {os.system.__module__}.system")
    assert not canary.exists()


def test_a_pickle_that_evaluates_code_is_refused(one_pickle, target, tmp_path):
    code = f"open({str(tmp_path / 'canary')!r}, 'w')"
    refuse(one_pickle(lambda path: write_pickle(path, Call(builtins.eval, code))), target, "unsafe: .*eval")
    assert not (tmp_path / "canary").exists()


def test_a_pickle_that_reaches_for_the_network_reaches_nobody(one_pickle, target):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.0)
        call = Call(socket.create_connection, server.getsockname())
        refuse(one_pickle(lambda path: write_pickle(path, call)), target, "unsafe: .*create_connection")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize("content", [{"weight": 3}, ["weights"], {}, {"state_dict": {"deep": {"weight": 1}}}])
def test_what_is_not_a_flat_dict_of_tensors_is_refused(one_pickle, target, content):
    refuse(one_pickle(lambda path: write_pickle(path, content)), target, "unsafe: .*something else than weights")


def write_wide(path: Path) -> None:
    import torch

    torch.save({"weight": torch.ones(1).expand(10**13)}, path)


def write_bomb(path: Path) -> None:
    write_pickle(path, bytes(500 * MIB), compression=zipfile.ZIP_DEFLATED)


@pytest.mark.parametrize("write", [write_wide, write_bomb])
def test_what_would_fill_the_memory_is_stopped_by_the_limit(one_pickle, target, write):
    refuse(one_pickle(write), target, "too much memory", Limits(256 * MIB, ROOMY.file_bytes, ROOMY.time_s))


def write_squeezed(path: Path) -> None:
    """Weights that are packed inside the zip, which torch never does; their place is read as if they were not."""
    import torch

    torch.save({"weight": torch.zeros(10**6)}, path.with_suffix(".plain"))
    with (
        zipfile.ZipFile(path.with_suffix(".plain")) as plain,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in plain.namelist():
            packed.writestr(name, plain.read(name))
    path.with_suffix(".plain").unlink()


def write_half(path: Path) -> None:
    import torch

    torch.save({"weight": torch.zeros(10**5)}, path)
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "write",
    [
        write_squeezed,
        write_half,
        lambda path: path.write_text("<!DOCTYPE html><title>Sign in</title>"),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x80\x02}q\x00X"),
        lambda path: path.write_bytes(b'\x08\0\0\0\0\0\0\0{"a": 1}'),
    ],
    ids=["packed weights", "half a file", "a page", "empty", "half a pickle", "safetensors"],
)
def test_a_file_that_is_no_whole_pickle_is_told_as_damaged(one_pickle, target, write):
    refuse(one_pickle(write), target, f"damaged: {UNET.as_posix()}")


def test_a_link_out_of_the_folder_is_refused(one_pickle, target, tmp_path):
    (tmp_path / "outside.bin").write_bytes(b"\x80")
    with pytest.raises(CheckpointError, match="leads out"):
        convert_pickles(one_pickle(lambda path: path.symlink_to(tmp_path / "outside.bin")), target, silent, NEVER)


# What can happen meanwhile ------------------------------------------------------------------------------


def test_a_conversion_that_takes_too_long_is_ended(pickled, target):
    refuse(pickled, target, "takes too long", Limits(ROOMY.memory_bytes, ROOMY.file_bytes, time_s=0.1))


def test_a_child_that_hangs_is_ended(pickled, target):
    def freeze(progress):
        for child in children_of_this():
            child.suspend()

    limits = Limits(ROOMY.memory_bytes, ROOMY.file_bytes, time_s=5)
    with pytest.raises(CheckpointError, match="takes too long"):
        convert_pickles(pickled, target, freeze, NEVER, limits=limits)
    assert_nothing_is_left(target)


def test_a_child_that_is_killed_is_told(pickled, target):
    killed = []

    def kill(progress):
        for child in children_of_this():
            child.send_signal(signal.SIGKILL)
            killed.append(child)

    with pytest.raises(CheckpointError, match=r"stopped in the middle: .*SIGKILL"):
        convert_pickles(pickled, target, kill, NEVER)
    assert killed
    assert_nothing_is_left(target)


def test_a_cancel_ends_the_child_at_once_and_leaves_nothing(pickled, target):
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        convert_pickles(pickled, target, lambda progress: cancel.set(), cancel)
    assert_nothing_is_left(target)


def test_the_child_has_no_secrets_and_nothing_in_its_folder(pickled, target, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_CANARY")
    seen = []

    def look(progress):
        seen.extend((child.environ(), list(Path(child.cwd()).iterdir())) for child in children_of_this())

    convert_pickles(pickled, target, lambda progress: seen or look(progress), NEVER)
    environment, files = seen[0]
    assert "CANARY" not in str(environment)
    assert files == []


@pytest.mark.skipif(sys.platform == "win32", reason="a script is a program on POSIX only")
def test_a_frozen_program_is_its_own_child(one_pickle, target, tmp_path, monkeypatch):
    """Such a program has no Python beside it: it is started again with one word."""
    lines = (
        f"#!{sys.executable}",
        f"import sys; sys.path.insert(0, {str(PROJECT)!r})",
        "from desktop_app.core.conversion import CHILD_WORD",
        "from desktop_app.engine.conversion_child import main",
        "assert sys.argv[1:] == [CHILD_WORD]",
        "main()",
    )
    (tmp_path / "program").write_text("\n".join(lines))
    (tmp_path / "program").chmod(0o700)
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "program"))
    refuse(one_pickle(lambda path: write_pickle(path, {"weight": 3})), target, "unsafe: .*something else than weights")


def test_a_disk_that_is_too_small_is_told_before_anything_is_written(one_pickle, target):
    def write(path: Path) -> None:
        path.write_bytes(b"PK\x03\x04")
        os.truncate(path, 2**43)  # of holes

    with pytest.raises(StoreError, match="disk is full: 8796"):
        convert_pickles(one_pickle(write), target, silent, NEVER)
    assert_nothing_is_left(target)


def test_a_folder_that_is_there_is_left_alone(pickled, target):
    target.mkdir(parents=True)
    (target / "mine").touch()
    with pytest.raises(StoreError, match="there already"):
        convert_pickles(pickled, target, silent, NEVER)
    assert [path.name for path in target.iterdir()] == ["mine"]


def test_what_a_killed_program_left_is_swept(pickled, target):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    left = target.parent / f".convert-{gone.pid}-0123456789abcdef.underpaint-tmp" / "folder"
    left.mkdir(parents=True)
    convert_pickles(pickled, target, silent, NEVER)
    assert [path.name for path in target.parent.iterdir()] == ["converted"]


@pytest.mark.skipif(sys.platform != "linux", reason="only there something else than Python is asked")
def test_without_a_closed_network_nothing_is_opened(one_pickle, target, tmp_path):
    """The child inherits that it may ask for neither a namespace nor a filter."""
    folder = one_pickle(lambda path: write_pickle(path, payload(tmp_path / "canary")))
    script = """
import sys, threading
from pathlib import Path
from desktop_app.engine import conversion, sandbox
sandbox.refuse_calls([272, 317] if sandbox._IS_X86 else [97, 277])  # unshare, seccomp
conversion.convert_pickles(Path(sys.argv[1]), Path(sys.argv[2]), lambda progress: None, threading.Event())
"""
    command = [sys.executable, "-c", script, folder, target]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert "The checkpoint cannot be converted safely here" in done.stderr
    assert_nothing_is_left(target)
