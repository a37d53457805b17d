"""The options of ``underpaint generate``: a flag for each row of `PARAM_SPECS`, and what only the command line has."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import Any

from desktop_app.core.params import DEFAULT_SCHEDULER, PARAM_SPECS, Fit, ParamSpec
from desktop_app.core.schedulers import SCHEDULERS

METAVARS = {
    "prompt": "TEXT",
    "negative_prompt": "TEXT",
    "checkpoint": "REF",
    "prior": "REF",
    "refiner": "REF",
    "recipe": "NAME|FILE",
}


def add_generate_arguments(parser: argparse.ArgumentParser) -> None:
    """All arguments of ``generate``."""
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="the init image; without one the prompt alone decides"
    )
    parser.add_argument("-o", dest="out", type=Path, required=True, metavar="OUT.png", help="the picture to write")
    for spec in PARAM_SPECS.values():
        if spec.flag:
            _add_param(parser, spec)
    parser.add_argument("--size", type=parse_size, metavar="WxH", help="working size in pixels, such as 512x768")
    parser.add_argument(
        "--from",
        dest="source",
        type=Path,
        metavar="PICTURE",
        help="repeat the request that a picture holds; other flags change it",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="replace numbered files that exist, and the pictures that the result is made from",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a result on stdout")


def _add_param(parser: argparse.ArgumentParser, spec: ParamSpec) -> None:
    # No defaults here: what is not given comes from the recipe, or from the picture named by --from.
    options: dict[str, Any] = {"dest": spec.name, "default": None, "help": _describe(spec)}
    if spec.kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif spec.kind is Fit:
        options["choices"] = [fit.value for fit in Fit]
    elif spec.name == "scheduler":
        options |= {"choices": [*dict.fromkeys([DEFAULT_SCHEDULER, *SCHEDULERS])], "metavar": "NAME"}
        options["help"] += f" One of: {', '.join(options['choices'])}."
    else:
        options |= {"type": spec.kind, "metavar": METAVARS.get(spec.name, "N")}
    parser.add_argument(f"--{spec.flag}", **options)


def _describe(spec: ParamSpec) -> str:
    text = spec.tip
    if spec.minimum is not None and spec.maximum is not None:
        text += f" {spec.minimum:.10g} to {spec.maximum:.10g}." if spec.name != "seed" else " Random if not given."
    return text.replace("%", "%%")


def parse_size(text: str) -> tuple[int, int]:
    """``512x768`` as (512, 768)."""
    match = re.fullmatch(r"(\d{1,6})[xX×](\d{1,6})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512x768")
    return int(match[1]), int(match[2])


def given_params(options: argparse.Namespace) -> dict[str, Any]:
    """The fields of `Params` that the user gave, ready for ``dataclasses.replace``; the recipe is applied apart."""
    names = [name for name, spec in PARAM_SPECS.items() if spec.flag and name != "recipe"]
    given = {name: getattr(options, name) for name in names}
    changes = {name: value for name, value in given.items() if value is not None}
    if "fit" in changes:
        changes["fit"] = Fit(changes["fit"])
    if options.size:
        changes["width"], changes["height"] = options.size
    return changes
