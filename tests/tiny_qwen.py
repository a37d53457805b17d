"""Tiny checkpoints of the families whose prompts are read by a large language model that also sees pictures, or by one
of its kin: Qwen-Image and its edit kinds, Flux 2 and Flux 2 Klein. Random weights, in the layout of the real ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tiny import _byte_units
from tiny_flow import edit_index, flow_scheduler, qwen3_config, qwen_tokenizer

MISTRAL_CHAT = (
    "<s>{% for message in messages %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{% endfor %}"
)


def write_qwen_image(folder: Path, *, edit: str = "") -> Path:
    """Qwen-Image; ``edit`` is the name of a pipeline that changes a picture by an instruction: it also has a processor.

    The processor's files are written by hand: the library makes none without torchvision.
    """
    import diffusers
    import torch
    from transformers import Qwen2_5_VLForConditionalGeneration

    tokenizer = qwen_tokenizer()
    torch.manual_seed(5)
    parts = {
        "scheduler": flow_scheduler(use_dynamic_shifting=True),
        "vae": qwen_vae(),
        "text_encoder": Qwen2_5_VLForConditionalGeneration(qwen_vl_config(tokenizer)),
        "tokenizer": tokenizer,
        "transformer": qwen_transformer(),
    }
    diffusers.QwenImagePipeline(**parts).save_pretrained(folder, safe_serialization=True)
    if edit:
        write_processor(folder, tokenizer)
        edit_index(folder, _class_name=edit, processor=["transformers", "Qwen2VLProcessor"])
    return folder


def write_processor(folder: Path, tokenizer: Any) -> None:
    from transformers import Qwen2VLImageProcessor

    tokenizer.save_pretrained(folder / "processor")
    pictures = Qwen2VLImageProcessor(patch_size=4, merge_size=2, min_pixels=64, max_pixels=1024).to_dict()
    pictures["image_processor_type"] = "Qwen2VLImageProcessor"
    (folder / "processor" / "preprocessor_config.json").write_text(
        json.dumps({**pictures, "processor_class": "Qwen2VLProcessor"})
    )


def qwen_transformer():
    from diffusers import QwenImageTransformer2DModel

    return QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=64,
        out_channels=16,
        num_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4),
    )


def qwen_vae():
    from diffusers import AutoencoderKLQwenImage

    return AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=16,
        dim_mult=[1, 1, 2, 2],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 16,
        latents_std=[1.0] * 16,
    )


def qwen_vl_config(tokenizer: Any):
    from transformers import Qwen2_5_VLConfig

    marks = {name: tokenizer.convert_tokens_to_ids(f"<|{name}|>") for name in ("image_pad", "video_pad")}
    return Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "rope_scaling": {"mrope_section": [1, 1, 2], "rope_type": "default", "type": "default"},
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.pad_token_id,
            "eos_token_id": tokenizer.eos_token_id,
        },
        vision_config={
            "depth": 2,
            "hidden_size": 16,
            "intermediate_size": 16,
            "num_heads": 2,
            "out_hidden_size": 16,
            "patch_size": 4,
            "spatial_merge_size": 2,
            "window_size": 16,
            "fullatt_block_indexes": [1],
        },
        image_token_id=marks["image_pad"],
        video_token_id=marks["video_pad"],
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )


def write_flux_2_klein(folder: Path, *, is_distilled: bool = False) -> Path:
    """Qwen 3 reads the prompt; three of its layers are taken, so it has as many as they need."""
    import torch
    from diffusers import Flux2KleinPipeline
    from transformers import Qwen3ForCausalLM

    tokenizer = qwen_tokenizer()
    torch.manual_seed(6)
    pipeline = Flux2KleinPipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=flux_2_vae(),
        text_encoder=Qwen3ForCausalLM(qwen3_config(len(tokenizer), layers=28)),
        tokenizer=tokenizer,
        transformer=flux_2_transformer(has_guidance=False),
        is_distilled=is_distilled,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_flux_2(folder: Path) -> Path:
    """Mistral 3 reads the prompt. The index names a processor that the library has only with torchvision."""
    import torch
    from diffusers import Flux2Pipeline
    from transformers import Mistral3ForConditionalGeneration

    tokenizer = mistral_tokenizer()
    torch.manual_seed(7)
    pipeline = Flux2Pipeline(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=flux_2_vae(),
        text_encoder=Mistral3ForConditionalGeneration(mistral_config(len(tokenizer))),
        tokenizer=tokenizer,
        transformer=flux_2_transformer(has_guidance=True),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    edit_index(folder, tokenizer=["transformers", "PixtralProcessor"])
    return folder


def flux_2_transformer(*, has_guidance: bool):
    from diffusers import Flux2Transformer2DModel

    return Flux2Transformer2DModel(
        patch_size=1,
        in_channels=128,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=256,
        axes_dims_rope=[4, 4, 4, 4],
        guidance_embeds=has_guidance,
    )


def flux_2_vae():
    from diffusers import AutoencoderKLFlux2

    return AutoencoderKLFlux2(
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        latent_channels=32,
        norm_num_groups=4,
        sample_size=64,
    )


def mistral_tokenizer():
    """A byte-level tokenizer with the template of a chat whose messages have parts."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    marks = ["<unk>", "<s>", "</s>", "<pad>", "[IMG]", "[IMG_BREAK]", "[IMG_END]"]
    vocab = {unit: number for number, unit in enumerate([*marks, *_byte_units()])}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(marks)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="<pad>",
        padding_side="left",
        chat_template=MISTRAL_CHAT,
    )


def mistral_config(vocab: int):
    from transformers import Mistral3Config

    return Mistral3Config(
        text_config={
            "model_type": "mistral",
            "vocab_size": vocab,
            "hidden_size": 16,
            "intermediate_size": 16,
            "max_position_embeddings": 1024,
            "num_attention_heads": 2,
            "num_hidden_layers": 31,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "sliding_window": None,
        },
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "intermediate_size": 16,
            "image_size": 32,
            "patch_size": 8,
        },
        image_token_index=4,
    )
