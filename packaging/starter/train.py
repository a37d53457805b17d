"""Trains UNet and text encoder of the starter checkpoint further, from the weights in a folder in diffusers layout.

python packaging/starter/train.py WORK --start resources/starter --minutes 40

Stops after so many minutes (or when WORK/stop exists) with the learning rate at its end, and leaves the result in
WORK/model. The codec and the tokenizer stay as they are, so that sittings add up: each one starts from the weights of
the one before, and warms the optimizer up anew.
"""

from __future__ import annotations

import argparse
import copy
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from pictures import COLOURS, CONCEPTS, STYLES, Icons, caption, compose, load_icons, random_ground, random_place

WARMUP_STEPS = 100
HOLD = 0.5
"""Share of the time with the full learning rate; then it falls in a line, and noise leaves the pictures."""

MIN_WEIGHT = 0.5
"""Of a timestep in the loss. Min-SNR weighting alone starves the noisy ones, which decide what is drawn."""

MAX_SNR = 5.0
EMA = 0.998
REPORT_S = 30
SAVE_S = 240


@dataclass
class Latents:
    """Encoded pictures, (count, channels, height, width), and for each its icon and its ground."""

    values: torch.Tensor
    sources: list[tuple[int, str]]


class Clock:
    """Time spent of the time there is."""

    def __init__(self, minutes: float) -> None:
        self._seconds = minutes * 60
        self._begun = time.monotonic()

    @property
    def spent(self) -> float:
        """Seconds."""
        return time.monotonic() - self._begun

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.spent / self._seconds


class Trainer:
    """The weights that learn, their running mean, and the optimizer."""

    def __init__(
        self, pipeline: StableDiffusionPipeline, icons: Icons, latents: Latents, options: argparse.Namespace
    ) -> None:
        self.pipeline = pipeline
        self.icons = icons
        self.latents = latents
        self.batch: int = options.batch
        self.rate: float = options.rate
        self.rng = np.random.default_rng(options.seed)
        self.unet = pipeline.unet.train().to(memory_format=torch.channels_last)
        self.text = pipeline.text_encoder.train()
        self.means = [copy.deepcopy(model).requires_grad_(False) for model in (self.unet, self.text)]
        self.weights = [*self.unet.parameters(), *self.text.parameters()]
        self.optimizer = torch.optim.AdamW(self.weights, self.rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.alphas = pipeline.scheduler.alphas_cumprod
        self.step = 0

    def train_step(self, share: float) -> float:
        """One step at ``share`` of the time; the loss."""
        fall = 1.0 if share < HOLD else max(0.02, (1 - share) / (1 - HOLD))
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * min(1, (self.step + 1) / WARMUP_STEPS) * fall
        chosen = self.rng.integers(len(self.latents.values), size=self.batch)
        loss = self._loss(self.latents.values[chosen], self._encode([int(index) for index in chosen]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._average()
        return loss.item()

    def _encode(self, chosen: list[int]) -> torch.Tensor:
        captions = [
            caption(self.icons.items[icon], ground, self.rng)
            for icon, ground in (self.latents.sources[index] for index in chosen)
        ]
        tokenizer = self.pipeline.tokenizer
        tokens = tokenizer(
            captions, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        )
        return self.text(tokens.input_ids)[0]

    def _loss(self, clean: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """v-prediction (Salimans and Ho 2022) with timesteps stratified over the batch."""
        places = (torch.arange(self.batch) + torch.rand(1)) / self.batch
        timesteps = (places * len(self.alphas)).long().clamp(0, len(self.alphas) - 1)
        alpha = self.alphas[timesteps].view(-1, 1, 1, 1)
        noise = torch.randn_like(clean)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
        guess = self.unet(noisy.contiguous(memory_format=torch.channels_last), timesteps, text).sample
        snr = (alpha / (1 - alpha)).flatten()
        weights = (snr.clamp(max=MAX_SNR) / (snr + 1)).clamp(min=MIN_WEIGHT)
        return (weights * ((guess - velocity) ** 2).mean((1, 2, 3))).mean()

    def _average(self) -> None:
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, model in zip(self.means, (self.unet, self.text), strict=True):
                torch._foreach_lerp_(list(mean.parameters()), list(model.parameters()), 1 - decay)

    def save(self, folder: Path) -> None:
        """The running means as a checkpoint, 16 bits a weight."""
        parts: dict[str, Any] = {**self.pipeline.components, "unet": self.means[0], "text_encoder": self.means[1]}
        for name, part in parts.items():
            parts[name] = copy.deepcopy(part) if isinstance(part, torch.nn.Module) else part
        whole = StableDiffusionPipeline(**parts, requires_safety_checker=False)
        whole.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)


def encode(pipeline: StableDiffusionPipeline, icons: Icons, chosen: list[int], variants: int, seed: int) -> Latents:
    """``variants`` pictures of each icon in ``chosen``, on grounds and in places that differ, as latents."""
    rng = np.random.default_rng(seed)
    values, sources = [], []
    with torch.no_grad():
        for icon in chosen:
            grounds = [random_ground(rng) for _ in range(variants)]
            pictures = [compose(icons.pixels[icon], COLOURS[ground], *random_place(rng)) for ground in grounds]
            values.append(pipeline.vae.encode(torch.stack(pictures)).latents * pipeline.vae.config.scaling_factor)
            sources += [(icon, ground) for ground in grounds]
    return Latents(torch.cat(values), sources)


def main() -> None:
    """Train until the time is over."""
    options = parse()
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    pipeline = StableDiffusionPipeline.from_pretrained(options.start, dtype=torch.float32, safety_checker=None)
    side = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    icons = load_icons(options.work, side)
    chosen = icons.where(CONCEPTS, STYLES)
    latents = encode(pipeline, icons, chosen, options.variants, options.seed)
    print(f"{len(chosen)} icons, {len(latents.sources)} pictures", flush=True)
    run(Trainer(pipeline, icons, latents, options), options)


def run(trainer: Trainer, options: argparse.Namespace) -> None:
    """Steps, with a line now and then, and the weights saved so that little is lost."""
    clock, losses = Clock(options.minutes), []
    next_line, next_save = REPORT_S, SAVE_S
    while clock.share < 1 and not (options.work / "stop").exists():
        losses.append(trainer.train_step(clock.share))
        if clock.spent > next_line:
            speed = trainer.step * trainer.batch / clock.spent
            mean = np.mean(losses[-200:])
            print(f"{clock.spent:.0f} s, step {trainer.step}, loss {mean:.4f}, {speed:.1f} pictures/s", flush=True)
            next_line += REPORT_S
        if clock.spent > next_save:
            trainer.save(options.work / "model")
            next_save += SAVE_S
    trainer.save(options.work / "model")
    print(f"done: {trainer.step} steps, {trainer.step * trainer.batch} pictures", flush=True)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path, help="folder with what icons.py wrote")
    parser.add_argument("--start", type=Path, required=True, help="checkpoint to go on from")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=8e-4, help="learning rate")
    parser.add_argument("--variants", type=int, default=24, help="pictures made of each icon")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
