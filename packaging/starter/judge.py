"""The judge: a small classifier that says which concept a picture shows. It never sees what the checkpoint paints."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from pictures import COLOUR_NAMES, COLOURS, STYLES, Icons, compose
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

SIDE = 32
"""Pixels at which it looks: fine detail is not what it should go by."""

STEPS = 2500
BATCH = 64
RATE = 2e-3


class Judge(nn.Module):
    """Takes (count, 3, side, side), -1 to 1; gives (count, concepts)."""

    def __init__(self, concepts: int) -> None:
        super().__init__()
        sizes = (3, 32, 64, 128)
        blocks: list[nn.Module] = []
        for before, after in pairwise(sizes):
            conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
            blocks += [conv, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, concepts))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores of the concepts."""
        return self.layers(functional.interpolate(pictures, size=(SIDE, SIDE), mode="area"))


def train_judge(icons: Icons, names: list[str], styles: tuple[str, ...], path: Path) -> Judge:
    """A judge of ``names``, from a file where it was trained before."""
    judge = Judge(len(names))
    if path.is_file():
        judge.load_state_dict(load_file(path))
        return judge.eval()
    numbers = {name: number for number, name in enumerate(names)}
    chosen = [(icon, numbers[icons.items[icon]["name"]]) for icon in icons.where(names, styles)]
    rng = np.random.default_rng(5)
    optimizer = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.02)
    begun = time.monotonic()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(0.02, 1 - step / STEPS)
        batch = [chosen[index] for index in rng.integers(len(chosen), size=BATCH)]
        pictures = disturb(torch.stack([strong_picture(icons, icon, rng) for icon, _ in batch]), rng)
        wanted = torch.tensor([number for _, number in batch])
        loss = functional.cross_entropy(judge(pictures), wanted, label_smoothing=0.05)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    save_file(judge.state_dict(), path)
    print(f"judge of {len(names)} concepts trained in {time.monotonic() - begun:.0f} s", flush=True)
    return judge.eval()


def strong_picture(icons: Icons, icon: int, rng: np.random.Generator) -> torch.Tensor:
    """An icon in any colour of ground, size and place."""
    ground = "white" if rng.random() < 0.4 else COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
    place = (float(rng.uniform(0.7, 1.1)), float(rng.uniform(-0.15, 0.15)), float(rng.uniform(-0.15, 0.15)))
    return compose(icons.pixels[icon], COLOURS[ground], *place)


def disturb(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Blurred, brighter or darker, and noisy, as painted pictures are."""
    if rng.random() < 0.5:
        pictures = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return pictures * float(rng.uniform(0.8, 1.1)) + torch.randn_like(pictures) * float(rng.uniform(0, 0.15))


def score(judge: Judge, pictures: torch.Tensor, wanted: list[int]) -> tuple[float, float]:
    """Shares that the judge names rightly at once, and within five."""
    with torch.no_grad():
        best = judge(pictures).topk(5, 1).indices
    right = best == torch.tensor(wanted)[:, None]
    return right[:, 0].float().mean().item(), right.any(1).float().mean().item()


def all_styles(held_out: str) -> tuple[str, ...]:
    """What the judge learns from: the checkpoint's styles and one more, without the one it is examined on."""
    return tuple(style for style in (*STYLES, "twemoji", "blob") if style != held_out)
