"""Tiny adapters with random weights for tiny checkpoints, as programs that train them write them."""

from __future__ import annotations

import json
from pathlib import Path

LORA_FORMATS = ("diffusers", "kohya", "old")

_UNET_TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj"]
_TEXT_TARGETS = ["q_proj", "k_proj", "v_proj", "out_proj"]
_TEXT_PREFIX = {"text_encoder": "lora_te_", "text_encoder_2": "lora_te2_"}


def write_lora(
    pipeline, path: Path, *, form: str = "diffusers", seed: int = 0, rank: int = 4, text: bool = True, **metadata: str
) -> Path:
    """A LoRA for the denoiser of ``pipeline``, and with ``text`` for its text encoders, in the file ``path``.

    ``form``: as diffusers writes them; as kohya's scripts do; or with names of text encoders as they once were.
    """
    from safetensors.torch import save_file

    layers = _make_layers(pipeline, seed, rank, text=text)
    is_xl = hasattr(pipeline, "text_encoder_2")
    tensors = {}
    for part, name, down, up in layers:
        if form == "kohya":
            stem = _kohya_name(part, name, is_xl=is_xl)
            tensors |= {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}
            tensors[f"{stem}.alpha"] = down.new_tensor(float(rank))
        elif form == "old" and part.startswith("text_encoder"):
            stem = f"{part}.text_model.{name.removeprefix('text_model.')}.lora_linear_layer"
            tensors |= {f"{stem}.down.weight": down, f"{stem}.up.weight": up}
        elif form == "old":
            tensors |= {f"{part}.{name}.lora.down.weight": down, f"{part}.{name}.lora.up.weight": up}
        else:
            tensors |= {f"{part}.{name}.lora_A.weight": down, f"{part}.{name}.lora_B.weight": up}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata=metadata or None)
    return path


def _make_layers(pipeline, seed: int, rank: int, *, text: bool):
    """Part, name of the layer, and its two halves: (rank, width it reads) and (width it writes, rank)."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    targets = {"unet": _UNET_TARGETS, "transformer": _UNET_TARGETS}
    if text:
        targets |= {"text_encoder": _TEXT_TARGETS, "text_encoder_2": _TEXT_TARGETS}
    for part, ends in targets.items():
        model = getattr(pipeline, part, None)
        for name, module in model.named_modules() if model is not None else ():
            if isinstance(module, torch.nn.Linear) and name.endswith(tuple(f".{end}" for end in ends)):
                down = torch.randn(rank, module.in_features, generator=generator) * 0.3
                yield part, name, down, torch.randn(module.out_features, rank, generator=generator) * 0.3


def _kohya_name(part: str, name: str, *, is_xl: bool) -> str:
    if part == "unet":
        return f"lora_unet_{name.replace('.', '_')}"
    prefix = "lora_te1_" if is_xl and part == "text_encoder" else _TEXT_PREFIX[part]
    return f"{prefix}text_model_{name.removeprefix('text_model.').replace('.', '_')}"


def training_metadata() -> dict[str, str]:
    """What kohya's scripts write down of the training pictures."""
    tags = {"10_sks dog": {"sks dog": 20, "grass": 4, "outdoors": 3}}
    return {"ss_tag_frequency": json.dumps(tags), "ss_output_name": "My dog", "ss_base_model_version": "sd_v1"}


def write_textual_inversion(
    path: Path, widths: tuple[int, ...] = (32,), *, name: str = "<sks>", vectors: int = 1
) -> Path:
    """A word of ``vectors`` for an encoder of one width; or for the two of Stable Diffusion XL. ``name`` is that of the
    tensor: the word itself, or emb_params.
    """
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    names = ("clip_l", "clip_g") if len(widths) == 2 else (name,)
    tensors = {
        each: torch.randn(vectors, width, generator=generator) for each, width in zip(names, widths, strict=True)
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    return path


def write_ip_adapter(unet, path: Path, *, image_width: int = 24, is_plus: bool = False, encoder: bool = True) -> Path:
    """An IP-Adapter for ``unet``, and with ``encoder`` its image encoder in a folder beside it."""
    import torch
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(4)

    def weight(*shape: int):
        return torch.randn(*shape, generator=generator) * 0.2

    width = unet.config.cross_attention_dim
    tensors = _plus_projection(weight, width, image_width) if is_plus else _projection(weight, width, image_width)
    for number, name in enumerate(unet.attn_processors):
        if name.endswith("attn2.processor"):
            inner = unet.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
            tensors[f"ip_adapter.{number}.to_k_ip.weight"] = weight(inner, width)
            tensors[f"ip_adapter.{number}.to_v_ip.weight"] = weight(inner, width)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path)
    if encoder:
        write_image_encoder(path.parent / "image_encoder", image_width)
    return path


def write_image_encoder(folder: Path, width: int = 24) -> Path:
    """CLIP's part for pictures of 32 pixels, that tells of them in ``width`` numbers."""
    import torch
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(5)
    config = CLIPVisionConfig(
        hidden_size=width,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
        projection_dim=width,
    )
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder


def _projection(weight, width: int, image_width: int):
    return {
        "image_proj.proj.weight": weight(4 * width, image_width),
        "image_proj.proj.bias": weight(4 * width),
        "image_proj.norm.weight": weight(width) + 1,
        "image_proj.norm.bias": weight(width),
    }


def _plus_projection(weight, width: int, image_width: int):
    """A resampler of four layers with one head of 64, that finds 4 tokens."""
    inner = 64
    named = {
        "latents": weight(1, 4, inner),
        "proj_in.weight": weight(inner, image_width),
        "proj_in.bias": weight(inner),
        "proj_out.weight": weight(width, inner),
        "proj_out.bias": weight(width),
        "norm_out.weight": weight(width) + 1,
        "norm_out.bias": weight(width),
    }
    for layer in [f"layers.{number}" for number in range(4)]:
        named[f"{layer}.0.to_q.weight"] = weight(inner, inner)
        named[f"{layer}.0.to_kv.weight"] = weight(2 * inner, inner)
        named[f"{layer}.0.to_out.weight"] = weight(inner, inner)
        named[f"{layer}.1.1.weight"] = weight(4 * inner, inner)
        named[f"{layer}.1.3.weight"] = weight(inner, 4 * inner)
        for name in (f"{layer}.0.norm1", f"{layer}.0.norm2", f"{layer}.1.0"):
            named |= {f"{name}.weight": weight(inner) + 1, f"{name}.bias": weight(inner)}
    return {f"image_proj.{name}": tensor for name, tensor in named.items()}
