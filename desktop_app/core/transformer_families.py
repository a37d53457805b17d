"""Families whose denoiser is a transformer that follows a straight flow from noise to picture."""

from __future__ import annotations

from typing import Any

from desktop_app.core.conditions import AdapterKind
from desktop_app.core.family import USUAL_KEYWORDS, Family, Passes
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER

_BOTH = (StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE)
_NO_NEGATIVE = "{} has its guidance built in and reads no negative prompt: say in the prompt what you want instead."
_NO_STRENGTH = "{} changes the picture as the prompt tells it, and always runs all steps: there is no strength."
_DISTILLED = "{} was trained to paint in a few steps without guidance."
_OWN_SCHEDULER = "{} follows a straight flow from noise to picture, which its own scheduler knows and others do not."


def _why(label: str, **more: str) -> dict[str, str]:
    """The reasons of a family, with its name put in."""
    return {name: text.format(label) for name, text in {"scheduler": _OWN_SCHEDULER, **more}.items()}


def _takes(*left_out: str, **renamed: str) -> dict[str, str]:
    """The usual keywords but for some."""
    return {name: keyword for name, keyword in {**USUAL_KEYWORDS, **renamed}.items() if name not in left_out}


def _both(image_to_image: str, text_to_image: str, inpaint: str = "") -> dict[StageKind, str]:
    both = {StageKind.IMAGE_TO_IMAGE: image_to_image, StageKind.TEXT_TO_IMAGE: text_to_image}
    return {**both, StageKind.INPAINT: inpaint} if inpaint else both


_FLOW: dict[str, Any] = {
    "adapters": (AdapterKind.LORA,),
    "denoiser": "transformer",
    "sized": (*_BOTH, StageKind.INPAINT),
    "native_size": 1024,
    "schedulers": (DEFAULT_SCHEDULER,),
    "passes": Passes.ROUNDED_UP,
}

_SD3_CLASSES = frozenset(
    {
        "StableDiffusion3Pipeline",
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3PAGPipeline",
        "StableDiffusion3PAGImg2ImgPipeline",
    }
)
_SD3 = {
    **_FLOW,
    "pipelines": _both(
        "StableDiffusion3Img2ImgPipeline", "StableDiffusion3Pipeline", "StableDiffusion3InpaintPipeline"
    ),
    "native_size": 0,
    "patch": 2,
}

_FLUX_CLASSES = frozenset({"FluxPipeline", "FluxImg2ImgPipeline"})
_FLUX = {
    **_FLOW,
    "pipelines": _both("FluxImg2ImgPipeline", "FluxPipeline", "FluxInpaintPipeline"),
    "text_encoders": ("text_encoder_2", "text_encoder"),
    "patch": 2,
    "packing": 4,
    "max_tokens": 512,
}

_FLUX_2 = {**_FLOW, "patch": 2, "packing": 4, "passes": Passes.ALL}
_KLEIN = {
    **_FLUX_2,
    "index_classes": frozenset({"Flux2KleinPipeline"}),
    "pipelines": _both("Flux2KleinPipeline", "Flux2KleinPipeline"),
    "max_tokens": 500,  # 512, with 12 of the chat around the prompt
}

_QWEN = {**_FLOW, "patch": 2, "packing": 4}
_QWEN_EDIT = {
    **_QWEN,
    "keywords": _takes("strength", guidance_scale="true_cfg_scale"),
    "processors": ("processor",),
    "max_tokens": 128000,  # what its text encoder reads; the pipeline cuts nothing
    "passes": Passes.ALL,
}

TRANSFORMER_FAMILIES = (
    Family(
        "Stable Diffusion 3",
        _SD3_CLASSES,
        text_encoders=("text_encoder_3", "text_encoder", "text_encoder_2"),
        reasons=_why("Stable Diffusion 3"),
        max_tokens=256,
        **_SD3,
    ),
    Family(
        "Stable Diffusion 3",  # without the largest of its text encoders, which may be left out
        _SD3_CLASSES,
        text_encoders=("text_encoder", "text_encoder_2"),
        reasons=_why("Stable Diffusion 3"),
        **_SD3,
    ),
    Family(
        "Flux Schnell",
        _FLUX_CLASSES,
        keywords=_takes("negative_prompt", "guidance_scale"),
        reasons=_why("Flux Schnell", negative_prompt=_NO_NEGATIVE, guidance_scale=_DISTILLED),
        sign=("transformer", "guidance_embeds", False),
        **_FLUX,
    ),
    Family(
        "Flux",
        _FLUX_CLASSES,
        keywords=_takes("negative_prompt"),
        reasons=_why("Flux", negative_prompt=_NO_NEGATIVE),
        **_FLUX,
    ),
    Family(
        "Flux Kontext",
        frozenset({"FluxKontextPipeline"}),
        keywords=_takes("negative_prompt", "strength"),
        reasons=_why("Flux Kontext", negative_prompt=_NO_NEGATIVE, strength=_NO_STRENGTH),
        **{**_FLUX, "pipelines": _both("FluxKontextPipeline", "FluxKontextPipeline"), "passes": Passes.ALL},
    ),
    Family(
        "Flux 2",
        frozenset({"Flux2Pipeline"}),
        _both("Flux2Pipeline", "Flux2Pipeline"),
        keywords=_takes("negative_prompt", "strength"),
        reasons=_why("Flux 2", negative_prompt=_NO_NEGATIVE, strength=_NO_STRENGTH),
        max_tokens=472,  # 512, with some 40 of what its chat begins with
        **_FLUX_2,
    ),
    Family(
        "Flux 2 Klein",
        keywords=_takes("negative_prompt", "strength", "guidance_scale"),
        reasons=_why("Flux 2 Klein", negative_prompt=_NO_NEGATIVE, strength=_NO_STRENGTH, guidance_scale=_DISTILLED),
        sign=("", "is_distilled", True),
        **_KLEIN,
    ),
    Family(
        "Flux 2 Klein Base",
        keywords=_takes("negative_prompt", "strength"),
        reasons=_why(
            "Flux 2 Klein Base",
            negative_prompt="Flux 2 Klein Base is guided away from an empty prompt, and from no other.",
            strength=_NO_STRENGTH,
        ),
        **_KLEIN,
    ),
    Family(
        "Qwen-Image",
        frozenset({"QwenImagePipeline", "QwenImageImg2ImgPipeline"}),
        _both("QwenImageImg2ImgPipeline", "QwenImagePipeline", "QwenImageInpaintPipeline"),
        keywords=_takes(guidance_scale="true_cfg_scale"),
        reasons=_why("Qwen-Image"),
        max_tokens=507,  # 512, with 5 of the chat after the prompt
        **_QWEN,
    ),
    Family(
        "Qwen-Image Edit",
        frozenset({"QwenImageEditPipeline"}),
        {StageKind.IMAGE_TO_IMAGE: "QwenImageEditPipeline"},
        reasons=_why("Qwen-Image Edit", strength=_NO_STRENGTH),
        **_QWEN_EDIT,
    ),
    Family(
        "Qwen-Image Edit Plus",
        frozenset({"QwenImageEditPlusPipeline"}),
        {StageKind.IMAGE_TO_IMAGE: "QwenImageEditPlusPipeline"},
        reasons=_why("Qwen-Image Edit Plus", strength=_NO_STRENGTH),
        **_QWEN_EDIT,
    ),
    Family(
        "Z-Image",
        frozenset({"ZImagePipeline", "ZImageImg2ImgPipeline"}),
        _both("ZImageImg2ImgPipeline", "ZImagePipeline", "ZImageInpaintPipeline"),
        reasons=_why("Z-Image"),
        patch=2,
        max_tokens=504,  # 512, with 8 of the chat around the prompt
        **_FLOW,
    ),
)
"""Of several text encoders the one that reads most of the prompt is first."""
