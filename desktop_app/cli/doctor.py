"""``underpaint doctor``: versions, devices, memory, folders and what would run where. Reports, and mends nothing."""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from desktop_app import __version__
from desktop_app.cli.arguments import OFFLINE_VARIABLE, is_offline
from desktop_app.core.checkpoint import CheckpointInfo, Home
from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import CheckpointError, CheckpointMissing, StudioError
from desktop_app.core.memory import Choice, Verdict, choose_plan
from desktop_app.store.checkpoint_care import home_of
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.hub import Hub
from desktop_app.store.hub_token import VARIABLE, HubToken
from desktop_app.store.paths import Paths, resources_dir, user_paths

LIBRARIES = ("PySide6_Essentials", "torch", "diffusers", "transformers", "accelerate", "safetensors", "pillow")

NO_PICTURE = 1
"""Side, in pixels, of the picture of a checkpoint that makes none, such as a prior."""

Lines = Iterator[tuple[str, str]]
"""Rows of a section: name and what is said of it."""

_TOKEN_PLACES = {
    "keyring": "in the system's keyring",
    "environment": f"in the variable {VARIABLE}",
    "": "none; only checkpoints with conditions to accept need one",
}
"""Where the access token for the hub is; what it is, is never told."""


def doctor(options: argparse.Namespace) -> int:
    """Print the report. Exit status 0 whatever it finds: a report is what was asked for."""
    paths = user_paths(options.data_dir)
    engine = functools.cache(lambda: _ask_engine(paths))
    sections: list[tuple[str, Callable[[], Lines]]] = [
        ("Versions", _tell_versions),
        ("Devices", lambda: _tell_devices(engine())),
        ("Folders", lambda: _tell_folders(paths)),
        ("Network", lambda: _tell_network(options)),
        ("Checkpoints", lambda: _tell_checkpoints(paths, engine())),
    ]
    for title, tell in sections:
        print(title, flush=True)
        for name, text in tell():
            print(f"  {name:<20}  {text}", flush=True)
    return 0


def _tell_versions() -> Lines:
    yield "underpaint", __version__
    yield "Python", f"{platform.python_version()} ({sys.executable})"
    yield "system", platform.platform()
    for name in LIBRARIES:
        try:
            yield name, importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield name, f"NOT INSTALLED (pip install {name})"


def _tell_devices(status: EngineStatus | str) -> Lines:
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count(logical=False) or os.cpu_count()
    yield "processor", f"{cores} cores, {_gigabytes(memory.available)} of {_gigabytes(memory.total)} memory free"
    if isinstance(status, str):
        yield "engine", f"DOES NOT START: {status}"
        return
    room = (
        f", {_gigabytes(status.memory_free)} of {_gigabytes(status.memory_total)} free" if status.memory_total else ""
    )
    yield "engine runs on", f"{status.device} {status.device_name}".strip() + room
    yield "number format", status.dtype
    yield "attention", status.attention


def _ask_engine(paths: Paths) -> EngineStatus | str:
    """The engine's own word, from a child process as in the window; or the reason why there is none."""
    from desktop_app.engine.process import EngineProcess

    engine = EngineProcess(paths.data_dir)
    try:
        engine.warm_up()
        status = engine.status()
        return status if status.device else "its process ended at once; the log folder tells more"
    except StudioError as e:
        return str(e)
    finally:
        engine.close()


def _tell_folders(paths: Paths) -> Lines:
    for name, folder in (
        ("data", paths.data_dir),
        ("checkpoints", paths.checkpoints),
        ("gallery", paths.gallery),
        ("logs", paths.logs),
        ("program's own", resources_dir()),
    ):
        yield name, f"{folder} ({_describe_folder(folder)})"


def _describe_folder(folder: Path) -> str:
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    if not there.is_dir():
        return f"CANNOT BE MADE: {there} is no folder"
    free = _gigabytes(shutil.disk_usage(there).free)
    if not os.access(there, os.W_OK):
        return f"not writable, {free} free"
    return f"writable, {free} free" if there == folder else f"not made yet, {free} free"


def _tell_network(options: argparse.Namespace) -> Lines:
    """Nothing is tried: what is set, and nothing of the secrets in it."""
    hub = Hub()
    yield "connections", _describe_connections(options, hub)
    yield "hub", _describe_hub(hub)
    yield "access token", _TOKEN_PLACES[HubToken().where()]


def _describe_connections(options: argparse.Namespace, hub: Hub) -> str:
    if is_offline(options):
        return f"offline: none is tried ({'--offline' if getattr(options, 'offline', False) else OFFLINE_VARIABLE})"
    try:
        hub.check_online()
    except CheckpointError:
        return "offline: no checkpoint is downloaded (HF_HUB_OFFLINE)"
    return "online: for what you ask to download, and nothing else"


def _describe_hub(hub: Hub) -> str:
    """Its address, without the name and password that one may hold."""
    source = " (HF_ENDPOINT)" if os.environ.get("HF_ENDPOINT", "").strip() else ""
    try:
        scheme, _, _ = hub.home
    except CheckpointError as e:
        return f"CANNOT BE USED: {e.title}{source}"
    parts = urlsplit(hub.endpoint)
    return f"{scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{source}"


def _tell_checkpoints(paths: Paths, status: EngineStatus | str) -> Lines:
    store = CheckpointStore(paths)
    for ref, found in store.survey().items():
        if isinstance(found, CheckpointInfo):
            yield ref, _judge(store, found, home_of(paths, found.path), status)
        else:
            hint = f". {found.hint}" if isinstance(found, CheckpointMissing) else ""
            yield ref, f"WILL NOT RUN: {found}{hint}"


def _judge(store: CheckpointStore, info: CheckpointInfo, home: Home, status: EngineStatus | str) -> str:
    pixels = f"{info.native_size} pixels, " if info.native_size else ""
    facts = f"{info.label}: {info.family}, {pixels}{_gigabytes(info.size_bytes)} of weights"
    if home in (Home.SHARED, Home.ELSEWHERE):
        facts += f" ({home.value})"
    try:
        store.resolve(info.ref)
    except StudioError as e:
        return f"{facts}; WILL NOT RUN: {e}"
    if isinstance(status, str):
        return f"{facts}; whole, but there is no engine to run it"
    return f"{facts}; {_fit(what_would_run(info, status))}"


def what_would_run(info: CheckpointInfo, status: EngineStatus) -> Choice:
    """How a picture of the checkpoint's own size would run on the engine's device with the memory that is free now."""
    side = info.native_size or NO_PICTURE
    is_cpu = status.device == "cpu"
    number = 4 if status.dtype == "float32" else 2
    return choose_plan(info.parts, (side, side), number, status.memory_free, status.ram_free, is_cpu=is_cpu)


def _fit(choice: Choice) -> str:
    """The verdict in one line. What the device needs is an estimate, and said to be one."""
    need = f"about {_gigabytes(choice.peak_bytes)}"
    if choice.verdict is Verdict.TOO_LARGE:
        return f"TOO LARGE for the memory that is free now: even {choice.use.label} it needs {need}"
    if choice.verdict is Verdict.FITS and not choice.is_tiled:
        return f"ready; fits in memory ({need})"
    return f"ready; {choice.verdict.value}: {choice.use.label} ({need})"


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
