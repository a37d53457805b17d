"""Composition root of the command line: arguments in, exit status out. Qt is never imported here.

Exit status: 0 done, 1 a `StudioError` (one line on stderr, its hint on the next), 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from desktop_app import __version__
from desktop_app.cli.arguments import add_checkpoints_arguments, add_generate_arguments
from desktop_app.cli.console import keep_libraries_silent, print_error, print_whatever, stop_printing
from desktop_app.core.errors import Cancelled, StudioError

COMMANDS = {
    "generate": "make pictures from a picture and a prompt, without the window",
    "checkpoints": "list, download, import, remove and verify checkpoints",
    "doctor": "show versions, devices, memory, folders and what would run where",
    "self-test": "start the engine, make a picture, save it, open it again; for packagers",
}

INTERRUPTED = 130
"""Exit status after Ctrl+C, as shells count it."""


def chosen_command(arguments: list[str]) -> str:
    """The command that ``arguments`` name, or nothing: then they are pictures for the window."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "--data-dir":
            next(rest, None)
        elif not argument.startswith("-"):
            return argument if argument in COMMANDS else ""
    return ""


def parse_window_arguments(arguments: list[str]) -> argparse.Namespace:
    """``images`` and ``data_dir``. Ends the process after ``--help``, ``--version`` and on wrong usage."""
    if {"-h", "--help"} & set(arguments):
        build_parser().parse_args(["--help"])
    parser = argparse.ArgumentParser(prog="underpaint", add_help=False)
    _add_common(parser)
    parser.add_argument("images", nargs="*", metavar="IMAGE")
    return parser.parse_args(arguments)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="underpaint",
        usage="underpaint [--data-dir DIR] [IMAGE ...]\n       underpaint COMMAND [...]",
        description="Underpaint opens a window for image-to-image. With a COMMAND it works without one.",
        epilog="underpaint COMMAND --help tells more about each.",
    )
    _add_common(parser)
    commands = parser.add_subparsers(prog="underpaint", dest="command", metavar="COMMAND", required=True)
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        _add_common(command, default=argparse.SUPPRESS)
        command.set_defaults(parser=command)
        if name == "generate":
            add_generate_arguments(command)
        if name == "checkpoints":
            add_checkpoints_arguments(command, _add_common)
    return parser


def _add_common(parser: argparse.ArgumentParser, default: str | None = None) -> None:
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        default=default,
        help="folder for checkpoints, gallery, session and logs (default: UNDERPAINT_DATA_DIR, or the user's own)",
    )
    parser.add_argument(
        "--offline",
        action="store_true",
        default=default if default else False,
        help="try no connection (also by UNDERPAINT_OFFLINE=1)",
    )
    parser.add_argument("--version", action="version", version=f"underpaint {__version__}")


def main(arguments: list[str]) -> int:
    """Run one command; returns the exit status. Wrong usage ends the process with status 2."""
    options = build_parser().parse_args(arguments)
    print_whatever()
    try:
        with keep_libraries_silent():
            return _run(options)
    except StudioError as e:
        print_error(e)
        return 1
    except (Cancelled, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        stop_printing()
        return 1


def _run(options: argparse.Namespace) -> int:
    if options.command == "generate":
        from desktop_app.cli.generate import generate

        return generate(options)
    if options.command == "checkpoints":
        from desktop_app.cli.checkpoints import checkpoints

        return checkpoints(options)
    if options.command == "doctor":
        from desktop_app.cli.doctor import doctor

        return doctor(options)
    from desktop_app.cli.self_test import self_test

    return self_test()
