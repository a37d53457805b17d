"""Tiny upscalers with random weights, in the layout of the real ones: two repositories of Stability AI, and single
files of ESRGAN's kind under the names that three programs have given their tensors.
"""

from __future__ import annotations

from pathlib import Path

from tiny import _text_config, write_tokenizer

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
LOW_RES_BETAS = {
    "num_train_timesteps": 1000,
    "beta_start": 0.0001,
    "beta_end": 0.02,
    "beta_schedule": "scaled_linear",
    "clip_sample": False,
    "prediction_type": "v_prediction",
}


def write_latent_upscaler(folder: Path) -> Path:
    """sd-x2-latent-upscaler: K blocks on four levels, a variance channel that nothing reads, Euler."""
    import torch
    from diffusers import EulerDiscreteScheduler, StableDiffusionLatentUpscalePipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    text = _text_config(write_tokenizer(folder / "tokenizer-files"), 32)
    torch.manual_seed(4)
    unet = UNet2DConditionModel(
        act_fn="gelu",
        attention_head_dim=8,
        norm_num_groups=None,
        block_out_channels=[32, 32, 64, 64],
        time_cond_proj_dim=128 + 32,  # the level of the noise, and the prompt as a whole
        conv_in_kernel=1,
        conv_out_kernel=1,
        cross_attention_dim=32,
        down_block_types=("KDownBlock2D", *("KCrossAttnDownBlock2D",) * 3),
        up_block_types=(*("KCrossAttnUpBlock2D",) * 3, "KUpBlock2D"),
        in_channels=8,
        out_channels=5,
        mid_block_type=None,
        only_cross_attention=False,
        resnet_time_scale_shift="scale_shift",
        time_embedding_type="fourier",
        timestep_post_act="gelu",
        layers_per_block=1,
    )
    pipeline = StableDiffusionLatentUpscalePipeline(
        vae=_vae(4),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer-files"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(num_train_timesteps=1000, prediction_type="sample", **BETAS),
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def write_x4_upscaler(folder: Path) -> Path:
    """stable-diffusion-x4-upscaler: it denoises latents and the small picture side by side, at that one's size."""
    import torch
    from diffusers import DDIMScheduler, DDPMScheduler, StableDiffusionUpscalePipeline, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    text = _text_config(write_tokenizer(folder / "tokenizer-files"), 32)
    torch.manual_seed(5)
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=7,
        out_channels=4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        attention_head_dim=8,
        cross_attention_dim=32,
        num_class_embeds=1000,
        use_linear_projection=True,
        only_cross_attention=(True, True, True, False),
        down_block_types=("DownBlock2D", *("CrossAttnDownBlock2D",) * 3),
        up_block_types=(*("CrossAttnUpBlock2D",) * 3, "UpBlock2D"),
    )
    pipeline = StableDiffusionUpscalePipeline(
        vae=_vae(3, scaling_factor=0.08333),
        text_encoder=CLIPTextModel(text),
        tokenizer=CLIPTokenizer.from_pretrained(folder / "tokenizer-files"),
        unet=unet,
        low_res_scheduler=DDPMScheduler(**LOW_RES_BETAS),
        scheduler=DDIMScheduler(steps_offset=1, set_alpha_to_one=False, **LOW_RES_BETAS),
        max_noise_level=350,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def _vae(levels: int, **config):
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(16, 16, 32, 32)[:levels],
        layers_per_block=1,
        down_block_types=["DownEncoderBlock2D"] * levels,
        up_block_types=["UpDecoderBlock2D"] * levels,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=64,
        **config,
    )


# Single files ------------------------------------------------------------------------------------


def write_esrgan(path: Path, *, scale: int = 4, names: str = "real", channels: int = 3, prefix: str = "") -> Path:
    """ESRGAN with two blocks. ``names`` of its tensors are those of "old" ESRGAN, "bsrgan" or Real-ESRGAN ("real");
    the last knows the scales 1, 2 and 4, and takes the picture folded at the first two.
    """
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(6)
    folds = {1: 4, 2: 2}.get(scale, 1) if names == "real" else 1
    count = (scale * folds).bit_length() - 1
    shapes = {"conv_first": (8, channels * folds**2, 3), "conv_body": (8, 8, 3), "conv_hr": (8, 8, 3)}
    shapes |= {f"conv_up{number}": (8, 8, 3) for number in range(1, count + 1)}
    shapes |= {"conv_last": (channels, 8, 3)}
    for block in range(2):
        for dense in range(1, 4):
            for conv in range(1, 6):
                width = 8 + 32 * (conv - 1)  # the reader knows 32 channels more in each layer
                shapes[f"body.{block}.rdb{dense}.conv{conv}"] = (32 if conv < 5 else 8, width, 3)
    tensors = {}
    for name, (out, into, kernel) in shapes.items():
        renamed = prefix + _esrgan_name(name, names, count)
        tensors[f"{renamed}.weight"] = torch.randn(out, into, kernel, kernel) / (3 * into**0.5)
        tensors[f"{renamed}.bias"] = torch.randn(out) / 10
    save_file(tensors, path)
    return path


def _esrgan_name(name: str, names: str, count: int) -> str:
    """What ``names`` call the tensor that Real-ESRGAN calls ``name``; ``count`` of its layers double the size."""
    block = name.split(".")
    if names == "bsrgan":
        known = {"conv_body": "trunk_conv", "conv_hr": "HRconv"}
        if len(block) > 1:
            return f"RRDB_trunk.{block[1]}.RDB{block[2][-1]}.{block[3]}"
        return known.get(name, name.replace("conv_up", "upconv"))
    if names == "old":
        known = {
            "conv_first": "0",
            "conv_body": "1.sub.2",
            "conv_hr": f"{3 * count + 2}",
            "conv_last": f"{3 * count + 4}",
        }
        if len(block) > 1:
            return f"model.1.sub.{block[1]}.RDB{block[2][-1]}.{block[3]}.0"
        number = known.get(name) or str(3 * int(name.removeprefix("conv_up")))
        return f"model.{number}"
    return name


def write_compact(path: Path, *, scale: int = 4, channels: int = 3) -> Path:
    """Real-ESRGAN's small kind (SRVGGNetCompact): layers in a row, the last of which unfolds into pixels."""
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(7)
    widths = [(8, channels), (8, 8), (8, 8), (channels * scale**2, 8)]
    tensors = {}
    for number, (out, into) in enumerate(widths):
        tensors[f"body.{2 * number}.weight"] = torch.randn(out, into, 3, 3) / (3 * into**0.5)
        tensors[f"body.{2 * number}.bias"] = torch.randn(out) / 10
        if number < len(widths) - 1:
            tensors[f"body.{2 * number + 1}.weight"] = torch.full((out,), 0.25)
    save_file(tensors, path)
    return path
