"""Tiny checkpoints of the families that denoise with a transformer along a straight flow and read prompts with CLIP and
T5, or with Qwen 3: Flux, Flux Kontext, Stable Diffusion 3, Z-Image. Random weights, in the layout of the real ones.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tiny import _byte_units, write_tokenizer

SPECIALS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
CHAT = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_flux(
    folder: Path, *, is_kontext: bool = False, max_shard_size: str = "1GB", has_guidance: bool = True
) -> Path:
    """Flux, or Flux Kontext: packed latents, CLIP for the prompt as a whole and T5 for its words."""
    import torch
    from diffusers import FluxKontextPipeline, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel

    clip, vocab = clip_tokenizer(folder)
    torch.manual_seed(2)
    transformer = FluxTransformer2DModel(
        patch_size=1,
        in_channels=64,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=has_guidance,
        axes_dims_rope=(4, 4, 8),
    )
    pipeline = (FluxKontextPipeline if is_kontext else FluxPipeline)(
        scheduler=flow_scheduler(use_dynamic_shifting=True),
        vae=flow_vae(),
        text_encoder=CLIPTextModel(clip_config(vocab, 32)),
        tokenizer=clip,
        text_encoder_2=t5_encoder(),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    )
    pipeline.save_pretrained(folder, safe_serialization=True, max_shard_size=max_shard_size)
    return folder


def write_stable_diffusion_3(folder: Path, *, has_t5: bool = True) -> Path:
    """Two CLIP text encoders, and T5 as a third, which may be left out."""
    import torch
    from diffusers import SD3Transformer2DModel, StableDiffusion3Pipeline
    from transformers import CLIPTextModelWithProjection

    clip, vocab = clip_tokenizer(folder)
    torch.manual_seed(3)
    transformer = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        num_layers=1,
        attention_head_dim=8,
        num_attention_heads=4,
        joint_attention_dim=64,
        caption_projection_dim=32,
        pooled_projection_dim=64,
        out_channels=16,
        pos_embed_max_size=16,
    )
    pipeline = StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=flow_scheduler(shift=3.0),
        vae=flow_vae(),
        text_encoder=CLIPTextModelWithProjection(clip_config(vocab, 32)),
        tokenizer=clip,
        text_encoder_2=CLIPTextModelWithProjection(clip_config(vocab, 32)),
        tokenizer_2=clip,
        text_encoder_3=t5_encoder(64),
        tokenizer_3=t5_tokenizer(),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    for part in () if has_t5 else ("text_encoder_3", "tokenizer_3"):
        shutil.rmtree(folder / part)
        edit_index(folder, **{part: [None, None]})
    return folder


def write_z_image(folder: Path) -> Path:
    """Qwen 3 reads the prompt, in the template of a chat."""
    import torch
    from diffusers import ZImagePipeline, ZImageTransformer2DModel
    from transformers import Qwen3Model

    tokenizer = qwen_tokenizer()
    torch.manual_seed(4)
    transformer = ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=32,
        n_layers=1,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=16,
        axes_dims=[8, 4, 4],
        axes_lens=[1024, 32, 32],
    )
    for parameter in transformer.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    pipeline = ZImagePipeline(
        scheduler=flow_scheduler(shift=3.0),
        vae=flow_vae(),
        text_encoder=Qwen3Model(qwen3_config(len(tokenizer), layers=2)),
        tokenizer=tokenizer,
        transformer=transformer,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def edit_index(folder: Path, **entries: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **entries}))


def flow_scheduler(**config: Any):
    from diffusers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler(**config)


def flow_vae(channels: int = 16):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=channels,
        norm_num_groups=4,
        sample_size=64,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def clip_tokenizer(folder: Path):
    """CLIP's tokenizer, and the size of its vocabulary."""
    from transformers import CLIPTokenizer

    vocab = write_tokenizer(folder / "tokenizer-files")
    return CLIPTokenizer.from_pretrained(folder / "tokenizer-files"), vocab


def clip_config(vocab: int, width: int):
    from tiny import _text_config

    return _text_config(vocab, width)


def t5_tokenizer():
    """T5's: pieces with the weights of their use, a letter each and two words."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import T5TokenizerFast

    letters = [(chr(code), -5.0) for code in range(33, 127)]
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0), ("▁the", -3.0), ("▁cat", -3.0), *letters]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=2))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.add_special_tokens(["<pad>", "</s>", "<unk>"])
    return T5TokenizerFast(tokenizer_object=tokenizer, extra_ids=0, model_max_length=512)


def t5_encoder(width: int = 32):
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=128,
        d_model=width,
        d_kv=8,
        d_ff=37,
        num_layers=2,
        num_heads=4,
        relative_attention_num_buckets=8,
        feed_forward_proj="gated-gelu",
    )
    return T5EncoderModel(config)


def qwen_tokenizer():
    """Qwen's: the bytes, two words, and the marks of a chat."""
    from transformers import Qwen2Tokenizer

    merges = [("t", "h"), ("th", "e"), ("c", "a"), ("ca", "t")]
    units = [*_byte_units(), *("".join(pair) for pair in merges)]
    return Qwen2Tokenizer(
        vocab={unit: number for number, unit in enumerate(units)},
        merges=merges,
        unk_token="<|endoftext|>",
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=list(SPECIALS),
        model_max_length=32768,
        chat_template=CHAT,
    )


def qwen3_config(vocab: int, *, layers: int):
    from transformers import Qwen3Config

    return Qwen3Config(
        vocab_size=vocab,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=2048,
    )
