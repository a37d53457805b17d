"""Entry of the program: ``underpaint [IMAGE ...]`` opens the window, ``underpaint COMMAND`` is the command line."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from desktop_app.cli import chosen_command, parse_window_arguments
from desktop_app.cli import main as run_command_line
from desktop_app.cli.arguments import is_offline
from desktop_app.cli.console import print_error
from desktop_app.core.conversion import CHILD_WORD
from desktop_app.core.errors import StudioError
from desktop_app.store.command_line import typed


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    if given == [CHILD_WORD]:  # a frozen program is its own child
        from desktop_app.engine.conversion_child import main as convert

        convert()
        return 0
    if chosen_command(given):
        return run_command_line(given)
    options = parse_window_arguments(given)
    try:
        check_screen(os.environ, sys.platform)
        return _open_window(options.images, options.data_dir, is_offline=is_offline(options))
    except StudioError as e:
        print_error(e)
        return 1


def check_screen(environment: Mapping[str, str], platform: str) -> None:
    """Raise `StudioError` where no window can be shown; Qt itself would end the process."""
    has_screen = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
    if platform.startswith("linux") and not has_screen:
        example = 'generate photo.png --prompt "a lemon" -o lemon.png'
        raise StudioError(
            "There is no screen to open the window on",
            "neither DISPLAY nor WAYLAND_DISPLAY is set",
            f"Use the command line instead, for example: {typed(example)}",
        )


def _open_window(images: list[str], data_dir: Path | None, *, is_offline: bool) -> int:
    from desktop_app.app import run  # the command line never waits for Qt

    return run(images, data_dir, is_offline=is_offline)


if __name__ == "__main__":
    sys.exit(main())
