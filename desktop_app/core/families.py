"""Families: the architecture lines of checkpoints. What each consists of, which pipeline runs each kind of stage, and
what it takes: the one table that loading, requests, the command line and the window's controls all read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from desktop_app.core.params import DEFAULT_SCHEDULER
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

MARKS: Mapping[str, str] = MappingProxyType(
    {"aesthetic_score": "aesthetic_score", "negative_aesthetic_score": "negative_aesthetic_score"}
)
"""The same of the marks for beauty that some were trained with."""

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
}
"""Why a field of `Params` has no place, where the family's own row does not say it."""


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

    ``prior`` is the label of the family of checkpoints that read the prompt for it, ``refiners`` those of the ones
    that can finish its pictures. ``takes_original_size`` where it was trained with the sizes that pictures came from.
    ``schedulers`` are the names of those that its pipelines run with, all where it is empty.
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
    prior: str = ""
    refiners: tuple[str, ...] = ()
    takes_original_size: bool = False
    schedulers: tuple[str, ...] = ()

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
        elif param in MARKS:
            has_place = param in self.keywords or bool(self.refiners)
        else:
            has_place = param in self.keywords or param not in _REASONS or self._prior_takes(param)
        return "" if has_place else _REASONS[param]

    def _prior_takes(self, param: str) -> bool:
        prior = family_named(self.prior) if self.prior else None
        return prior is not None and param in prior.keywords

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
        return ("scheduler", *self.tokenizers, *self.weighted)


SDXL = "Stable Diffusion XL"
SDXL_REFINER = "Stable Diffusion XL refiner"
KANDINSKY = "Kandinsky 2.2"
KANDINSKY_PRIOR = "Kandinsky 2.2 prior"

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
        SDXL,
        _SDXL_CLASSES,
        {
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionXLPipeline",
        },
        text_encoders=("text_encoder", "text_encoder_2"),
        refiners=(SDXL, SDXL_REFINER),
        takes_original_size=True,
    ),
    Family(
        SDXL_REFINER,
        _SDXL_CLASSES,
        {StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline"},
        text_encoders=("text_encoder_2",),
        keywords={**USUAL_KEYWORDS, **MARKS},
        takes_original_size=True,
    ),
    Family(
        KANDINSKY,
        frozenset({"KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline"}),
        {
            StageKind.IMAGE_TO_IMAGE: "KandinskyV22Img2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "KandinskyV22Pipeline",
        },
        text_encoders=(),
        decoder="movq",
        keywords={name: USUAL_KEYWORDS[name] for name in ("steps", "guidance_scale", "strength")},
        sized=(StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE),
        patch=8,  # its UNet halves the latents three times
        prior=KANDINSKY_PRIOR,
        schedulers=(DEFAULT_SCHEDULER, "ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde"),
    ),
    Family(
        KANDINSKY_PRIOR,
        frozenset({"KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline"}),
        {StageKind.EMBEDDING: "KandinskyV22PriorPipeline"},
        denoiser=None,
        decoder=None,
        others=("prior", "image_encoder"),
        keywords={
            "prompt": "prompt",
            "negative_prompt": "negative_prompt",
            "prior_steps": "num_inference_steps",
            "prior_guidance_scale": "guidance_scale",
        },
        schedulers=(DEFAULT_SCHEDULER,),
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
