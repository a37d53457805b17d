"""The options of the commands. Those of ``generate``: a flag for each row of `PARAM_SPECS`, and what only the command
line has.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any

from desktop_app.cli.conditions import add_condition_arguments
from desktop_app.cli.sweeps import add_sweep_argument
from desktop_app.core.engine import ATTENTIONS, EngineOptions
from desktop_app.core.memory import PLANS, MemoryPlan
from desktop_app.core.params import DEFAULT_SCHEDULER, PARAM_SPECS, ParamSpec
from desktop_app.core.schedulers import SCHEDULERS

METAVARS = {
    "prompt": "TEXT",
    "negative_prompt": "TEXT",
    "checkpoint": "REF",
    "prior": "REF",
    "refiner": "REF",
    "recipe": "NAME|FILE",
    "style": "NAME",
}

AUTOMATIC = "auto"
"""What ``--memory`` and ``--attention`` take for: let the program choose."""

OFFLINE_VARIABLE = "UNDERPAINT_OFFLINE"


def is_offline(options: argparse.Namespace) -> bool:
    """Whether the user wants no connection: by ``--offline`` or by `OFFLINE_VARIABLE`."""
    said = os.environ.get(OFFLINE_VARIABLE, "").strip().lower()
    return bool(getattr(options, "offline", False)) or said not in ("", "0", "no", "false", "off")


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
    add_condition_arguments(parser)
    add_sweep_argument(parser)
    _add_engine_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object a result on stdout")


def _add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    plans = [f"{plan.value} ({plan.label})" for plan in PLANS]
    ways = [f"{name} ({text})" for name, text in ATTENTIONS.items() if name]
    parser.add_argument(
        "--memory",
        choices=[AUTOMATIC, *(plan.value for plan in PLANS)],
        default=AUTOMATIC,
        metavar="PLAN",
        help=f"where the weights shall be: {', '.join(plans)}; or {AUTOMATIC}, by the memory that is free",
    )
    parser.add_argument(
        "--attention",
        choices=[AUTOMATIC, *filter(None, ATTENTIONS)],
        default=AUTOMATIC,
        metavar="NAME",
        help=f"how attention is computed: {', '.join(ways)}; or {AUTOMATIC}",
    )


def engine_options(options: argparse.Namespace) -> EngineOptions:
    """What ``--memory`` and ``--attention`` ask for."""
    plan = None if options.memory == AUTOMATIC else MemoryPlan(options.memory)
    return EngineOptions(plan, "" if options.attention == AUTOMATIC else options.attention)


def _add_param(parser: argparse.ArgumentParser, spec: ParamSpec) -> None:
    # No defaults here: what is not given comes from the recipe, or from the picture named by --from.
    options: dict[str, Any] = {"dest": spec.name, "default": None, "help": _describe(spec)}
    if spec.kind is bool:
        options["action"] = argparse.BooleanOptionalAction
    elif issubclass(spec.kind, Enum):
        options["choices"] = [each.value for each in spec.kind]
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
    for name, kind in ((name, PARAM_SPECS[name].kind) for name in changes):
        if issubclass(kind, Enum):
            changes[name] = kind(changes[name])
    if options.size:
        changes["width"], changes["height"] = options.size
    return changes


def add_checkpoints_arguments(parser: argparse.ArgumentParser, add_common: Callable[..., None]) -> None:
    """The actions of ``checkpoints`` and their options; ``add_common`` adds those that every command has."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, text in CHECKPOINT_ACTIONS.items():
        action = actions.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        add_common(action, default=argparse.SUPPRESS)
        action.add_argument("--json", action="store_true", help="print one JSON object a result on stdout")
        if name == "list":
            action.add_argument("--available", action="store_true", help="those that could be downloaded")
        elif name == "import":
            action.add_argument("file", metavar="FILE", help="a .safetensors file, or a folder in diffusers layout")
        else:
            action.add_argument("ref", metavar="REF", help=_REF_HELP[name])
        if name in ("download", "remove"):
            action.add_argument("--yes", action="store_true", help="ask nothing: you agree")
    download, verify = actions.choices["download"], actions.choices["verify"]
    download.add_argument("--update", action="store_true", help="ask the hub also for what is here already")
    download.add_argument(
        "--full-precision", action="store_true", help="weights of 32 bits, where there are some: twice as large"
    )
    verify.add_argument("--discard", action="store_true", help="throw away what is damaged, to be fetched again")


CHECKPOINT_ACTIONS = {
    "list": "list the checkpoints on this machine",
    "download": "fetch a checkpoint from the Hugging Face hub, or go on with a download that was interrupted",
    "import": "copy a single file into the checkpoints folder; a folder is used where it is",
    "remove": "delete a checkpoint of your own from the disk",
    "verify": "read all files of a checkpoint and compare them with their hashes",
}

_REF_HELP = {
    "download": "a name on the hub (organisation/name or organisation/name@revision), or a recipe",
    "remove": "a name on the hub, or a file or folder of the checkpoints folder",
    "verify": "a name on the hub, a file, a folder, or: starter",
}
