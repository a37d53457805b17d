"""Repositories as the hub has them, with contents of chance in place of weights: for downloads, not to be loaded."""

from __future__ import annotations

import contextlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from desktop_app.store.hub_errors import Patience

INDEX = {
    "_class_name": "StableDiffusionPipeline",
    "_diffusers_version": "0.42.1",
    "feature_extractor": ["transformers", "CLIPImageProcessor"],
    "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
    "scheduler": ["diffusers", "PNDMScheduler"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "vae": ["diffusers", "AutoencoderKL"],
}
TEXTS = {
    "README.md": "---\nlicense: openrail\n---\n",
    "scheduler/scheduler_config.json": "{}",
    "text_encoder/config.json": '{"hidden_size": 32}',
    "tokenizer/vocab.json": "{}",
    "tokenizer/merges.txt": "#version: 0.2\n",
    "unet/config.json": '{"sample_size": 64}',
    "vae/config.json": '{"latent_channels": 4}',
    "feature_extractor/preprocessor_config.json": "{}",
    "safety_checker/config.json": "{}",
}
WEIGHTS = {
    "safetensors": (
        "text_encoder/model",
        "unet/diffusion_pytorch_model",
        "vae/diffusion_pytorch_model",
        "safety_checker/model",
    ),
    "bin": (
        "text_encoder/pytorch_model",
        "unet/diffusion_pytorch_model",
        "vae/diffusion_pytorch_model",
        "safety_checker/pytorch_model",
    ),
}
QUICK = Patience(tries=5, first_s=0.0, longest_s=0.0, longest_asked_s=0.0, stall_s=10.0)
"""Tries again at once."""


def write_repo(
    folder: Path,
    *,
    kinds: tuple[str, ...] = ("safetensors",),
    variants: tuple[str, ...] = ("",),
    size: int = 5000,
    seed: int = 0,
) -> Path:
    """A repository in diffusers layout; each file of weights has ``size`` bytes of chance."""
    write_files(folder, {"model_index.json": json.dumps(INDEX), **TEXTS})
    chance = random.Random(seed)
    for kind in kinds:
        for variant in variants:
            names = [f"{stem}{'.' + variant if variant else ''}.{kind}" for stem in WEIGHTS[kind]]
            write_files(folder, {name: chance.randbytes(size) for name in names})
    return folder


def write_files(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Files by their paths."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def go_online(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where nothing is set that concerns the hub."""
    for name in ("HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_TOKEN", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


_watchers: list[list[str]] = []


def _watch(event: str, _arguments: object) -> None:
    if event in ("socket.connect", "socket.getaddrinfo"):
        for tried in _watchers:
            tried.append(event)


sys.addaudithook(_watch)


@contextlib.contextmanager
def connections_tried() -> Iterator[list[str]]:
    """What the program tries to reach meanwhile."""
    tried: list[str] = []
    _watchers.append(tried)
    try:
        yield tried
    finally:
        _watchers.remove(tried)
