"""The judge: a small classifier that says which concept a picture shows. It never sees what the checkpoint paints."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from pictures import COLOUR_NAMES, STYLES, Ground, Icons, put
from recipes import Recipe
from safetensors.torch import load_file, save_file
from sittings import to_tensor
from torch import nn
from torch.nn import functional

SIDE = 32
"""Pixels at which it looks: fine detail is not what it should go by."""

HELD_OUT = "twemoji"
"""A style that neither it nor the checkpoint ever sees, to know what its word is worth."""

LEARNS_FROM = (*STYLES, "blob")
MIN_CONCEPTS = 100
STEPS = 2000
BATCH = 64
RATE = 2e-3


class Judge(nn.Module):
    """Takes (count, 3, side, side), -1 to 1; gives (count, concepts)."""

    def __init__(self, concepts: Sequence[str]) -> None:
        super().__init__()
        self.concepts = list(concepts)
        blocks: list[nn.Module] = []
        for before, after in pairwise((3, 32, 64, 128)):
            conv = nn.Conv2d(before, after, 3, padding=1, bias=False)
            blocks += [conv, nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        self.layers = nn.Sequential(*blocks, nn.Flatten(), nn.Dropout(0.3), nn.Linear(128 * 16, len(concepts)))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scores of the concepts."""
        return self.layers(functional.interpolate(pictures, size=(SIDE, SIDE), mode="area"))

    def score(self, pictures: torch.Tensor, wanted: Sequence[str]) -> tuple[float, float]:
        """Per cent that it names rightly at once, and within five."""
        with torch.no_grad():
            best = self(pictures).topk(min(5, len(self.concepts)), 1).indices
        right = best == torch.tensor([self.concepts.index(name) for name in wanted])[:, None]
        return round(100 * right[:, 0].float().mean().item(), 1), round(100 * right.any(1).float().mean().item(), 1)


def judged_concepts(icons: Icons, recipe: Recipe) -> list[str]:
    """The checkpoint's own, and others that exist in every style, up to a hundred and a third more than its own."""
    styles: dict[str, set[str]] = {}
    for item in icons.items:
        styles.setdefault(item["name"], set()).add(item["style"])
    own = set(recipe.concepts)
    others = sorted(name for name, found in styles.items() if found >= {*LEARNS_FROM, HELD_OUT} and name not in own)
    count = max(MIN_CONCEPTS - len(own), len(own) // 3)
    return [*recipe.concepts, *others[:: max(len(others) // count, 1)][:count]]


def get_judge(work: Path, icons: Icons, recipe: Recipe) -> Judge:
    """The judge of a recipe, from a file where it was trained before."""
    concepts = judged_concepts(icons, recipe)
    path, names = work / "judge.safetensors", work / "judge.json"
    judge = Judge(concepts)
    if path.is_file() and json.loads(names.read_text(encoding="utf-8")) == concepts:
        judge.load_state_dict(load_file(path))
    else:
        _learn(judge, icons)
        save_file(judge.state_dict(), path)
        names.write_text(json.dumps(concepts), encoding="utf-8")
    return judge.eval()


def _learn(judge: Judge, icons: Icons) -> None:
    begun = time.monotonic()
    numbers = {name: number for number, name in enumerate(judge.concepts)}
    chosen = icons.where(numbers, LEARNS_FROM)
    optimizer = torch.optim.AdamW(judge.parameters(), RATE, weight_decay=0.02)
    for step in range(STEPS):
        rng = np.random.default_rng((5, step))
        for group in optimizer.param_groups:
            group["lr"] = RATE * max(0.02, 1 - step / STEPS)
        batch = [chosen[index] for index in rng.integers(len(chosen), size=BATCH)]
        pictures = _disturb(torch.stack([_strong_picture(icons, icon, rng) for icon in batch]), rng)
        wanted = torch.tensor([numbers[icons.items[icon]["name"]] for icon in batch])
        functional.cross_entropy(judge(pictures), wanted, label_smoothing=0.05).backward()
        optimizer.step()
        optimizer.zero_grad()
    print(f"judge of {len(numbers)} concepts trained in {time.monotonic() - begun:.0f} s", flush=True)


def _strong_picture(icons: Icons, icon: int, rng: np.random.Generator) -> torch.Tensor:
    """An icon in any colour of ground, size and place."""
    colour = "white" if rng.random() < 0.4 else COLOUR_NAMES[rng.integers(len(COLOUR_NAMES))]
    picture = Ground(colour).image(SIDE)
    put(icons.image(icon), picture, rng.uniform(0.7, 1.1), *rng.uniform(-0.08, 0.08, 2))
    return to_tensor(picture)


def _disturb(pictures: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Blurred, brighter or darker, and noisy, as painted pictures are."""
    if rng.random() < 0.5:
        pictures = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    return pictures * float(rng.uniform(0.8, 1.1)) + torch.randn_like(pictures) * float(rng.uniform(0, 0.15))
