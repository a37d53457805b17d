"""``underpaint generate``: pictures from the command line, without window and without gallery."""

from __future__ import annotations

import argparse
import json
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from desktop_app.cli.arguments import given_params
from desktop_app.cli.console import ProgressBar, keep_decoders_silent
from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.engine import Engine, Result
from desktop_app.core.errors import ImageError, RequestError, StoreError
from desktop_app.core.image import encode_png, load_image, read_texts
from desktop_app.core.params import Params
from desktop_app.core.planning import build_requests
from desktop_app.core.recipe import Recipe, read_recipe
from desktop_app.core.request import ImageRef, Request, hash_pixels
from desktop_app.core.stages import family_of_checkpoint, refuse_unused
from desktop_app.core.variation import read_request, write_texts
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.fetch import fetch_image
from desktop_app.store.files import write_atomic
from desktop_app.store.paths import Paths, resources_dir, user_paths


@dataclass(frozen=True)
class Start:
    """What a run begins with: values before the flags, and the init image, if any."""

    params: Params
    init_image: ImageRef | None


def generate(options: argparse.Namespace) -> int:
    """Make the pictures that ``options`` ask for. Raises `StudioError` and `Cancelled`."""
    _check_usage(options)
    paths = user_paths(options.data_dir)
    checkpoints = CheckpointStore(paths)
    with _make_scratch() as scratch:
        start = _choose_start(options, paths, scratch)
        given = given_params(options)
        params = replace(start.params, **given)
        info = checkpoints.describe(params.checkpoint)
        refuse_unused(given, params, info)
        params = _locate(params, info, checkpoints)
        requests = build_requests(params, start.init_image, info, describe=checkpoints.describe)
        outs = _name_outs(options.out, params.count, overwrite=options.overwrite)
        if not options.overwrite:
            _spare_sources(outs, start.init_image, options.source)
        _run_all(_make_engine(checkpoints), requests, outs, as_json=options.json)
    return 0


def _locate(params: Params, info: CheckpointInfo, checkpoints: CheckpointStore) -> Params:
    """``params`` with checkpoints by their folders, so that the request can be repeated from anywhere."""
    places: dict[str, Any] = {} if params.checkpoint == STARTER else {"checkpoint": str(info.path)}
    for name in ("prior", "refiner"):
        if (ref := getattr(params, name)) and family_of_checkpoint(info).takes(name):
            places[name] = str(checkpoints.describe(ref).path)
    return replace(params, **places)


def _check_usage(options: argparse.Namespace) -> None:
    if options.prompt is None and options.source is None:
        options.parser.error("give --prompt, or --from with a picture that holds a request")
    if options.out.suffix.lower() != ".png":
        options.parser.error(
            f"{options.out} does not end in .png, the one format that keeps the request with the picture"
        )


@contextmanager
def _make_scratch() -> Iterator[Path]:
    """A folder for what comes from the web."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="underpaint-", ignore_cleanup_errors=True)
    except OSError as e:
        hint = "Free some space there, or set TMPDIR to another folder."
        raise StoreError("There is no place for temporary files", str(e), hint) from e
    with folder as name:
        yield Path(name)


# Where the values come from ----------------------------------------------------------------------


def _choose_start(options: argparse.Namespace, paths: Paths, scratch: Path) -> Start:
    own_image = _open_init_image(options.image, scratch) if options.image else None
    start = Start(Params(recipe=""), own_image)
    if options.source:
        start = _start_from_picture(options.source, own_image, paths)
    recipe = _choose_recipe(options)
    return replace(start, params=recipe.apply(start.params)) if recipe else start


def _choose_recipe(options: argparse.Namespace) -> Recipe | None:
    """The starter's recipe fits the starter alone; another checkpoint begins with the general defaults."""
    if options.recipe:
        return _read_named_recipe(options.recipe)
    is_plain = options.source is None and options.checkpoint in (None, STARTER)
    return _read_named_recipe(STARTER) if is_plain else None


def _read_named_recipe(name: str) -> Recipe:
    own = resources_dir() / "recipes" / f"{name}.toml"
    if name.endswith(".toml"):
        return read_recipe(Path(name).expanduser())
    if "/" in name or not own.is_file():
        known = ", ".join(sorted(file.stem for file in own.parent.glob("*.toml")))
        raise RequestError("There is no such recipe", name, f"Known are: {known}. A file must end in .toml.", "recipe")
    return read_recipe(own)


def _start_from_picture(source: Path, own_image: ImageRef | None, paths: Paths) -> Start:
    """The request held in the picture ``source``; ``own_image`` takes the place of its init image."""
    folders = (paths.inits, source.parent.parent / "inits", source.parent)  # the gallery's, and that of a copied one
    request = read_request(read_texts(source), lambda sha256: _find_image(sha256, folders))
    if request is None:
        hint = "Choose a PNG that Underpaint has written, or give --prompt."
        raise RequestError("The picture holds no request", str(source), hint)
    if len(request.stages) > 2:
        hint = "This version repeats requests of one stage, and of one with its refiner."
        raise RequestError("The request has too many stages", str(source), hint)
    params = request.to_params()
    if own_image and own_image != request.init_image:
        # The size belonged to the other init image, --size gives another; without one there was no strength to keep.
        strength = params.strength if request.init_image else Params().strength
        return Start(replace(params, width=None, height=None, strength=strength), own_image)
    if own_image:
        return Start(params, own_image)
    if request.init_image and not request.init_image.path.is_file():
        raise ImageError(
            "The init image of the request is not here",
            f"{request.init_image.name or 'unnamed'}, {request.init_image.sha256[:12]}",
            "Give the picture as IMAGE.",
        )
    return Start(params, request.init_image)


def _find_image(sha256: str, folders: tuple[Path, ...]) -> Path | None:
    candidates = (folder / f"{sha256}.png" for folder in folders)
    return next((path for path in candidates if path.is_file()), None)


def _open_init_image(given: str, scratch: Path) -> ImageRef:
    path, name = Path(given).expanduser(), Path(given).name
    if given[:5].lower() == "data:" or "://" in given:
        content, name = fetch_image(given)
        path = scratch / "init image"
        write_atomic(path, content)
    with keep_decoders_silent():
        image = load_image(path, name)
    return ImageRef(hash_pixels(image), image.size, path.absolute(), name)


# Where the pictures go --------------------------------------------------------------------------


def _name_outs(out: Path, count: int, *, overwrite: bool) -> list[Path]:
    """OUT.png, or OUT-1.png, OUT-2.png ... The one file that ``-o`` names is replaced; numbered ones never unasked.

    Raises `StoreError` when they cannot be written there: a picture that was long in the making has its place.
    """
    folder = out.absolute().parent
    if not folder.is_dir():
        raise StoreError("The folder to write to does not exist", str(out.parent), "Make it first, or choose another.")
    if not os.access(folder, os.W_OK | os.X_OK):
        hint = "Make it writable for you, or choose another with -o."
        raise StoreError("The folder to write to cannot be written", str(folder), hint)
    outs = [out] if count == 1 else [out.with_name(f"{out.stem}-{n}{out.suffix}") for n in range(1, count + 1)]
    for path in outs:
        if path.is_dir():
            raise StoreError("This is a folder", str(path), "Choose another name with -o.")
        if count > 1 and path.exists() and not overwrite:
            raise StoreError("The file exists", str(path), "Choose another name with -o, or add --overwrite.")
    return outs


def _spare_sources(outs: list[Path], init_image: ImageRef | None, source: Path | None) -> None:
    """Raise `StoreError` when a result would take the place of what it is made from."""
    sources = [path for path in (init_image and init_image.path, source) if path and path.exists()]
    for out in outs:
        if out.exists() and any(out.samefile(path) for path in sources):
            hint = "Choose another name with -o, or add --overwrite."
            raise StoreError("The result would take the place of the picture it is made from", str(out), hint)


def _write(out: Path, content: bytes) -> None:
    try:
        write_atomic(out, content, is_private=False)
    except StoreError as e:
        raise _keep_elsewhere(out.name, content, e) from e


def _keep_elsewhere(name: str, content: bytes, error: StoreError) -> StoreError:
    """``error``, with where the picture is now; without, when no other folder takes it either."""
    try:
        path = Path(tempfile.mkdtemp(prefix="underpaint-kept-")) / name
        write_atomic(path, content)
    except (OSError, StoreError):
        return error
    return StoreError(error.title, error.detail, f"The picture is kept as {path}. {error.hint}")


# Running -----------------------------------------------------------------------------------------


def _make_engine(checkpoints: CheckpointStore) -> Engine:
    from desktop_app.engine.diffusers_engine import DiffusersEngine
    from desktop_app.engine.environment import prepare_environment

    prepare_environment()
    return DiffusersEngine(checkpoints.resolve, preview=False)


def _run_all(engine: Engine, requests: list[Request], outs: list[Path], *, as_json: bool) -> None:
    bar = ProgressBar()
    with _cancel_on_interrupt() as cancel:
        try:
            for number, (request, out) in enumerate(zip(requests, outs, strict=True), start=1):
                bar.title = f"{number} of {len(requests)}: " if len(requests) > 1 else ""
                result = engine.run(request, bar, cancel)
                _write(out, encode_png(result.image, write_texts(request, result)))
                bar.clear()
                print(_tell_json(request, result, out) if as_json else _tell(request, result, out), flush=True)
        finally:
            bar.clear()
            engine.close()


@contextmanager
def _cancel_on_interrupt() -> Iterator[threading.Event]:
    """The first Ctrl+C asks the engine to stop at the next step, the second one stops at once."""
    cancel = threading.Event()

    def on_interrupt(number: int, frame: FrameType | None) -> None:
        if cancel.is_set():
            raise KeyboardInterrupt
        cancel.set()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield cancel
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(request: Request, result: Result, out: Path) -> str:
    run = " + ".join(str(steps) for steps in result.steps_run)
    facts = [f"seed {request.seed}", f"{run} of {request.stages[0].steps} steps"]
    facts += [f"{result.image.width} × {result.image.height}", f"{result.seconds:.1f} s", *result.notes]
    return f"{out}: {', '.join(facts)}"


def _tell_json(request: Request, result: Result, out: Path) -> str:
    facts = {
        "path": str(out.absolute()),
        "seed": request.seed,
        "width": result.image.width,
        "height": result.image.height,
        "pixels_sha256": hash_pixels(result.image),
        "steps_run": list(result.steps_run),
        "seconds": round(result.seconds, 3),
        "notes": list(result.notes),
        "environment": result.environment,
        "request": request.to_json(),
    }
    return json.dumps(facts, ensure_ascii=False)
