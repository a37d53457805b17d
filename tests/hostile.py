"""Files and folders made by somebody who means harm, or by an accident: pickles that run programs, and checkpoints in
diffusers layout that should be refused before anything of them is loaded.
"""

from __future__ import annotations

import json
import os
import pickle  # noqa: TID251 - written here, never opened
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support import STARTER

WEIGHTS = "diffusion_pytorch_model.safetensors"


class Call:
    """Pickled, it is a call of ``function``, made when the pickle is opened carelessly."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._reduced = (function, arguments)

    def __reduce__(self) -> Any:
        return self._reduced


def write_pickle(path: Path, content: Any, *, is_zip: bool = True, compression: int = zipfile.ZIP_STORED) -> Path:
    """``content`` as torch would save it: the zip of today, or a bare pickle."""
    data = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
    if not is_zip:
        path.write_bytes(data)
        return path
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data)
        archive.writestr("archive/byteorder", b"little")
        archive.writestr("archive/version", b"3\n")
    return path


def payload(canary: Path) -> Call:
    """A pickle that makes the file ``canary``."""
    return Call(os.system, f"echo gone > {canary}")


# Folders ----------------------------------------------------------------------------------------------


def edit(path: Path, **changes: Any) -> None:
    """Change values of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def write_header(path: Path, text: bytes, *, length: int | None = None, body: bytes = b"") -> None:
    """A safetensors file with this header."""
    path.write_bytes((len(text) if length is None else length).to_bytes(8, "little") + text + body)


def _entry(begin: int, end: int) -> str:
    return json.dumps({"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]})


def _replace(folder: Path, canary: Path, write: Callable[[Path], object]) -> None:
    path = folder / "unet" / WEIGHTS
    path.unlink()
    write(path)


def _only_pickles(folder: Path, canary: Path) -> None:
    (folder / "unet" / WEIGHTS).unlink()
    write_pickle(folder / "unet" / "diffusion_pytorch_model.bin", payload(canary))


def _disguised(folder: Path, canary: Path) -> None:
    _replace(folder, canary, lambda path: write_pickle(path, payload(canary), is_zip=False))


def _disguised_zip(folder: Path, canary: Path) -> None:
    _replace(folder, canary, lambda path: write_pickle(path, payload(canary)))


def _disguised_in_capitals(folder: Path, canary: Path) -> None:
    _replace(folder, canary, lambda path: write_pickle(path.with_suffix(".SAFETENSORS"), payload(canary)))


def _code(path: Path, canary: Path) -> None:
    path.write_text(f"open({str(canary)!r}, 'w').close()\nclass Evil: pass\n")


def _own_pipeline(folder: Path, canary: Path) -> None:
    _code(folder / "pipeline.py", canary)
    edit(folder / "model_index.json", _class_name=["pipeline", "Evil"])


def _own_component(folder: Path, canary: Path) -> None:
    _code(folder / "unet" / "evil.py", canary)
    edit(folder / "model_index.json", unet=["evil", "Evil"])


def _shards(folder: Path, name: str) -> None:
    (folder / "unet" / WEIGHTS).unlink()
    index = {"metadata": {}, "weight_map": {"conv_in.weight": name}}
    (folder / "unet" / f"{WEIGHTS}.index.json").write_text(json.dumps(index))


def _pickled_shards(folder: Path, canary: Path) -> None:
    write_pickle(folder / "unet" / "evil.bin", payload(canary))
    _shards(folder, "evil.bin")


def _shards_above(folder: Path, canary: Path) -> None:
    shutil.copy(folder / "unet" / WEIGHTS, folder.parent / "above.safetensors")
    _shards(folder, "../../above.safetensors")


def _shards_anywhere(folder: Path, canary: Path) -> None:
    shutil.copy(folder / "unet" / WEIGHTS, folder.parent / "above.safetensors")
    _shards(folder, str(folder.parent / "above.safetensors"))


def _linked_config(folder: Path, canary: Path) -> None:
    shutil.move(folder / "unet" / "config.json", folder.parent / "config.json")
    (folder / "unet" / "config.json").symlink_to(folder.parent / "config.json")


def _linked_part(folder: Path, canary: Path) -> None:
    shutil.move(folder / "vae", folder.parent / "vae")
    (folder / "vae").symlink_to(folder.parent / "vae")


def _linked_tokenizer(folder: Path, canary: Path) -> None:
    shutil.move(folder / "tokenizer" / "tokenizer.json", folder.parent / "tokenizer.json")
    (folder / "tokenizer" / "tokenizer.json").symlink_to(folder.parent / "tokenizer.json")


def _nested_header(folder: Path, canary: Path) -> None:
    text = b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}"
    _replace(folder, canary, lambda path: write_header(path, text))


def _overlap(folder: Path, canary: Path) -> None:
    text = f'{{"a": {_entry(0, 8)}, "b": {_entry(4, 12)}}}'.encode()
    _replace(folder, canary, lambda path: write_header(path, text, body=bytes(12)))


def _twice(folder: Path, canary: Path) -> None:
    text = f'{{"a": {_entry(0, 4)}, "a": {_entry(0, 4)}}}'.encode()
    _replace(folder, canary, lambda path: write_header(path, text, body=bytes(4)))


def _nested_index(folder: Path, canary: Path) -> None:
    (folder / "model_index.json").write_text("[" * 200_000)


def _large_index(folder: Path, canary: Path) -> None:
    edit(folder / "model_index.json", _comment="x" * 17 * 1024**2)


def _page(path: Path) -> None:
    path.write_text("<!DOCTYPE html><title>Sign in</title>" + "<p>Please sign in" * 20)


def _lfs_pointer(path: Path) -> None:
    path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 3438167536\n")


HOSTILE: dict[str, Callable[[Path, Path], object]] = {
    "pickles that run a program": _only_pickles,
    "a pickle named safetensors": _disguised,
    "a zipped pickle named safetensors": _disguised_zip,
    "a pickle named SAFETENSORS": _disguised_in_capitals,
    "pickled shards": _pickled_shards,
    "a pipeline of its own": _own_pipeline,
    "a component of its own": _own_component,
    "a component that is os.system": lambda f, c: edit(f / "model_index.json", unet=["os", "system"]),
    "a part that is eval": lambda f, c: edit(f / "model_index.json", spy=["builtins", "eval"]),
    "a scheduler that is a program": lambda f, c: edit(f / "model_index.json", scheduler=["subprocess", "Popen"]),
    "a part above the folder": lambda f, c: edit(f / "model_index.json", **{"../up": ["diffusers", "AutoencoderKL"]}),
    "a class with a path": lambda f, c: edit(f / "model_index.json", vae=["diffusers", "../vae/Evil"]),
    "an unknown pipeline": lambda f, c: edit(f / "model_index.json", _class_name="EvilPipeline"),
    "shards above the folder": _shards_above,
    "shards anywhere": _shards_anywhere,
    "shards that are missing": lambda f, c: _shards(f, "model-00001-of-00001.safetensors"),
    "a linked configuration": _linked_config,
    "a linked part": _linked_part,
    "a linked tokenizer": _linked_tokenizer,
    "endless weights": lambda f, c: _replace(f, c, lambda path: path.symlink_to("/dev/zero")),
    "a pipe for weights": lambda f, c: _replace(f, c, lambda path: os.mkfifo(path)),
    "a header that is too long": lambda f, c: _replace(f, c, lambda p: write_header(p, b"{}", length=2**62)),
    "a header nested too deeply": _nested_header,
    "tensors that overlap": _overlap,
    "a tensor named twice": _twice,
    "an index nested too deeply": _nested_index,
    "an index that is too large": _large_index,
    "an index that is a list": lambda f, c: (f / "model_index.json").write_text("[]"),
    "a page instead of weights": lambda f, c: _replace(f, c, _page),
    "a pointer instead of weights": lambda f, c: _replace(f, c, _lfs_pointer),
}
"""Functions that make a good checkpoint hostile; the second path is a file that only their programs would make."""


def write_hostile(folder: Path, name: str, canary: Path) -> Path:
    """The starter checkpoint, made hostile as `HOSTILE` names it."""
    shutil.copytree(STARTER, folder)
    HOSTILE[name](folder, canary)
    return folder
