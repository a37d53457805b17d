"""Trains UNet and text encoder of the starter checkpoint together.

python packaging/starter/train.py WORK [--recipe cpu] [--device cpu] [--workers 1] [--steps N] [--minutes M]

On a CPU, two processes of one thread each (``--workers 2 --threads 1``) are nearly twice as quick as two threads.

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
from typing import Any

import numpy as np
import torch
import torch.distributed as together
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

    def __init__(self, work: Path, recipe: Recipe, codec: AutoencoderTiny, device: str, *, keeps: bool = True) -> None:
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
            if keeps:
                np.save(path, kept)
        self.latents = torch.from_numpy(kept).to(device)

    def batch(self, step: int, count: int) -> tuple[torch.Tensor, list[str]]:
        """Latents and captions of one step; the same each time it is asked for."""
        rng = np.random.default_rng((2, step))
        chosen = rng.integers(len(self.scenes), size=count)
        return self.latents[chosen].float(), [self.scenes[number].caption(rng) for number in chosen]


class Crew:
    """The processes that share each step's pictures: every one knows what all of them found."""

    def __init__(self, rank: int, count: int) -> None:
        self.rank = rank
        self.count = count

    def mine(self, values: Any) -> Any:
        """This process's part of a step's pictures, captions or noise."""
        return values[self.rank :: self.count]

    def average(self, weights: list[torch.nn.Parameter], loss: torch.Tensor) -> float:
        """Make the gradients, and the loss that is returned, the mean of all processes'."""
        if self.count == 1:
            return loss.item()
        found = [weight.grad for weight in weights if weight.grad is not None]
        flat = torch.cat([loss.detach().reshape(1), *(gradient.flatten() for gradient in found)])
        together.all_reduce(flat)
        flat /= self.count
        parts = flat[1:].split([gradient.numel() for gradient in found])
        for gradient, part in zip(found, parts, strict=True):
            gradient.copy_(part.view_as(gradient))
        return flat[0].item()

    def agree(self, answer: bool) -> bool:
        """What the first process answers."""
        if self.count == 1:
            return answer
        said = torch.tensor([float(answer)])
        together.broadcast(said, 0)
        return bool(said.item())


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
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",  # what the prompt says as a whole reaches every layer, beside cross-attention
        addition_embed_type_num_heads=4,
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

    def __init__(
        self, pipeline: StableDiffusionPipeline, lessons: Lessons, recipe: Recipe, device: str, crew: Crew, half: bool
    ) -> None:
        self.crew = crew
        self.half = half
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
        with torch.autocast(self.device, torch.bfloat16, enabled=self.half):
            loss = self._loss(latents, self._encode(self.crew.mine(captions)))
        loss.backward()
        value = self.crew.average(self.weights, loss)
        torch.nn.utils.clip_grad_norm_(self.weights, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.step += 1
        self._average()
        return value

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
        clean, noise, timesteps = (self.crew.mine(values) for values in (clean, noise, timesteps))
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
        tidy(work / "model")
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


def tidy(folder: Path) -> None:
    """Make a saved checkpoint load without a word about number formats, and its tokenizer small."""
    config = folder / "text_encoder" / "config.json"
    values = json.loads(config.read_text(encoding="utf-8"))
    values["dtype"] = "float32"  # what diffusers makes of the other parts; transformers would keep 16 bits
    config.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
    tokenizer = folder / "tokenizer" / "tokenizer.json"
    short = json.dumps(json.loads(tokenizer.read_text(encoding="utf-8")), ensure_ascii=False, separators=(",", ":"))
    tokenizer.write_text(short, encoding="utf-8")


def run(trainer: Trainer, work: Path, steps: int, minutes: float = float("inf")) -> None:
    """Steps, with a line now and then, and everything saved so that little is lost."""
    begun = saved = time.monotonic()
    losses: list[float] = []
    for loss in _losses(trainer, work, steps, begun + minutes * 60):
        losses.append(loss)
        if trainer.crew.rank > 0:
            continue
        if trainer.step % REPORT_STEPS == 0:
            speed = len(losses) * trainer.recipe.batch / (time.monotonic() - begun)
            mean = np.mean(losses[-5 * REPORT_STEPS :])
            print(f"step {trainer.step} of {steps}, loss {mean:.4f}, {speed:.1f} pictures/s", flush=True)
        if time.monotonic() - saved > SAVE_S:
            trainer.save(work)
            saved = time.monotonic()
    if trainer.crew.rank == 0:
        trainer.save(work)


def _losses(trainer: Trainer, work: Path, steps: int, until: float) -> Iterator[float]:
    while trainer.step < steps and trainer.crew.agree(time.monotonic() < until and not (work / "stop").exists()):
        yield trainer.train_step(steps)


def train_model(work: Path, recipe: Recipe, options: argparse.Namespace) -> None:
    """Train as the options of ``add_common`` and ``add_training`` say, from where it was."""
    meeting = work / "meeting"
    meeting.unlink(missing_ok=True)
    if options.workers == 1:
        _work(0, work, recipe, options)
    else:
        torch.multiprocessing.spawn(_work, (work, recipe, options), options.workers)


def _work(rank: int, work: Path, recipe: Recipe, options: argparse.Namespace) -> None:
    begin(options.threads)
    if options.workers > 1:
        url = (work / "meeting").resolve().as_uri()
        together.init_process_group("gloo", init_method=url, rank=rank, world_size=options.workers)
    pipeline = make_pipeline(work, recipe)
    lessons = Lessons(work, recipe, pipeline.vae.to(options.device), options.device, keeps=rank == 0)
    crew = Crew(rank, options.workers)
    trainer = Trainer(pipeline, lessons, recipe, options.device, crew, options.half)
    trainer.resume(work)
    if rank == 0:
        count = sum(weight.numel() for weight in trainer.weights) / 1e6
        print(f"{len(lessons.scenes)} pictures, {count:.1f} million weights, from step {trainer.step}", flush=True)
    run(trainer, work, options.steps or recipe.steps, options.minutes)
    if options.workers > 1:
        together.destroy_process_group()


def add_training(parser: argparse.ArgumentParser) -> None:
    """How long."""
    parser.add_argument("--steps", type=int, default=0, help="in all; 0 for the recipe's")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this sitting at most")
    parser.add_argument("--workers", type=int, default=1, help="processes on the CPU")
    parser.add_argument(
        "--half", action="store_true", help="bfloat16 where it counts for little; for CUDA and new CPUs"
    )


def main() -> None:
    """Train as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common(parser)
    add_training(parser)
    options = parser.parse_args()
    train_model(options.work, RECIPES[options.recipe], options)


if __name__ == "__main__":
    main()
