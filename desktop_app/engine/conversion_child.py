"""The throw-away process that opens pickled weights: it closes its sandbox first, and writes safetensors.

It reads lines of JSON from its standard input and writes such lines to its standard output: never pickles, since what
it says may be the work of a stranger. One order ``{"folder", "pickles", "memory_bytes", "file_bytes", "time_s"}``; the
answer ``{"protections": [...]}``; then any line lets it go on. After each file ``{"done": number}``, or once
``{"failed": kind, "reason": text}`` with a kind of `FAILURES`. The file of number n is ``folder/n.safetensors``.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle  # noqa: TID251 - the name of its error is all that is used
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from desktop_app.engine.sandbox import Limits, close_sandbox, end_with_parent

FAILURES = ("unsafe", "damaged", "memory")

_CLASS = re.compile(r"GLOBAL ([\w.]+)")
"""How torch names what a pickle asks for and must not have."""

_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"
_STATE_DICT = "state_dict"


class Refused(Exception):
    """A file that is not converted; arguments are the kind of failure and its reason."""


def main() -> None:
    """Work off the one order, then end."""
    end_with_parent()
    _offer_to_the_oom_killer()
    os.umask(0o077)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    order = json.loads(sys.stdin.readline())
    folder, pickles = Path(order["folder"]), [Path(name) for name in order["pickles"]]
    rehearse(folder)
    limits = Limits(order["memory_bytes"], order["file_bytes"], order["time_s"])
    taken = close_sandbox(limits, pickles, folder)
    _answer(answers, protections=[protection.name for protection in taken])
    if sys.stdin.readline():
        _convert_all(folder, pickles, answers)
    answers.flush()
    os._exit(0)  # without what libraries do at the end, which the sandbox would hinder


def _offer_to_the_oom_killer() -> None:
    """Where the memory of the machine gets full, this process is the one to go."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _convert_all(folder: Path, pickles: list[Path], answers: TextIO) -> None:
    for number, path in enumerate(pickles):
        try:
            convert(path, folder / f"{number}.safetensors")
        except Refused as e:
            _answer(answers, failed=e.args[0], reason=e.args[1])
            return
        _answer(answers, done=number)


def _answer(answers: TextIO, **values: Any) -> None:
    answers.write(json.dumps(values) + "\n")
    answers.flush()


def rehearse(folder: Path) -> None:
    """Import torch, and convert files of both formats and a bad one: afterwards there is nothing left to import."""
    import torch

    torch.set_num_threads(1)
    source, target = folder / "rehearsal.bin", folder / "rehearsal.safetensors"
    weights = {"weight": torch.ones(2, 3).t(), "same": torch.ones(1).expand(2), "half": torch.ones(1).half()}
    for is_zip in (True, False):
        torch.save(weights, source, _use_new_zipfile_serialization=is_zip)
        convert(source, target)
    for content in (b"\x80\x02cos\nsystem\n.", _ZIP, b"\x80\x02}q\x00."):
        source.write_bytes(content)
        with contextlib.suppress(Refused):
            convert(source, target)
    source.unlink()
    target.unlink(missing_ok=True)


def convert(source: Path, target: Path) -> None:
    """Write the tensors of the pickle ``source`` as safetensors. Raises `Refused`."""
    from safetensors.torch import save_file

    with _refusing():
        tensors = _apart(_check(_load(source)))
        save_file(tensors, target, metadata={"format": "pt"})


def _load(path: Path) -> Any:
    import torch

    with path.open("rb") as file:
        begin = file.read(4)
    if begin != _ZIP and begin[:1] != _PICKLE:
        raise Refused("damaged", "it is not what torch writes")
    options: dict[str, Any] = {"mmap": True} if begin == _ZIP else {}
    return torch.load(path, map_location="cpu", weights_only=True, **options)  # noqa: TID251 - this is the place for it


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    """Whatever goes wrong inside is told as `Refused`: a hostile file makes the libraries raise anything."""
    try:
        yield
    except Refused:
        raise
    except pickle.UnpicklingError as e:
        name = _CLASS.search(str(e))
        raise Refused("unsafe", f"it asks for {name[1]}" if name else "it holds something else than weights") from e
    except MemoryError as e:
        raise Refused("memory", "") from e
    except Exception as e:
        raise Refused("memory" if _is_out_of_memory(e) else "damaged", str(e).partition("\n")[0]) from e


def _is_out_of_memory(e: Exception) -> bool:
    text = str(e).lower()
    return any(words in text for words in ("can't allocate memory", "cannot allocate memory", "bad_alloc", "bad alloc"))


def _check(loaded: Any) -> dict[str, Any]:
    """The flat dict of plain tensors that a file of weights is; training programs wrap it in another."""
    import torch

    if isinstance(loaded, dict) and isinstance(loaded.get(_STATE_DICT), dict):
        loaded = loaded[_STATE_DICT]
    if not isinstance(loaded, dict) or not loaded:
        raise Refused("unsafe", "it holds something else than weights")
    for name, tensor in loaded.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise Refused("unsafe", "it holds something else than weights")
        if tensor.layout != torch.strided or tensor.device.type != "cpu" or tensor.is_quantized:
            raise Refused("unsafe", f"{name[:80]} is not a plain tensor")
    return loaded


def _apart(weights: dict[str, Any]) -> dict[str, Any]:
    """The same values, each tensor contiguous and alone in its storage, as safetensors demands."""
    import torch

    apart: dict[str, Any] = {}
    storages: set[int] = set()
    for name, tensor in weights.items():
        storage = tensor.untyped_storage()
        is_alone = storage.data_ptr() not in storages and storage.nbytes() == tensor.numel() * tensor.element_size()
        keeps = is_alone and tensor.is_contiguous()
        apart[name] = tensor.detach() if keeps else tensor.detach().clone(memory_format=torch.contiguous_format)
        storages.add(storage.data_ptr())
    return apart
