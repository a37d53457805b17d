"""Sweeps as the command line takes them, and the grid that is written behind their pictures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from desktop_app.core.comparison import columns_for, comparison_sheet
from desktop_app.core.contact_sheet import reduce, sweep_sheet
from desktop_app.core.errors import ImageError, RequestError, StoreError
from desktop_app.core.image import encode_png, load_image
from desktop_app.core.params import PARAM_SPECS, Params
from desktop_app.core.planning import draw_seed
from desktop_app.core.request import Request
from desktop_app.core.sweep import SWEPT, Axis, read_axis, sweep, title_of
from desktop_app.store.files import write_atomic
from desktop_app.store.fonts import font_files

_NAMES = {PARAM_SPECS[name].flag: name for name in SWEPT}
"""Fields of `Params` by what the command line calls them."""


def add_sweep_argument(parser: argparse.ArgumentParser) -> None:
    """``--sweep`` and ``--grid``."""
    parser.add_argument(
        "--sweep",
        action="append",
        default=[],
        metavar="NAME=VALUES",
        help="vary a value, such as strength=0.4,0.6,1.0 or guidance=1..9 step 2, all with one seed; a second makes "
        f"rows. Writes OUT-1.png, OUT-2.png ... and their labelled grid, OUT-grid.png. One of: {', '.join(_NAMES)}",
    )

    parser.add_argument(
        "--grid",
        action="store_true",
        help="with --count: write OUT-grid.png too, the pictures in a grid that says in what they differ",
    )


def read_axes(given: Sequence[str]) -> tuple[Axis, ...]:
    """What was given by ``--sweep``. Raises `RequestError`."""
    axes = []
    for text in given:
        name, sign, values = text.partition("=")
        param = _NAMES.get(name.strip().lstrip("-"), name.strip())
        if not sign:
            raise RequestError("--sweep cannot be read", repr(text), "Write NAME=VALUE,VALUE,...", param="sweep")
        axes.append(read_axis(param, values))
    return tuple(axes)


def vary(params: Params, axes: Sequence[Axis]) -> list[Params]:
    """``params`` for each picture of the sweep; themselves where nothing is varied. Raises `RequestError`."""
    if not axes:
        return [params]
    if params.count > 1:
        hint = "Leave out --count, or vary the seed."
        raise RequestError("A sweep makes one picture of each kind", f"--count {params.count}", hint, param="count")
    seed = draw_seed() if params.seed is None else params.seed
    return [cell.params for cell in sweep(replace(params, seed=seed), axes, seed)]


def name_sheet(out: Path, count: int, *, is_wanted: bool, overwrite: bool) -> Path | None:
    """Where the grid of ``count`` pictures goes, None where none is wanted. Raises `RequestError` for a single picture,
    `StoreError` where something is in its place.
    """
    if not is_wanted:
        return None
    if count < 2:
        raise RequestError("A grid needs several pictures", "", "Add --count or --sweep.", param="count")
    path = out.with_name(f"{out.stem}-grid{out.suffix}")
    if path.is_dir() or (path.exists() and not overwrite):
        raise StoreError("The file exists", str(path), "Choose another name with -o, or add --overwrite.")
    return path


def write_sheet(
    path: Path, axes: Sequence[Axis], outs: Sequence[Path], requests: Sequence[Request], prompt: str
) -> ImageError | None:
    """Write the grid of the pictures ``outs`` of ``requests``, for which ``prompt`` was written; why some of its words
    cannot be read. Raises `ImageError`, `StoreError`.
    """
    columns = len(axes[0].values) if axes else columns_for(len(outs))
    pictures = [reduce(load_image(out), columns) for out in outs]
    title, fonts = title_of(requests, prompt), font_files()
    sheet = sweep_sheet(axes, pictures, title, fonts) if axes else comparison_sheet(pictures, requests, fonts)
    write_atomic(path, encode_png(sheet.image), is_private=False)
    return sheet.problem
