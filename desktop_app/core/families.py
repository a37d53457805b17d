"""Families: the architecture lines of checkpoints, in the one table that loading, requests, the command line and the
window's controls all read; and the lines that are known but not opened, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from desktop_app.core.conditions import AdapterKind
from desktop_app.core.errors import CheckpointError
from desktop_app.core.family import MARKS, ORIGINAL_SIZE, PRIOR_PARAMS, REFINER_PARAMS, USUAL_KEYWORDS, Family
from desktop_app.core.kinds import StageKind
from desktop_app.core.other_families import OTHER_FAMILIES
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.transformer_families import TRANSFORMER_FAMILIES

__all__ = [
    "FAMILIES",
    "KANDINSKY",
    "KANDINSKY_PRIOR",
    "LATENT_UPSCALER",
    "MARKS",
    "ORIGINAL_SIZE",
    "PRIOR_PARAMS",
    "REFINER_PARAMS",
    "REFUSED",
    "SD",
    "SDXL",
    "SDXL_REFINER",
    "UPSCALER",
    "USUAL_KEYWORDS",
    "Family",
    "family_named",
    "family_of",
    "signed_parts",
    "unsupported",
]

SD = "Stable Diffusion"
SDXL = "Stable Diffusion XL"
SDXL_REFINER = "Stable Diffusion XL refiner"
KANDINSKY = "Kandinsky 2.2"
KANDINSKY_PRIOR = "Kandinsky 2.2 prior"

_SD_CLASSES = frozenset(
    {
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "StableDiffusionPAGPipeline",
        "StableDiffusionPAGImg2ImgPipeline",
        "StableDiffusionPAGInpaintPipeline",
    }
)
_SD_INPAINT = {StageKind.INPAINT: "StableDiffusionInpaintPipeline"}
_SD_CONTROL_INPAINT = {StageKind.INPAINT: "StableDiffusionControlNetInpaintPipeline"}

_SDXL_CLASSES = frozenset(
    {
        "StableDiffusionXLPipeline",
        "StableDiffusionXLImg2ImgPipeline",
        "StableDiffusionXLInpaintPipeline",
        "StableDiffusionXLPAGPipeline",
        "StableDiffusionXLPAGImg2ImgPipeline",
        "StableDiffusionXLPAGInpaintPipeline",
    }
)
_SDXL_INPAINT = {StageKind.INPAINT: "StableDiffusionXLInpaintPipeline"}

_SIZED = (StageKind.TEXT_TO_IMAGE, StageKind.INPAINT)
_ALL_ADAPTERS = tuple(AdapterKind)
_INPAINTING = ("unet", "in_channels", 9)
"""The picture without what is masked, and the mask, beside the latents."""

_DECODER_KEYWORDS = {name: USUAL_KEYWORDS[name] for name in ("steps", "guidance_scale", "strength")}
_KANDINSKY: dict[str, Any] = {
    "text_encoders": (),
    "decoder": "movq",
    "sized": (StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE),
    "patch": 8,  # its UNet halves the latents three times
    "prior": KANDINSKY_PRIOR,
    "prior_takes": ("prompt", "negative_prompt"),
    "schedulers": (DEFAULT_SCHEDULER, "ddpm", "ddim", "dpmpp_2m", "dpmpp_2m_karras", "dpmpp_2m_sde"),
}

_UPSCALER_KEYWORDS = {name: keyword for name, keyword in USUAL_KEYWORDS.items() if name != "strength"}
_NO_UPSCALER_STRENGTH = {"strength": "An upscaler always runs all steps: there is no strength."}
LATENT_UPSCALER = "Latent upscaler"
UPSCALER = "Upscaler x4"

FAMILIES = (
    Family(
        f"{SD} inpainting",
        _SD_CLASSES,
        _SD_INPAINT,
        sized=(StageKind.INPAINT,),
        takes_weights=True,
        control_pipelines=_SD_CONTROL_INPAINT,
        adapters=_ALL_ADAPTERS,
        sign=_INPAINTING,
    ),
    Family(
        SD,
        _SD_CLASSES,
        {
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionPipeline",
            **_SD_INPAINT,
        },
        sized=_SIZED,
        takes_weights=True,
        control_pipelines={
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionControlNetImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionControlNetPipeline",
            **_SD_CONTROL_INPAINT,
        },
        adapters=_ALL_ADAPTERS,
    ),
    Family(
        f"{SDXL} inpainting",
        _SDXL_CLASSES,
        _SDXL_INPAINT,
        text_encoders=("text_encoder", "text_encoder_2"),
        sized=(StageKind.INPAINT,),
        takes_original_size=True,
        takes_weights=True,
        adapters=_ALL_ADAPTERS,
        sign=_INPAINTING,
    ),
    Family(
        SDXL,
        _SDXL_CLASSES,
        {
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionXLPipeline",
            **_SDXL_INPAINT,
        },
        text_encoders=("text_encoder", "text_encoder_2"),
        sized=_SIZED,
        refiners=(SDXL, SDXL_REFINER),
        takes_original_size=True,
        takes_weights=True,
        control_pipelines={
            StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLControlNetImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "StableDiffusionXLControlNetPipeline",
            StageKind.INPAINT: "StableDiffusionXLControlNetInpaintPipeline",
        },
        adapters=_ALL_ADAPTERS,
    ),
    Family(
        SDXL_REFINER,
        _SDXL_CLASSES,
        {StageKind.IMAGE_TO_IMAGE: "StableDiffusionXLImg2ImgPipeline"},
        text_encoders=("text_encoder_2",),
        keywords={**USUAL_KEYWORDS, **MARKS},
        takes_original_size=True,
        takes_weights=True,
        adapters=(AdapterKind.LORA,),
    ),
    Family(
        KANDINSKY,
        frozenset({"KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline"}),
        {
            StageKind.IMAGE_TO_IMAGE: "KandinskyV22Img2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "KandinskyV22Pipeline",
        },
        keywords=_DECODER_KEYWORDS,
        swapped=(StageKind.IMAGE_TO_IMAGE,),
        **_KANDINSKY,
    ),
    Family(
        f"{KANDINSKY} inpainting",
        frozenset({"KandinskyV22InpaintPipeline"}),
        {StageKind.INPAINT: "KandinskyV22InpaintPipeline"},
        keywords={name: USUAL_KEYWORDS[name] for name in ("steps", "guidance_scale")},
        reasons={"strength": "Kandinsky 2.2 inpainting paints the masked part wholly anew: there is no strength."},
        **{**_KANDINSKY, "sized": (StageKind.INPAINT,)},
    ),
    Family(
        f"{KANDINSKY} depth",
        frozenset({"KandinskyV22ControlnetPipeline", "KandinskyV22ControlnetImg2ImgPipeline"}),
        {
            StageKind.IMAGE_TO_IMAGE: "KandinskyV22ControlnetImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "KandinskyV22ControlnetPipeline",
        },
        keywords=_DECODER_KEYWORDS,
        swapped=(StageKind.IMAGE_TO_IMAGE,),
        reads_controls=True,
        **_KANDINSKY,
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
    Family(
        LATENT_UPSCALER,
        frozenset({"StableDiffusionLatentUpscalePipeline"}),
        {StageKind.LATENT_UPSCALE: "StableDiffusionLatentUpscalePipeline"},
        keywords=_UPSCALER_KEYWORDS,
        reasons=_NO_UPSCALER_STRENGTH,
        sized=(),
        schedulers=(DEFAULT_SCHEDULER,),
    ),
    Family(
        UPSCALER,
        frozenset({"StableDiffusionUpscalePipeline"}),
        {StageKind.UPSCALE: "StableDiffusionUpscalePipeline"},
        keywords={**_UPSCALER_KEYWORDS, "noise_level": "noise_level"},
        reasons=_NO_UPSCALER_STRENGTH,
        sized=(),
        takes_weights=True,
        extra_schedulers=("low_res_scheduler",),
    ),
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
