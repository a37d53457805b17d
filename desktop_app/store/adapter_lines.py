"""For which families of checkpoints a LoRA can be, by the names and shapes of its layers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from desktop_app.core.families import SD, SDXL, SDXL_REFINER

FLUX, FLUX_2, KLEIN, SD3, QWEN, Z_IMAGE = (
    "Flux",
    "Flux 2",
    "Flux 2 Klein",
    "Stable Diffusion 3",
    "Qwen-Image",
    "Z-Image",
)
KOLORS = "Kolors"

_BLOCK = re.compile(r"(?:double_blocks|joint_blocks|(?<!single_)transformer_blocks)[._](\d+)")
_UNET = re.compile(
    r"(?:^|^unet\.|^lora_unet_|diffusion_model[._])"
    r"(?:down_blocks|mid_block|up_blocks|input_blocks|middle_block|output_blocks)[._]"
)
_JOINT = re.compile(
    r"add_[qkv]_proj|double_blocks[._]\d"
    r"|^(?:transformer|diffusion_model)\.transformer_blocks\.\d+\.attn\.to_[qkv]",
    re.MULTILINE,
)
_UNET_WIDTHS = {768: (SD,), 1024: (SD,), 1280: (SDXL_REFINER,), 2048: (SDXL, KOLORS)}
_HIDDEN = {3072: (FLUX, KLEIN, QWEN), 6144: (FLUX_2,), 4096: (KLEIN,), 1536: (SD3,), 2432: (SD3,)}
"""Numbers that a transformer keeps of each place of the picture, and the families that have one of that width."""

_READS = re.compile(
    r"(?:to_[qkv]|qkv|linear1|add_[qkv]_proj|to_qkv_mlp_proj)[._](?:lora_A|lora_down|lora\.down)(?:\.\w+)?\.weight$"
)
_MOST_BLOCKS = {FLUX: 19, FLUX_2: 8, KLEIN: 8, SD3: 38, QWEN: 60}
"""Blocks that read prompt and picture together, in the largest of the family."""

_NOT_KNOWN = "Its layers have names that are not known: whether it fits is seen when it is loaded."
_ANY_TEXT = "It changes the text encoder alone: whether it fits is seen when it is loaded."


def lines_of_lora(
    names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], width: int
) -> tuple[tuple[str, ...], str]:
    """Labels of the families that it can be for, whose denoiser reads ``width`` numbers of each token (0: not told);
    or none, and why, in one sentence.
    """
    if any(_UNET.search(name) for name in names):
        return _unet_lines(names, width), ""
    if lines := _transformer_lines(names, shapes):
        return lines, ""
    if any(name.startswith(("lora_te1_", "lora_te2_", "text_encoder_2.")) for name in names):
        return (SDXL,), ""
    if any(name.startswith(("lora_te_", "text_encoder.", "text_model.")) for name in names):
        return _UNET_WIDTHS.get(width, ()), "" if width in _UNET_WIDTHS else _ANY_TEXT
    return (), _NOT_KNOWN


def told_line(metadata: Mapping[str, str]) -> str:
    """The family that the file itself names; empty where it names none that is known."""
    told = metadata.get("modelspec.architecture", "").lower() or metadata.get("ss_base_model_version", "").lower()
    signs = (
        ("kolors", KOLORS),
        ("flux-2-klein", KLEIN),
        ("flux-2", FLUX_2),
        ("flux", FLUX),
        ("qwen", QWEN),
        ("z-image", Z_IMAGE),
        ("stable-diffusion-3", SD3),
        ("sd3", SD3),
        ("xl", SDXL),
        ("stable-diffusion-v", SD),
        ("sd_v", SD),
    )
    return next((line for sign, line in signs if sign in told), "")


def _unet_lines(names: Sequence[str], width: int) -> tuple[str, ...]:
    has_first = any(name.startswith(("lora_te1_", "lora_te_", "text_encoder.")) for name in names)
    has_second = any(name.startswith(("lora_te2_", "text_encoder_2.")) for name in names)
    if width in (768, 1024, 1280):
        return _UNET_WIDTHS[width]
    if has_second:
        return (SDXL,) if has_first or width == 2048 else (SDXL, SDXL_REFINER)
    text = "\n".join(names)
    if width == 2048 or re.search(r"transformer_blocks[._][1-9]", text):
        return (SDXL,) if has_first else (SDXL, KOLORS)
    if has_first or re.search(r"down_blocks[._]0[._]attentions|input_blocks[._][12][._]1", text):
        return (SD,)  # the first block of Stable Diffusion XL reads no words
    return SD, SDXL


def _transformer_lines(names: Sequence[str], shapes: Mapping[str, tuple[int, ...]]) -> tuple[str, ...]:
    text = "\n".join(names)
    if re.search(r"(?:noise_refiner|context_refiner)[._]|(?:^|[._])layers[._]\d+[._]attention[._]", text, re.MULTILINE):
        return (Z_IMAGE,)
    if re.search(r"(?:img|txt)_(?:mlp|mod)[._](?:net|1)", text):
        return (QWEN,)
    if re.search(r"to_qkv_mlp_proj|_stream_modulation|ff(?:_context)?[._]linear_(?:in|out)", text):
        return _of_width(names, shapes, (FLUX_2, KLEIN))
    if "joint_blocks" in text:
        return (SD3,)
    if re.search(r"single_transformer_blocks[._]\d", text):
        return (FLUX,)
    if re.search(r"(?:single|double)_blocks[._]\d", text):
        return _of_width(names, shapes, (FLUX, FLUX_2, KLEIN))
    if not _JOINT.search(text):
        return ()
    last = max((int(number) for number in _BLOCK.findall(text)), default=0)
    lines = _of_width(names, shapes, tuple(_MOST_BLOCKS))
    return tuple(line for line in lines if last < _MOST_BLOCKS[line])


def _of_width(names: Sequence[str], shapes: Mapping[str, tuple[int, ...]], lines: tuple[str, ...]) -> tuple[str, ...]:
    """Those of ``lines`` whose denoiser has the width that the layers of its attention read; all where none tells."""
    widths = {shapes[name][1] for name in names if _READS.search(name) and len(shapes[name]) > 1}
    known = {line for width in widths for line in _HIDDEN.get(width, ())}
    return tuple(line for line in lines if line in known) or lines
