"""What a starter checkpoint is measured by, one function a line of the table."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from codec import psnr
from judge import HELD_OUT, Judge
from painter import GUIDANCE, Painter, start_pictures
from pictures import COLOURS, Icons, called, plain
from recipes import Recipe
from sittings import to_tensor
from torch.nn import functional

STRENGTHS = tuple(round(0.1 * tenth, 1) for tenth in range(2, 11))
TARGETS = ("lemon", "butterfly", "rocket", "balloon")
UNKNOWN = (
    "submarine",
    "a medieval knight on a horse",
    "zxqv wub",
    "غابة في الليل",
    "!!!",
    "corporate strategy meeting",
)
NEAR_COPY = 0.005
"""Mean squared distance, of pictures 0 to 1, below which a picture counts as a near copy."""

Figures = dict[str, Any]


class Bench:
    """All that the figures need: the checkpoint, the judge, and the icons."""

    def __init__(self, folder: Path, judge: Judge, icons: Icons, recipe: Recipe) -> None:
        begun = time.monotonic()
        self.painter = Painter(folder)
        self.load_seconds = time.monotonic() - begun
        self.megabytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
        self.judge = judge
        self.icons = icons
        self.recipe = recipe
        self.labels = {item["name"]: called(item) for item in icons.items}

    def prompt(self, concept: str, drawn: str = "flat icon", ground: str = "white") -> str:
        """In the form of the captions."""
        return f"{self.labels[concept]}, {drawn}, {ground} background"

    def true_icons(self, styles: Sequence[str]) -> tuple[torch.Tensor, list[str]]:
        """Icons of the concepts in some styles, and what they show."""
        numbers = self.icons.where(set(self.recipe.concepts), styles)
        pictures = [to_tensor(plain(self.icons, number, self.painter.side)) for number in numbers]
        return torch.stack(pictures), [self.icons.items[number]["name"] for number in numbers]


def judge_itself(bench: Bench) -> Figures:
    """The judge on a style it never saw, and on true icons of few pixels: what its word is worth."""
    unseen, own = bench.true_icons((HELD_OUT,)), bench.true_icons(bench.recipe.styles)
    return {
        "judge_concepts": len(bench.judge.concepts),
        "judge_unseen_style": bench.judge.score(*unseen),
        "judge_true_icons": bench.judge.score(*own),
        "judge_icons_of_8_pixels": bench.judge.score(_roughened(own[0], 8), own[1]),
        "judge_icons_of_4_pixels": bench.judge.score(_roughened(own[0], 4), own[1]),
    }


def _roughened(pictures: torch.Tensor, side: int) -> torch.Tensor:
    small = functional.interpolate(pictures, size=(side, side), mode="area")
    return functional.interpolate(small, size=pictures.shape[-1])


def codec(bench: Bench) -> Figures:
    """Icons that the codec never saw, there and back."""
    return {"codec_psnr_db": round(psnr(bench.painter.text.vae, bench.icons, bench.painter.side), 1)}


def adherence(bench: Bench) -> Figures:
    """How often the judge names what the prompt asked for."""
    wanted = list(bench.recipe.concepts)
    found: Figures = {}
    for guidance, seeds in ((1.0, 1), (GUIDANCE, 2)):
        pictures, named = [], []
        for seed in range(seeds):
            for style in bench.recipe.styles:
                prompts = [bench.prompt(name, f"{style} icon") for name in wanted]
                pictures.append(bench.painter.paint(prompts, 50 + seed, guidance))
                named += wanted
        found[f"adherence_guidance_{guidance:g}"] = bench.judge.score(torch.cat(pictures), named)
    return found


def grounds(bench: Bench) -> Figures:
    """How often the ground has the colour that the prompt names, of twelve."""
    pairs = [
        (name, concept) for name in COLOURS for concept in bench.recipe.concepts[:: len(bench.recipe.concepts) // 4][:4]
    ]
    right = 0
    for picture, (name, _) in zip(
        bench.painter.paint([bench.prompt(concept, ground=name) for name, concept in pairs], 3), pairs, strict=True
    ):
        corner = (picture[:, [2, 2, -3, -3], [2, -3, 2, -3]].median(1).values + 1) * 127.5
        right += name == min(COLOURS, key=lambda other: float(((torch.tensor(COLOURS[other]) - corner) ** 2).sum()))
    return {"ground_obeyed": f"{right}/{len(pairs)}"}


def strength(bench: Bench) -> Figures:
    """Whether more strength moves a picture further from the one it began with, and how near the least one stays."""
    starts = [start for start in start_pictures(bench.icons, bench.painter.side) for _ in TARGETS]
    prompts = [bench.prompt(name, "cartoon icon") for name in TARGETS] * (len(starts) // len(TARGETS))
    before = torch.stack([to_tensor(start) for start in starts])
    rows = [bench.painter.repaint(starts, prompts, value, 5) for value in STRENGTHS]
    distances = torch.stack([((row - before) ** 2).mean((1, 2, 3)) / 4 for row in rows])
    rising = (distances.diff(dim=0) > 0).all(0)
    means = distances.mean(1)
    return {
        "strength_pairs_rising": f"{int(rising.sum())}/{len(starts)}",
        "strength_mean_rises": bool((means.diff() > 0).all()),
        "strength_distances": [round(value, 4) for value in means.tolist()],
        "ssim_at_0.2": round(ssim(rows[0], before), 3),
    }


def ssim(first: torch.Tensor, second: torch.Tensor) -> float:
    """Structural similarity (Wang et al. 2004) of grey pictures over windows of seven pixels, the mean."""
    one, two = ((pictures.mean(1, keepdim=True) + 1) / 2 for pictures in (first, second))

    def mean(values: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(values, 7, 1)

    light, other_light = mean(one), mean(two)
    spread = mean(one * one) - light**2 + mean(two * two) - other_light**2
    common = mean(one * two) - light * other_light
    same_light = (2 * light * other_light + 1e-4) / (light**2 + other_light**2 + 1e-4)
    return (same_light * (2 * common + 9e-4) / (spread + 9e-4)).mean().item()


def repainting(bench: Bench) -> Figures:
    """Icons of one concept repainted as another at strength 0.8: what the judge then sees."""
    concepts = list(bench.recipe.concepts)
    targets = concepts[len(concepts) // 2 :] + concepts[: len(concepts) // 2]
    numbers = [bench.icons.where({name}, bench.recipe.styles)[0] for name in concepts]
    starts = [plain(bench.icons, number, bench.painter.side) for number in numbers]
    pictures = bench.painter.repaint(starts, [bench.prompt(name) for name in targets], 0.8, 7)
    return {
        "repainted_reads_as_target": bench.judge.score(pictures, targets)[0],
        "repainted_reads_as_start": bench.judge.score(pictures, concepts)[0],
    }


def unknown_words(bench: Bench) -> Figures:
    """Words it never saw: how far they move a picture at little strength, beside words it knows."""
    starts = start_pictures(bench.icons, bench.painter.side)
    found: Figures = {}
    for kind, words in (("unknown", UNKNOWN), ("known", [bench.prompt(name) for name in TARGETS])):
        pairs = [(start, word) for start in starts for word in words]
        before = torch.stack([to_tensor(start) for start, _ in pairs])
        after = bench.painter.repaint([start for start, _ in pairs], [word for _, word in pairs], 0.3, 11)
        found[f"distance_at_0.3_{kind}_words"] = round((((after - before) ** 2).mean() / 4).item(), 4)
    latents = bench.painter.text(list(UNKNOWN), num_inference_steps=20, guidance_scale=9.0, output_type="latent").images
    return {**found, "unknown_words_always_finite": bool(torch.isfinite(latents).all())}


def speed(bench: Bench) -> Figures:
    """Seconds for one picture of 20 steps, to load, and the size on the disk."""
    prompt = bench.prompt(bench.recipe.concepts[0])
    seconds = []
    for _ in range(4):
        begun = time.monotonic()
        bench.painter.paint([prompt])
        seconds.append(time.monotonic() - begun)
    return {
        "seconds_20_steps": round(min(seconds[1:]), 2),
        "seconds_to_load": round(bench.load_seconds, 2),
        "megabytes": round(bench.megabytes, 1),
        "threads": torch.get_num_threads(),
    }


def copies(bench: Bench) -> tuple[Figures, list[torch.Tensor]]:
    """Of 64 pictures, how many are near copies of a render; and rows of them above the nearest renders."""
    concepts = list(bench.recipe.concepts)[:64]
    styles = [bench.recipe.styles[number % len(bench.recipe.styles)] for number in range(len(concepts))]
    prompts = [bench.prompt(name, f"{style} icon") for name, style in zip(concepts, styles, strict=True)]
    pictures = bench.painter.paint(prompts, 90)
    numbers = bench.icons.where(None, bench.recipe.styles)
    best = torch.full((len(pictures),), float("inf"))
    nearest = torch.zeros_like(pictures)
    for size in np.linspace(0.84, 0.96, 4):
        for first in range(0, len(numbers), 256):
            chosen = numbers[first : first + 256]
            renders = torch.stack([to_tensor(plain(bench.icons, n, bench.painter.side, "white", size)) for n in chosen])
            distances = torch.cdist(pictures.flatten(1), renders.flatten(1)) ** 2 / pictures[0].numel() / 4
            least = distances.min(1)
            nearer = least.values < best
            best = torch.where(nearer, least.values, best)
            nearest[nearer] = renders[least.indices[nearer]]
    rows = [
        part
        for first in range(0, len(pictures), 16)
        for part in (pictures[first : first + 16], nearest[first : first + 16])
    ]
    return {"near_copies": f"{int((best < NEAR_COPY).sum())}/{len(pictures)}"}, rows
