"""Memory: what a checkpoint needs of it, and the plans by which more than fits can still run.

All figures here are estimates from the sizes of the weights and of the picture. What they miss, the engine finds out by
running: it then takes the next cheaper plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

TILE = 512
"""Side, in pixels, of the squares in which a picture is decoded when it is done in tiles."""

SPARE = 1.1
"""Free memory must be this many times the estimate: kernels want room of their own, and allocators waste some."""

DECODER_ELEMENTS = {"vae": 768, "movq": 1284}
DENOISER_ELEMENTS = 280
UPSCALER_ELEMENTS = 488
RESULT_ELEMENTS = 12
"""Numbers that are alive at once, per pixel of the picture, when the part runs.

Counted on tensors without content at the real sizes (torch's FakeTensorMode, each storage until it is let go; one
picture with guidance, so two passes). Decoders, 512 to 2048 pixels: AutoencoderKL 768 (three tensors of 256 channels
in its last upsampling), Kandinsky 2.2's movq 1284. Denoisers, 512 to 1024 pixels: Stable Diffusion 1.5 260, XL 158,
Kandinsky 2.2 180, Stable Diffusion 3 179 to 162, Flux 280 to 206, the latent upscaler 168 and the upscaler x4, whose
latents are four times as many, 488 per pixel of the large picture. Text encoders see some hundred tokens: nothing. A
picture in tiles is kept whole some four times in three channels.
"""

DENOISERS = ("unet", "transformer", "transformer_2")
STAYS_ALWAYS = frozenset({"prior"})
STAYS_IN_GROUPS = frozenset({"movq"})
"""Parts that diffusers does not move: the prior has weights that are used outside its forward pass, and Kandinsky's
VQModel takes no group offload.
"""

ONE_LAYER = 0.05
TWO_LAYERS = 0.1
"""Share of the largest part that one or two of its layers take at most. The largest layers of Stable Diffusion 1.5 and
XL, Stable Diffusion 3 and Flux have 0.5 to 4.5 % of the denoiser's weights.
"""


class MemoryPlan(Enum):
    """Where the weights are while a picture is made; from the fastest to the smallest."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model-offload"
    GROUP_OFFLOAD = "group-offload"
    SEQUENTIAL = "sequential"

    @property
    def label(self) -> str:
        """As the user reads it."""
        return _LABELS[self][0]

    @property
    def explanation(self) -> str:
        """One sentence for a tip."""
        return _LABELS[self][1]


_LABELS = {
    MemoryPlan.RESIDENT: ("all in memory", "The whole checkpoint stays on the device: fastest, and needs most memory."),
    MemoryPlan.MODEL_OFFLOAD: (
        "part by part",
        "Text encoder, denoiser and decoder are on the device one after the other: a little slower.",
    ),
    MemoryPlan.GROUP_OFFLOAD: (
        "layer by layer",
        "Layers come to the device just before they are needed, and leave it after; without a graphics card they come "
        "from the disk: slower.",
    ),
    MemoryPlan.SEQUENTIAL: (
        "one layer at a time",
        "Each layer is copied to the device only when it runs: smallest, and many times slower.",
    ),
}

PLANS = (MemoryPlan.RESIDENT, MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD, MemoryPlan.SEQUENTIAL)
CPU_PLANS = (MemoryPlan.RESIDENT, MemoryPlan.GROUP_OFFLOAD)
"""Without a graphics card there is nowhere to move a part to but the disk."""


class Verdict(Enum):
    """What would become of a checkpoint on this machine; its value is what the user reads."""

    FITS = "fits in memory"
    WITH_OFFLOAD = "with offload"
    TOO_LARGE = "too large"


@dataclass(frozen=True)
class PartSize:
    """One part of a checkpoint: its ``name`` as in ``model_index.json`` ("unet"), its number of parameters, and the
    ``bytes`` that they take in the files. ``elements`` are the numbers alive at once, per pixel of the picture, when it
    runs; 0 for those that are usual of a part with its name.
    """

    name: str
    parameters: int
    bytes: int
    elements: int = 0


@dataclass(frozen=True)
class MemoryUse:
    """How a stage runs. ``is_tiled``: pictures are encoded and decoded in tiles, and those of a batch one by one."""

    plan: MemoryPlan = MemoryPlan.RESIDENT
    is_tiled: bool = False

    @property
    def label(self) -> str:
        """As the user reads it: "part by part, decoded in tiles"."""
        return self.plan.label + (", decoded in tiles" if self.is_tiled else "")


@dataclass(frozen=True)
class Choice:
    """What `choose_plan` found: the use of memory to begin with, and its peak in bytes on the device."""

    use: MemoryUse
    peak_bytes: int
    verdict: Verdict

    @property
    def plan(self) -> MemoryPlan:
        """Where the weights are."""
        return self.use.plan

    @property
    def is_tiled(self) -> bool:
        """Whether the picture is decoded in tiles."""
        return self.use.is_tiled

    @property
    def is_sliced(self) -> bool:
        """Whether the pictures of a batch are decoded one by one: it costs nothing where tiles are in use already."""
        return self.use.is_tiled


def plans_for(*, is_cpu: bool) -> tuple[MemoryPlan, ...]:
    """The plans that make sense on the device, from the fastest to the smallest."""
    return CPU_PLANS if is_cpu else PLANS


def cheaper(use: MemoryUse, *, is_cpu: bool) -> list[MemoryUse]:
    """What to try when ``use`` did not fit, in order: tiles first, then each plan that keeps less on the device."""
    later = PLANS[PLANS.index(use.plan) + 1 :]
    tiles = [] if use.is_tiled else [MemoryUse(use.plan, is_tiled=True)]
    return tiles + [MemoryUse(plan, is_tiled=True) for plan in plans_for(is_cpu=is_cpu) if plan in later]


def weight_bytes(part: PartSize, dtype_bytes: int) -> int:
    """What the part takes in memory when each of its numbers takes ``dtype_bytes``."""
    return part.parameters * dtype_bytes or part.bytes


def estimate(
    parts: Sequence[PartSize], width: int, height: int, dtype_bytes: int, plan: MemoryPlan, *, is_tiled: bool
) -> int:
    """Peak bytes on the device while a picture of ``width`` by ``height`` pixels is made: an estimate, not a promise.

    Weights that are there at once, and what the running part computes with::

        resident          sum(weights) + max(activations)
        part by part      max(weights + activations), one part after the other
        layer by layer    the same with two layers of a part, TWO_LAYERS of its weights
        one at a time     the same with one, ONE_LAYER of them

    Activations are ``pixels * elements * dtype_bytes`` (`DECODER_ELEMENTS`, `DENOISER_ELEMENTS`): decoding needs most.
    In tiles its pixels are those of one tile. Not counted: the working space of kernels, attention without a fused
    kernel, and the decoders of Stable Diffusion XL and of the upscaler x4 at 4 bytes where everything else is float16.
    """
    weights = {part.name: weight_bytes(part, dtype_bytes) for part in parts}
    active = {part.name: _elements(part, width * height, is_tiled=is_tiled) * dtype_bytes for part in parts}
    if plan is MemoryPlan.RESIDENT:
        return sum(weights.values()) + max(active.values(), default=0)
    stays = STAYS_ALWAYS | (STAYS_IN_GROUPS if plan is MemoryPlan.GROUP_OFFLOAD else frozenset())
    staying = sum(weights[name] for name in weights if name in stays)
    moving = {name: count for name, count in weights.items() if name not in stays}
    share = {MemoryPlan.GROUP_OFFLOAD: TWO_LAYERS, MemoryPlan.SEQUENTIAL: ONE_LAYER}.get(plan, 1.0)
    running = max((int(share * moving.get(name, 0)) + active[name] for name in weights), default=0)
    return staying + max(running, int(share * max(moving.values(), default=0)))


def _elements(part: PartSize, pixels: int, *, is_tiled: bool) -> int:
    """Numbers alive at once while ``part`` runs on a picture of so many pixels."""
    if part.name in DENOISERS:
        return (part.elements or DENOISER_ELEMENTS) * pixels
    per_pixel = part.elements or DECODER_ELEMENTS.get(part.name, 0)
    if is_tiled and per_pixel and pixels > TILE * TILE:
        return per_pixel * TILE * TILE + RESULT_ELEMENTS * pixels
    return per_pixel * pixels


def main_memory(parts: Iterable[PartSize], dtype_bytes: int, plan: MemoryPlan, *, is_cpu: bool) -> int:
    """Bytes of main memory that a plan needs beside the device's.

    Weights that wait for their turn wait there. Those that wait on the disk (without a graphics card) must be in
    memory once, unless the files have them as they are used: then they are not read before they are needed.
    """
    if plan is MemoryPlan.RESIDENT:
        return 0
    sizes = [(part, weight_bytes(part, dtype_bytes)) for part in parts]
    return sum(size for part, size in sizes if not is_cpu or size > part.bytes)


def choose_plan(
    parts: Sequence[PartSize],
    size: tuple[int, int],
    dtype_bytes: int,
    free_device: int,
    free_ram: int,
    *,
    is_cpu: bool,
    plan: MemoryPlan | None = None,
) -> Choice:
    """The fastest way that fits; where none does, the smallest one, and `Verdict.TOO_LARGE`.

    ``size`` is width and height in pixels, ``free_device`` and ``free_ram`` bytes; without a graphics card both are the
    same memory. ``plan`` is the user's own choice: then only tiles are left to choose.
    """
    plans = (plan,) if plan else plans_for(is_cpu=is_cpu)
    choices = [_judge(parts, size, dtype_bytes, MemoryUse(each, tiled)) for each in plans for tiled in (False, True)]
    for choice in choices:
        waiting = main_memory(parts, dtype_bytes, choice.plan, is_cpu=is_cpu)
        if choice.peak_bytes * SPARE <= free_device and waiting * SPARE <= free_ram:
            return choice
    smallest = min(choices, key=lambda choice: choice.peak_bytes)
    return Choice(smallest.use, smallest.peak_bytes, Verdict.TOO_LARGE)


def _judge(parts: Sequence[PartSize], size: tuple[int, int], dtype_bytes: int, use: MemoryUse) -> Choice:
    peak = estimate(parts, *size, dtype_bytes, use.plan, is_tiled=use.is_tiled)
    return Choice(use, peak, Verdict.FITS if use.plan is MemoryPlan.RESIDENT else Verdict.WITH_OFFLOAD)
