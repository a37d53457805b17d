"""A tiny Kandinsky 2.2 with random weights, in the layout of the real one: a prior, and a decoder that names it."""

from __future__ import annotations

from pathlib import Path

from tiny import write_stable_diffusion_xl, write_tokenizer

WIDTH = 32
"""Of the embeddings that go from the prior to the decoder."""


def write_prior(folder: Path) -> Path:
    """The prior, of half a million parameters, saved to ``folder``."""
    import torch
    from diffusers import KandinskyV22PriorPipeline, PriorTransformer, UnCLIPScheduler
    from transformers import (
        CLIPImageProcessor,
        CLIPTextConfig,
        CLIPTextModelWithProjection,
        CLIPTokenizer,
        CLIPVisionConfig,
        CLIPVisionModelWithProjection,
    )

    vocab = write_tokenizer(folder / "tokenizer-files")
    torch.manual_seed(2)
    prior = PriorTransformer(num_attention_heads=2, attention_head_dim=12, embedding_dim=WIDTH, num_layers=1)
    prior.clip_std = torch.nn.Parameter(torch.ones(prior.clip_std.shape))  # random is zero: all embeddings would be one
    size = {"hidden_size": WIDTH, "intermediate_size": 64, "num_attention_heads": 4, "projection_dim": WIDTH}
    text = CLIPTextConfig(
        vocab_size=vocab,
        num_hidden_layers=2,
        max_position_embeddings=77,
        bos_token_id=vocab - 2,
        eos_token_id=vocab - 1,
        pad_token_id=vocab - 1,
        **size,
    )
    pipeline = KandinskyV22PriorPipeline(
        prior=prior,
        image_encoder=CLIPVisionModelWithProjection(
            CLIPVisionConfig(num_hidden_layers=2, image_size=32, patch_size=16, **size)
        ),
        text_encoder=CLIPTextModelWithProjection(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer-files"),
        scheduler=UnCLIPScheduler(
            variance_type="fixed_small_log", prediction_type="sample", clip_sample=True, clip_sample_range=5.0
        ),
        image_processor=CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_decoder(folder: Path, prior: str = "", *, channels: int = 4) -> Path:
    """The decoder, of 2 million parameters, saved to ``folder``; its card names ``prior``, if anything. More than four
    ``channels`` make it one for inpainting.
    """
    import torch
    from diffusers import DDPMScheduler, KandinskyV22Pipeline

    torch.manual_seed(3)
    pipeline = KandinskyV22Pipeline(
        unet=_unet(channels),
        scheduler=DDPMScheduler(
            beta_schedule="linear",
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            variance_type="learned_range",
        ),
        movq=_movq(),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    if prior:
        (folder / "README.md").write_text(
            f"---\nlicense: apache-2.0\nprior:\n- {prior}\ntags:\n- kandinsky\n---\n\n# Tiny\n"
        )
    return folder


def _unet(channels: int):
    """Four levels as the real one, so that sides must be multiples of 64 pixels."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * 3),
        up_block_types=(*["SimpleCrossAttnUpBlock2D"] * 3, "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        encoder_hid_dim=WIDTH,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=32,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
    )


def _movq():
    from diffusers import VQModel

    return VQModel(
        block_out_channels=[32, 32, 32, 32],
        down_block_types=["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
        up_block_types=["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )


def write_stages(folder: Path) -> Path:
    """Checkpoints for pictures of two stages, or with a prior: ``base``, ``refiner``, ``prior`` and ``decoder``."""
    write_stable_diffusion_xl(folder / "base")
    write_stable_diffusion_xl(folder / "refiner", is_refiner=True)
    write_prior(folder / "prior")
    write_decoder(folder / "decoder", str(folder / "prior"))
    return folder
