"""Tiny checkpoints of the other families with a UNet: Latent Consistency, Kandinsky 3, Kolors. Random weights, in the
layout of the real ones.
"""

from __future__ import annotations

import io
from pathlib import Path

from tiny import _text_config, _unet, _vae, write_tokenizer
from tiny_flow import t5_encoder, t5_tokenizer


def write_latent_consistency(folder: Path) -> Path:
    """Stable Diffusion whose UNet is told the guidance, and needs few steps."""
    import torch
    from diffusers import LatentConsistencyModelPipeline, LCMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer

    text = _text_config(write_tokenizer(folder / "tokenizer-files"), 32)
    torch.manual_seed(8)
    pipeline = LatentConsistencyModelPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer-files"),
        unet=_unet(time_cond_proj_dim=32),
        scheduler=LCMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_kandinsky_3(folder: Path) -> Path:
    """T5 reads the prompt; the UNet halves the latents three times, as the real one does."""
    import torch
    from diffusers import DDPMScheduler, Kandinsky3Pipeline, Kandinsky3UNet, VQModel

    torch.manual_seed(9)
    unet = Kandinsky3UNet(
        in_channels=4,
        time_embedding_dim=4,
        groups=2,
        attention_head_dim=4,
        layers_per_block=2,
        block_out_channels=(8, 8, 16, 16),
        cross_attention_dim=8,
        encoder_hid_dim=32,
    )
    movq = VQModel(
        block_out_channels=[32, 32, 32, 32],
        down_block_types=["DownEncoderBlock2D"] * 4,
        up_block_types=["UpDecoderBlock2D"] * 4,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )
    pipeline = Kandinsky3Pipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=t5_encoder(32),
        unet=unet,
        scheduler=DDPMScheduler(beta_schedule="squaredcos_cap_v2", clip_sample=True),
        movq=movq,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_kolors(folder: Path) -> Path:
    """ChatGLM reads the prompt; its tokenizer is a file of sentencepiece, made here from a few sentences."""
    import torch
    from diffusers import EulerDiscreteScheduler, KolorsPipeline
    from diffusers.pipelines.kolors import ChatGLMModel, ChatGLMTokenizer

    words = write_pieces(folder / "tokenizer-files")
    tokenizer = ChatGLMTokenizer(str(words / "tokenizer.model"), padding_side="left")
    torch.manual_seed(10)
    text_encoder = ChatGLMModel(chatglm_config(len(tokenizer) + 8))
    for weight in text_encoder.parameters():  # it is made without content
        torch.nn.init.normal_(weight, std=0.1)
    pipeline = KolorsPipeline(
        vae=_vae(scaling_factor=0.13025),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        unet=_unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=8,
            cross_attention_dim=16,
            projection_class_embeddings_input_dim=16 + 6 * 8,
        ),
        scheduler=EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.014, beta_schedule="scaled_linear"),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_pieces(folder: Path) -> Path:
    """``tokenizer.model``, as sentencepiece makes it."""
    import sentencepiece

    folder.mkdir(parents=True)
    text = ["the cat sat on the mat", "a dog and the cat", "lemon icon on a white background"] * 4
    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(text), model_writer=made, vocab_size=27, minloglevel=2
    )
    (folder / "tokenizer.model").write_bytes(made.getvalue())
    return folder


def chatglm_config(vocab: int):
    from diffusers.pipelines.kolors.text_encoder import ChatGLMConfig

    return ChatGLMConfig(
        num_layers=2,
        padded_vocab_size=vocab,
        hidden_size=16,
        ffn_hidden_size=16,
        kv_channels=8,
        num_attention_heads=2,
        multi_query_attention=True,
        multi_query_group_num=1,
        seq_length=512,
        add_bias_linear=False,
        add_qkv_bias=True,
        rmsnorm=True,
        original_rope=True,
    )
