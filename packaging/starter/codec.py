"""Trains the codec: an AutoencoderTiny, four pixels a latent each way, eight channels.

python packaging/starter/codec.py WORK [--recipe cpu] [--device cpu]

It begins as a codec that blurs (Dirac and [1 2 1] kernels carry the colours through), so that only the rest has to be
learned. At the end each channel of the latents is brought to one spread, and the decoder gets used to that.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from pictures import COLOUR_NAMES, Icons, load_icons, plain, put
from PIL import Image
from recipes import RECIPES, Recipe
from scenes import Maker
from sittings import add_common, begin, to_tensor
from torch import nn

CHANNELS = 8
SPREAD = 0.5
"""Of each channel in the latents as they leave the encoder; diffusion sees them scaled to one."""

HELD_OUT = 200
"""Icons that the codec never sees, to measure it on."""

RATE = 2e-3
SETTLING_STEPS = 300
REPORT_STEPS = 200


def held_out(icons: Icons) -> list[int]:
    """Icons to measure on."""
    return sorted(
        np.random.default_rng(0).choice(len(icons.items), min(HELD_OUT, len(icons.items) // 4), replace=False).tolist()
    )


def make_codec(recipe: Recipe) -> AutoencoderTiny:
    """Untrained, but passing colours through."""
    width = (recipe.codec_channels,) * 3
    codec = AutoencoderTiny(
        encoder_block_out_channels=width,
        decoder_block_out_channels=width,
        num_encoder_blocks=recipe.codec_blocks[0],
        num_decoder_blocks=recipe.codec_blocks[1],
        latent_channels=CHANNELS,
        latent_magnitude=3,
    )
    first, last = _pass_through(codec.encoder), _pass_through(codec.decoder)
    with torch.no_grad():
        for channel in range(3):  # a picture of 0 to 1 becomes about -2.4 to 1.6, and comes back
            first[-1].weight[channel] *= 4
            first[-1].bias[channel] = -2.4
            last[0].weight[channel] *= 0.25
            last[0].bias[channel] = 0.6
        last[-1].weight[:, 3:] *= 0.1
    return codec


def _pass_through(part: nn.Module) -> list[nn.Conv2d]:
    tap = torch.tensor([1.0, 2.0, 1.0])
    blur = torch.outer(tap, tap) / 16
    convs = [layer for layer in part.layers if isinstance(layer, nn.Conv2d)]
    with torch.no_grad():
        for conv in convs:
            conv.weight[:3] = 0
            for channel in range(3):
                if conv.stride[0] == 2:
                    conv.weight[channel, channel] = blur
                else:
                    conv.weight[channel, channel, 1, 1] = 1
            if conv.bias is not None:
                conv.bias.zero_()
        for block in part.modules():
            if isinstance(block, AutoencoderTinyBlock):
                last = [layer for layer in block.conv if isinstance(layer, nn.Conv2d)][-1]
                last.weight.mul_(0.05)
                last.bias.zero_()
                last.weight[:3] = 0
    return convs


class Samples:
    """Pictures of every icon but the held-out ones, in all that the recipe draws, placed and coloured at random."""

    def __init__(self, icons: Icons, recipe: Recipe) -> None:
        away = set(held_out(icons))
        self.icons = icons
        self.recipe = recipe
        self.maker = Maker(icons, recipe)
        self.numbers = [number for number in icons.where(None, recipe.styles) if number not in away]
        self.maker.own = [number for number in self.maker.own if number not in away] or self.numbers
        self.maker.others = [number for number in self.maker.others if number not in away] or self.numbers

    def batch(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        """(count, 3, side, side), -1 to 1; half are scenes, half icons of any size on any colour."""
        pictures = [self.maker.make(rng)[0] if rng.random() < 0.5 else self._strong(rng) for _ in range(count)]
        return torch.stack([to_tensor(picture) for picture in pictures])

    def _strong(self, rng: np.random.Generator) -> Image.Image:
        side = self.recipe.side
        picture = Image.new("RGB", (side, side), tuple(rng.integers(0, 256, 3).tolist()))
        number = self.numbers[rng.integers(len(self.numbers))]
        put(self.icons.image(number), picture, rng.uniform(0.7, 1.1), *rng.uniform(-0.15, 0.15, 2))
        return picture


def psnr(codec: AutoencoderTiny, icons: Icons, side: int, numbers: Sequence[int] = ()) -> float:
    """Of the held-out icons (or of ``numbers``) on white and the twelve colours, decibels."""
    pictures = torch.stack(
        [
            to_tensor(plain(icons, number, side, "white" if place % 2 else COLOUR_NAMES[place % len(COLOUR_NAMES)]))
            for place, number in enumerate(numbers or held_out(icons))
        ]
    ).to(codec.device)
    with torch.no_grad():
        back = codec.decode(codec.encode(pictures).latents).sample.clamp(-1, 1)
    return (10 * torch.log10(4 / ((back - pictures) ** 2).mean((1, 2, 3)))).mean().item()


def learn(codec: AutoencoderTiny, samples: Samples, recipe: Recipe, steps: int, device: str) -> AutoencoderTiny:
    """The running mean of the weights after so many steps."""
    mean = copy.deepcopy(codec).requires_grad_(False)
    optimizer = torch.optim.AdamW(codec.parameters(), RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    for step, pictures in _pictures(samples, recipe, steps, device):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / 30) * (0.5 + 0.5 * math.cos(math.pi * step / steps)) + 1e-5
        latents = codec.encode(pictures).latents
        error = codec.decode(latents + 0.05 * torch.randn_like(latents)).sample - pictures
        edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (error[..., 1:, :] - error[..., :-1, :]).abs().mean()
        middle, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        tame = (middle**2).mean() + ((spread - 1) ** 2).mean()
        (error.abs().mean() + 2 * (error**2).mean() + 0.3 * edges + 0.003 * tame).backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        decay = min(0.995, (1 + step) / (10 + step))
        with torch.no_grad():
            torch._foreach_lerp_(list(mean.parameters()), list(codec.parameters()), 1 - decay)
        if step % REPORT_STEPS == REPORT_STEPS - 1:
            print(f"codec: step {step + 1} of {steps}, {psnr(mean, samples.icons, recipe.side):.2f} dB", flush=True)
    return mean


def settle(codec: AutoencoderTiny, samples: Samples, recipe: Recipe, steps: int, device: str) -> None:
    """Fold middle and spread of each channel into the weights, so that one scaling factor serves, and let the decoder
    follow. Channels that vary little keep half of that: colour and coarse shape are what diffusion should see first.
    """
    pictures = samples.batch(192, np.random.default_rng(9)).to(device)
    with torch.no_grad():
        latents = codec.encode(pictures).latents
        middle, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
        spread = (spread * spread.max()).sqrt()
        out, into = codec.encoder.layers[-1], codec.decoder.layers[0]
        out.weight.mul_((SPREAD / spread).view(-1, 1, 1, 1))
        out.bias.sub_(middle).mul_(SPREAD / spread)
        into.bias.add_((into.weight.sum((2, 3)) * middle[None]).sum(1))
        into.weight.mul_((spread / SPREAD).view(1, -1, 1, 1))
    codec.decoder.requires_grad_(True)
    optimizer = torch.optim.AdamW(codec.decoder.parameters(), 3e-4, betas=(0.9, 0.99))
    for step, wanted in _pictures(samples, recipe, steps, device, first=1_000_000):
        for group in optimizer.param_groups:
            group["lr"] = 3e-4 * max(0.05, 1 - step / steps)
        with torch.no_grad():
            latents = codec.encode(wanted).latents
        error = codec.decode(latents + 0.05 * torch.randn_like(latents)).sample - wanted
        (error.abs().mean() + 2 * (error**2).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    codec.register_to_config(scaling_factor=1 / SPREAD)


def _pictures(
    samples: Samples, recipe: Recipe, steps: int, device: str, first: int = 0
) -> Iterator[tuple[int, torch.Tensor]]:
    for step in range(steps):
        pictures = samples.batch(recipe.codec_batch, np.random.default_rng((first, step)))
        yield step, pictures.to(device, memory_format=torch.channels_last)


def main() -> None:
    """Train, and leave the codec in ``WORK/codec``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    options = parser.parse_args()
    train_codec(options.work, RECIPES[options.recipe], options.device, options.threads)


def train_codec(work: Path, recipe: Recipe, device: str = "cpu", threads: int = 0) -> None:
    """Train where that was not done before."""
    if (work / "codec" / "config.json").is_file():
        return
    begin(threads)
    icons = load_icons(work)
    samples = Samples(icons, recipe)
    codec = make_codec(recipe).to(device, memory_format=torch.channels_last)
    print(f"codec: {sum(weight.numel() for weight in codec.parameters())} weights", flush=True)
    codec = learn(codec, samples, recipe, recipe.codec_steps, device)
    settle(codec, samples, recipe, min(SETTLING_STEPS, recipe.codec_steps), device)
    print(f"codec: {psnr(codec, icons, recipe.side):.2f} dB in the end", flush=True)
    codec.to("cpu").save_pretrained(work / "codec")


if __name__ == "__main__":
    main()
