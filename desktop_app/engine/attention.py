"""Attention: how denoisers compute it. PyTorch's own way, unless another is asked for and installed.

The denoisers of diffusers are of two sorts. The newer ones, transformers, ask a table for the backend by its name. The
U-Nets of Stable Diffusion and Kandinsky do not: there a backend can be set without any effect, and xFormers alone can
be put in the place of PyTorch's. Tried here without any of the packages: what they do on a graphics card is written by
diffusers' source.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from typing import Any

from desktop_app.core.engine import ATTENTIONS
from desktop_app.core.memory import DENOISERS

PACKAGES = {"xformers": "xformers", "flash": "flash-attn", "sage": "sageattention"}
"""The packages that bring what is not PyTorch's."""

OWN = ("", "sdpa")
"""Ways that need nothing but PyTorch."""


def installed() -> dict[str, str]:
    """Versions of the packages that are there, by the names of `ATTENTIONS`."""
    versions = {}
    for name, package in PACKAGES.items():
        try:
            versions[name] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def kernels(device: str) -> list[str]:
    """Which kernels PyTorch may choose from on ``device``; it takes the fastest that knows the shapes."""
    from torch.backends import cuda

    if device != "cuda":
        return []
    enabled = {
        "flash": cuda.flash_sdp_enabled(),
        "memory-efficient": cuda.mem_efficient_sdp_enabled(),
        "cuDNN": cuda.cudnn_sdp_enabled(),
        "plain": cuda.math_sdp_enabled(),
    }
    return [name for name, is_on in enabled.items() if is_on]


def describe(name: str, device: str = "cpu") -> str:
    """One line: what is used when ``name`` is asked for, and what else is there."""
    there = installed()
    if name in there:
        return f"{ATTENTIONS[name]} {there[name]}, where the checkpoint can use it"
    chosen = ", ".join(kernels(device))
    others = [f"{ATTENTIONS[each]} {version} is there, if asked for" for each, version in there.items()]
    missing = f"{ATTENTIONS[name if name in PACKAGES else 'xformers']} not installed"
    return f"{ATTENTIONS['sdpa']}{f' by {chosen}' if chosen else ''} ({'; '.join(others) or missing})"


def use(pipelines: Iterable[Any], name: str) -> str:
    """Let the denoisers of ``pipelines``, just loaded, compute attention by ``name``.

    Returns what is to be told when they cannot: they then use PyTorch's own way; else empty.
    """
    if name in OWN:
        return ""
    if name not in installed():
        return f"{ATTENTIONS.get(name, name)} is not installed; PyTorch's own attention was used."
    parts = {id(part): part for pipeline in pipelines for part in map(pipeline.components.get, DENOISERS) if part}
    try:
        for part in parts.values():
            set_backend(part, name)
    except (ImportError, ValueError, RuntimeError, NotImplementedError) as e:
        reason = (str(e).strip().splitlines() or [type(e).__name__])[0]
        return f"{ATTENTIONS[name]} cannot be used here, PyTorch's own attention was ({reason[:200]})."
    return ""


def set_backend(part: Any, name: str) -> None:
    """Let one denoiser use ``name``. Raises ValueError where it would have no effect, and what diffusers raises."""
    from diffusers.models.attention_dispatch import attention_backend

    if asks_for_backend(part):
        with attention_backend("native"):  # or all others would change as well
            part.set_attention_backend(name)
    elif name == "xformers":
        part.enable_xformers_memory_efficient_attention()
    else:
        raise ValueError(f"{type(part).__name__} has no place for it")


def asks_for_backend(part: Any) -> bool:
    """Whether ``part`` is of the newer sort."""
    processors = (getattr(module, "processor", None) for module in part.modules())
    return any(hasattr(processor, "_attention_backend") for processor in processors)
