"""The header of a safetensors file: read without loading, and checked against the file's length.

Format: eight bytes of length (little endian), so many bytes of JSON, then the tensors' bytes without gaps.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

MAX_HEADER_BYTES = 100_000_000
_MAX_COUNT = 2**63
"""Larger numbers are an attack: multiplying very many of them takes hours."""

_ITEM_BITS = {
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E5M2FNUZ", "F8_E4M3FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **dict.fromkeys(("F4",), 4),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
}


def read_header(path: Path) -> dict[str, Any]:
    """Tensors' entries by name. Raises ValueError, with the reason, when the file is not whole; OSError."""
    info = path.stat()
    if not stat.S_ISREG(info.st_mode):
        raise ValueError("it is not a plain file")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if info.st_size < 8 or not 2 <= length <= min(MAX_HEADER_BYTES, info.st_size - 8):
            raise ValueError("it is not in safetensors format, or it is cut off")
        text = file.read(length)
    header = _parse(text)
    header.pop("__metadata__", None)
    end = _check_layout(header)
    if 8 + length + end != info.st_size:
        raise ValueError(f"it has {info.st_size:,} bytes where {8 + length + end:,} belong")
    return header


def _parse(text: bytes) -> dict[str, Any]:
    if not text.startswith(b"{"):
        raise ValueError("it is not in safetensors format")
    try:
        return dict(json.loads(text, object_pairs_hook=_refuse_twice))
    except RecursionError as e:
        raise ValueError("its header is nested too deeply") from e


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("its header names a tensor twice")
    return data


def _check_layout(header: dict[str, Any]) -> int:
    """Where the last tensor ends; raises ValueError at a gap, an overlap or a shape that does not fit its bytes."""
    try:
        spans = sorted((*entry["data_offsets"], _byte_count(entry)) for entry in header.values())
        end = 0
        for begin, stop, count in spans:
            if begin != end or stop - begin != count:
                raise ValueError("its tensors overlap, or do not fit their shapes")
            end = int(stop)
    except (KeyError, TypeError) as e:
        raise ValueError("its header is damaged") from e
    return end


def _byte_count(entry: dict[str, Any]) -> int:
    count = 1
    for side in entry["shape"]:
        if not isinstance(side, int) or not 0 <= side <= _MAX_COUNT or count > _MAX_COUNT:
            raise ValueError("its header is damaged")
        count *= side
    return (count * _ITEM_BITS[entry["dtype"]] + 7) // 8
