"""The arguments with which a pipeline runs a stage, by its family's table."""

from __future__ import annotations

from typing import Any

from desktop_app.core.families import Family
from desktop_app.core.request import Stage, StageKind


def run_kind(family: Family, kind: StageKind) -> StageKind:
    """The kind of pipeline that runs a stage of ``kind``: where none paints inside a mask, the whole picture is painted
    anew, and only the masked part of it is used.
    """
    if kind is StageKind.INPAINT and kind not in family.pipelines:
        return StageKind.IMAGE_TO_IMAGE
    return kind


def arguments(family: Family, stage: Stage, image: Any, size: tuple[int, int], mask: Any = None) -> dict[str, Any]:
    """Keyword arguments of the pipeline for ``stage``; ``image`` is RGB at ``size`` (width, height in pixels), or
    latents for it; ``mask`` is what an INPAINT paints of it, 255.
    """
    kind = run_kind(family, stage.kind)
    values = _taken(family, stage)
    if kind is StageKind.TEXT_TO_IMAGE:
        values.pop(family.keywords.get("strength", ""), None)
    else:
        values["image"] = image
    if kind is StageKind.INPAINT:
        values["mask_image"] = mask
    if kind in family.sized:
        names = ("height", "width") if kind in family.swapped else ("width", "height")
        values |= zip(names, size, strict=True)
    if family.takes_original_size and stage.original_width and stage.original_height:
        values["original_size"] = (stage.original_height, stage.original_width)
    return values


def with_embeddings(values: dict[str, Any], embeddings: dict[str, Any]) -> dict[str, Any]:
    """``values`` with ``embeddings`` in the place of the prompts, where there are any."""
    if not embeddings:
        return values
    return {name: value for name, value in values.items() if name not in ("prompt", "negative_prompt")} | embeddings


def prior_arguments(family: Family, stage: Stage) -> dict[str, Any]:
    """Keyword arguments of the prior's pipeline; ``family`` is the prior's."""
    return _taken(family, stage)


def _taken(family: Family, stage: Stage) -> dict[str, Any]:
    values = {keyword: getattr(stage, name) for name, keyword in family.keywords.items()}
    if "negative_prompt" in family.keywords:
        values[family.keywords["negative_prompt"]] = stage.negative_prompt or None
    return values


def unread_text(pipeline: Any, family: Family, text: str) -> str:
    """The end of ``text`` that the checkpoint does not read, or empty; by the tokenizer of the encoder that reads most,
    which comes first in the family's row.
    """
    if family.takes_weights:
        return ""
    tokenizer = getattr(pipeline, family.tokenizers[0], None) if family.tokenizers else None
    limit = family.max_tokens or getattr(tokenizer, "model_max_length", 0)
    if tokenizer is None or not limit:
        return ""
    ids = tokenizer(text, truncation=False, add_special_tokens=False).input_ids
    room = limit - tokenizer.num_special_tokens_to_add()
    return str(tokenizer.decode(ids[room:])).strip() if len(ids) > room else ""
