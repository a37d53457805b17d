"""Diffusers without us: what the engine's pictures are compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image


def bare(name: str, folder: Path, **parts: Any):
    """The pipeline ``name`` of diffusers, with one thread; ``parts`` are put in and not loaded."""
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipeline = getattr(diffusers, name).from_pretrained(folder, dtype=torch.float32, **dict.fromkeys(parts))
    pipeline.register_modules(**parts)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def bare_picture(name: str, folder: Path, parts: dict[str, Any] | None = None, **arguments: Any) -> Image.Image:
    """What that pipeline makes with the seed 7, which `make_request` has too."""
    import torch

    generator = torch.Generator("cpu").manual_seed(7)
    return bare(name, folder, **(parts or {}))(generator=generator, **arguments).images[0]
