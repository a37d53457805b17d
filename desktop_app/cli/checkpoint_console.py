"""What the commands for checkpoints show: tables, what a download takes, a progress bar, and questions."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Sequence

from desktop_app.cli.console import BAR_WIDTH, TerminalLine
from desktop_app.core.catalog import CatalogEntry
from desktop_app.core.conversion import CONSENT
from desktop_app.core.download import DownloadPlan, DownloadProgress
from desktop_app.core.errors import CheckpointError
from desktop_app.store.hub_errors import size_text

TEXT_WIDTH = 100


class ByteBar(TerminalLine):
    """Used as a `ReportDownload`."""

    def __call__(self, progress: DownloadProgress) -> None:
        share = progress.done / progress.total if progress.total else 1.0
        done = int(BAR_WIDTH * share)
        text = f"{self.title} [{'#' * done}{'-' * (BAR_WIDTH - done)}] {size_text(progress.done)}"
        text += f" of {size_text(progress.total)}"
        if progress.rate:
            text += f", {progress.rate / 1e6:.1f} MB/s"
        if progress.seconds_left is not None:
            text += f", {time_text(progress.seconds_left)} left"
        self.draw(text)


def time_text(seconds: float) -> str:
    """Seconds as 0:07, 12:30 or 1:02:03."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_table(rows: Iterable[Sequence[str]]) -> None:
    """Columns as wide as their longest text."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def tell_plan(plan: DownloadPlan, entry: CatalogEntry | None) -> None:
    """On stderr, what a download takes and under which licence."""
    missing = plan.total_bytes - plan.present_bytes
    facts = [f"{len(plan.files)} files", size_text(plan.total_bytes)]
    if plan.present_bytes:
        facts.append(f"{size_text(missing)} of it to fetch")
    licence = plan.licence or (entry.licence if entry else "") or "not stated"
    facts.append(f"licence {licence}")
    if entry is not None and entry.is_gated:
        facts.append("only for those who have accepted it on the hub")
    if plan.is_pickled:
        facts.append("pickled weights, to be converted")
    print(f"{plan.ref}: {', '.join(facts)}", file=sys.stderr)


def ask_conversion(refs: Sequence[str], *, is_agreed: bool) -> None:
    """Have the user agree that pickles are converted. Raises `CheckpointError` when that is not so."""
    if is_agreed:
        return
    for paragraph in (CONSENT.what_it_is, CONSENT.what_is_done, CONSENT.what_remains):
        print(f"\n{textwrap.fill(' '.join(paragraph), TEXT_WIDTH)}", file=sys.stderr)
    if not _agrees(f"\n{CONSENT.title} ({', '.join(refs)})"):
        detail = f"The weights of {', '.join(refs)} exist only as pickles"
        raise CheckpointError("Nothing was converted", detail, "Read the above; with --yes you agree.")


def ask(question: str, title: str, *, is_agreed: bool) -> None:
    """Have the user agree. Raises `CheckpointError` with ``title`` when that is not so."""
    if not is_agreed and not _agrees(question):
        raise CheckpointError(title, question.strip(), "With --yes nothing is asked.")


def _agrees(question: str) -> bool:
    """No, where nobody can answer."""
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
