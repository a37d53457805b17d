"""ControlNets: pipelines of diffusers that follow control images, on the parts of a checkpoint that is in memory."""

from __future__ import annotations

import inspect
import logging
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakSet

from PIL import Image

from desktop_app.core.conditions import Control
from desktop_app.core.engine import CheckpointPath
from desktop_app.core.errors import CheckpointError
from desktop_app.core.family import Family
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.request import Stage, StageKind
from desktop_app.engine.arguments import run_kind
from desktop_app.engine.calls import pipeline_class
from desktop_app.engine.faults import loading
from desktop_app.engine.offload import Offload
from desktop_app.engine.pipelines import HarmlessFilter
from desktop_app.engine.residency import Resident
from desktop_app.store.any_checkpoint import Stamp, stamp_of
from desktop_app.store.checkpoint_files import choose_variant
from desktop_app.store.control_checkpoints import read_control_net

_Key = tuple[Path, str, MemoryPlan]
"""Folder, number format, and where the weights are between their uses."""


@dataclass(frozen=True)
class _Loaded:
    """A ControlNet in memory, and the checkpoints that it has steered there; ``offload`` owns weights on the disk."""

    network: Any
    stamp: Stamp
    bases: WeakSet[Offload]
    offload: Offload | None = None


class ControlNets:
    """Loads ControlNets, each once, and keeps those of the last stage that had any, while a checkpoint that they have
    steered is in memory.

    ``disk`` is a folder for weights that have no room in memory. One thread, that of the residency.
    """

    def __init__(self, find_checkpoint: CheckpointPath, device: str, *, disk: Path | None = None) -> None:
        self._find_checkpoint = find_checkpoint
        self._device = device
        self._disk = disk or Path(tempfile.gettempdir()) / "underpaint"
        self._loaded: dict[_Key, _Loaded] = {}

    def pipeline(self, resident: Resident, family: Family, stage: Stage) -> Any:
        """The pipeline that runs ``stage`` with its control images on the parts of ``resident``: the resident's own
        where the checkpoint reads them itself, or where there are none.

        It is for one run, within ``resident.offload.using`` as the others are; nobody keeps it. Raises
        `CheckpointError`, `OutOfMemory`.
        """
        kind = run_kind(family, stage.kind)
        own = resident.pipelines[kind]
        if family.reads_controls or not active(stage):
            return own
        self.prune()
        folders = [self._find_checkpoint(control.checkpoint) for control in active(stage)]
        self._drop(*(key for key in self._loaded if key[0] not in folders))  # one takes as much as half a checkpoint
        networks = [self._network(folder, resident, own) for folder in folders]
        made = _build(pipeline_class(family.control_pipelines[kind]), own, networks)
        made.set_progress_bar_config(disable=True)
        return made

    def prune(self) -> None:
        """Let go of those that have steered nothing that is still in memory."""
        self._drop(*(key for key, loaded in self._loaded.items() if not loaded.bases))

    def drop(self) -> None:
        """Let go of all."""
        self._drop(*self._loaded)

    @property
    def size_bytes(self) -> int:
        """What they take, of the memory in which their weights are between uses; the disk is not counted."""
        self.prune()
        return sum(_size(loaded.network) for loaded in self._loaded.values() if loaded.offload is None)

    def _drop(self, *keys: _Key) -> None:
        for key in keys:
            loaded = self._loaded.pop(key)
            if loaded.offload:
                loaded.offload.close()

    def _network(self, folder: Path, resident: Resident, own: Any) -> Any:
        key = (folder, resident.dtype, resident.offload.plan)
        stamp = stamp_of(folder)
        if key in self._loaded and self._loaded[key].stamp != stamp:
            self._drop(key)
        if key not in self._loaded:
            _check_fit(folder, own.unet)
            with loading(folder):
                network = _load(folder, resident.dtype)
                _check_shape(folder, network, own)
                offload = _place(network, resident.offload.plan, self._device, self._disk)
            self._loaded[key] = _Loaded(network, stamp, WeakSet(), offload)
        self._loaded[key].bases.add(resident.offload)
        return self._loaded[key].network


def active(stage: Stage) -> list[Control]:
    """The controls of ``stage`` that count."""
    return [control for control in stage.controls if control.is_on]


def control_arguments(family: Family, stage: Stage, pictures: Sequence[Image.Image]) -> dict[str, Any]:
    """Keyword arguments of the pipeline for the control images ``pictures``, RGB at the stage's size, one for each of
    the controls that are on, in their order.
    """
    controls = active(stage)
    if not controls:
        return {}
    if family.reads_controls:
        return {"hint": _hint(pictures[0])}
    keyword = "image" if run_kind(family, stage.kind) is StageKind.TEXT_TO_IMAGE else "control_image"
    values: dict[str, list[Any]] = {
        keyword: list(pictures),
        "controlnet_conditioning_scale": [control.weight for control in controls],
        "control_guidance_start": [control.start for control in controls],
        "control_guidance_end": [control.end for control in controls],
    }
    return dict(values) if len(controls) > 1 else {name: each[0] for name, each in values.items()}


def _hint(picture: Image.Image) -> Any:
    """A tensor (1, 3, height, width) from 0 to 1."""
    import numpy
    import torch

    return torch.from_numpy(numpy.array(picture)).permute(2, 0, 1)[None].float() / 255


def _check_fit(folder: Path, unet: Any) -> None:
    """Raise `CheckpointError` where what it would be told of the prompt is not what it was trained on."""
    width = read_control_net(folder).text_width
    if width != unet.config.cross_attention_dim:
        detail = f"{folder.name} reads {width} numbers a token, the checkpoint {unet.config.cross_attention_dim}"
        hint = "Choose a ControlNet for the family of the checkpoint."
        raise CheckpointError("The ControlNet does not fit the checkpoint", detail, hint)


def _check_shape(folder: Path, network: Any, own: Any) -> None:
    """Raise `CheckpointError` where it has other layers than the checkpoint, which may have been made smaller, or
    reads control images for latents of another size.
    """
    shapes = [_layers(part.config) for part in (network, own.unet)]
    factor = 2 ** (len(network.config.conditioning_embedding_out_channels) - 1)
    if shapes[0] != shapes[1]:
        channels = [" + ".join(f"{count} × {width}" for width, count in shape) for shape in shapes]
        detail = f"{folder.name} has layers for {channels[0]}, the checkpoint {channels[1]}"
    elif factor != own.vae_scale_factor:
        detail = f"one latent of {folder.name} covers {factor} pixels, of the checkpoint {own.vae_scale_factor}"
    else:
        return
    hint = "Choose a ControlNet that was made for this checkpoint."
    raise CheckpointError("The ControlNet does not fit the checkpoint", detail, hint)


def _layers(config: Any) -> list[tuple[int, int]]:
    """Width and number of the layers of each block on the way down."""
    widths, counts = list(config.block_out_channels), config.layers_per_block
    return list(zip(widths, [counts] * len(widths) if isinstance(counts, int) else counts, strict=True))


def _load(folder: Path, dtype: str) -> Any:
    import torch
    from diffusers import ControlNetModel

    network, info = ControlNetModel.from_pretrained(
        str(folder),
        dtype=getattr(torch, dtype),
        variant=choose_variant(folder, [""]) or None,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if info["missing_keys"]:
        raise ValueError(f"it lacks {min(info['missing_keys'])}")
    return network


def _place(network: Any, plan: MemoryPlan, device: str, disk: Path) -> Offload | None:
    """Put it where the ``plan`` wants its weights; what owns them where that is the disk. Under model offload the
    pipeline itself brings it to the device for the run, and away again.
    """
    import torch

    if plan is MemoryPlan.RESIDENT:
        network.to(device)
    elif plan is MemoryPlan.SEQUENTIAL:
        from accelerate import cpu_offload

        cpu_offload(network, torch.device(device), offload_buffers=False)  # it has none, and no weights of its own
    elif plan is MemoryPlan.GROUP_OFFLOAD:
        holder = SimpleNamespace(components={"controlnet": network})
        offload = Offload([holder], plan, device, disk)
        return offload if device == "cpu" else None
    return None


def _build(control_class: Any, own: Any, networks: list[Any]) -> Any:
    _quieten(control_class.__module__)
    network = networks[0] if len(networks) == 1 else networks
    known = {"requires_safety_checker": False, **own.config, **own.components, "controlnet": network}
    names = list(inspect.signature(control_class.__init__).parameters)[1:]
    return control_class(**{name: known[name] for name in names if name in known})


def _quieten(name: str) -> None:
    logger = logging.getLogger(name)
    if not any(isinstance(known, HarmlessFilter) for known in logger.filters):
        logger.addFilter(HarmlessFilter())


def _size(network: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*network.parameters(), *network.buffers()))
