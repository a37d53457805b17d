"""``underpaint self-test``: the way of one picture through the real parts, in a folder of its own; for packagers."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from desktop_app.core.engine import Engine, Phase, Progress, Result
from desktop_app.core.errors import StoreError, StudioError
from desktop_app.core.image import load_image
from desktop_app.core.params import Params
from desktop_app.core.planning import build_request
from desktop_app.core.request import ImageRef, Request, hash_pixels
from desktop_app.core.variation import Variation
from desktop_app.engine.process import EngineProcess
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.command_line import typed
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import Paths, user_paths

STEPS = 8
SEED = 7


def self_test() -> int:
    """Print each step as it is done. Raises the `StudioError` of the first one that fails."""
    with tempfile.TemporaryDirectory(prefix="underpaint-self-test-") as folder:
        paths = user_paths(Path(folder))
        paths.ensure()
        with closing(EngineProcess(paths.data_dir)) as engine:
            _check_all(engine, paths)
    print("Everything works.")
    return 0


def _check_all(engine: Engine, paths: Paths) -> None:
    with _step("Start the engine"):
        engine.warm_up("starter")
    print(f"  device: {engine.status().device or 'unknown'}")
    with _step("Paint from a prompt"):
        request = _make_request(paths, None)
        result = _paint(engine, request)
    with _step("Save it in a gallery"):
        variation = _save(paths, request, result)
    with _step("Open the gallery again"):
        _check_saved(paths, request, result, variation.id)
    with _step("Paint again from the saved picture"):
        init_image = ImageRef(variation.pixels_sha256, variation.size, variation.path, variation.path.name)
        repeated = _make_request(paths, init_image)
        first = _paint(engine, repeated)
    with _step("Repeat it, pixel by pixel the same"):
        _check_same(first, _paint(engine, repeated))


@contextmanager
def _step(title: str) -> Iterator[None]:
    print(f"{title} ... ", end="", flush=True)
    begun = time.monotonic()
    try:
        yield
    except BaseException:
        print("FAILED", flush=True)
        raise
    print(f"done in {time.monotonic() - begun:.1f} s", flush=True)


def _make_request(paths: Paths, init_image: ImageRef | None) -> Request:
    params = Params(prompt="lemon, cartoon icon, white background", steps=STEPS, strength=0.5, guidance_scale=4.0)
    info = CheckpointStore(paths).describe(params.checkpoint)
    return build_request(replace(params, recipe=""), init_image, info, SEED)


def _paint(engine: Engine, request: Request) -> Result:
    events: list[Progress] = []
    result = engine.run(request, events.append, threading.Event())
    denoised = sum(event.phase is Phase.DENOISING for event in events)
    wanted = request.stages[0].effective_steps
    if denoised != wanted:
        raise StudioError("The engine did not report its steps", f"{denoised} of {wanted}")
    return result


def _save(paths: Paths, request: Request, result: Result) -> Variation:
    gallery = GalleryStore(paths)
    gallery.open()
    with closing(gallery):
        return gallery.save(request, result)


def _check_saved(paths: Paths, request: Request, result: Result, variation_id: str) -> None:
    gallery = GalleryStore(paths)
    gallery.open()
    with closing(gallery):
        saved = gallery.get(variation_id)
    if saved is None or saved.request != request:
        raise StoreError("The gallery does not give the request back", variation_id)
    if hash_pixels(load_image(saved.path)) != hash_pixels(result.image):
        raise StoreError("The gallery does not give the pixels back", str(saved.path.name))


def _check_same(first: Result, second: Result) -> None:
    if hash_pixels(first.image) != hash_pixels(second.image):
        raise StudioError(
            "The same request made another picture", "", f"Please report it with the output of: {typed('doctor')}"
        )
