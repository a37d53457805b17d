"""The virtual environment that the launcher runs the program in: made, filled, and mended when half made.

A stamp file is written last. While it fits, nothing is looked at and pip is not called, so a second start is quick.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import accelerator
import system_libraries
from problem import Problem, say

OWN_NAMES = {"bin", "include", "lib", "lib64", "share", "pyvenv.cfg", ".gitignore", "Scripts", "Include", "Lib"}
"""What an environment may hold at its top; a folder with anything else is not ours to replace."""

SPACE = {"cpu": 3e9, "rocm": 20e9, "cuda": 12e9, "mps": 3e9}
"""Bytes that a whole installation takes, downloads included, by kind of accelerator."""

UPSCALERS = ("einops", "spandrel")
"""What the program's extra ``upscalers`` brings, 0.4 MB; without the torchvision that spandrel asks for. PyPI has that
for another build of torch than the one that is installed here, and there it would break what it is installed beside;
the program does without it.
"""


def provide(folder: Path, project: Path, extra: str = "") -> Path:
    """The environment's Python, after everything that ``project`` and its ``extra`` need is installed."""
    folder = Path(os.path.abspath(folder.expanduser()))
    python = python_of(folder)
    stamp = folder / f"underpaint{'-' + extra if extra else ''}.stamp"
    wanted = fingerprint(project)
    if python.exists() and stamp.is_file() and stamp.read_text() == wanted:
        return python
    if is_sound(folder):
        mend(folder)
    else:
        make(folder)
    fill(python, project, extra)
    for each in {stamp, folder / "underpaint.stamp"}:
        each.write_text(wanted)
    say("Set-up is complete.")
    return python


def python_of(folder: Path) -> Path:
    """Where the environment ``folder`` has its interpreter."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def fingerprint(project: Path) -> str:
    """Changes with whatever makes an installation out of date: dependencies, versions, the checkout's place, Python."""
    digest = hashlib.sha256(f"{project}\n{sys.version_info[:2]}\n".encode())
    for name in ("pyproject.toml", "packaging/constraints.txt"):
        digest.update((project / name).read_bytes())
    return digest.hexdigest()


def is_sound(folder: Path) -> bool:
    """Whether the environment's Python starts and has pip; an interrupted set-up may have left less."""
    python = python_of(folder)
    if not python.exists():
        return False
    try:
        return subprocess.run([python, "-c", "import pip._internal"], capture_output=True).returncode == 0
    except OSError:
        return False


def make(folder: Path) -> None:
    """A new environment in ``folder``, in the place of a broken one. Raises `Problem`."""
    if importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        system_libraries.install({"Python's module ensurepip": package})
    if folder.exists() and (
        not folder.is_dir() or {path.name for path in folder.iterdir()} - OWN_NAMES - stamps(folder)
    ):
        raise Problem(f"{folder} is not a virtual environment. Choose another place with --venv DIR.")
    say(f"Making a virtual environment in {folder}")
    try:
        venv.EnvBuilder(clear=True, with_pip=True, symlinks=os.name != "nt").create(folder)
    except (OSError, subprocess.CalledProcessError) as e:
        raise Problem(f"The virtual environment cannot be made: {e}\nChoose another place with --venv DIR.") from e


def mend(folder: Path) -> None:
    """Forget what an interrupted set-up left half written, so that pip, which takes it for complete, writes it anew."""
    packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)}))
    for record in packages.glob("*.dist-info"):
        if not is_whole(importlib.metadata.Distribution.at(record)):
            say(f"Mending {record.stem}")
            shutil.rmtree(record)


def is_whole(package: importlib.metadata.Distribution) -> bool:
    """Whether every file that the package's record lists has its size. Byte code is left out: Python rewrites it."""
    sizes = {
        file.locate(): file.size for file in package.files or [] if file.size is not None and file.suffix != ".pyc"
    }
    return bool(sizes) and all(Path(path).is_file() and Path(path).stat().st_size == sizes[path] for path in sizes)


def stamps(folder: Path) -> set[str]:
    """Names of the stamp files in ``folder``."""
    return {path.name for path in folder.glob("underpaint*.stamp")}


def fill(python: Path, project: Path, extra: str) -> None:
    """Install torch in the build that fits the machine, then the program from ``project`` with its constraints."""
    kind = accelerator.detect()
    check_space(python.parent, kind)
    constraints = project / "packaging" / "constraints.txt"
    say(f"Installing Underpaint for {accelerator.NAMES[kind]} (a few minutes the first time)")
    install_torch(python, kind, constraints)
    target = f"{project}[{extra}]" if extra else str(project)
    if not pip(python, "-c", str(constraints), "-e", target):
        raise Problem("Installing failed; the reason is above. Run the same command again: what is done is kept.")
    upscalers = [line for line in constraints.read_text().splitlines() if line.partition("==")[0] in UPSCALERS]
    if upscalers and not pip(python, "--no-deps", *upscalers):
        say("Upscalers of ESRGAN's kind cannot be used, since these could not be installed: " + ", ".join(upscalers))


def install_torch(python: Path, kind: str, constraints: Path) -> None:
    """From PyTorch's own index where that has a better fitting build; otherwise the program brings the general one."""
    version = accelerator.pinned_torch(constraints.read_text())
    index = accelerator.find_index(kind, version)
    if (
        index
        and not has_torch(python, version)
        and not pip(python, "--no-deps", "--index-url", index, f"torch=={version}")
    ):
        say("That build could not be installed; taking the general one.")


def has_torch(python: Path, version: str) -> bool:
    """Whether this version of torch, in any build, is there already."""
    code = f"import importlib.metadata as m, sys; sys.exit(m.version('torch').split('+')[0] != {version!r})"
    return subprocess.run([python, "-c", code], capture_output=True).returncode == 0


def pip(python: Path, *arguments: str) -> bool:
    """Run ``pip install``; its own lines show how far it is."""
    command = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *arguments]
    return subprocess.run(command).returncode == 0


def check_space(folder: Path, kind: str) -> None:
    """Raise `Problem` before a download that cannot fit."""
    free = shutil.disk_usage(folder).free
    if free < SPACE[kind] and not (folder.parent / "underpaint.stamp").exists():
        raise Problem(
            f"Too little space: {folder} has {free / 1e9:.1f} GB free, about {SPACE[kind] / 1e9:.0f} GB are needed.\n"
            "Make room, or choose another place with --venv DIR."
        )
