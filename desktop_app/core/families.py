"""Families: the architecture lines of checkpoints that can be painted with, and what each consists of and can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from desktop_app.core.request import StageKind


@dataclass(frozen=True)
class Family:
    """``index_classes`` are the pipeline classes by which ``model_index.json`` names it; ``text_encoders`` its parts
    that read the prompt, each with a tokenizer of its own; ``kinds`` the stages that it can run.
    """

    label: str
    index_classes: frozenset[str]
    text_encoders: tuple[str, ...] = ("text_encoder",)
    kinds: tuple[StageKind, ...] = tuple(StageKind)

    @property
    def weighted(self) -> tuple[str, ...]:
        """Parts that must be there, with weights."""
        return ("unet", "vae", *self.text_encoders)

    @property
    def tokenizers(self) -> tuple[str, ...]:
        """The tokenizers' parts, in the order of the text encoders."""
        return tuple(name.replace("text_encoder", "tokenizer") for name in self.text_encoders)

    @property
    def required(self) -> tuple[str, ...]:
        """Parts that the index must name."""
        return ("scheduler", *self.tokenizers, *self.weighted)


_SDXL_CLASSES = frozenset({"StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline"})

FAMILIES = (
    Family("Stable Diffusion", frozenset({"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"})),
    Family("Stable Diffusion XL", _SDXL_CLASSES, ("text_encoder", "text_encoder_2")),
    Family("Stable Diffusion XL refiner", _SDXL_CLASSES, ("text_encoder_2",), (StageKind.IMAGE_TO_IMAGE,)),
)
"""Where two have the same classes, the one whose text encoders are all named is meant."""


def family_of(index: dict[str, Any]) -> Family | None:
    """The family of a ``model_index.json``, or None where it is not known here."""
    name = index.get("_class_name")
    candidates = [family for family in FAMILIES if isinstance(name, str) and name in family.index_classes]
    named = [family for family in candidates if all(_is_named(index, part) for part in family.text_encoders)]
    return next(iter(named or candidates), None)


def _is_named(index: dict[str, Any], part: str) -> bool:
    entry = index.get(part)
    return isinstance(entry, list) and entry != [None, None]
