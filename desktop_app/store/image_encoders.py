"""Image encoders: the part of CLIP that an IP-Adapter looks at its picture with, a folder of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from desktop_app.core.adapter import AdapterInfo
from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoint_files import check_weights, read_json, weight_files

FOLDER = "image_encoder"
CONFIG = "config.json"
CLASS = "CLIPVisionModelWithProjection"

USUAL = {"hidden_size": 768, "projection_dim": 512}
"""What transformers takes where a configuration says nothing."""


def find_image_encoder(info: AdapterInfo, adapters: Path) -> Path | None:
    """The folder of the image encoder that the IP-Adapter ``info`` was made for: beside its file, as ``models`` has it
    where it was published, or in the folder ``adapters``. None where none of them fits.
    """
    return next((place for place in _places(info.path, adapters) if _fits(place, info)), None)


def encoder_files(folder: Path) -> tuple[Path, ...]:
    """What the image encoder in ``folder`` consists of. Raises `CheckpointError`."""
    return (folder / CONFIG, *weight_files(folder.parent, folder.name, ""))


def _places(path: Path, adapters: Path) -> Iterator[Path]:
    yield path.parent / FOLDER
    yield path.parent.parent / "models" / FOLDER
    yield adapters / FOLDER
    with contextlib.suppress(OSError):
        yield from sorted(place for place in (adapters / FOLDER).iterdir() if place.is_dir())


def _fits(place: Path, info: AdapterInfo) -> bool:
    """Whether an encoder is there, whole, that tells of pictures in as many numbers as the IP-Adapter reads."""
    with contextlib.suppress(CheckpointError, OSError):
        if not (place / CONFIG).is_file():
            return False
        config = read_json(place.parent, place / CONFIG)
        name = "projection_dim" if info.is_pooled else "hidden_size"
        if CLASS not in config.get("architectures", [CLASS]) or config.get(name, USUAL[name]) != info.image_width:
            return False
        check_weights(place.parent, place.name, "")
        return True
    return False
