"""The system's own libraries that Qt needs and no wheel brings: looked for, and installed where that is allowed."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

from problem import Problem, say

QT = {
    "libglib-2.0.so.0": "libglib2.0-0",
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""What importing Qt takes: name of the library and the Debian package that has it. Found by trying on bare systems."""

WINDOW = {
    **QT,
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""The same and what a window on X takes."""


def provide(libraries: dict[str, str]) -> None:
    """Make sure that all ``libraries`` are there. Raises `Problem` with what to do."""
    if sys.platform != "linux":
        return
    missing = {name: package for name, package in libraries.items() if not is_there(name)}
    if missing:
        install(missing)


def is_there(name: str) -> bool:
    """Whether the system's loader finds the library."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def install(missing: dict[str, str]) -> None:
    """Install the Debian packages in ``missing`` as root; else raise `Problem` with the exact line."""
    line = f"apt-get install -y --no-install-recommends {' '.join(missing.values())}"
    if not (Path("/etc/debian_version").exists() and shutil.which("apt-get")):
        raise Problem(f"These are missing: {', '.join(missing)}. Install them with the system's package manager.")
    if os.geteuid() != 0:
        raise Problem(f"System packages are missing. Install them, then start again:\n  sudo {line}")
    say(f"Installing system packages: {' '.join(missing.values())}")
    variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in ("apt-get update", line):
        done = subprocess.run(command.split(), env=variables, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Problem(f"apt-get failed; the reason is above. Install these yourself, then start again:\n  {line}")
