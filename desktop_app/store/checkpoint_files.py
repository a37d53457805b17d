"""The files of a checkpoint in diffusers layout: JSON that is small enough, weights that are whole, links that stay
inside. Nothing is loaded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.store.safetensors_header import read_header

MAX_JSON_BYTES = 16 * 1024 * 1024
UNSAFE_SUFFIXES = {".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle"}
HALF = "fp16"
"""The variant with weights of 16 bits, which the hub has beside or instead of the plain ones."""

_NAMES = ("diffusion_pytorch_model", "model")


def unsafe(what: str) -> CheckpointError:
    """What is told of a file that could run a program."""
    return CheckpointError(
        "The checkpoint has an unsafe format",
        f"{what} can run any program when it is opened",
        "Look for the same checkpoint as .safetensors, in diffusers layout.",
    )


def damaged(path: Path, reason: str) -> CheckpointError:
    """What is told of a file that is not as it should be."""
    return CheckpointError(
        "The checkpoint is damaged", f"{path.parent.name}/{path.name}: {reason}", "Fetch this file again."
    )


@contextlib.contextmanager
def readable(what: object) -> Iterator[None]:
    """What the disk refuses inside is told of ``what``, a REF or a path, as `CheckpointError`."""
    try:
        yield
    except OSError as e:
        detail = f"{str(what)[:200]}: {e.strerror or e}"
        hint = "Make the folder and all in it readable for you, and check its disk."
        raise CheckpointError("The checkpoint cannot be read", detail, hint) from e


def read_json(folder: Path, path: Path) -> dict[str, Any]:
    """The object in the JSON file ``path`` of the checkpoint in ``folder``. Raises `CheckpointError`."""
    check_inside(folder, path)
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise ValueError("it is too large")
        data = json.loads(path.read_bytes())
    except FileNotFoundError as e:
        raise damaged(path, "it is missing") from e
    except (OSError, ValueError, RecursionError) as e:
        raise damaged(path, str(e)) from e
    if not isinstance(data, dict):
        raise damaged(path, "it is not a JSON object")
    return data


def choose_variant(folder: Path, parts: Sequence[str]) -> str:
    """Which flavour of the weights to load: the plain one where every part has it, else `HALF`, for the parts that have
    that.
    """
    return "" if all(_find_weights(folder / part, "") for part in parts) else HALF


def check_weights(folder: Path, part: str, variant: str) -> None:
    """Raise `CheckpointError` unless the weights of ``part`` are whole files in safetensors format."""
    for file in weight_files(folder, part, variant):
        try:
            read_header(file)
        except FileNotFoundError as e:
            raise damaged(file, "it is missing") from e
        except (OSError, ValueError) as e:
            raise damaged(file, str(e)) from e


def weight_files(folder: Path, part: str, variant: str) -> list[Path]:
    """The files that hold the weights of ``part``: one, or the shards that an index names. Raises `CheckpointError`."""
    place = folder / part
    found = _find_weights(place, variant) or _find_weights(place, "")
    if found is None:
        raise _no_weights(place)
    if found.suffix == ".json":
        return _shards(folder, found)
    check_inside(folder, found)
    return [found]


def has_variant(folder: Path, part: str, variant: str) -> bool:
    """Whether ``part`` has weights of this flavour."""
    return _find_weights(folder / part, variant) is not None


def _find_weights(place: Path, variant: str) -> Path | None:
    """The file, or the index of the shards."""
    mark = f".{variant}" if variant else ""
    names = [
        f"{name}{ending}" for name in _NAMES for ending in (f"{mark}.safetensors", f".safetensors.index{mark}.json")
    ]
    return next((place / name for name in names if (place / name).is_file()), None)


def _shards(folder: Path, index: Path) -> list[Path]:
    names = read_json(folder, index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise damaged(index, "weight_map does not name any file")
    shards = sorted({index.parent / name for name in names.values()})
    for shard in shards:
        if shard.parent != index.parent or shard.suffix != ".safetensors":
            raise damaged(index, f"it names {shard.name[:80]!r}, which is no weights file of this folder")
        check_inside(folder, shard)
        if not shard.is_file():
            raise damaged(shard, "it is missing")
    return shards


def _no_weights(place: Path) -> CheckpointError:
    files = [path.name for path in place.iterdir()] if place.is_dir() else []
    if any(name.endswith(".safetensors") for name in files):
        detail = f"{place.name} has {', '.join(sorted(files)[:6])}"
        hint = f"Only plain weights and the variant {HALF} are looked for: fetch one of these."
        return CheckpointError("The checkpoint has its weights only as an unusual variant", detail, hint)
    if any(Path(name).suffix.lower() in UNSAFE_SUFFIXES for name in files):
        return unsafe(f"{place.parent.name}/{place.name}")
    return damaged(place, "its weights are missing")


def check_inside(folder: Path, path: Path) -> None:
    """A link may lead out of the folder only in the hub's cache, where snapshots/X/file is a link to blobs/HASH."""
    try:
        real = path.resolve()
    except RuntimeError as e:  # so says Python before 3.13
        raise damaged(path, "it is a link to itself") from e
    roots = [folder.resolve()]
    if folder.parent.name == "snapshots":
        roots.append(folder.parent.parent.resolve() / "blobs")
    if not any(real.is_relative_to(root) for root in roots):
        raise CheckpointError(
            "The checkpoint has a link that leads out of its folder",
            f"{path.parent.name}/{path.name}",
            "Put a copy of the file in its place.",
        )
