"""Trains UNet and text encoder of the starter checkpoint together.

python packaging/starter/train.py WORK [--recipe cpu] [--device cpu] [--steps N] [--minutes M]

May be stopped at any time (Ctrl+C, or a file WORK/stop) and goes on where it was, with the same pictures, captions and
noise as if it had not been. The learning rate holds for the first half of the steps, then falls to nothing; another
``--steps`` moves that. What it leaves in WORK/model is the running mean of the weights.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from pictures import load_icons
from recipes import RECIPES, Recipe
from safetensors.torch import load_file, save_file
from scenes import Maker, Scene
from sittings import add_common, begin, to_tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WARMUP_STEPS = 200
HOLD = 0.5
"""Share of the steps with the full learning rate."""

MIN_WEIGHT = 0.5
"""Of a timestep in the loss. Min-SNR weighting alone starves the noisy ones, which decide what is drawn."""

MAX_SNR = 5.0
EMA = 0.998
REPORT_STEPS = 100
SAVE_S = 300


class Lessons:
    """Latents of the pictures, made once and kept in ``WORK/lessons.npy``, and what each shows."""

    def __init__(self, work: Path, recipe: Recipe, codec: AutoencoderTiny, device: str) -> None:
        maker = Maker(load_icons(work), recipe)
        path = work / "lessons.npy"
        kept = np.load(path) if path.is_file() else None
        parts: list[np.ndarray] = []
        self.scenes: list[Scene] = []
        for first in range(0, recipe.pictures, 64):
            made = [maker.make(np.random.default_rng((1, number))) for number in range(first, first + 64)]
            self.scenes += [scene for _, scene in made]
            if kept is None:
                with torch.no_grad():
                    latents = codec.encode(torch.stack([to_tensor(picture) for picture, _ in made]).to(device)).latents
                parts.append((latents * codec.config.scaling_factor).cpu().numpy().astype(np.float16))
        if kept is None:
            kept = np.concatenate(parts)
            np.save(path, kept)
        self.latents = torch.from_numpy(kept).to(device)

    def batch(self, step: int, count: int) -> tuple[torch.Tensor, list[str]]:
        """Latents and captions of one step; the same each time it is asked for."""
        rng = np.random.default_rng((2, step))
        chosen = rng.integers(len(self.scenes), size=count)
        return self.latents[chosen].float(), [self.scenes[number].caption(rng) for number in chosen]


def make_pipeline(work: Path, recipe: Recipe) -> StableDiffusionPipeline:
    """All parts; codec and tokenizer as they were made, the others untrained."""
    codec = AutoencoderTiny.from_pretrained(work / "codec").eval()
    tokenizer = CLIPTokenizer.from_pretrained(work / "tokenizer")
    unet = UNet2DConditionModel(
        sample_size=recipe.side // 4,
        in_channels=codec.config.latent_channels,
        out_channels=codec.config.latent_channels,
        block_out_channels=recipe.unet_channels,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=recipe.text_width,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=recipe.text_width,
            intermediate_size=recipe.text_width * 3,
            num_hidden_layers=recipe.text_layers,
            num_attention_heads=4,
            max_position_embeddings=recipe.tokens,
            projection_dim=recipe.text_width,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )
    return StableDiffusionPipeline(codec, text, tokenizer, unet, scheduler, None, None, requires_safety_checker=False)


class Trainer:
    """The weights that learn, their running mean, and the optimizer."""

    def __init__(self, pipeline: StableDiffusionPipeline, lessons: Lessons, recipe: Recipe, device: str) -> None:
        self.pipeline = pipeline
        self.lessons = lessons
        self.recipe = recipe
        self.device = device
        self.step = 0
        self.unet = pipeline.unet.to(device, memory_format=torch.channels_last).train()
        self.text = pipeline.text_encoder.to(device).train()
        self.models = torch.nn.ModuleDict({"unet": self.unet, "text": self.text})
        self.means = copy.deepcopy(self.models).requires_grad_(False)
        self.weights = list(self.models.parameters())
        self.optimizer = torch.optim.AdamW(self.weights, recipe.rate, betas=(0.9, 0.98), weight_decay=0.01)
        self.alphas = pipeline.scheduler.alphas_cumprod.to(device)

    def train_step(self, steps: int) -> float:
        """One of ``steps``; the loss."""
        share = self.step / steps
        fall = 1.0 if share < HOLD else max(0.02, (1 - share) / (1 - HOLD))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * min(1, (self.step + 1) / WARMUP_STEPS) * fall
        latents, captions = self.lessons.batch(self.step, self.recipe.batch)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device == "cuda"):
            loss = self._loss(latents, self._encode(captions))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._average()
        return loss.item()

    def _encode(self, captions: list[str]) -> torch.Tensor:
        tokens = self.pipeline.tokenizer(
            captions, padding="max_length", max_length=self.recipe.tokens, truncation=True, return_tensors="pt"
        )
        return self.text(tokens.input_ids.to(self.device))[0]

    def _loss(self, clean: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """v-prediction (Salimans and Ho 2022) with timesteps stratified over the batch."""
        chance = torch.Generator().manual_seed(self.step)
        noise = torch.randn(clean.shape, generator=chance).to(self.device)
        places = (torch.arange(len(clean)) + torch.rand(1, generator=chance)) / len(clean)
        timesteps = (places * len(self.alphas)).long().clamp(0, len(self.alphas) - 1).to(self.device)
        alpha = self.alphas[timesteps].view(-1, 1, 1, 1)
        noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
        velocity = alpha.sqrt() * noise - (1 - alpha).sqrt() * clean
        guess = self.unet(noisy.contiguous(memory_format=torch.channels_last), timesteps, text).sample
        snr = (alpha / (1 - alpha)).flatten()
        weights = (snr.clamp(max=MAX_SNR) / (snr + 1)).clamp(min=MIN_WEIGHT)
        return (weights * ((guess.float() - velocity) ** 2).mean((1, 2, 3))).mean()

    def _average(self) -> None:
        decay = min(EMA, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.means.parameters()), self.weights, 1 - decay)

    def save(self, work: Path) -> None:
        """``WORK/model``, a checkpoint of 16 bits a weight, and ``WORK/sitting``, from which training goes on."""
        parts = {**self.pipeline.components, "unet": self.means["unet"], "text_encoder": self.means["text"]}
        for name, part in parts.items():
            if isinstance(part, torch.nn.Module):
                parts[name] = copy.deepcopy(part).to("cpu", torch.float16)
        whole = StableDiffusionPipeline(**parts, requires_safety_checker=False)
        whole.save_pretrained(work / "model", safe_serialization=True)
        folder = work / "sitting"
        folder.mkdir(exist_ok=True)
        save_file({k: v.contiguous() for k, v in self.models.state_dict().items()}, folder / "weights.safetensors")
        save_file({k: v.contiguous() for k, v in self.means.state_dict().items()}, folder / "means.safetensors")
        moments = self.optimizer.state_dict()["state"]
        flat = {
            f"{number}.{key}": value.contiguous() for number, state in moments.items() for key, value in state.items()
        }
        save_file(flat, folder / "optimizer.safetensors")
        (folder / "step.json").write_text(json.dumps(self.step))

    def resume(self, work: Path) -> None:
        """Go on from what ``save`` left, if it did."""
        folder = work / "sitting"
        if not (folder / "step.json").is_file():
            return
        self.step = json.loads((folder / "step.json").read_text())
        self.models.load_state_dict(load_file(folder / "weights.safetensors"))
        self.means.load_state_dict(load_file(folder / "means.safetensors"))
        whole = self.optimizer.state_dict()
        for name, value in load_file(folder / "optimizer.safetensors").items():
            number, key = name.split(".")
            whole["state"].setdefault(int(number), {})[key] = value
        self.optimizer.load_state_dict(whole)


def run(trainer: Trainer, work: Path, steps: int, minutes: float = float("inf")) -> None:
    """Steps, with a line now and then, and everything saved so that little is lost."""
    begun = saved = time.monotonic()
    losses: list[float] = []
    for loss in _losses(trainer, work, steps, begun + minutes * 60):
        losses.append(loss)
        if trainer.step % REPORT_STEPS == 0:
            speed = len(losses) * trainer.recipe.batch / (time.monotonic() - begun)
            mean = np.mean(losses[-5 * REPORT_STEPS :])
            print(f"step {trainer.step} of {steps}, loss {mean:.4f}, {speed:.1f} pictures/s", flush=True)
        if time.monotonic() - saved > SAVE_S:
            trainer.save(work)
            saved = time.monotonic()
    trainer.save(work)


def _losses(trainer: Trainer, work: Path, steps: int, until: float) -> Iterator[float]:
    while trainer.step < steps and time.monotonic() < until and not (work / "stop").exists():
        yield trainer.train_step(steps)


def train_model(work: Path, recipe: Recipe, device: str, threads: int, steps: int, minutes: float) -> None:
    """Train up to ``steps``, ``minutes`` at most, from where it was."""
    begin(threads)
    pipeline = make_pipeline(work, recipe)
    lessons = Lessons(work, recipe, pipeline.vae.to(device), device)
    trainer = Trainer(pipeline, lessons, recipe, device)
    trainer.resume(work)
    count = sum(weight.numel() for weight in trainer.weights) / 1e6
    print(f"{len(lessons.scenes)} pictures, {count:.1f} million weights, from step {trainer.step}", flush=True)
    run(trainer, work, steps, minutes)


def add_training(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--steps", type=int, default=0, help="in all; 0 for the recipe's")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this sitting at most")


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    add_training(parser)
    options = parser.parse_args()
    recipe = RECIPES[options.recipe]
    train_model(options.work, recipe, options.device, options.threads, options.steps or recipe.steps, options.minutes)


if __name__ == "__main__":
    main()
