"""Which build of torch fits this machine, and where it is to be had."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

INDEX = "https://download.pytorch.org/whl"
"""PyTorch's own package index. PyPI has the CUDA build for Linux and the CPU build for the other systems."""

TIMEOUT_S = 5

NAMES = {
    "cpu": "the processor (no accelerator found)",
    "cuda": "an NVIDIA GPU (CUDA)",
    "rocm": "an AMD GPU (ROCm)",
    "mps": "Apple's GPU (MPS)",
}


def detect() -> str:
    """A key of `NAMES`."""
    if sys.platform == "darwin":
        return "mps" if platform.machine() == "arm64" else "cpu"
    if works("nvidia-smi", "-L"):
        return "cuda"
    if works("rocminfo"):
        return "rocm"
    return "cpu"


def works(*command: str) -> bool:
    """Whether a tool is there and finds a device."""
    program = shutil.which(command[0])
    if program is None:
        return False
    try:
        return subprocess.run([program, *command[1:]], capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def pinned_torch(constraints: str) -> str:
    """The version of torch that ``constraints`` name."""
    match = re.search(r"^torch==(\S+)$", constraints, re.MULTILINE)
    if match is None:
        raise ValueError("constraints.txt does not pin torch")
    return match[1]


def find_index(kind: str, version: str) -> str:
    """The index with the build for ``kind``, or nothing where the general one on PyPI is right or all there is."""
    if kind == "mps" or (kind == "cuda" and sys.platform == "linux") or (kind == "cpu" and sys.platform != "linux"):
        return ""
    tag = find_build(read_page(f"{INDEX}/torch/"), kind, version)
    return f"{INDEX}/{tag}" if tag else ""


def find_build(page: str, kind: str, version: str) -> str:
    """The newest tag, such as ``cpu`` or ``rocm6.4``, under which ``page`` lists a wheel for this Python."""
    prefix = "cu" if kind == "cuda" else kind
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    wheel = rf"torch-{re.escape(version)}(?:%2B|\+)({prefix}[\d.]*)-{python}-{python}-[^\"<>]*{platform_tag()}\.whl"
    tags = set(re.findall(wheel, page))
    return max(tags, key=lambda tag: [int(number) for number in re.findall(r"\d+", tag)], default="")


def platform_tag() -> str:
    """The end of a wheel's name for this system and processor."""
    machine = platform.machine()
    return "win_amd64" if sys.platform == "win32" else machine


def read_page(url: str) -> str:
    """What ``url`` says, or nothing when it does not answer in time."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode("utf-8", "replace"))
    except (OSError, urllib.error.URLError):
        return ""
