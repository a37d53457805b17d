"""Starts Underpaint from a checkout, setting everything up on the way. Python's standard library only.

python3 packaging/underpaint.py                 the window
python3 packaging/underpaint.py photo.png       the window with a picture
python3 packaging/underpaint.py generate ...    the command line
python3 packaging/underpaint.py test [...]      all checks and tests; options go to pytest, which then runs alone
"""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import environment
import system_libraries
from problem import Problem, say

PROJECT = Path(__file__).resolve().parent.parent
COMMANDS = ("generate", "checkpoints", "doctor", "self-test")
"""Commands of the program that open no window."""

CHECKS = (
    ("ruff", "check", "."),
    ("ruff", "format", "--check", "."),
    ("mypy",),
    ("lint-imports",),
)


def main(arguments: list[str]) -> int:
    """Set up, then become the program or the tests. Returns an exit status where it does not."""
    if sys.version_info < (3, 11):  # noqa: UP036 - an older Python is who this line is for
        sys.exit(f"Underpaint needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).")
    options, rest = parse(arguments)
    try:
        if rest[:1] == ["test"]:
            return test(options.venv, rest[1:])
        return start(options.venv, rest)
    except Problem as e:
        print(f"\n{e}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on from here.", file=sys.stderr)
        return 130


def parse(arguments: list[str]) -> tuple[argparse.Namespace, list[str]]:
    """The launcher's own options, and what is meant for the program: all that stands after ``--`` or is unknown."""
    before, after = split(arguments)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--venv", type=Path, default=PROJECT / ".venv", help="where the virtual environment is kept")
    options, rest = parser.parse_known_args(before)
    return options, rest + after


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What may hold options of the launcher, and what is the program's: all from ``--`` or a command on."""
    words = {"--", "test", *COMMANDS}
    index = next((i for i, argument in enumerate(arguments) if argument in words), len(arguments))
    skip = arguments[index : index + 1] == ["--"]
    return arguments[:index], arguments[index + skip :]


def start(venv: Path, arguments: list[str]) -> int:
    """The program, in this process's place where the system can do that."""
    if opens_window(arguments):
        check_screen(os.environ, sys.platform)
        system_libraries.provide(system_libraries.WINDOW)
    python = environment.provide(venv, PROJECT)
    os.environ["UNDERPAINT_COMMAND"] = call(venv)
    command = [str(python), "-m", "desktop_app", *arguments]
    if os.name == "posix":
        sys.stdout.flush()
        os.execv(command[0], command)
    return subprocess.run(command).returncode


def call(venv: Path) -> str:
    """How the user has called this, for the program's hints on what to type."""
    words = [Path(sys.executable).name or "python3", sys.argv[0]]
    if venv != PROJECT / ".venv":
        words += ["--venv", str(venv)]
    return shlex.join(words) if os.name == "posix" else subprocess.list2cmdline(words)


def opens_window(arguments: list[str]) -> bool:
    """Whether the program will open a window with these arguments."""
    return not {*COMMANDS, "--help", "-h", "--version"} & set(arguments)


def check_screen(variables: Mapping[str, str], platform: str) -> None:
    """Raise `Problem` where there is nothing to show a window on."""
    if platform.startswith("linux") and not any(
        variables.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    ):
        raise Problem(
            "There is no screen to open the window on (neither DISPLAY nor WAYLAND_DISPLAY is set).\n"
            "The command line works without one:\n"
            '  python3 packaging/underpaint.py generate photo.png --prompt "a lemon" -o lemon.png'
        )


def test(venv: Path, arguments: list[str]) -> int:
    """Every check, then the tests, all to the end; with ``arguments`` pytest alone."""
    system_libraries.provide(system_libraries.QT)
    python = environment.provide(venv, PROJECT, extra="dev")
    commands = [("pytest", *arguments)] if arguments else [*CHECKS, ("pytest",)]
    failed = [" ".join(command) for command in commands if not passes(python, command)]
    if failed:
        print("Failed: " + "; ".join(failed), file=sys.stderr)
    return 1 if failed else 0


def passes(python: Path, command: tuple[str, ...]) -> bool:
    """Run one tool of the environment on the checkout. Windows are drawn in memory, so no screen is needed."""
    say(" ".join(command))
    tool = python.with_name(command[0] + python.suffix)
    variables = {"QT_QPA_PLATFORM": "offscreen", **os.environ}
    return subprocess.run([tool, *command[1:]], cwd=PROJECT, env=variables).returncode == 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
