"""``underpaint generate``: pictures from the command line, without window and without gallery."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from desktop_app.cli.arguments import engine_options, given_params, is_offline
from desktop_app.cli.conditions import open_mask, read_adapters, read_controls, refuse_without_mask
from desktop_app.cli.console import ProgressBar, keep_decoders_silent
from desktop_app.cli.interrupt import cancel_on_interrupt
from desktop_app.cli.refs import lasting_ref, refuse_missing
from desktop_app.cli.sweeps import name_sheet, read_axes, vary, write_sheet
from desktop_app.core.adapter import AdapterInfo, active
from desktop_app.core.chain_stages import taken_by_cards
from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.conditions import Adapter
from desktop_app.core.engine import Engine, Result
from desktop_app.core.errors import CheckpointError, ImageError, RequestError, StoreError
from desktop_app.core.image import encode_png, load_image, read_texts
from desktop_app.core.params import Params
from desktop_app.core.planned import Describe
from desktop_app.core.planning import RunFacts, build_requests, plan_run
from desktop_app.core.prompting import find_problems
from desktop_app.core.recipe import Recipe
from desktop_app.core.request import ImageRef, Request, hash_pixels
from desktop_app.core.stages import family_of_checkpoint, refuse_unused
from desktop_app.core.styles import STYLES_NAME
from desktop_app.core.sweep import refuse_alike
from desktop_app.core.variation import read_request, write_texts
from desktop_app.store.adapters import AdapterStore
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.fetch import fetch_image
from desktop_app.store.files import write_atomic
from desktop_app.store.paths import Paths, resources_dir, user_paths
from desktop_app.store.recipes import RecipeStore
from desktop_app.store.styles import StyleStore


@dataclass(frozen=True)
class Start:
    """What a run begins with: values before the flags, the init image and the mask, if any, and the recipe that was
    named.
    """

    params: Params
    init_image: ImageRef | None
    recipe: Recipe | None = None
    mask: ImageRef | None = None


def generate(options: argparse.Namespace) -> int:
    """Make the pictures that ``options`` ask for. Raises `StudioError` and `Cancelled`."""
    _check_usage(options)
    paths = user_paths(options.data_dir)
    checkpoints, adapters = CheckpointStore(paths), AdapterStore(paths)
    with _make_scratch() as scratch:
        opener = _Opener(scratch, is_online=not is_offline(options))
        start = _choose_start(options, paths, opener)
        given = {**given_params(options), **_given_conditions(options, adapters, opener)}
        params = replace(start.params, **given)
        _refuse_absent(params, adapters)
        refuse_without_mask([*given], start.mask)
        if start.recipe:
            refuse_missing(start.recipe, options.recipe or STARTER, params, checkpoints)
        look = checkpoints.describe
        info = look(params.checkpoint)
        refuse_unused(given, params, info, look)
        params = _name_for_good(params, info, look, paths)

        def describe_adapter(adapter: Adapter) -> AdapterInfo:
            return adapters.find(adapter).info

        styles = StyleStore(paths.data_dir / STYLES_NAME, resources_dir() / STYLES_NAME)
        build = partial(build_requests, describe=look, describe_adapter=describe_adapter, styles=styles.list())
        axes = read_axes(options.sweep)
        refuse_unused([axis.param for axis in axes], params, info, look)
        varied = vary(params, axes)
        requests = [made for each in varied for made in build(each, start.init_image, info, mask=start.mask)]
        refuse_alike(axes, requests)
        if not options.source:
            size = start.init_image.size if start.init_image else None
            _tell_unused(plan_run(params, size, info, look, describe_adapter, has_mask=start.mask is not None))
        _tell_problems(given, takes_weights=family_of_checkpoint(info).takes_weights)
        outs = _name_outs(options.out, len(requests), overwrite=options.overwrite)
        wants_sheet = bool(axes) or options.grid
        sheet = name_sheet(options.out, len(requests), is_wanted=wants_sheet, overwrite=options.overwrite)
        if not options.overwrite:
            _spare_sources(outs, requests[0], options.source)
        engine = _make_engine(paths, adapters)
        engine.configure(engine_options(options))
        _run_all(engine, requests, outs, as_json=options.json)
        if sheet:
            problem = write_sheet(sheet, axes, outs, requests, params.prompt)
            print(f"{sheet}: {len(outs)} pictures", file=sys.stderr if options.json else sys.stdout)
            if problem:
                print(f"underpaint: {problem}. {problem.hint}", file=sys.stderr)
    return 0


def _tell_unused(facts: RunFacts) -> None:
    """What has no effect though it was asked for: weights in a prompt. Other flags without effect are refused."""
    for sentence in facts.unused:
        print(f"underpaint: {sentence.rstrip('.')}.", file=sys.stderr)


def _tell_problems(given: Mapping[str, Any], *, takes_weights: bool) -> None:
    """What in the prompts that were given does not mean what it seems to."""
    for text in (given.get("prompt", ""), given.get("negative_prompt", "")):
        for problem in find_problems(text, takes_weights=takes_weights):
            print(f"underpaint: {text[problem.start : problem.end]!r}: {problem.sentence}", file=sys.stderr)


def _name_for_good(params: Params, info: CheckpointInfo, look: Describe, paths: Paths) -> Params:
    """``params`` with REFs by which the request can be repeated from anywhere."""
    family, taken = family_of_checkpoint(info), taken_by_cards(params, info, look)
    names = [name for name in ("prior", "refiner") if getattr(params, name) and (family.takes(name) or name in taken)]
    for name in names:
        look(getattr(params, name))  # says it when it is not here

    def last(ref: str) -> str:
        with contextlib.suppress(CheckpointError):  # the plan tells which stage lacks what
            return lasting_ref(ref, paths)
        return ref

    refs: dict[str, Any] = {name: lasting_ref(getattr(params, name), paths) for name in ("checkpoint", *names)}
    refs["chain"] = tuple(replace(card, checkpoint=last(card.checkpoint)) for card in params.chain)
    refs["controls"] = tuple(
        replace(each, checkpoint=last(each.checkpoint), annotator=last(each.annotator)) for each in params.controls
    )
    return replace(params, **refs)


def _check_usage(options: argparse.Namespace) -> None:
    if options.prompt is None and options.source is None:
        options.parser.error("give --prompt, or --from with a picture that holds a request")
    if options.out.suffix.lower() != ".png":
        options.parser.error(
            f"{options.out} does not end in .png, the one format that keeps the request with the picture"
        )


@contextlib.contextmanager
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


class _Opener:
    """Opens pictures that the user names; what comes from the web goes into ``scratch``."""

    def __init__(self, scratch: Path, *, is_online: bool) -> None:
        self._scratch = scratch
        self._is_online = is_online
        self._count = 0

    def open(self, given: str) -> ImageRef:
        """The picture in the file or at the address ``given``. Raises `ImageError`."""
        path, name = Path(given).expanduser(), Path(given).name
        has_content = given[:5].lower() == "data:"
        if has_content or "://" in given:
            if not (has_content or self._is_online):
                hint = "Save the picture and give the file, or leave out --offline and UNDERPAINT_OFFLINE."
                raise ImageError("The network is switched off", given[:120], hint)
            content, name = fetch_image(given)
            self._count += 1
            path = self._scratch / f"picture {self._count}"
            write_atomic(path, content)
        with keep_decoders_silent():
            image = load_image(path, name)
        return ImageRef(hash_pixels(image), image.size, path.absolute(), name)


def _choose_start(options: argparse.Namespace, paths: Paths, opener: _Opener) -> Start:
    own_image = opener.open(options.image) if options.image else None
    start = Start(Params(recipe=""), own_image)
    if options.source:
        start = _start_from_picture(options.source, own_image, paths, has_mask=bool(options.mask))
    if options.mask:
        start = replace(start, mask=open_mask(options.mask, start.init_image, opener.open))
    recipe = _choose_recipe(options, paths)
    return replace(start, params=recipe.apply(start.params), recipe=recipe) if recipe else start


def _given_conditions(options: argparse.Namespace, adapters: AdapterStore, opener: _Opener) -> dict[str, Any]:
    """The fields of `Params` that ``--control`` and ``--adapter`` set."""
    given: dict[str, Any] = {}
    if options.control:
        given["controls"] = read_controls(options.control, opener.open)
    if options.adapter:
        given["adapters"] = read_adapters(options.adapter, adapters, opener.open)
    return given


def _choose_recipe(options: argparse.Namespace, paths: Paths) -> Recipe | None:
    """The starter's recipe fits the starter alone; another checkpoint begins with the general defaults."""
    is_plain = options.source is None and options.checkpoint in (None, STARTER)
    name = options.recipe or (STARTER if is_plain else "")
    return RecipeStore(paths.recipes, resources_dir() / "recipes").find(name) if name else None


def _start_from_picture(source: Path, own_image: ImageRef | None, paths: Paths, *, has_mask: bool) -> Start:
    """The request held in the picture ``source``; ``own_image`` takes the place of its init image. With ``has_mask``
    there will be another mask.
    """
    folders = (paths.inits, source.parent.parent / "inits", source.parent)  # the gallery's, and that of a copied one
    request = read_request(read_texts(source), lambda sha256: _find_image(sha256, folders))
    if request is None:
        hint = "Choose a PNG that Underpaint has written, or give --prompt."
        raise RequestError("The picture holds no request", str(source), hint)
    params = request.to_params()
    if own_image and own_image != request.init_image:
        # The size belonged to the other init image, --size gives another; without one there was no strength to keep.
        strength = params.strength if request.init_image else Params().strength
        params = replace(params, width=None, height=None, strength=strength)
        fits = request.mask and own_image.size == request.mask.size
        if request.mask and not fits and not has_mask:
            hint = "Give one of the picture's size by --mask."
            raise RequestError("The mask of the request does not fit the picture", own_image.name, hint, param="mask")
    if not own_image:
        own_image = _here(request.init_image, "init image", "Give the picture as IMAGE.")
    mask = None if has_mask else _here(request.mask, "mask", "Give it by --mask.")
    return Start(params, own_image, mask=mask)


def _refuse_absent(params: Params, adapters: AdapterStore) -> None:
    """Raise `ImageError` where the picture of a control image or of an adapter is not on this machine, and
    `CheckpointError` where the adapter itself is not.
    """
    for control in params.controls:
        _here(control.image, "picture of a control image", "Give all control images anew by --control.")
    for adapter in params.adapters:
        _here(adapter.image, "picture of an IP-Adapter", "Give all adapters anew by --adapter.")
    for adapter in active(params.adapters):
        try:
            adapters.find(adapter)
        except CheckpointError as e:
            raise CheckpointError(e.title, e.detail, f"{e.hint} Or give all adapters anew by --adapter.") from e


def _here(ref: ImageRef | None, what: str, hint: str) -> ImageRef | None:
    """``ref``, whose file must be on this machine. Raises `ImageError`."""
    if ref and not ref.path.is_file():
        detail = f"{ref.name or 'unnamed'}, {ref.sha256[:12]}"
        raise ImageError(f"The {what} of the request is not here", detail, hint)
    return ref


def _find_image(sha256: str, folders: tuple[Path, ...]) -> Path | None:
    candidates = (folder / f"{sha256}.png" for folder in folders)
    return next((path for path in candidates if path.is_file()), None)


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


def _spare_sources(outs: list[Path], request: Request, source: Path | None) -> None:
    """Raise `StoreError` when a result would take the place of what it is made from."""
    sources = [path for path in (*(image.path for image in request.images), source) if path and path.exists()]
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


def _make_engine(paths: Paths, adapters: AdapterStore) -> Engine:
    from desktop_app.engine.diffusers_engine import DiffusersEngine
    from desktop_app.engine.environment import prepare_environment

    prepare_environment()
    return DiffusersEngine(
        CheckpointStore(paths).resolve,
        preview=False,
        offload_dir=paths.session / "offload",
        find_adapter=adapters.find,
    )


def _run_all(engine: Engine, requests: list[Request], outs: list[Path], *, as_json: bool) -> None:
    bar = ProgressBar()
    with cancel_on_interrupt() as cancel:
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


def _tell(request: Request, result: Result, out: Path) -> str:
    run = " + ".join(str(steps) for steps in result.steps_run)
    facts = [f"seed {request.seed}", f"{run} of {request.stages[0].steps} steps"]
    facts += [f"{result.image.width} × {result.image.height}", f"{result.seconds:.1f} s"]
    facts += [note.rstrip(".") for note in result.notes]
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
