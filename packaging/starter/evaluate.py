"""Figures and grids of a starter checkpoint: what its card says is measured here.

python packaging/starter/evaluate.py WORK MODEL --out FOLDER
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from judge import Judge, all_styles, score, train_judge
from pictures import COLOURS, CONCEPTS, STYLES, Icons, compose, load_icons
from PIL import Image, ImageDraw
from torch.nn import functional

HELD_OUT = "twemoji"
OTHERS = 48
"""Concepts beside the checkpoint's own that the judge may take a picture for."""

GUIDANCE = 4.0
STEPS = 20
STRENGTHS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
GROUNDS = ("white", "light blue", "white", "red", "white", "yellow", "white", "green")
Figures = dict[str, Any]


class Painter:
    """The checkpoint, and pictures by it as tensors (count, 3, side, side) of -1 to 1."""

    def __init__(self, folder: Path) -> None:
        self.text = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, safety_checker=None)
        self.image = StableDiffusionImg2ImgPipeline(**self.text.components, requires_safety_checker=False)
        for pipeline in (self.text, self.image):
            pipeline.set_progress_bar_config(disable=True)
        self.side: int = self.text.unet.config.sample_size * self.text.vae_scale_factor

    def paint(self, prompts: list[str], seed: int = 0, guidance: float = GUIDANCE, negative: str = "") -> torch.Tensor:
        """Pictures from prompts alone."""
        pictures = [
            self.text(
                prompt,
                negative_prompt=negative,
                guidance_scale=guidance,
                num_inference_steps=STEPS,
                height=self.side,
                width=self.side,
                generator=torch.Generator().manual_seed(seed * 1000 + number),
            ).images[0]
            for number, prompt in enumerate(prompts)
        ]
        return torch.stack([to_tensor(picture) for picture in pictures])

    def repaint(self, picture: Image.Image, prompt: str, strength: float, seed: int) -> torch.Tensor:
        """A picture from another one."""
        generator = torch.Generator().manual_seed(seed)
        values = {"strength": strength, "guidance_scale": GUIDANCE, "num_inference_steps": STEPS}
        return to_tensor(self.image(prompt, image=picture, generator=generator, **values).images[0])


def main() -> None:
    """Measure, and write ``figures.json`` and the grids."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    options.out.mkdir(parents=True, exist_ok=True)
    painter = Painter(options.model)
    icons = load_icons(options.work, painter.side)
    names = concepts(icons)
    judge = train_judge(icons, names, all_styles(HELD_OUT), options.work / "judge.safetensors")
    figures: Figures = {
        **judge_itself(judge, icons, names),
        **adherence(painter, judge, icons, names, options.out),
        **grounds(painter, icons),
        **strength(painter, icons, options.out),
        **codec(painter, icons),
        **speed(painter, icons),
    }
    sliders(painter, icons, options.out)
    figures["copies"] = copies(painter, icons, options.out)
    (options.out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    for name, value in figures.items():
        print(f"{name}: {value}")


def concepts(icons: Icons) -> list[str]:
    """The checkpoint's own, and others that exist in every style."""
    styles: dict[str, set[str]] = {}
    for item in icons.items:
        styles.setdefault(item["name"], set()).add(item["style"])
    whole = sorted(name for name, found in styles.items() if found >= {*STYLES, HELD_OUT, "blob"})
    others = [name for name in whole if name not in CONCEPTS]
    step = max(len(others) // OTHERS, 1)
    return [*CONCEPTS, *others[::step][:OTHERS]]


def label(icons: Icons, name: str) -> str:
    """What a prompt calls the concept."""
    return next(item["label"] for item in icons.items if item["name"] == name).replace(" face", "")


def prompt_of(icons: Icons, number: int, style: str, ground: str) -> str:
    """A prompt in the form of the captions."""
    return f"{label(icons, CONCEPTS[number])}, {style} icon, {ground} background"


# Figures -----------------------------------------------------------------------------------------


def judge_itself(judge: Judge, icons: Icons, names: list[str]) -> Figures:
    """How the judge does on a style it never saw, and on true icons of 8 by 8 pixels: what figures are worth."""
    held = icons.where(names, (HELD_OUT,))
    pictures = torch.stack([compose(icons.pixels[icon], COLOURS["white"], 0.9, 0, 0) for icon in held])
    numbers = [names.index(icons.items[icon]["name"]) for icon in held]
    own = icons.where(list(CONCEPTS), STYLES)
    true = torch.stack([compose(icons.pixels[icon], COLOURS["white"], 0.9, 0, 0) for icon in own])
    own_numbers = [names.index(icons.items[icon]["name"]) for icon in own]
    rough = functional.interpolate(functional.interpolate(true, size=(8, 8), mode="area"), size=true.shape[-1])
    return {
        "judge_unseen_style": rounded(score(judge, pictures, numbers)),
        "judge_true_icons": rounded(score(judge, true, own_numbers)),
        "judge_icons_of_8_pixels": rounded(score(judge, rough, own_numbers)),
    }


def adherence(painter: Painter, judge: Judge, icons: Icons, names: list[str], out: Path) -> Figures:
    """How often the judge names what the prompt asked for; and one row a style for people to look at."""
    found: Figures = {}
    wanted = list(range(len(CONCEPTS)))
    rows = []
    for guidance in (1.0, GUIDANCE):
        pictures = []
        for seed, style in enumerate((*STYLES, *STYLES) if guidance == GUIDANCE else STYLES):
            row = painter.paint([prompt_of(icons, number, style, "white") for number in wanted], 50 + seed, guidance)
            pictures.append(row)
        found[f"adherence_guidance_{guidance:g}"] = rounded(score(judge, torch.cat(pictures), wanted * len(pictures)))
        rows += pictures if guidance == GUIDANCE else []
    save_grid(rows, out / "prompts.png")
    return found


def grounds(painter: Painter, icons: Icons) -> Figures:
    """How often the ground has the colour that the prompt names, of twelve."""
    right = count = 0
    for ground in ("red", "yellow", "green", "blue", "black", "white"):
        for picture in painter.paint([prompt_of(icons, number, "flat", ground) for number in (0, 4, 8, 12)], 3):
            corners = (picture[:, [0, 0, -1, -1], [0, -1, 0, -1]].mean(1) + 1) * 127.5
            best = min(COLOURS, key=lambda name: float(((torch.tensor(COLOURS[name]) - corners) ** 2).sum()))
            right, count = right + (best == ground), count + 1
    return {"ground_obeyed": f"{right}/{count}"}


def strength(painter: Painter, icons: Icons, out: Path) -> Figures:
    """Whether more strength moves a picture further from the one it began with."""
    starts = start_pictures(icons, painter.side)
    rows, rising, near = [], 0, []
    pairs = [(start, prompt_of(icons, number, "cartoon", "white")) for start in starts for number in (5, 6, 12, 13)]
    for start, prompt in pairs:
        row = torch.stack([painter.repaint(start, prompt, value, 5) for value in STRENGTHS])
        distances = ((row - to_tensor(start)) ** 2).mean((1, 2, 3)).tolist()
        rising += all(np.diff(distances) > -1e-3)
        near.append(distances[0])
        rows.append(torch.cat([to_tensor(start)[None], row]))
    save_grid(rows[::2], out / "strength.png")
    return {"strength_rises": f"{rising}/{len(pairs)}", "distance_at_0.2": round(float(np.mean(near)), 4)}


def codec(painter: Painter, icons: Icons) -> Figures:
    """Peak signal to noise of icons through the codec, decibels."""
    chosen = np.random.default_rng(0).choice(len(icons.items), 200, replace=False)
    names = list(COLOURS)
    pictures = torch.stack(
        [compose(icons.pixels[icon], COLOURS[names[k % 12]], 0.9, 0, 0) for k, icon in enumerate(chosen)]
    )
    with torch.no_grad():
        back = painter.text.vae.decode(painter.text.vae.encode(pictures).latents).sample.clamp(-1, 1)
    noise = ((back - pictures) ** 2).mean((1, 2, 3))
    return {"codec_psnr_db": round((10 * torch.log10(4 / noise)).mean().item(), 1)}


def speed(painter: Painter, icons: Icons) -> Figures:
    """Seconds for one picture."""
    prompt = prompt_of(icons, 5, "flat", "white")
    painter.paint([prompt])
    begun = time.monotonic()
    painter.paint([prompt])
    return {"seconds_20_steps": round(time.monotonic() - begun, 2), "threads": torch.get_num_threads()}


def copies(painter: Painter, icons: Icons, out: Path) -> str:
    """How many of 48 pictures are near copies of a render; each beside its nearest, for people to look at."""
    wanted = [[prompt_of(icons, number, style, "white") for number in range(16)] for style in STYLES]
    pictures = torch.cat([painter.paint(prompts, 90 + seed) for seed, prompts in enumerate(wanted)])
    chosen = icons.where(list(CONCEPTS), STYLES)
    renders = torch.stack([compose(icons.pixels[icon], COLOURS["white"], 0.88, 0, 0) for icon in chosen])
    distances = torch.cdist(pictures.flatten(1), renders.flatten(1)) ** 2 / pictures[0].numel() / 4
    nearest = distances.min(1)
    rows = [pictures[:16], renders[nearest.indices[:16]], pictures[16:32], renders[nearest.indices[16:32]]]
    save_grid(rows, out / "nearest.png")
    return f"{int((nearest.values < 0.005).sum())}/{len(pictures)}"


def sliders(painter: Painter, icons: Icons, out: Path) -> None:
    """Grids over guidance and over negative prompts."""
    prompts = [prompt_of(icons, number, STYLES[number % 3], GROUNDS[number % 8]) for number in range(16)]
    save_grid([painter.paint(prompts, guidance=value) for value in (1.0, 3.0, 5.0, 9.0)], out / "guidance.png")
    negatives = ("", "white background", "red background", "yellow", "glossy icon")
    save_grid([painter.paint(prompts[:8], negative=words) for words in negatives], out / "negative.png")


# Pictures ----------------------------------------------------------------------------------------


def start_pictures(icons: Icons, side: int) -> list[Image.Image]:
    """A sketch, something like a photo, and two icons."""
    sketch = Image.new("RGB", (256, 256), COLOURS["light blue"])
    draw = ImageDraw.Draw(sketch)
    draw.ellipse((60, 80, 190, 210), fill=COLOURS["red"])
    draw.line((125, 80, 140, 40), fill=(90, 60, 30), width=12)
    across, down = np.meshgrid(np.linspace(0, 1, 256), np.linspace(0, 1, 256))
    blob = np.exp(-((((across - 0.5) / 0.24) ** 2 + ((down - 0.55) / 0.28) ** 2) ** 2))[..., None]
    ground = np.stack([0.55 + 0.25 * down, 0.6 + 0.1 * across, 0.65 - 0.2 * down], -1)
    thing = np.stack([0.95 - 0.4 * down, 0.75 - 0.3 * across, 0.2 + 0.1 * across], -1)
    grain = np.random.default_rng(0).normal(0, 0.03, (256, 256, 3))
    photo = Image.fromarray(((ground * (1 - blob) + blob * thing + grain).clip(0, 1) * 255).astype(np.uint8))
    drawn = [icons.where([name], ("cartoon",))[0] for name in ("bird", "bomb")]
    return [
        *(picture.resize((side, side), Image.Resampling.LANCZOS) for picture in (sketch, photo)),
        *(to_picture(compose(icons.pixels[icon], COLOURS["white"], 0.9, 0, 0)) for icon in drawn),
    ]


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """(3, side, side), -1 to 1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1).float() / 127.5 - 1


def to_picture(pixels: torch.Tensor) -> Image.Image:
    """The picture of a tensor."""
    return Image.fromarray(((pixels.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).round().byte().numpy())


def save_grid(rows: list[torch.Tensor], path: Path, zoom: int = 2) -> None:
    """``rows`` of pictures, enlarged for the eye."""
    side = rows[0].shape[-1] * zoom + 2
    sheet = Image.new("RGB", (side * max(len(row) for row in rows), side * len(rows)), "white")
    for down, row in enumerate(rows):
        for across, pixels in enumerate(row):
            picture = to_picture(pixels)
            large = picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.LANCZOS)
            sheet.paste(large, (across * side, down * side))
    sheet.save(path, optimize=True)


def rounded(pair: tuple[float, float]) -> list[float]:
    """Shares in per cent."""
    return [round(share * 100, 1) for share in pair]


if __name__ == "__main__":
    main()
