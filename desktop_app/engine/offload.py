"""Offload: a checkpoint's pipelines under one memory plan, and decoding in tiles. By what diffusers offers, but for
weights on the disk.

The pipelines of a checkpoint share their parts, so a plan is applied to each part once. A plan changes the picture by
the last bit of some colours at most, and on the CPU alone: there the order of a sum depends on where the weights lie in
memory. Tiles change it a little.

Tried on the CPU alone: resident, layers from the disk, model offload with the CPU as its device. What a graphics
card does with model offload, group offload on a stream, and sequential offload is written by diffusers' source.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil

from desktop_app.core.errors import OutOfMemory
from desktop_app.core.memory import DENOISERS, TILE, MemoryPlan

PREFIX = "weights"
"""Of the folders that hold weights on the disk; the number of the process that owns it follows."""

SMALLEST_FILE = 2**12
"""Bytes, one page: smaller tensors stay in memory, since there are many and a file would not free any."""

STREAMING = ("cuda", "xpu")
"""Devices that copy weights while they compute."""


class Offload:
    """``pipelines`` of one checkpoint under ``plan``; ``disk`` is where weights may be kept that leave the memory.

    On a device other than the CPU the pipelines come in main memory where the plan is not `MemoryPlan.RESIDENT`.
    """

    def __init__(self, pipelines: Iterable[Any], plan: MemoryPlan, device: str, disk: Path) -> None:
        self._pipelines = list({id(pipeline): pipeline for pipeline in pipelines}.values())
        self._device = device
        self._folder: Path | None = None
        self.plan = plan
        self.size_bytes = _size(_tensors(self._pipelines))
        if plan is MemoryPlan.MODEL_OFFLOAD:
            self._offload_parts()
        elif plan is MemoryPlan.SEQUENTIAL:
            self._offload_sequentially()
        elif plan is MemoryPlan.GROUP_OFFLOAD:
            self._offload_layers(disk)

    @contextlib.contextmanager
    def using(self, pipeline: Any) -> Iterator[None]:
        """Run ``pipeline`` inside. Whatever becomes of the run, its parts go back to where they wait."""
        if self.plan is MemoryPlan.MODEL_OFFLOAD and pipeline is not self._pipelines[-1]:
            self._enable(pipeline)
        try:
            yield
        finally:
            pipeline.maybe_free_model_hooks()

    @contextlib.contextmanager
    def lifted(self, pipeline: Any) -> Iterator[None]:
        """Inside, parts of ``pipeline`` may be exchanged, and layers of them. The plan holds for all of them behind it.

        The loaders of diffusers 0.42.1 lift the plan themselves, and then put it back for the device that they guess.
        """
        if self.plan in (MemoryPlan.MODEL_OFFLOAD, MemoryPlan.SEQUENTIAL):
            for each in (*self._pipelines, pipeline):
                each.remove_all_hooks()
        try:
            yield
        finally:
            if self.plan is MemoryPlan.MODEL_OFFLOAD:
                self._enable(pipeline)
            elif self.plan is MemoryPlan.SEQUENTIAL:
                self._offload_sequentially(pipeline)
            elif self.plan is MemoryPlan.GROUP_OFFLOAD and not self._folder:
                self._offload_layers_again(pipeline)

    def set_tiles(self, *, is_tiled: bool) -> None:
        """Encode and decode in tiles, or whole. A part that cannot do it in tiles does it whole."""
        for decoder in {id(part): part for part in _decoders(self._pipelines)}.values():
            with contextlib.suppress(NotImplementedError):  # Kandinsky's VQModel has the method, and refuses
                if is_tiled:
                    decoder.enable_tiling()
                    _limit_tile(decoder)
                    decoder.enable_slicing()
                else:
                    decoder.disable_tiling()
                    decoder.disable_slicing()

    def close(self) -> None:
        """Remove what is on the disk. The pipelines are not run any more."""
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _offload_parts(self) -> None:
        for pipeline in self._pipelines:
            self._enable(pipeline)

    def _enable(self, pipeline: Any) -> None:
        """Let ``pipeline``'s own order of parts hold: the hooks are the parts', and the last one to set them wins."""
        self._pipelines.sort(key=lambda each: each is pipeline)
        pipeline.enable_model_cpu_offload(device=self._device)

    def _offload_sequentially(self, *others: Any) -> None:
        hooked: set[int] = set()
        for pipeline in (*others, *self._pipelines):
            parts = {id(part) for _, part in _parts(pipeline)}
            if not parts <= hooked:
                pipeline.enable_sequential_cpu_offload(device=self._device)
                hooked |= parts

    def _offload_layers(self, disk: Path) -> None:
        if self._device == "cpu":
            self._folder = _make_folder(disk, _size(filter(_takes_memory, _tensors(self._pipelines))))
        try:
            done: set[int] = set()
            for pipeline in self._pipelines:
                for name, part in _parts(pipeline):
                    if id(part) not in done:
                        self._offload_part(name, part, stays=name in getattr(pipeline, "_exclude_from_cpu_offload", ()))
                        done.add(id(part))
        except BaseException:
            self.close()
            raise

    def _offload_layers_again(self, pipeline: Any) -> None:
        """Layers that have come are taken in, and those that are gone let go."""
        from diffusers.hooks.group_offloading import (
            _is_group_offload_enabled,
            _maybe_remove_and_reapply_group_offloading,
        )

        for name, part in _parts(pipeline):
            if _is_group_offload_enabled(part):
                _maybe_remove_and_reapply_group_offloading(part)
            else:
                self._offload_part(name, part, stays=name in getattr(pipeline, "_exclude_from_cpu_offload", ()))

    def _offload_part(self, name: str, part: Any, *, stays: bool) -> None:
        """Let ``part`` come layer by layer, unless it uses weights in a way that does not allow it."""
        import torch
        from diffusers.hooks import apply_group_offloading

        if self._folder:
            _move_to_disk(part, self._folder / f"{name}-{id(part):x}")
        elif stays or not getattr(part, "_supports_group_offloading", True):
            part.to(self._device)
        else:
            is_streamed = self._device in STREAMING and name in DENOISERS
            apply_group_offloading(
                part,
                onload_device=torch.device(self._device),
                offload_type="leaf_level",
                use_stream=is_streamed,
                non_blocking=is_streamed,
            )


def _move_to_disk(part: Any, folder: Path) -> None:
    """Let the weights of ``part`` be read from files of ``folder`` when they are used, by the system's own paging: it
    lets go of them again when memory is short, which it can do with nothing else.

    Weights that are in the checkpoint's files as they are used have been read in this way from the beginning. Measured
    at Stable Diffusion 1.5's size, float16 in the files: 3.9 GB of memory without, 0.7 GB with this, 1.8 GB with the
    offload to the disk of diffusers. That one also leaves tensors without content in the place of those on the disk,
    and the pipelines of Flux 2 and Kandinsky read some outside a forward pass.
    """
    from safetensors.torch import load_file, save_file

    folder.mkdir()
    tensors = {id(tensor): tensor for tensor in (*part.parameters(), *part.buffers())}
    for number, tensor in enumerate(tensors.values()):
        if _takes_memory(tensor):
            file = folder / f"{number}.safetensors"
            save_file({"weight": tensor.data.contiguous()}, file)  # one at a time: it is in memory twice meanwhile
            tensor.data = load_file(file)["weight"]


def _takes_memory(tensor: Any) -> bool:
    """Whether moving it to the disk frees memory: it is large, and torch's own, not read from a file already."""
    return bool(tensor.untyped_storage().resizable()) and tensor.numel() * tensor.element_size() >= SMALLEST_FILE


def _parts(pipeline: Any) -> list[tuple[str, Any]]:
    import torch

    return [(name, part) for name, part in pipeline.components.items() if isinstance(part, torch.nn.Module)]


def _tensors(pipelines: list[Any]) -> list[Any]:
    """Weights and buffers, each once."""
    parts = [part for pipeline in pipelines for _, part in _parts(pipeline)]
    return list({id(tensor): tensor for part in parts for tensor in (*part.parameters(), *part.buffers())}.values())


def _size(tensors: Iterable[Any]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _decoders(pipelines: list[Any]) -> list[Any]:
    return [part for pipeline in pipelines for _, part in _parts(pipeline) if hasattr(part, "enable_tiling")]


def _limit_tile(decoder: Any) -> None:
    """Stable Diffusion XL's tiles are as large as its pictures, which would be no tiles at all."""
    side = getattr(decoder, "tile_sample_min_size", 0)
    if side > TILE:
        decoder.tile_latent_min_size = int(decoder.tile_latent_min_size * TILE / side)
        decoder.tile_sample_min_size = TILE


def _make_folder(disk: Path, needed: int) -> Path:
    """A new folder for weights. Raises `OutOfMemory` where the disk has no room for them."""
    disk.mkdir(parents=True, exist_ok=True, mode=0o700)
    sweep(disk)
    free = shutil.disk_usage(disk).free
    if free < needed:
        detail = f"{needed / 1e9:.1f} GB of weights would have to wait on the disk, which has {free / 1e9:.1f} GB free"
        raise OutOfMemory("Memory and disk are full", detail, "Make room on the disk, or close other programs.")
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-", dir=disk))


def sweep(disk: Path) -> None:
    """Remove what a process that was ended from outside has left."""
    for folder in disk.glob(f"{PREFIX}-*-*"):
        owner = folder.name.split("-")[1]
        if owner.isdecimal() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
