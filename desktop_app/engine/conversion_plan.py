"""What becomes of each file of a pickled checkpoint: texts are copied, safetensors taken over, pickles converted, and
everything else left out. Nothing is opened here but JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from desktop_app.store.checkpoint_files import (
    HALF,
    check_inside,
    damaged,
    has_variant,
    read_json,
    readable,
    weight_files,
)

MAX_TEXT_BYTES = 64 * 1024**2
"""Tokenizers of large text encoders come near to it."""

_TEXT_SUFFIXES = {".json", ".txt", ".model"}
_TEXT_NAMES = ("readme", "license", "licence")
_NAMES = {"diffusion_pytorch_model": "diffusion_pytorch_model", "pytorch_model": "model"}
"""Stems of pickled weights, and those of the same weights as safetensors."""

_WITHOUT_WEIGHTS = {"safety_checker"}
"""Parts that the engine never loads."""


@dataclass(frozen=True)
class Taken:
    """A file of ``size`` bytes at ``source``, all links followed, which its folder calls ``label``; and where it, or
    what it becomes, lies in the new folder.
    """

    source: Path
    label: Path
    target: Path
    size: int


@dataclass(frozen=True)
class Index:
    """Pickled shards: the index at ``source`` names tensors, which lie in ``shards``; the new index is ``target``."""

    source: Path
    target: Path
    names: frozenset[str]
    shards: tuple[Path, ...]


@dataclass
class ConversionPlan:
    """All files of the new folder; targets are relative to it."""

    texts: list[Taken] = field(default_factory=list)
    weights: list[Taken] = field(default_factory=list)
    pickles: list[Taken] = field(default_factory=list)
    indices: list[Index] = field(default_factory=list)

    @property
    def total_bytes(self) -> int:
        """Of all weights."""
        return sum(taken.size for taken in (*self.weights, *self.pickles))


def plan_conversion(source: Path) -> ConversionPlan:
    """The plan for the folder ``source`` in diffusers layout. Raises `CheckpointError`."""
    plan = ConversionPlan()
    with readable(source):
        entries = sorted(path for path in source.iterdir() if not path.name.startswith("."))
        for path in entries:
            check_inside(source, path)
        _add_texts(plan, source, source)
        for part in (path for path in entries if path.is_dir()):
            _add_texts(plan, source, part)
            _add_weights(plan, source, part)
    return plan


def _add_texts(plan: ConversionPlan, source: Path, place: Path) -> None:
    for path in sorted(place.iterdir()):
        is_text = path.suffix.lower() in _TEXT_SUFFIXES or path.name.lower().startswith(_TEXT_NAMES)
        if not is_text or ".bin.index" in path.name or path.name.startswith("."):
            continue
        check_inside(source, path)
        if path.is_file():
            plan.texts.append(_take(source, path, path.name))
            if plan.texts[-1].size > MAX_TEXT_BYTES:
                raise damaged(path, "it is too large")


def _add_weights(plan: ConversionPlan, source: Path, part: Path) -> None:
    """Safetensors where the part has them, or else its pickles, plain rather than `HALF`."""
    variants = [variant for variant in ("", HALF) if has_variant(source, part.name, variant)]
    for variant in variants:
        plan.weights += [_take(source, path, path.name) for path in weight_files(source, part.name, variant)]
    if variants or part.name in _WITHOUT_WEIGHTS:
        return
    for mark in ("", f".{HALF}"):
        for stem, new_stem in _NAMES.items():
            if (file := part / f"{stem}{mark}.bin").is_file():
                plan.pickles.append(_take(source, file, f"{new_stem}{mark}.safetensors"))
                return
            if (index := part / f"{stem}.bin.index{mark}.json").is_file():
                _add_shards(plan, source, index, f"{new_stem}.safetensors.index{mark}.json")
                return


def _add_shards(plan: ConversionPlan, source: Path, index: Path, new_name: str) -> None:
    names = read_json(source, index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise damaged(index, "weight_map does not name any file")
    shards = []
    for name in sorted(set(names.values())):
        path = index.parent / name
        if path.parent != index.parent or path.suffix != ".bin":
            raise damaged(index, f"it names {name[:80]!r}, which is no weights file of this folder")
        check_inside(source, path)
        if not path.is_file():
            raise damaged(path, "it is missing")
        shards.append(_take(source, path, f"{name.removeprefix('pytorch_').removesuffix('.bin')}.safetensors"))
    plan.pickles += shards
    target = index.parent.relative_to(source) / new_name
    plan.indices.append(Index(index, target, frozenset(names), tuple(shard.target for shard in shards)))


def _take(source: Path, path: Path, name: str) -> Taken:
    check_inside(source, path)
    real, label = path.resolve(), path.relative_to(source)
    return Taken(real, label, label.with_name(name), real.stat().st_size)
