"""Writes resources/layouts: what a single-file checkpoint does not carry, so that it can be loaded without a network.

Run it as ``python packaging/layouts.py open_clip_torch-3.3.0-py3-none-any.whl``, from the root of the source tree. The
configurations are those of the checkpoints' repositories in diffusers layout, as far as they say something; the
tokenizer is made from the list of byte pairs in that wheel (PyPI: open-clip-torch), and is checked to be, byte for
byte, the one that all these repositories have.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

LAYOUTS = Path(__file__).resolve().parent.parent / "resources" / "layouts"
PAIRS = "open_clip/bpe_simple_vocab_16e6.txt.gz"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
GIT_SHA1 = {
    "vocab.json": "469be27c5c010538f845f518c4f5e8574c78f7c8",
    "merges.txt": "76e821f1b6f0a9709293c3b6b51ed90980b3166b",
}
"""What git calls these two files in the repository of Stable Diffusion 1.5."""

CROSS, PLAIN = "CrossAttn{}Block2D", "{}Block2D"

NOISE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
}


def unet(attends: str, **config: Any) -> dict[str, Any]:
    """``attends``: x for each level from the finest on that reads the prompt, - for one that does not."""
    kinds = [CROSS if mark == "x" else PLAIN for mark in attends]
    usual = {
        "_class_name": "UNet2DConditionModel",
        "in_channels": 4,
        "out_channels": 4,
        "down_block_types": [kind.format("Down") for kind in kinds],
        "up_block_types": [kind.format("Up") for kind in reversed(kinds)],
        "layers_per_block": 2,
        "center_input_sample": False,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "act_fn": "silu",
        "downsample_padding": 1,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": 32,
    }
    return {**usual, **config}


def unet_xl(attends: str, time_ids: int, **config: Any) -> dict[str, Any]:
    """``time_ids``: how many numbers (sizes, crop, score) it takes beside the pooled prompt, 256 channels each."""
    usual = {
        "sample_size": 128,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 1280 + 256 * time_ids,
    }
    return unet(attends, **usual, **config)


def vae(sample_size: int, scaling_factor: float, **config: Any) -> dict[str, Any]:
    return {
        "_class_name": "AutoencoderKL",
        "act_fn": "silu",
        "block_out_channels": [128, 256, 512, 512],
        "down_block_types": ["DownEncoderBlock2D"] * 4,
        "up_block_types": ["UpDecoderBlock2D"] * 4,
        "in_channels": 3,
        "out_channels": 3,
        "latent_channels": 4,
        "layers_per_block": 2,
        "norm_num_groups": 32,
        "sample_size": sample_size,
        "scaling_factor": scaling_factor,
        **config,
    }


def text_encoder(name: str, width: int, layers: int, heads: int, projection: int, act: str) -> dict[str, Any]:
    return {
        "architectures": [name],
        "model_type": "clip_text_model",
        "vocab_size": 49408,
        "max_position_embeddings": 77,
        "hidden_size": width,
        "intermediate_size": 4 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "projection_dim": projection,
        "hidden_act": act,
        "layer_norm_eps": 1e-05,
        "attention_dropout": 0.0,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def tokenizer(pad: str) -> dict[str, Any]:
    return {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": BEGIN,
        "eos_token": END,
        "unk_token": END,
        "pad_token": pad,
    }


CLIP_L = text_encoder("CLIPTextModel", 768, 12, 12, 768, "quick_gelu")
CLIP_H = text_encoder("CLIPTextModel", 1024, 23, 16, 512, "gelu")
CLIP_G = text_encoder("CLIPTextModelWithProjection", 1280, 32, 20, 1280, "gelu")

PNDM = {"_class_name": "PNDMScheduler", **NOISE}
DDIM = {"_class_name": "DDIMScheduler", **NOISE}
VELOCITY = {**DDIM, "prediction_type": "v_prediction"}
EULER = {
    "_class_name": "EulerDiscreteScheduler",
    **NOISE,
    "interpolation_type": "linear",
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "timestep_spacing": "leading",
    "use_karras_sigmas": False,
}

WIDTHS = [320, 640, 1280, 1280]
HEADS = [5, 10, 20, 20]
ONE = unet("xxx-", sample_size=64, block_out_channels=WIDTHS, attention_head_dim=8, cross_attention_dim=768)
TWO = unet(
    "xxx-",
    sample_size=64,
    block_out_channels=WIDTHS,
    attention_head_dim=HEADS,
    cross_attention_dim=1024,
    use_linear_projection=True,
)
XL = unet_xl(
    "-xx",
    time_ids=6,
    block_out_channels=[320, 640, 1280],
    attention_head_dim=[5, 10, 20],
    transformer_layers_per_block=[1, 2, 10],
    cross_attention_dim=2048,
)
XL_REFINER = unet_xl(
    "-xx-",
    time_ids=5,
    block_out_channels=[384, 768, 1536, 1536],
    attention_head_dim=[6, 12, 24, 24],
    transformer_layers_per_block=4,
    cross_attention_dim=1280,
)
VAE = vae(512, 0.18215)
VAE_XL = vae(1024, 0.13025, force_upcast=True)


def layout(
    pipeline: str, denoiser: dict[str, Any], decoder: dict[str, Any], scheduler: dict[str, Any], **parts: Any
) -> dict[str, Any]:
    """Files by path. ``parts`` are text encoders and tokenizers; values that are not objects go into the index."""
    index: dict[str, Any] = {
        "_class_name": pipeline,
        "scheduler": ["diffusers", scheduler["_class_name"]],
        "unet": ["diffusers", denoiser["_class_name"]],
        "vae": ["diffusers", decoder["_class_name"]],
    }
    files = {"unet/config.json": denoiser, "vae/config.json": decoder, "scheduler/scheduler_config.json": scheduler}
    for part, config in parts.items():
        if not isinstance(config, dict):
            index[part] = config
        elif part.startswith("tokenizer"):
            index[part] = ["transformers", config["tokenizer_class"]]
            files[f"{part}/tokenizer_config.json"] = config
        else:
            index[part] = ["transformers", config["architectures"][0]]
            files[f"{part}/config.json"] = config
    return {"model_index.json": index, **files}


def one(pipeline: str, scheduler: dict[str, Any], **denoiser: Any) -> dict[str, Any]:
    return layout(pipeline, {**ONE, **denoiser}, VAE, scheduler, text_encoder=CLIP_L, tokenizer=tokenizer(END))


def two(pipeline: str, scheduler: dict[str, Any], **denoiser: Any) -> dict[str, Any]:
    return layout(pipeline, {**TWO, **denoiser}, VAE, scheduler, text_encoder=CLIP_H, tokenizer=tokenizer("!"))


def xl(pipeline: str, **denoiser: Any) -> dict[str, Any]:
    texts = {"text_encoder": CLIP_L, "text_encoder_2": CLIP_G}
    tokenizers = {"tokenizer": tokenizer(END), "tokenizer_2": tokenizer("!")}
    return layout(
        pipeline,
        {**XL, **denoiser},
        VAE_XL,
        EULER,
        **texts,
        **tokenizers,
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def xl_refiner() -> dict[str, Any]:
    parts = {"text_encoder": [None, None], "text_encoder_2": CLIP_G, "tokenizer": [None, None]}
    return layout(
        "StableDiffusionXLImg2ImgPipeline",
        XL_REFINER,
        VAE_XL,
        EULER,
        **parts,
        tokenizer_2=tokenizer("!"),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
        requires_aesthetics_score=True,
    )


TABLE = {
    "sd1": one("StableDiffusionPipeline", PNDM),
    "sd1-inpainting": one("StableDiffusionInpaintPipeline", DDIM, in_channels=9),
    "sd2": two("StableDiffusionPipeline", PNDM),
    "sd2-v": two("StableDiffusionPipeline", VELOCITY, sample_size=96, upcast_attention=True),
    "sd2-inpainting": two("StableDiffusionInpaintPipeline", PNDM, in_channels=9),
    "sdxl": xl("StableDiffusionXLPipeline"),
    "sdxl-inpainting": xl("StableDiffusionXLInpaintPipeline", in_channels=9),
    "sdxl-refiner": xl_refiner(),
}


def byte_units() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes, in the order of CLIP's vocabulary."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = 256 - len(printable)
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(others)]


def tokenizer_files(wheel: Path) -> dict[str, bytes]:
    """``vocab.json`` and ``merges.txt``, as openai/CLIP's simple_tokenizer.py builds its vocabulary."""
    with zipfile.ZipFile(wheel) as archive:
        lines = gzip.decompress(archive.read(PAIRS)).decode().split("\n")
    units = byte_units()
    pairs = lines[1 : 49408 - 2 * len(units) - 2 + 1]
    tokens = [*units, *(unit + "</w>" for unit in units), *("".join(pair.split()) for pair in pairs), BEGIN, END]
    vocab = json.dumps(
        {token: number for number, token in enumerate(tokens)}, ensure_ascii=False, indent=2, sort_keys=True
    )
    files = {"vocab.json": f"{vocab}\n".encode(), "merges.txt": "\n".join(["#version: 0.2", *pairs, ""]).encode()}
    for name, data in files.items():
        if hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest() != GIT_SHA1[name]:
            raise SystemExit(f"{name} is not the one that the checkpoints have")
    return files


def main(wheel: Path) -> None:
    for name, files in TABLE.items():
        for path, config in files.items():
            target = LAYOUTS / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name, data in tokenizer_files(wheel).items():
        target = LAYOUTS / "tokenizer" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
