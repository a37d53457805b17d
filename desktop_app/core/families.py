"""Families: the architecture lines of checkpoints. What each consists of, which pipeline runs each kind of stage, and
what it takes: the one table that loading, requests, the command line and the window's controls all read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from desktop_app.core.request import StageKind

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


@dataclass(frozen=True)
class Family:
    """``index_classes`` are the pipeline classes by which ``model_index.json`` names it; ``pipelines`` the class of
    diffusers that runs each kind of stage.

    ``text_encoders`` are its parts that read the prompt, each with a tokenizer of its own; ``denoiser`` and ``decoder``
    the parts that denoise latents and turn them into pixels, None where it has none; ``others`` more with weights.

    ``keywords`` are the fields of `Stage` that it takes and how its pipelines call them; ``reasons`` says of a usual
    field that it does not take why not, in one sentence. ``sized`` are the kinds of stage whose pipeline is told the
    working size; of the others the init image has it.

    ``native_size`` is the side, in pixels, of the squares it was trained on, 0 where the denoiser's configuration says;
    ``patch`` the latents on a side that the denoiser takes as one; ``packing`` how many times a latent's channels its
    denoiser takes, 0 where that says nothing; ``max_tokens`` what it reads of a prompt, 0 where the
    text encoder's configuration says.
    """

    label: str
    index_classes: frozenset[str]
    pipelines: Mapping[StageKind, str]
    text_encoders: tuple[str, ...] = ("text_encoder",)
    denoiser: str | None = "unet"
    decoder: str | None = "vae"
    others: tuple[str, ...] = ()
    keywords: Mapping[str, str] = field(default_factory=lambda: USUAL_KEYWORDS)
    reasons: Mapping[str, str] = field(default_factory=dict)
    sized: tuple[StageKind, ...] = (StageKind.TEXT_TO_IMAGE,)
    native_size: int = 0
    patch: int = 1
    packing: int = 1
    max_tokens: int = 0

    @property
    def kinds(self) -> tuple[StageKind, ...]:
        """The stages that it can run."""
        return tuple(self.pipelines)

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
        return ("scheduler", *self.tokenizers, *self.weighted)


_SDXL_CLASSES = frozenset(
    {
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLPAGPipeline",
        "StableDiffusionXLPAGImg2ImgPipeline",
    }
)

FAMILIES = (
    Family(
        "Stable Diffusion",
        frozenset(
            {
                "StableDiffusionPipeline",
                "StableDiffusionImg2ImgPipeline",
                "StableDiffusionPAGPipeline",
                "StableDiffusionPAGImg2ImgPipeline",
            }
        ),
        {
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionPipeline",
        },
    ),
    Family(
        "Stable Diffusion XL",
        _SDXL_CLASSES,
        {
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionXLPipeline",
        },
        text_encoders=("text_encoder", "text_encoder_2"),
    ),
    Family(
        "Stable Diffusion XL refiner",
        _SDXL_CLASSES,
        {StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline"},
        text_encoders=("text_encoder_2",),
    ),
)
"""Where two have the same classes, the one whose text encoders are all named is meant."""


def family_of(index: Mapping[str, Any]) -> Family | None:
    """The family of a ``model_index.json``, or None where it is not known here."""
    name = index.get("_class_name")
    candidates = [family for family in FAMILIES if isinstance(name, str) and name in family.index_classes]
    named = [family for family in candidates if all(_is_named(index, part) for part in family.text_encoders)]
    return next(iter(named or candidates), None)


def family_named(label: str) -> Family | None:
    """The family with this label."""
    return next((family for family in FAMILIES if family.label == label), None)


def _is_named(index: Mapping[str, Any], part: str) -> bool:
    entry = index.get(part)
    return isinstance(entry, list) and entry != [None, None]
