"""What the command line shows on stderr: errors, notes and a progress bar."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator
from typing import TextIO

from desktop_app.core.engine import Phase, Progress
from desktop_app.core.errors import InternalError, StudioError

BAR_WIDTH = 24

PHASE_TEXTS: dict[Phase, str] = {
    Phase.STARTING: "Starting",
    Phase.DOWNLOADING: "Downloading",
    Phase.DERIVING: "Making the control image",
    Phase.LOADING: "Loading the checkpoint",
    Phase.ENCODING: "Encoding",
    Phase.DENOISING: "Denoising",
    Phase.DECODING: "Decoding",
    Phase.UPSCALING: "Upscaling",
    Phase.SAVING: "Saving",
}


def print_error(error: StudioError, stream: TextIO | None = None) -> None:
    """One line with title and detail, then the hint on a line of its own."""
    out = stream or sys.stderr
    detail = error.detail.strip()
    if isinstance(error, InternalError) and detail:
        detail = detail.splitlines()[-1]  # the traceback's conclusion
    title = f"{error.title}: {detail}" if detail else error.title
    print(f"underpaint: {' '.join(title.split())}", file=out)
    if error.hint:
        print(error.hint, file=out)


def print_whatever() -> None:
    """Let stdout and stderr escape what their encoding lacks; a picture is not lost over a letter of its name. One
    that is closed goes nowhere, and the file that is opened next does not get its number.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def stop_printing() -> None:
    """Nobody reads stdout any more: let what is still to be written go nowhere, without a word about it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextlib.contextmanager
def keep_libraries_silent() -> Iterator[None]:
    """Log lines and warnings of libraries say nothing to the user of a command; our errors do."""
    silent = logging.NullHandler()
    logging.getLogger().addHandler(silent)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:
                warnings.simplefilter("ignore")
            yield
    finally:
        logging.getLogger().removeHandler(silent)


@contextlib.contextmanager
def keep_decoders_silent() -> Iterator[None]:
    """libtiff writes of damaged files to stderr by itself, past Python."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class TerminalLine:
    """One line that is drawn again and again on a terminal; silent anywhere else."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._out = stream or sys.stderr
        self._is_shown = self._out.isatty()
        self.title = ""
        """Put before the rest, such as "2 of 4: "."""

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        self.draw("")

    def draw(self, text: str) -> None:
        """Show ``text`` in the place of what is shown."""
        if self._is_shown:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()


class ProgressBar(TerminalLine):
    """Used as a `ReportProgress`."""

    def __call__(self, progress: Progress) -> None:
        text = PHASE_TEXTS[progress.phase]
        stage = f"stage {progress.stage + 1} of {progress.stages}: " if progress.stages > 1 else ""
        if progress.total:
            done = BAR_WIDTH * progress.step // progress.total
            text = f"{text} [{'#' * done}{'-' * (BAR_WIDTH - done)}] {progress.step}/{progress.total}"
        self.draw(f"{self.title}{stage}{text}")
