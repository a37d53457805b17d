"""What the steps of the training share: their options, the seeds, and pictures as tensors."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from recipes import RECIPES


def add_common(parser: argparse.ArgumentParser) -> None:
    """Work folder, recipe, device and threads."""
    parser.add_argument("work", type=Path, help="folder for everything that is made on the way")
    parser.add_argument("--recipe", choices=RECIPES, default="cpu")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--threads", type=int, default=0, help="for the CPU; 0 leaves it to torch")


def begin(threads: int = 0) -> None:
    """The same numbers each time."""
    torch.manual_seed(0)
    if threads:
        torch.set_num_threads(threads)


def to_tensor(picture: Image.Image) -> torch.Tensor:
    """(3, height, width), -1 to 1."""
    return torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1).float() / 127.5 - 1


def to_picture(pixels: torch.Tensor) -> Image.Image:
    """RGB, from (3, height, width), -1 to 1."""
    return Image.fromarray(((pixels.permute(1, 2, 0) + 1) * 127.5).clamp(0, 255).round().byte().cpu().numpy())
