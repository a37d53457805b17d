"""What a .safetensors file is that is no checkpoint of Stable Diffusion, told by the names of its tensors."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_NO_CHECKPOINT = "The file is not a checkpoint"
_PART = "The file is not a whole checkpoint"
_OTHER = "This kind of single-file checkpoint is not supported"


@dataclass(frozen=True)
class OtherFile:
    """A title for the user, what the file is, and what can be done with it, or empty."""

    title: str
    reason: str
    hint: str = ""


_AS_ADAPTER = "Use it as an adapter: drop it on the main window, or give it by --adapter."
_ADAPTERS = ("a LoRA", "an IP-Adapter", "an embedding (textual inversion)")

_TABLE = (
    (
        _NO_CHECKPOINT,
        "a LoRA",
        r"^lora_|\.lora_?[AB]\.|lora[._](up|down)\.|\.hada_w|\.lokr_w|_lora\.|\.lora_linear_layer",
    ),
    (_NO_CHECKPOINT, "a ControlNet", r"^control_model\.|^controlnet_|(^|\.)input_hint_block\."),
    (_NO_CHECKPOINT, "an IP-Adapter", r"^(image_proj|ip_adapter)\."),
    (_NO_CHECKPOINT, "a motion module of AnimateDiff", r"\bmotion_modules\."),
    (_NO_CHECKPOINT, "an enlarger of pictures", r"^(model\.\d+\.|model\.1\.sub\.|conv_first\.|body\.\d+\.rdb)"),
    (_NO_CHECKPOINT, "a T2I-Adapter", r"^(adapter\.)?body\.\d+\."),
    (_NO_CHECKPOINT, "an embedding (textual inversion)", r"^(emb_params|string_to_param\b.*|clip_[lg]|<[^>]*>)$"),
    (_OTHER, "a checkpoint of HunyuanVideo", r"\btxt_in\.individual_token_refiner\."),
    (_OTHER, "a checkpoint of Chroma", r"\bdistilled_guidance_layer\."),
    (_OTHER, "a checkpoint of Flux 2", r"\b(double|single)_stream_modulation"),
    (_OTHER, "a checkpoint of Flux", r"\b(double|single)_blocks\.\d|\bsingle_transformer_blocks\."),
    (_OTHER, "a checkpoint of Stable Diffusion 3", r"\bjoint_blocks\.\d"),
    (_OTHER, "a checkpoint of Z-Image or Lumina", r"\b(noise|context)_refiner\."),
    (_OTHER, "a checkpoint of Qwen-Image", r"\btransformer_blocks\.\d+\.(img|txt)_mlp\."),
    (_OTHER, "a checkpoint of AuraFlow", r"\bdouble_layers\."),
    (_OTHER, "a checkpoint of LTX-Video", r"\bpatchify_proj\.|\bscale_shift_table\b"),
    (_OTHER, "a checkpoint of Wan", r"\bblocks\.\d+\.cross_attn\.|\bhead\.modulation\b"),
    (_OTHER, "a checkpoint of Stable Cascade", r"\bclip_txt_mapper\.|\bchannelwise\.\d"),
    (_OTHER, "a checkpoint of DeepFloyd or another that is not known", r"^model\.diffusion_model\."),
    (_PART, "the denoiser alone, without VAE and text encoder", r"^(input_blocks|down_blocks|up_blocks|model_ema)\b"),
    (_PART, "a VAE alone", r"^(first_stage_model\.|vae\.)?(encoder|decoder)\.(conv_in|down|up|mid)"),
    (
        _PART,
        "a text encoder alone",
        r"^(cond_stage_model|conditioner|text_model|transformer\.resblocks|text_encoders)\b",
    ),
)
"""Title, what it is, and the names by which it is known; the first that fits counts."""


def what_else(names: Iterable[str]) -> OtherFile | None:
    """What a file with these tensors is; None where that is not known either."""
    names = list(names)
    if not names:
        return OtherFile(_NO_CHECKPOINT, "it is empty")
    for title, what, pattern in _TABLE:
        if any(re.search(pattern, name) for name in names):
            return OtherFile(title, f"it seems to be {what}", _AS_ADAPTER if what in _ADAPTERS else "")
    return None
