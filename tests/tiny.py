"""Tiny checkpoints with random weights, in the layout of the real ones. Stable Diffusion: PNDM, AutoencoderKL, a safety
checker, and a tokenizer of 77 places. Stable Diffusion XL: two text encoders; its refiner: the second of them alone.
"""

from __future__ import annotations

import json
from pathlib import Path

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MERGES = ["t h", "th e</w>", "c a", "ca t</w>"]


def _byte_units() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]


def write_tokenizer(folder: Path) -> int:
    """CLIP's two old files; returns the size of the vocabulary."""
    units = _byte_units()
    tokens = [*units, *(unit + "</w>" for unit in units), *("".join(merge.split()) for merge in MERGES), BEGIN, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocab = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n", encoding="utf-8")
    config = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "bos_token": BEGIN,
        "eos_token": END,
        "unk_token": END,
        "pad_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return len(tokens)


def write_stable_diffusion(
    folder: Path, *, seed: int = 0, safety_checker: bool = True, variant: str | None = None
) -> Path:
    """A whole checkpoint of 2 million parameters, saved to ``folder``; ``variant`` fp16 has 16 bits a weight."""
    import torch
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel, CLIPTokenizer

    text = _text_config(write_tokenizer(folder / "tokenizer-files"), 32)
    torch.manual_seed(seed)
    scheduler = PNDMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", skip_prk_steps=True, steps_offset=1
    )
    pipeline = StableDiffusionPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer-files"),
        unet=_unet(),
        scheduler=scheduler,
        safety_checker=_safety_checker(text) if safety_checker else None,
        feature_extractor=_feature_extractor() if safety_checker else None,
        requires_safety_checker=safety_checker,
    )
    pipeline.to(dtype=torch.float16 if variant == "fp16" else torch.float32)
    pipeline.save_pretrained(folder, safe_serialization=True, variant=variant)
    return folder


def write_stable_diffusion_xl(folder: Path, *, is_refiner: bool = False) -> Path:
    """The base checkpoint, or its refiner, of 2 million parameters, saved to ``folder``."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
    from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

    vocab = write_tokenizer(folder / "tokenizer-files")
    tokenizers = [CLIPTokenizer.from_pretrained(folder / "tokenizer-files") for _ in range(2)]
    torch.manual_seed(1)
    parts = {
        "vae": _vae(scaling_factor=0.13025, force_upcast=True),
        "text_encoder": None if is_refiner else CLIPTextModel(_text_config(vocab, 32)),
        "text_encoder_2": CLIPTextModelWithProjection(_text_config(vocab, 64)),
        "tokenizer": None if is_refiner else tokenizers[0],
        "tokenizer_2": tokenizers[1],
        "unet": _unet_xl(is_refiner=is_refiner),
        "scheduler": EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
        "force_zeros_for_empty_prompt": not is_refiner,
        "add_watermarker": False,
    }
    if is_refiner:
        pipeline = StableDiffusionXLImg2ImgPipeline(**parts, requires_aesthetics_score=True)
    else:
        pipeline = StableDiffusionXLPipeline(**parts)
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _text_config(vocab: int, width: int):
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=vocab,
        hidden_size=width,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=77,
        projection_dim=width,
        bos_token_id=vocab - 2,
        eos_token_id=vocab - 1,
        pad_token_id=vocab - 1,
    )


def _unet_xl(*, is_refiner: bool):
    """Time ids beside the prompt as a whole: six numbers for the base, five for the refiner."""
    return _unet(
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        cross_attention_dim=64 if is_refiner else 96,
        projection_class_embeddings_input_dim=64 + 8 * (5 if is_refiner else 6),
    )


def _vae(**config):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(16, 16, 32, 32),
        layers_per_block=1,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        **config,
    )


def _unet(**config):
    from diffusers import UNet2DConditionModel

    usual = {
        "sample_size": 8,
        "in_channels": 4,
        "out_channels": 4,
        "block_out_channels": (32, 64),
        "layers_per_block": 1,
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
        "attention_head_dim": 8,
        "cross_attention_dim": 32,
    }
    return UNet2DConditionModel(**{**usual, **config})


def _safety_checker(text):
    """One that finds fault with every picture."""
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPVisionConfig

    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=32,
        patch_size=16,
        projection_dim=32,
    )
    config = CLIPConfig(text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=32)
    checker = StableDiffusionSafetyChecker(config)
    checker.concept_embeds_weights.data.fill_(-2.0)
    return checker


def _feature_extractor():
    from transformers import CLIPImageProcessor

    return CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
