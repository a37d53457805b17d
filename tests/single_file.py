"""Turns a tiny checkpoint in diffusers layout into one .safetensors file, in the layout of CompVis (Stable Diffusion 1
and 2) or of Stability AI's SGM (XL); and its configurations into a folder of layouts.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tiny import write_stable_diffusion, write_stable_diffusion_xl, write_tokenizer

NAMES = ("sd1", "sd1-inpainting", "sd2", "sd2-v", "sd2-inpainting", "sdxl", "sdxl-inpainting", "sdxl-refiner")
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {
    "self_attn.out_proj": "attn.out_proj",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


@dataclass(frozen=True)
class TinyFile:
    """One checkpoint in both layouts, and the configurations of the single file."""

    name: str
    folder: Path
    file: Path
    layouts: Path


def write_tiny_file(root: Path, name: str) -> TinyFile:
    """A tiny checkpoint of the layout ``name``, with random weights."""
    folder = root / name
    if name.startswith("sdxl"):
        write_stable_diffusion_xl(folder, is_refiner=name == "sdxl-refiner")
    else:
        write_stable_diffusion(folder, safety_checker=False)
    if name.startswith("sd2"):
        change_unet(folder, use_linear_projection=True, attention_head_dim=[4, 8])
    if name.endswith("-inpainting"):
        change_unet(folder, in_channels=9)
        index = json.loads((folder / "model_index.json").read_text())
        index["_class_name"] = index["_class_name"].replace("Pipeline", "InpaintPipeline")
        (folder / "model_index.json").write_text(json.dumps(index))
    layouts = write_layout(folder, root / "layouts", name)
    file = root / ("v2-1_768-tiny.safetensors" if name == "sd2-v" else "tiny-512.safetensors")
    return TinyFile(name, folder, write_single_file(folder, file, name), layouts)


def change_unet(folder: Path, **config) -> None:
    """Put another denoiser, with random weights, in the place of the one in ``folder``."""
    import torch
    from diffusers import UNet2DConditionModel

    known = json.loads((folder / "unet" / "config.json").read_text())
    torch.manual_seed(2)
    UNet2DConditionModel.from_config({**known, **config}).save_pretrained(folder / "unet")


def write_single_file(folder: Path, target: Path, name: str, **metadata: str) -> Path:
    """The checkpoint in ``folder`` as the one file ``target``, in the layout ``name``."""
    from safetensors.torch import load_file, save_file

    parts = [path.parent for path in folder.glob("*/*.safetensors")]
    weights = {part.name: load_file(next(part.glob("*.safetensors"))) for part in parts}
    configs = {part.name: json.loads((part / "config.json").read_text()) for part in parts}
    save_file(to_single_file(weights, configs, name), target, metadata={"format": "pt", **metadata})
    return target


def rewrite(file: Path, target: Path, drop: str = "", add: dict | None = None, **metadata: str) -> Path:
    """``file`` as ``target``, without the tensors whose names match the pattern ``drop``, and with more."""
    from safetensors.torch import load_file, save_file

    kept = {name: weight for name, weight in load_file(file).items() if not (drop and re.search(drop, name))}
    save_file({**kept, **(add or {})}, target, metadata={"format": "pt", **metadata})
    return target


def write_header(target: Path, shapes: dict[str, list[int]], number_format: str = "F32", item_bytes: int = 4) -> Path:
    """A file with tensors of these shapes and no content: the disk keeps nothing of them but their size."""
    header, end = {}, 0
    for name, shape in shapes.items():
        begin = end
        end += item_bytes * _product(shape)
        header[name] = {"dtype": number_format, "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with target.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return target


def _product(shape: list[int]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


def write_layout(folder: Path, layouts: Path, name: str) -> Path:
    """The configurations of ``folder`` as ``layouts/name``, and the tiny vocabulary; returns ``layouts``."""
    for config in folder.rglob("*.json"):
        place = config.relative_to(folder)
        if place.name in ("model_index.json", "config.json", "scheduler_config.json"):
            (layouts / name / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(config, layouts / name / place)
    write_tokenizer(layouts / "tokenizer")
    settings = layouts / "tokenizer" / "tokenizer_config.json"
    index = json.loads((folder / "model_index.json").read_text())
    for part in ("tokenizer", "tokenizer_2"):
        if index.get(part, [None])[0]:
            (layouts / name / part).mkdir(exist_ok=True)
            shutil.copy(settings, layouts / name / part)
    settings.unlink()
    for part in ("safety_checker", "feature_extractor"):
        shutil.rmtree(layouts / name / part, ignore_errors=True)
        index.pop(part, None)
    (layouts / name / "model_index.json").write_text(json.dumps(index))
    return layouts


def to_single_file(weights: dict[str, dict], configs: dict[str, dict], name: str) -> dict:
    """The weights of all parts by the names that they have in a single file."""
    found = {**to_unet(weights["unet"], configs["unet"]), **to_vae(weights["vae"], configs["vae"])}
    if name.startswith("sdxl-refiner"):
        return found | to_open_clip(weights["text_encoder_2"], "conditioner.embedders.0.model.")
    if name.startswith("sdxl"):
        found |= to_clip(weights["text_encoder"], "conditioner.embedders.0.transformer.text_model.")
        return found | to_open_clip(weights["text_encoder_2"], "conditioner.embedders.1.model.")
    if name.startswith("sd2"):
        return found | to_open_clip(weights["text_encoder"], "cond_stage_model.model.")
    return found | to_clip(weights["text_encoder"], "cond_stage_model.transformer.text_model.")


def to_unet(weights: dict, config: dict) -> dict:
    places = _unet_places(config)
    found = {}
    for key, weight in weights.items():
        place = max((place for place in places if key.startswith(place + ".")), key=len)
        rest = key[len(place) :]
        if ".resnets." in place:
            rest = _rename(rest, RESNET)
        found["model.diffusion_model." + places[place] + rest] = weight
    return found


def _unet_places(config: dict) -> dict[str, str]:
    """Where each of its blocks is in a single file: all blocks there are in one row."""
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    places = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for level in range(levels):
        for layer in range(layers + 1):
            down, up = 1 + level * (layers + 1) + layer, level * (layers + 1) + layer
            places[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{down}.0"
            places[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{down}.1"
            places[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{up}.0"
            places[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{up}.1"
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        last = 2 if "CrossAttn" in config["up_block_types"][level] else 1
        places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{level * (layers + 1) + layers}.{last}.conv"
    return places


def to_vae(weights: dict, config: dict) -> dict:
    levels = len(config["block_out_channels"])
    found = {}
    for key, weight in weights.items():
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", key)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0\.", r"down.\1.downsample.", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{levels - 1 - int(m[1])}.block.", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0\.", lambda m: f"up.{levels - 1 - int(m[1])}.upsample.", name)
        name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
        if "mid_block.attentions.0." in name:
            name = _rename(name.replace("mid_block.attentions.0", "mid.attn_1"), ATTENTION)
            weight = weight[:, :, None, None] if weight.ndim == 2 else weight
        name = name.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        found["first_stage_model." + name] = weight.contiguous()
    return found


def to_clip(weights: dict, prefix: str) -> dict:
    return {prefix + key.removeprefix("text_model."): weight for key, weight in weights.items()}


def to_open_clip(weights: dict, prefix: str) -> dict:
    import torch

    found = {key.removeprefix("text_model."): weight for key, weight in weights.items()}
    named = {
        "token_embedding.weight": found["embeddings.token_embedding.weight"],
        "positional_embedding": found["embeddings.position_embedding.weight"],
        "ln_final.weight": found["final_layer_norm.weight"],
        "ln_final.bias": found["final_layer_norm.bias"],
        "logit_scale": torch.tensor(4.6),
    }
    if "text_projection.weight" in found:
        named["text_projection"] = found["text_projection.weight"].T.contiguous()
    for key, weight in found.items():
        layer = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", key)
        if layer and layer[2].endswith("q_proj"):
            trio = [found[key.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
            named[f"transformer.resblocks.{layer[1]}.attn.in_proj_{layer[3]}"] = torch.cat(trio)
        elif layer and layer[2] in OPEN_CLIP:
            named[f"transformer.resblocks.{layer[1]}.{OPEN_CLIP[layer[2]]}.{layer[3]}"] = weight
    return {prefix + name: weight for name, weight in named.items()}


def _rename(name: str, table: dict[str, str]) -> str:
    for old, new in table.items():
        name = name.replace(f".{old}.", f".{new}.")
    return name
