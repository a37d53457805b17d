"""Pixel upscalers: networks of ESRGAN's kind in one .safetensors file, told by the names of their tensors. Nothing is
loaded.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.core.checkpoint import PIXEL_UPSCALER, CheckpointInfo
from desktop_app.core.errors import CheckpointError
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import PartSize
from desktop_app.store.safetensors_header import read_header

MAX_SCALE = 16
RGB = 3
_FORMATS = ("F64", "F32", "F16", "BF16")
_PREFIXES = ("module.", "netG.", "params_ema.", "params.")
"""What training programs put before every name."""


class Architecture(Enum):
    """What the network is, by the name that the library spandrel has for it."""

    ESRGAN = "ESRGAN"
    COMPACT = "Compact"


_SIGNS = (
    (Architecture.ESRGAN, ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")),
    (Architecture.ESRGAN, ("model.0.weight", "model.1.sub.0.RDB1.conv1x1.weight")),
    (Architecture.ESRGAN, ("conv_first.weight", "body.0.rdb1.conv1.weight", "conv_body.weight", "conv_last.weight")),
    (
        Architecture.ESRGAN,
        ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight", "trunk_conv.weight", "conv_last.weight"),
    ),
    (Architecture.COMPACT, ("body.0.weight", "body.1.weight", "body.2.weight")),
)
"""Tensors by which each is known: ESRGAN as it was first, ESRGAN+, Real-ESRGAN and BSRGAN; Real-ESRGAN's small one."""


@dataclass(frozen=True)
class PixelUpscalerFile:
    """``scale`` is how many times larger each side comes out; ``prefix`` stands before each name in the file."""

    architecture: Architecture
    scale: int
    prefix: str
    size: PartSize


def is_pixel_upscaler(path: Path) -> bool:
    """Whether the file ``path`` has such a network in it; it may still be one that cannot be used."""
    with contextlib.suppress(OSError, ValueError):
        return _architecture(_plain(read_header(path))[1]) is not None
    return False


def read_pixel_upscaler(path: Path) -> PixelUpscalerFile:
    """What is in the file ``path``. Raises `CheckpointError` where it is no pixel upscaler, or none for pictures with
    three colours.
    """
    try:
        prefix, header = _plain(read_header(path))
    except OSError as e:
        hint = "Make the file readable for you, and check its disk."
        raise CheckpointError("The upscaler cannot be read", f"{path.name}: {e.strerror or e}", hint) from e
    except ValueError as e:
        raise CheckpointError("The upscaler is damaged", f"{path.name}: {e}", "Fetch this file again.") from e
    architecture = _architecture(header)
    if architecture is None:
        hint = "Read are ESRGAN, Real-ESRGAN, BSRGAN and Real-ESRGAN's compact kind, as .safetensors."
        raise CheckpointError("The file is no pixel upscaler", f"{path.name}: its weights have other names", hint)
    formats = {entry["dtype"] for entry in header.values()} - set(_FORMATS)
    if formats:
        raise _unsupported(path, f"its weights are compressed ({min(formats)})")
    shape = (_read_esrgan if architecture is Architecture.ESRGAN else _read_compact)(path, header)
    if (shape.takes, shape.makes) != (RGB, RGB):
        raise _unsupported(path, f"it makes {shape.makes} channels of {shape.takes}, and pictures have {RGB}")
    if not 1 <= shape.scale <= MAX_SCALE:
        raise _unsupported(path, f"it would make each side {shape.scale} times as long")
    parameters = sum(math.prod(entry["shape"]) for entry in header.values())
    size = PartSize("upscaler", parameters, path.stat().st_size, shape.elements)
    return PixelUpscalerFile(architecture, shape.scale, prefix, size)


def describe_pixel_upscaler(ref: str, path: Path) -> CheckpointInfo:
    """What is known of it. Raises `CheckpointError`."""
    found = read_pixel_upscaler(path)
    return CheckpointInfo(
        ref=ref,
        label=path.stem,
        path=path,
        family=PIXEL_UPSCALER,
        native_size=0,
        multiple=1,
        max_tokens=0,
        tokenizer=None,
        size_bytes=found.size.bytes,
        kinds=(StageKind.PIXEL_UPSCALE,),
        parts=(found.size,),
        scale=found.scale,
    )


def _unsupported(path: Path, reason: str) -> CheckpointError:
    return CheckpointError("This kind of upscaler is not supported", f"{path.name}: {reason}", "Choose another one.")


def _plain(header: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """What stands before every name, and the entries by their names without it."""
    prefix = next((each for each in _PREFIXES if header and all(name.startswith(each) for name in header)), "")
    return prefix, {name[len(prefix) :]: entry for name, entry in header.items()}


def _architecture(header: Mapping[str, Any]) -> Architecture | None:
    for architecture, names in _SIGNS:
        if all(name in header for name in names):
            is_compact = architecture is Architecture.COMPACT
            return None if is_compact and len(_shape(header, "body.1.weight")) != 1 else architecture
    return None


# What it makes -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shape:
    """Channels that a network takes and makes, and its scale; ``elements`` as in `PartSize`, where three tensors as
    wide as its widest layer are alive at once.
    """

    takes: int
    makes: int
    scale: int
    elements: int


def _read_esrgan(path: Path, header: Mapping[str, Any]) -> _Shape:
    """It doubles the sides as often as it has layers for that, and is widest at the end; a small scale it reaches by
    first folding squares of pixels into channels.
    """
    if "model.0.weight" in header:
        last = _highest(header, "model")
        first, final, doublings = "model.0.weight", f"model.{last}.weight", (last - 4) // 3
    else:
        doublings = max(_highest(header, "upconv"), _highest(header, "conv_up"), 0)
        first, final = "conv_first.weight", "conv_last.weight"
    takes = _channels(path, header, first)[1]
    makes, width = _channels(path, header, final)
    fold = {4 * makes: 2, 16 * makes: 4}.get(takes, 1)
    scale = 2 ** min(max(doublings, 0), 8)
    return _Shape(takes // fold**2, makes, scale // fold, 3 * width)


def _read_compact(path: Path, header: Mapping[str, Any]) -> _Shape:
    """Its last layer has the pixels of a square as channels."""
    last, width = _channels(path, header, f"body.{_highest(header, 'body')}.weight")
    takes = _channels(path, header, "body.0.weight")[1]
    for makes in (takes, RGB, 4, 1):
        scale = math.isqrt(last // makes)
        if makes * scale**2 == last:
            return _Shape(takes, makes, scale, math.ceil(3 * width / max(scale, 1) ** 2))
    raise _unsupported(path, f"its last layer has {last} channels")


def _highest(header: Iterable[str], what: str) -> int:
    """The highest number behind ``what`` in the names; -1 where there is none."""
    pattern = re.compile(rf"{what}\.?(\d{{1,9}})\.")
    return max((int(found[1]) for name in header if (found := pattern.match(name))), default=-1)


def _channels(path: Path, header: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Channels that the layer makes and takes."""
    shape = _shape(header, name)
    if len(shape) != 4 or 0 in shape:
        raise CheckpointError("The upscaler is damaged", f"{path.name}: {name} is no layer", "Fetch this file again.")
    return shape[0], shape[1]


def _shape(header: Mapping[str, Any], name: str) -> list[int]:
    return list(header[name]["shape"]) if name in header else []
