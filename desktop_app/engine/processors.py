"""Processors: what makes of a prompt, and of a picture beside it, what a large language model reads.

Those of transformers ask for torchvision, even where no picture is read; these do with Pillow what the families here
need of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

PIXTRAL = "PixtralProcessor"
QWEN = "Qwen2VLProcessor"
OWN_PROCESSORS = (PIXTRAL, QWEN)


def load_processor(folder: Path, class_name: str) -> Any:
    """What stands for the processor ``class_name`` whose files are in ``folder``."""
    import transformers

    tokenizers = {PIXTRAL: transformers.PreTrainedTokenizerFast, QWEN: transformers.Qwen2Tokenizer}
    tokenizer = tokenizers[class_name].from_pretrained(str(folder), local_files_only=True)
    if class_name == PIXTRAL:  # the pipeline hands it a chat of words alone
        return tokenizer
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

    return QwenProcessor(Qwen2VLImageProcessorPil.from_pretrained(str(folder), local_files_only=True), tokenizer)


class QwenProcessor:
    """Reads prompts in which each picture has a place; as transformers' Qwen2VLProcessor does."""

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        self.image_processor = image_processor
        self.tokenizer = tokenizer

    def __call__(self, *, text: list[str], images: Any, padding: bool, return_tensors: str) -> Any:
        """Ids, their mask, pixels and grids, as tensors.

        ``images`` are pictures (Pillow), one or a list; a picture takes as many places of a text as it has patches,
        merged by squares of ``merge_size`` squared.
        """
        from transformers import BatchFeature

        pictures = self.image_processor(images=images, return_tensors=return_tensors)
        counts = iter(int(grid.prod()) // self.image_processor.merge_size**2 for grid in pictures["image_grid_thw"])
        filled = [_fill(each, counts) for each in text]
        return BatchFeature({**self.tokenizer(filled, padding=padding, return_tensors=return_tensors), **pictures})


_PLACE = "<|image_pad|>"


def _fill(text: str, counts: Any) -> str:
    """``text`` with the places of its pictures widened to ``counts``."""
    first, *rest = text.split(_PLACE)
    return first + "".join(_PLACE * next(counts) + part for part in rest)
