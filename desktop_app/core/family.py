"""Family: an architecture line of checkpoints. What it consists of, which pipeline runs each kind of stage, and what it
takes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from desktop_app.core.conditions import AdapterKind
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.steps import effective_steps, snap_strength

USUAL_KEYWORDS: Mapping[str, str] = MappingProxyType(
    {
        "prompt": "prompt",
        "negative_prompt": "negative_prompt",
        "steps": "num_inference_steps",
        "guidance_scale": "guidance_scale",
        "strength": "strength",
    }
)
"""Fields of `Stage`, and the keywords by which diffusers' pipelines of most families take them."""

MARKS: Mapping[str, str] = MappingProxyType(
    {"aesthetic_score": "aesthetic_score", "negative_aesthetic_score": "negative_aesthetic_score"}
)
"""The same of the marks for beauty that some were trained with."""

NOT_LOADED = ("safety_checker", "feature_extractor", "image_encoder")
"""Parts that no stage uses, unless the family counts them among those with weights; without them a checkpoint is
smaller by half and nothing is blackened in silence.
"""

PRIOR_PARAMS = ("prior", "prior_steps", "prior_guidance_scale")
REFINER_PARAMS = ("refiner", "refiner_share", "refiner_strength")
ORIGINAL_SIZE = ("original_width", "original_height")

_REASONS = {
    **dict.fromkeys(PRIOR_PARAMS, "This checkpoint reads the prompt itself, without a prior."),
    **dict.fromkeys(REFINER_PARAMS, "There is no refiner for this family of checkpoints."),
    **dict.fromkeys(MARKS, "Only Stable Diffusion XL's refiner was trained with marks for beauty."),
    **dict.fromkeys(ORIGINAL_SIZE, "Only Stable Diffusion XL was trained with the sizes that pictures came from."),
    "negative_prompt": "This family of checkpoints takes no negative prompt.",
    "guidance_scale": "This family of checkpoints takes no guidance.",
    "strength": "This family of checkpoints takes no strength: it always runs all steps.",
    "steps": "This family of checkpoints takes no number of steps.",
    "scheduler": "This family of checkpoints runs with its own scheduler only.",
    "controls": "There are no control images for this family of checkpoints.",
    "adapters": "Adapters for this family of checkpoints cannot be used here.",
    "noise_level": "Only the upscaler x4 adds noise to the picture first.",
}
"""Why a field of `Params` has no place, where the family's own row does not say it."""


class Passes(Enum):
    """How many of the steps run on a picture at a strength below 1."""

    ROUNDED_DOWN = "steps * strength, rounded down, at least 1"
    ROUNDED_UP = "steps * strength, rounded up"
    ALL = "all"


@dataclass(frozen=True)
class Family:
    """``index_classes`` are the pipeline classes by which ``model_index.json`` names it; ``pipelines`` the class of
    diffusers that runs each kind of stage.

    ``text_encoders`` are its parts that read the prompt, each with a tokenizer of its own; ``denoiser`` and ``decoder``
    the parts that denoise latents and turn them into pixels, None where it has none; ``others`` more with weights,
    ``processors`` more without.

    ``keywords`` are the fields of `Stage` that it takes and how its pipelines call them; ``reasons`` says of a usual
    field that it does not take why not, in one sentence. ``sized`` are the kinds of stage whose pipeline is told the
    working size; of the others the init image has it.

    ``native_size`` is the side, in pixels, of the squares it was trained on, 0 where the denoiser's configuration says;
    ``patch`` the latents on a side that the denoiser takes as one; ``packing`` how many times a latent's channels its
    denoiser takes, 0 where that says nothing; ``max_tokens`` what it reads of a prompt, 0 where the
    text encoder's configuration says.

    ``prior`` is the label of the family of checkpoints that read the prompt for it, ``refiners`` those of the ones
    that can finish its pictures. ``takes_original_size`` where it was trained with the sizes that pictures came from;
    ``takes_weights`` where prompts may have weights and be of any length.
    ``prior_takes`` are the fields of `Params` that only the prior reads. ``schedulers`` are the names of those that its
    pipelines run with, all where it is empty. ``swapped`` are the kinds of stage whose pipeline in diffusers 0.42.1
    takes width for height.

    ``control_pipelines`` are the classes that run a kind of stage with control images; ``adapters`` the kinds of
    adapter that it takes. ``reads_controls`` where the checkpoint itself reads a control image, without any ControlNet,
    and always needs one. ``extra_schedulers`` are parts that the index names beside the scheduler.

    ``passes`` says how many steps run on a picture. ``sign`` tells it from another family of the same classes: a part,
    a key of that part's configuration, and the value there; the part is empty for ``model_index.json`` itself.
    """

    label: str
    index_classes: frozenset[str]
    pipelines: Mapping[StageKind, str]
    text_encoders: tuple[str, ...] = ("text_encoder",)
    denoiser: str | None = "unet"
    decoder: str | None = "vae"
    others: tuple[str, ...] = ()
    processors: tuple[str, ...] = ()
    keywords: Mapping[str, str] = field(default_factory=lambda: USUAL_KEYWORDS)
    reasons: Mapping[str, str] = field(default_factory=dict)
    sized: tuple[StageKind, ...] = (StageKind.TEXT_TO_IMAGE,)
    native_size: int = 0
    patch: int = 1
    packing: int = 1
    max_tokens: int = 0
    prior: str = ""
    refiners: tuple[str, ...] = ()
    takes_original_size: bool = False
    takes_weights: bool = False
    schedulers: tuple[str, ...] = ()
    prior_takes: tuple[str, ...] = ()
    swapped: tuple[StageKind, ...] = ()
    control_pipelines: Mapping[StageKind, str] = field(default_factory=dict)
    reads_controls: bool = False
    adapters: tuple[AdapterKind, ...] = ()
    extra_schedulers: tuple[str, ...] = ()
    passes: Passes = Passes.ROUNDED_DOWN
    sign: tuple[str, str, Any] | None = None

    def takes(self, param: str) -> bool:
        """Whether the field ``param`` of `Params` has any effect."""
        return not self.reason(param)

    def reason(self, param: str) -> str:
        """Why the field ``param`` of `Params` has no effect, in one sentence; empty where it has."""
        if param in self.reasons:
            return self.reasons[param]
        if param in PRIOR_PARAMS:
            has_place = bool(self.prior)
        elif param in REFINER_PARAMS:
            has_place = bool(self.refiners)
        elif param in ORIGINAL_SIZE:
            has_place = self.takes_original_size
        elif param == "scheduler":
            has_place = self.schedulers != (DEFAULT_SCHEDULER,)
        elif param == "controls":
            has_place = bool(self.control_pipelines) or self.reads_controls
        elif param == "adapters":
            has_place = bool(self.adapters)
        elif param in MARKS:
            has_place = param in self.keywords or bool(self.refiners)
        else:
            has_place = param in self.keywords or param not in _REASONS or param in self.prior_takes
        return "" if has_place else _REASONS[param]

    def effective_steps(self, kind: StageKind, steps: int, strength: float) -> int:
        """Denoising steps that a stage of ``kind`` runs of ``steps`` at ``strength``."""
        has_strength = kind in (StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT) and "strength" in self.keywords
        if not has_strength or self.passes is Passes.ALL:
            return steps
        if self.passes is Passes.ROUNDED_UP:
            return steps - int(max(steps - min(steps * strength, steps), 0))
        return effective_steps(steps, strength)

    def snap_strength(self, steps: int, strength: float) -> float:
        """The strength nearest to ``strength`` at which one step more or less of ``steps`` begins to run, never below
        one step; itself where all steps run at any.
        """
        if self.passes is Passes.ALL or "strength" not in self.keywords:
            return strength
        if self.passes is Passes.ROUNDED_DOWN:
            return snap_strength(steps, strength)
        wanted = min(max(round(steps * strength), 1), steps)
        snapped = wanted / steps
        while self.effective_steps(StageKind.IMAGE_TO_IMAGE, steps, snapped) > wanted:
            snapped = math.nextafter(snapped, 0.0)
        return snapped

    @property
    def kinds(self) -> tuple[StageKind, ...]:
        """The stages that it can run."""
        return tuple(kind for kind in self.pipelines if kind is not StageKind.EMBEDDING)

    @property
    def weighted(self) -> tuple[str, ...]:
        """Parts that must be there, with weights."""
        return (*filter(None, (self.denoiser, self.decoder)), *self.text_encoders, *self.others)

    @property
    def tokenizers(self) -> tuple[str, ...]:
        """The tokenizers' parts, in the order of the text encoders."""
        return tuple(name.replace("text_encoder", "tokenizer") for name in self.text_encoders)

    @property
    def required(self) -> tuple[str, ...]:
        """Parts that the index must name."""
        return ("scheduler", *self.extra_schedulers, *self.tokenizers, *self.processors, *self.weighted)
