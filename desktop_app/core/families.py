"""Families: the architecture lines of checkpoints, in the one table that loading, requests, the command line and the
window's controls all read; and the lines that are known but not opened, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from desktop_app.core.errors import CheckpointError
from desktop_app.core.family import MARKS, ORIGINAL_SIZE, PRIOR_PARAMS, REFINER_PARAMS, USUAL_KEYWORDS, Family
from desktop_app.core.other_families import OTHER_FAMILIES
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.request import StageKind
from desktop_app.core.transformer_families import TRANSFORMER_FAMILIES

__all__ = [
    "FAMILIES",
    "KANDINSKY",
    "KANDINSKY_PRIOR",
    "MARKS",
    "ORIGINAL_SIZE",
    "PRIOR_PARAMS",
    "REFINER_PARAMS",
    "REFUSED",
    "SDXL",
    "SDXL_REFINER",
    "USUAL_KEYWORDS",
    "Family",
    "family_named",
    "family_of",
    "signed_parts",
    "unsupported",
]

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
        takes_weights=True,
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
        takes_weights=True,
    ),
    Family(
        SDXL_REFINER,
        _SDXL_CLASSES,
        {StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline"},
        text_encoders=("text_encoder_2",),
        keywords={**USUAL_KEYWORDS, **MARKS},
        takes_original_size=True,
        takes_weights=True,
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
        swapped=(StageKind.IMAGE_TO_IMAGE,),
        patch=8,  # its UNet halves the latents three times
        prior=KANDINSKY_PRIOR,
        prior_takes=("prompt", "negative_prompt"),
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
    *TRANSFORMER_FAMILIES,
    *OTHER_FAMILIES,
)
"""Where two have the same classes, the one whose text encoders are all named is meant."""


REFUSED: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            ("IFPipeline", "IFImg2ImgPipeline", "IFImg2ImgSuperResolutionPipeline", "IFSuperResolutionPipeline"),
            "DeepFloyd IF paints pictures of 64 pixels, which two more checkpoints have to enlarge.",
        ),
        **dict.fromkeys(
            (
                "KandinskyPipeline",
                "KandinskyImg2ImgPipeline",
                "KandinskyPriorPipeline",
                "KandinskyCombinedPipeline",
                "KandinskyImg2ImgCombinedPipeline",
            ),
            "Kandinsky 2.1 reads prompts with a text encoder of its own, which is not loaded here. Kandinsky 2.2, "
            "which came after it, is supported.",
        ),
        **dict.fromkeys(
            ("KandinskyV22CombinedPipeline", "KandinskyV22Img2ImgCombinedPipeline"),
            "It is Kandinsky 2.2 and its prior in one folder. Choose the two as they are published, in a folder each.",
        ),
        "QwenImageLayeredPipeline": "Qwen-Image Layered takes a picture apart into several layers, and paints none.",
        **dict.fromkeys(
            (
                "StableDiffusionControlNetPipeline",
                "StableDiffusionControlNetImg2ImgPipeline",
                "StableDiffusionControlNetPAGPipeline",
                "StableDiffusionXLControlNetPipeline",
                "StableDiffusionXLControlNetImg2ImgPipeline",
                "StableDiffusionXLControlNetPAGPipeline",
                "StableDiffusionXLControlNetPAGImg2ImgPipeline",
                "StableDiffusionXLControlNetUnionPipeline",
                "StableDiffusionXLControlNetUnionImg2ImgPipeline",
                "FluxControlNetPipeline",
                "FluxControlNetImg2ImgPipeline",
            ),
            "It is a ControlNet together with a checkpoint: it needs a control image beside the prompt. Choose the "
            "checkpoint without the ControlNet.",
        ),
        **dict.fromkeys(
            ("FluxControlPipeline", "FluxControlImg2ImgPipeline"),
            "It is Flux with control: it needs a control image, such as outlines or depth, beside the prompt. Choose "
            "plain Flux.",
        ),
    }
)
"""By pipeline class of diffusers, why checkpoints that name it are not opened, in sentences for the user."""


def family_of(index: Mapping[str, Any], configs: Mapping[str, Mapping[str, Any]] | None = None) -> Family | None:
    """The family of a ``model_index.json``, or None where it is not known here.

    ``configs`` are the configurations of those parts, by name, that `signed_parts` names; without them it is the first
    of the families that differ there only.
    """
    known = {**(configs or {}), "": index}
    candidates = [family for family in _candidates(index) if _has_sign(family, known)]
    named = [family for family in candidates if all(_is_named(index, part) for part in family.text_encoders)]
    return next(iter(named or candidates), None)


def signed_parts(index: Mapping[str, Any]) -> set[str]:
    """Parts whose configurations tell the families that ``model_index.json`` could mean from each other."""
    return {family.sign[0] for family in _candidates(index) if family.sign and family.sign[0]}


def family_named(label: str) -> Family | None:
    """The family with this label."""
    return next((family for family in FAMILIES if family.label == label), None)


def unsupported(name: str, class_name: str) -> CheckpointError:
    """The refusal of the checkpoint ``name`` whose pipeline class is not opened here, with the reason if one is
    known.
    """
    known = ", ".join(dict.fromkeys(family.label for family in FAMILIES))
    reason = REFUSED.get(class_name)
    detail = f"{name} is for {class_name}" + (f". {reason}" if reason else "")
    return CheckpointError("This family of checkpoints is not supported", detail, f"Supported are: {known}.")


def _candidates(index: Mapping[str, Any]) -> list[Family]:
    name = index.get("_class_name")
    return [family for family in FAMILIES if isinstance(name, str) and name in family.index_classes]


def _has_sign(family: Family, configs: Mapping[str, Mapping[str, Any]]) -> bool:
    if family.sign is None:
        return True
    part, key, value = family.sign
    return part in configs and configs[part].get(key) == value


def _is_named(index: Mapping[str, Any], part: str) -> bool:
    entry = index.get(part)
    return isinstance(entry, list) and entry != [None, None]
