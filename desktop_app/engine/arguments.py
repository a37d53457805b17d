"""The arguments with which a pipeline runs a stage, by its family's table."""

from __future__ import annotations

from typing import Any

from PIL import Image

from desktop_app.core.families import Family
from desktop_app.core.request import Request, Stage, StageKind


def arguments(family: Family, request: Request, stage: Stage, image: Image.Image | None) -> dict[str, Any]:
    """Keyword arguments of the pipeline for ``stage``; ``image`` is RGB at the working size."""
    values = {keyword: getattr(stage, name) for name, keyword in family.keywords.items()}
    if stage.kind is StageKind.TEXT_TO_IMAGE:
        values.pop(family.keywords.get("strength", ""), None)
    else:
        values["image"] = image
    if "negative_prompt" in family.keywords:
        values[family.keywords["negative_prompt"]] = stage.negative_prompt or None
    if stage.kind in family.sized:
        values |= {"width": request.width, "height": request.height}
    return values


def unread_text(pipeline: Any, text: str) -> str:
    """The end of ``text`` that the checkpoint does not read, or empty."""
    tokenizer = pipeline.tokenizer or pipeline.tokenizer_2
    ids = tokenizer(text, truncation=False, add_special_tokens=False).input_ids
    room = tokenizer.model_max_length - 2
    return str(tokenizer.decode(ids[room:])).strip() if len(ids) > room else ""
