"""Checkpoints that paint nothing but steer those that do: ControlNets, and the annotators that make control images.

Each is a folder with one part in it: its configuration and its weights, without ``model_index.json``. Classes are only
named here, never imported.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import ControlMode
from desktop_app.core.control_modes import ANNOTATOR, ANNOTATORS, CONTROL_NET, mode_of
from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import FAMILIES
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_files import check_weights, choose_variant, damaged, read_json, weight_files
from desktop_app.store.checkpoint_index import INDEX_NAME
from desktop_app.store.safetensors_header import read_header

CONFIG_NAME = "config.json"
PROCESSOR_NAME = "preprocessor_config.json"
CONTROL_NET_CLASS = "ControlNetModel"
ADE20K_KINDS = 150
"""Kinds of things that ControlNets for segmentation know, by colour."""

_RELATIVES = ("ControlNetModel", "ControlNetUnionModel", "ControlNetXSAdapter", "T2IAdapter")
"""Ends of the names of classes that steer in other ways, or other families."""

_NO_PROCESSOR = ("VitPoseForPoseEstimation",)


@dataclass(frozen=True)
class ControlNetFolder:
    """A ControlNet; ``text_width`` and ``fits`` as in `CheckpointInfo`, ``size`` that of its weights."""

    size: PartSize
    text_width: int
    fits: tuple[str, ...]


@dataclass(frozen=True)
class AnnotatorFolder:
    """An annotator of the class ``class_name`` of transformers, which makes control images of ``mode``."""

    size: PartSize
    class_name: str
    mode: ControlMode


def class_of(config: Mapping[str, Any]) -> str:
    """The class that a part's configuration names, or empty; diffusers and transformers do so in their own ways."""
    architectures = config.get("architectures")
    named = architectures[0] if isinstance(architectures, list) and len(architectures) == 1 else ""
    name = config.get("_class_name", named)
    return name if isinstance(name, str) else ""


def is_control_class(name: str) -> bool:
    """Whether a part of the class ``name`` steers, be it in a way that is not supported."""
    return name.endswith(_RELATIVES) or mode_of(name) is not None


def is_control(folder: Path) -> bool:
    """Whether there is a ControlNet or an annotator in ``folder``, be it damaged."""
    with contextlib.suppress(CheckpointError, OSError):
        if (folder / CONFIG_NAME).is_file() and not (folder / INDEX_NAME).is_file():
            return is_control_class(class_of(read_json(folder, folder / CONFIG_NAME)))
    return False


def check_control(folder: Path) -> None:
    """Raise `CheckpointError` unless it is whole, and of a class that is known."""
    _read(folder)
    check_weights(folder, "", choose_variant(folder, [""]))


def describe_control(ref: str, label: str, folder: Path) -> CheckpointInfo:
    """What is known of it. Raises `CheckpointError`."""
    found = _read(folder)
    is_net = isinstance(found, ControlNetFolder)
    return CheckpointInfo(
        ref=ref,
        label=label,
        path=folder,
        family=CONTROL_NET if is_net else ANNOTATOR,
        native_size=0,
        multiple=1,
        max_tokens=0,
        tokenizer=None,
        size_bytes=found.size.bytes,
        kinds=(),
        parts=(found.size,),
        text_width=found.text_width if isinstance(found, ControlNetFolder) else 0,
        fits=found.fits if isinstance(found, ControlNetFolder) else (),
        mode=found.mode if isinstance(found, AnnotatorFolder) else None,
    )


def read_annotator(folder: Path) -> AnnotatorFolder:
    """The annotator in ``folder``. Raises `CheckpointError`, also where there is something else in it."""
    found = _read(folder)
    if isinstance(found, AnnotatorFolder):
        return found
    hint = f"Choose one of: {', '.join(ref for each in ANNOTATORS.values() for ref in each.annotators)}."
    raise CheckpointError("The checkpoint is no annotator", f"{folder.name} is a {CONTROL_NET}", hint)


def read_control_net(folder: Path) -> ControlNetFolder:
    """The ControlNet in ``folder``. Raises `CheckpointError`, also where there is something else in it."""
    found = _read(folder)
    if isinstance(found, ControlNetFolder):
        return found
    hint = "Choose it as the annotator, and a ControlNet beside it."
    raise CheckpointError("The checkpoint is no ControlNet", f"{folder.name} makes control images", hint)


def _read(folder: Path) -> ControlNetFolder | AnnotatorFolder:
    config = read_json(folder, folder / CONFIG_NAME)
    name = class_of(config)
    size = _size(folder, "controlnet" if name == CONTROL_NET_CLASS else "annotator")
    if name == CONTROL_NET_CLASS:
        return ControlNetFolder(size, _text_width(folder, config), _fits(config))
    mode = mode_of(name)
    if mode is None:
        detail = f"{folder.name} is of the class {name[:80] or 'unknown'}"
        hint = f"ControlNets of the class {CONTROL_NET_CLASS} can be used, and annotators of transformers for them."
        raise CheckpointError("This way to steer a picture is not supported", detail, hint)
    _check_annotator(folder, name, config)
    return AnnotatorFolder(size, name, mode)


def _size(folder: Path, name: str) -> PartSize:
    files = weight_files(folder, "", choose_variant(folder, [""]))
    parameters = 0
    for file in files:
        try:
            parameters += sum(math.prod(entry["shape"]) for entry in read_header(file).values())
        except FileNotFoundError as e:
            raise damaged(file, "it is missing") from e
        except (OSError, ValueError) as e:
            raise damaged(file, str(e)) from e
    return PartSize(name, parameters, sum(file.stat().st_size for file in files))


def _text_width(folder: Path, config: Mapping[str, Any]) -> int:
    width = config.get("cross_attention_dim")
    if isinstance(width, bool) or not isinstance(width, int) or not 1 <= width <= 65536:
        raise damaged(folder / CONFIG_NAME, f"cross_attention_dim is {str(width)[:40]}")
    return width


def _fits(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Stable Diffusion XL's ControlNets are told the sizes that pictures came from, as it is itself."""
    is_told = config.get("addition_embed_type") == "text_time"
    return tuple(each.label for each in FAMILIES if each.control_pipelines and each.takes_original_size is is_told)


def _check_annotator(folder: Path, name: str, config: Mapping[str, Any]) -> None:
    """It needs nothing that is not in its folder, and knows the kinds of things that ControlNets know."""
    if config.get("use_timm_backbone") or config.get("use_pretrained_backbone"):
        hint = "Choose another one, for example one that the catalog names."
        raise CheckpointError("The annotator is not whole", f"{folder.name} needs weights from elsewhere", hint)
    if name not in _NO_PROCESSOR:
        read_json(folder, folder / PROCESSOR_NAME)
    kinds = config.get("id2label")
    if mode_of(name) is ControlMode.SEGMENTATION and (not isinstance(kinds, dict) or len(kinds) != ADE20K_KINDS):
        count = len(kinds) if isinstance(kinds, dict) else "no"
        detail = f"{folder.name} knows {count} kinds of things"
        hint = f"ControlNets know the {ADE20K_KINDS} kinds of ADE20K: choose an annotator that was trained on it."
        raise CheckpointError("The annotator sees other things than ControlNets know", detail, hint)
