"""Families with a UNet that are neither Stable Diffusion nor Kandinsky 2.2."""

from __future__ import annotations

from desktop_app.core.conditions import AdapterKind
from desktop_app.core.family import USUAL_KEYWORDS, Family, Passes
from desktop_app.core.params import DEFAULT_SCHEDULER
from desktop_app.core.request import StageKind

OTHER_FAMILIES = (
    Family(
        "Latent Consistency",
        frozenset({"LatentConsistencyModelPipeline", "LatentConsistencyModelImg2ImgPipeline"}),
        {
            StageKind.IMAGE_TO_IMAGE: "LatentConsistencyModelImg2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "LatentConsistencyModelPipeline",
        },
        keywords={name: keyword for name, keyword in USUAL_KEYWORDS.items() if name != "negative_prompt"},
        reasons={
            "negative_prompt": "Latent Consistency has its guidance built in and reads no negative prompt: say in the "
            "prompt what you want instead."
        },
        schedulers=(DEFAULT_SCHEDULER, "lcm"),
        adapters=(AdapterKind.LORA,),
        passes=Passes.ALL,
    ),
    Family(
        "Kandinsky 3",
        frozenset({"Kandinsky3Pipeline", "Kandinsky3Img2ImgPipeline"}),
        {
            StageKind.IMAGE_TO_IMAGE: "Kandinsky3Img2ImgPipeline",
            StageKind.TEXT_TO_IMAGE: "Kandinsky3Pipeline",
        },
        decoder="movq",
        native_size=1024,
        patch=8,  # its UNet halves the latents three times
        max_tokens=128,
        schedulers=(DEFAULT_SCHEDULER, "ddpm"),
    ),
    Family(
        "Kolors",
        frozenset({"KolorsPipeline", "KolorsImg2ImgPipeline", "KolorsPAGPipeline"}),
        {StageKind.IMAGE_TO_IMAGE: "KolorsImg2ImgPipeline", StageKind.TEXT_TO_IMAGE: "KolorsPipeline"},
        max_tokens=256,
    ),
)
