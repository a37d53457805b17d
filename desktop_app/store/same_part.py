"""Whether two checkpoints have the same part, by the contents of their files: neither names nor the order in a file
count, nor whether numbers were rounded to 16 bits.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_files import choose_variant, weight_files
from desktop_app.store.checkpoint_index import read_config
from desktop_app.store.safetensors_header import read_header
from desktop_app.store.single_file import VAE

PIECE = 1 << 20
"""So many numbers are compared at a time: a window beside must not wait for it."""

SETTLED_NS = 2_000_000_000
"""A file that was written more recently may be written again within what its time stamp can tell."""

_BYTES = {"F32": 4, "F16": 2, "BF16": 2, "F64": 8}
_MAX_KNOWN = 256
_OF_NO_MEANING = ("sample_size", "force_upcast")
"""Entries of a VAE's configuration that say in which pieces or format it is best computed, and not what."""

_USUAL = {
    "AutoencoderKL": {
        "in_channels": 3,
        "out_channels": 3,
        "down_block_types": ["DownEncoderBlock2D"],
        "up_block_types": ["UpDecoderBlock2D"],
        "block_out_channels": [64],
        "layers_per_block": 1,
        "act_fn": "silu",
        "latent_channels": 4,
        "norm_num_groups": 32,
        "scaling_factor": 0.18215,
        "shift_factor": None,
        "latents_mean": None,
        "latents_std": None,
        "use_quant_conv": True,
        "use_post_quant_conv": True,
        "mid_block_add_attention": True,
    }
}
"""By class, what diffusers 0.42.1 takes where a configuration does not say it."""

_OLD_NAMES = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD_NAME = re.compile(r"\.(query|key|value|proj_attn)\.(weight|bias)$")
"""Of tensors, as diffusers called them until 0.12 and still reads them."""


@dataclass(frozen=True)
class _Tensor:
    """``begin`` is where in ``file`` its first byte is."""

    file: Path
    number_format: str
    shape: tuple[int, ...]
    begin: int
    count: int


_Stamp = tuple[tuple[str, int, int], ...]
_known: dict[tuple[_Stamp, _Stamp], bool] = {}
"""What reading all the bytes of two parts has told, by path, size and time of their files. Threads may find the same
twice; that does no harm.
"""


def has_same_vae(first: Path, second: Path) -> bool:
    """Whether both checkpoints, folders in diffusers layout or single files, are known to have the same VAE. A folder
    and a single file are not compared. Reads all weights of both where their configurations and shapes are the same;
    what it has found is known as long as the files stay.
    """
    if first == second:
        return True
    try:
        if first.is_file() != second.is_file():
            return False
        if first.is_dir() and _meaning(read_config(first, "vae")) != _meaning(read_config(second, "vae")):
            return False
        return _has_same_tensors(_tensors(first), _tensors(second))
    except (CheckpointError, OSError, ValueError):  # what is wrong with it, loading tells
        return False


def _meaning(config: Mapping[str, Any]) -> dict[str, Any]:
    """What of a VAE's configuration tells how numbers become pixels."""
    usual: dict[str, Any] = _USUAL.get(str(config.get("_class_name")), {})
    named = {key: value for key, value in config.items() if not key.startswith("_") or key == "_class_name"}
    return {key: value for key, value in {**usual, **named}.items() if key not in _OF_NO_MEANING}


def _tensors(path: Path) -> dict[str, _Tensor]:
    """The tensors of the VAE of the checkpoint at ``path``, by name."""
    if path.is_file():
        return dict(_entries(path, VAE))
    files = weight_files(path, "vae", choose_variant(path, ["vae"]))
    return dict(entry for file in files for entry in _entries(file, ""))


def _entries(file: Path, prefix: str) -> Iterator[tuple[str, _Tensor]]:
    header = read_header(file)
    start = file.stat().st_size - max((entry["data_offsets"][1] for entry in header.values()), default=0)
    for name, entry in header.items():
        if name.startswith(prefix):
            begin, end = entry["data_offsets"]
            count = (end - begin) // _BYTES.get(entry["dtype"], 1)
            plain = _OLD_NAME.sub(lambda old: f".{_OLD_NAMES[old[1]]}.{old[2]}", name)
            yield plain, _Tensor(file, entry["dtype"], tuple(entry["shape"]), start + begin, count)


def _has_same_tensors(first: dict[str, _Tensor], second: dict[str, _Tensor]) -> bool:
    shapes, others = ({name: each.shape for name, each in found.items()} for found in (first, second))
    if not first or shapes != others:
        return False
    stamps = (_stamp(first.values()), _stamp(second.values()))
    if stamps in _known:
        return _known[stamps]
    is_same = _has_same_bytes(first, second)
    newest = max(written for stamp in stamps for _file, _size, written in stamp)
    if time.time_ns() - newest > SETTLED_NS:
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[stamps] = is_same
    return is_same


def _stamp(tensors: Iterable[_Tensor]) -> _Stamp:
    found = ((file, file.stat()) for file in sorted({tensor.file for tensor in tensors}))
    return tuple((str(file), status.st_size, status.st_mtime_ns) for file, status in found)


def _has_same_bytes(first: dict[str, _Tensor], second: dict[str, _Tensor]) -> bool:
    paths = {tensor.file for found in (first, second) for tensor in found.values()}
    with ExitStack() as stack:
        files = {path: stack.enter_context(path.open("rb", buffering=0)) for path in paths}
        return all(_is_same(tensor, second[name], files) for name, tensor in first.items())


def _is_same(first: _Tensor, second: _Tensor, files: Mapping[Path, BinaryIO | Any]) -> bool:
    formats = (first.number_format, second.number_format)
    if first.count != second.count or (formats[0] != formats[1] and set(formats) != {"F32", "F16"}):
        return False
    for start in range(0, first.count, PIECE):
        count = min(PIECE, first.count - start)
        pieces = [_read(files[each.file], each, start, count) for each in (first, second)]
        if formats[0] != formats[1]:
            pieces = [_rounded(piece, each) for piece, each in zip(pieces, formats, strict=True)]
        if pieces[0] != pieces[1]:
            return False
    return True


def _read(file: Any, tensor: _Tensor, start: int, count: int) -> bytes:
    """``count`` of its numbers from number ``start`` on."""
    width = _BYTES.get(tensor.number_format, 1)
    file.seek(tensor.begin + start * width)
    wanted, found = count * width, b""
    while len(found) < wanted:
        more = file.read(wanted - len(found))
        if not more:
            raise ValueError(f"{tensor.file.name} is cut off")
        found += more
    return found


def _rounded(piece: bytes, number_format: str) -> bytes:
    """``piece`` as numbers of 16 bits, which is how a variant fp16 was made of the plain weights."""
    if number_format == "F16":
        return piece
    import numpy

    with numpy.errstate(over="ignore"):
        return numpy.frombuffer(piece, "<f4").astype("<f2").tobytes()
