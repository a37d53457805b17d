"""Loads the parts of a single-file checkpoint, with configurations and a tokenizer that ship with the program.

The denoiser and the VAE are turned into diffusers' names by diffusers itself, the text encoders here. No connection is
tried, and no pickle is opened.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from desktop_app.store.single_file import UNET, VAE, Layout

_log = logging.getLogger(__name__)

_PREFIXES = {"unet": UNET, "vae": VAE}

_OPEN_CLIP_NAMES = {
    "token_embedding.weight": "embeddings.token_embedding.weight",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final.weight": "final_layer_norm.weight",
    "ln_final.bias": "final_layer_norm.bias",
}
_OPEN_CLIP_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.(.+)\.(\w+)")
_OPEN_CLIP_PARTS = {
    "attn.out_proj": "self_attn.out_proj",
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
"""OpenCLIP's names of a text encoder's weights (open_clip, transformer.py), and those of transformers."""


def load_components(path: Path, layout: Layout, dtype: Any) -> dict[str, Any]:
    """Everything that ``layout.pipeline`` takes, in number format ``dtype``, on the CPU; without safety checker.

    The weights are copied: the file may change or go afterwards. Raises ValueError where one is missing or does not
    fit, OSError, and safetensors' own errors.
    """
    index = json.loads((layout.folder / "model_index.json").read_bytes())
    components: dict[str, Any] = {}
    for name, value in index.items():
        if name in layout.tensors:
            components[name] = _load_part(path, layout, name, value[1], dtype)
        elif name.startswith("tokenizer"):
            components[name] = _load_tokenizer(layout, name) if value[0] else None
        elif not name.startswith("_") and name != "scheduler":
            components[name] = None if isinstance(value, list) else value
    is_velocity = _predicts_velocity(components["unet"]) if layout.is_assumed else layout.is_velocity
    components["scheduler"] = _load_scheduler(layout, index["scheduler"][1], is_velocity=is_velocity)
    if "StableDiffusionXL" not in layout.pipeline:
        components |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return components


def _load_part(path: Path, layout: Layout, part: str, class_name: str, dtype: Any) -> Any:
    weights = _read(path, layout.tensors[part], dtype)
    if part.startswith("text_encoder"):
        return _load_text_encoder(layout, part, class_name, weights, dtype)
    import diffusers
    from diffusers.loaders.single_file_utils import SingleFileComponentError

    named = {_PREFIXES[part] + name: weight for name, weight in weights.items()}
    try:
        loaded = getattr(diffusers, class_name).from_single_file(
            named, config=str(layout.folder), subfolder=part, local_files_only=True, dtype=dtype
        )
    except (KeyError, NotImplementedError, SingleFileComponentError) as e:  # the second: some are without content
        raise ValueError(f"{part} lacks weights") from e
    return loaded


def _read(path: Path, names: Mapping[str, str], dtype: Any) -> dict[str, Any]:
    from safetensors import safe_open

    with safe_open(path, framework="pt", device="cpu") as file:
        return {short: file.get_tensor(name).to(dtype, copy=True) for short, name in names.items()}


# Text encoders -----------------------------------------------------------------------------------


def _load_text_encoder(layout: Layout, part: str, class_name: str, weights: dict[str, Any], dtype: Any) -> Any:
    """Missing weights would be filled with random ones by transformers, which only logs that."""
    import transformers

    loader = getattr(transformers, class_name)
    config = loader.config_class.from_pretrained(str(layout.folder / part), local_files_only=True)
    is_open_clip = "token_embedding.weight" in weights
    state = _from_open_clip(weights) if is_open_clip else _from_clip(weights)
    try:
        loaded, info = loader.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, dtype=dtype
        )
    except RuntimeError as e:
        raise ValueError(f"{part} does not fit: {e}") from e
    if info["missing_keys"]:
        raise ValueError(f"{part} lacks {min(info['missing_keys'])}")
    return loaded.eval()


def _from_clip(weights: dict[str, Any]) -> dict[str, Any]:
    """Old files have the names without ``text_model.``."""
    return {"text_model." + name.removeprefix("text_model."): weight for name, weight in weights.items()}


def _from_open_clip(weights: dict[str, Any]) -> dict[str, Any]:
    """Query, key and value are one tensor there, three of the same size here."""
    state = {}
    for name, weight in weights.items():
        layer = _OPEN_CLIP_LAYER.fullmatch(name)
        if name == "text_projection":
            state["text_projection.weight"] = weight.T.contiguous()
        elif name == "text_projection.weight":
            state[name] = weight
        elif name in _OPEN_CLIP_NAMES:
            state["text_model." + _OPEN_CLIP_NAMES[name]] = weight
        elif layer is not None:
            state |= _open_clip_layer(layer[1], layer[2], layer[3], weight)
    return state


def _open_clip_layer(number: str, place: str, kind: str, weight: Any) -> dict[str, Any]:
    start = f"text_model.encoder.layers.{number}."
    if place == "attn" and kind.startswith("in_proj_"):
        kind = kind.removeprefix("in_proj_")
        parts = zip("qkv", weight.chunk(3), strict=True)
        return {f"{start}self_attn.{letter}_proj.{kind}": part.clone() for letter, part in parts}
    return {f"{start}{_OPEN_CLIP_PARTS.get(place, place)}.{kind}": weight}


# Tokenizers and scheduler ------------------------------------------------------------------------


def _load_tokenizer(layout: Layout, part: str) -> Any:
    """CLIP's vocabulary, with the marks of this part."""
    import transformers

    config = json.loads((layout.folder / part / "tokenizer_config.json").read_bytes())
    loader = getattr(transformers, config.pop("tokenizer_class"))
    return loader.from_pretrained(str(layout.tokenizer), local_files_only=True, **config)


def _load_scheduler(layout: Layout, class_name: str, *, is_velocity: bool) -> Any:
    import diffusers

    config = json.loads((layout.folder / "scheduler" / "scheduler_config.json").read_bytes())
    config["prediction_type"] = "v_prediction" if is_velocity else "epsilon"
    if layout.is_zero_snr:
        config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return getattr(diffusers, class_name).from_config(config)


def _predicts_velocity(unet: Any) -> bool:
    """Whether the denoiser of a Stable Diffusion 2 does, found by one pass over grey latents at the noisiest step.

    What predicts noise gives about its input back there; what predicts velocity gives about minus the picture, far
    below it. AUTOMATIC1111's web UI tells them apart by the same measure (sd_models_config.py).
    """
    import torch

    width, channels = unet.config.cross_attention_dim, unet.config.in_channels
    grey = torch.full((1, channels, 8, 8), 0.5, dtype=unet.dtype)
    prompt = torch.full((1, 2, width), 0.5, dtype=unet.dtype)
    with torch.inference_mode():
        predicted = unet(grey, 999, encoder_hidden_states=prompt).sample
    is_velocity = bool((predicted - grey).float().mean() < -1)
    _log.info("The checkpoint predicts %s", "velocity" if is_velocity else "noise")
    return is_velocity
