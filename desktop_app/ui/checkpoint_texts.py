"""What is said of a checkpoint: where it stands, how far its download is, whether it fits."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication, QLocale

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import StudioError
from desktop_app.core.memory import Verdict
from desktop_app.studio.checkpoint_rows import CheckpointRow, Place, Section
from desktop_app.studio.checkpoint_work import Task, WorkKind
from desktop_app.studio.downloads import AT_WORK, Download, DownloadState
from desktop_app.ui.job_texts import clock
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, file_size, plural

FITS: dict[Verdict, str] = {
    Verdict.FITS: QT_TRANSLATE_NOOP("Checkpoints", "fits in memory"),
    Verdict.WITH_OFFLOAD: QT_TRANSLATE_NOOP("Checkpoints", "with offload"),
    Verdict.TOO_LARGE: QT_TRANSLATE_NOOP("Checkpoints", "too large"),
}
SECTIONS: dict[Section, str] = {
    Section.DOWNLOADING: QT_TRANSLATE_NOOP("Checkpoints", "Downloading"),
    Section.INSTALLED: QT_TRANSLATE_NOOP("Checkpoints", "Installed"),
    Section.AVAILABLE: QT_TRANSLATE_NOOP("Checkpoints", "Available"),
}
STATES: dict[DownloadState, str] = {
    DownloadState.PLANNING: QT_TRANSLATE_NOOP("Checkpoints", "Asking the hub…"),
    DownloadState.ASKING: QT_TRANSLATE_NOOP("Checkpoints", "Waits for your answer"),
    DownloadState.WAITING: QT_TRANSLATE_NOOP("Checkpoints", "Waits for its turn"),
    DownloadState.RUNNING: QT_TRANSLATE_NOOP("Checkpoints", "Begins…"),
    DownloadState.CONVERTING: QT_TRANSLATE_NOOP("Checkpoints", "Converting"),
    DownloadState.PAUSING: QT_TRANSLATE_NOOP("Checkpoints", "Pausing…"),
    DownloadState.PAUSED: QT_TRANSLATE_NOOP("Checkpoints", "Paused"),
    DownloadState.CANCELLING: QT_TRANSLATE_NOOP("Checkpoints", "Cancelling…"),
    DownloadState.FAILED: QT_TRANSLATE_NOOP("Checkpoints", "Failed"),
    DownloadState.DONE: QT_TRANSLATE_NOOP("Checkpoints", "Done"),
}
PLACES: dict[Place, str] = {
    Place.PROGRAM: QT_TRANSLATE_NOOP("Checkpoints", "Ships with Underpaint"),
    Place.OWN: QT_TRANSLATE_NOOP("Checkpoints", "In Underpaint's own folder"),
    Place.SHARED: QT_TRANSLATE_NOOP("Checkpoints", "In the Hugging Face cache, shared with other programs"),
    Place.ELSEWHERE: QT_TRANSLATE_NOOP("Checkpoints", "Used where it is"),
}
TOKEN_PLACES: dict[str, str] = {
    "keyring": QT_TRANSLATE_NOOP("Checkpoints", "in the system keyring"),
    "memory": QT_TRANSLATE_NOOP("Checkpoints", "only for this session"),
    "environment": QT_TRANSLATE_NOOP("Checkpoints", "from the environment"),
    "": QT_TRANSLATE_NOOP("Checkpoints", "none"),
}


def translate(text: str) -> str:
    """``text`` of the tables above in the user's language."""
    return QCoreApplication.translate("Checkpoints", text)


def amount(done: int, total: int) -> str:
    """Such as "1.2 of 6.9 GB": both in the unit of ``total``."""
    if total <= 0:
        return file_size(done)
    power = min(int(math.log(total, 1024)), 6)
    digits = 1 if power else 0
    share = QLocale().toString(done / 1024**power, "f", digits)
    return translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 of %2")).replace("%1", share).replace("%2", file_size(total))


def progress_text(progress: DownloadProgress) -> str:
    """Such as "1.2 of 6.9 GB · 14.0 MB/s · 6:40 left"."""
    parts = [amount(progress.done, progress.total)]
    if progress.rate:
        parts.append(translate(QT_TRANSLATE_NOOP("Checkpoints", "%1/s")).replace("%1", file_size(round(progress.rate))))
    if progress.seconds_left is not None:
        left = translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 left"))
        parts.append(left.replace("%1", clock(progress.seconds_left)))
    return " · ".join(parts)


def share_done(progress: DownloadProgress | None) -> float:
    """How much is here, 0-1."""
    return min(max(progress.done / progress.total, 0.0), 1.0) if progress and progress.total else 0.0


def download_text(download: Download) -> str:
    """One line on where ``download`` stands."""
    progress = download.progress
    if download.state is DownloadState.RUNNING and progress is not None:
        return progress_text(progress)
    if download.state is DownloadState.FAILED and download.error is not None:
        return download.error.title
    name = translate(STATES[download.state])
    if download.state is DownloadState.PAUSED and download.is_held:
        name = translate(QT_TRANSLATE_NOOP("Checkpoints", "Paused: the network is off"))
    if download.state is DownloadState.CONVERTING:
        return f"{name} {percent(share_done(progress))}" if progress else f"{name}…"
    if progress is not None and progress.total and download.state in (DownloadState.PAUSED, DownloadState.WAITING):
        return f"{name} · {amount(progress.done, progress.total)}"
    return name


def percent(share: float) -> str:
    """Such as "40 %"."""
    return translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 %")).replace("%1", str(int(share * 100)))


def needs_token(row: CheckpointRow) -> bool:
    """Whether a token, or a licence accepted with it, is what ``row`` lacks."""
    if row.is_gated:
        return row.installed is None
    error = row.download.error if row.download else None
    return error is not None and "token" in f"{error.title} {error.detail} {error.hint}".casefold()


def heading_text(row: CheckpointRow) -> str:
    """The heading of a section."""
    return f"{translate(SECTIONS[row.section])} ({row.count})"


def size_text(row: CheckpointRow) -> str:
    """Its size, or nothing where that is not known."""
    return file_size(row.size_bytes) if row.size_bytes else ""


def row_text(row: CheckpointRow) -> str:
    """All that a row shows, in one sentence."""
    if row.is_heading:
        return heading_text(row)
    state = translate(SECTIONS[row.section])
    if row.download is not None:
        state = download_text(row.download)
        if row.download.state in AT_WORK:
            state = f"{percent(share_done(row.download.progress))}, {state}"
    elif row.error is not None:
        state = row.error.title
    return ", ".join(part for part in (row.label, row.family, state, size_text(row), *_marks(row), row.licence) if part)


def _marks(row: CheckpointRow) -> list[str]:
    marks = [translate(FITS[row.judgement.verdict])] if row.judgement else []
    if row.is_gated:
        marks.append(translate(GATED))
    if row.is_pickled:
        marks.append(translate(PICKLED))
    return marks


GATED = QT_TRANSLATE_NOOP("Checkpoints", "licence to accept")
PICKLED = QT_TRANSLATE_NOOP("Checkpoints", "to be converted")


def error_text(error: StudioError) -> str:
    """Title, detail and hint, a line each."""
    return "\n".join(part for part in (error.title, error.detail, error.hint) if part)


def memory_text(row: CheckpointRow) -> str:
    """What would run where, and how much memory that takes."""
    judgement = row.judgement
    if judgement is None:
        return ""
    use = judgement.choice.use
    runs = QT_TRANSLATE_NOOP("Checkpoints", "About %1 for %2 × %2 pixels on %3, %4. %5")
    lacks = QT_TRANSLATE_NOOP("Checkpoints", "About %1 for %2 × %2 pixels on %3, even %4: more than was ever free.")
    text = translate(lacks if judgement.verdict is Verdict.TOO_LARGE else runs)
    values = (
        file_size(judgement.choice.peak_bytes),
        str(judgement.side),
        judgement.device,
        translate(use.label),
        translate(use.plan.explanation),
    )
    for number, value in enumerate(values, 1):
        text = text.replace(f"%{number}", value)
    return text


def task_text(task: Task) -> str:
    """One line on ``task``, which was started for a row."""
    if task.kind is WorkKind.VERIFY:
        return _verify_text(task)
    if task.kind is WorkKind.REMOVE:
        return translate(QT_TRANSLATE_NOOP("Checkpoints", "Removing…")) if task.is_running else ""
    name = task.ref.replace("\\", "/").rstrip("/").rpartition("/")[2]
    text = translate(QT_TRANSLATE_NOOP("Checkpoints", "Importing %1")).replace("%1", name)
    return f"{text} · {progress_text(task.progress)}" if task.progress else f"{text}…"


def _verify_text(task: Task) -> str:
    if task.is_running:
        text = translate(QT_TRANSLATE_NOOP("Checkpoints", "Verifying"))
        return f"{text} · {progress_text(task.progress)}" if task.progress else f"{text}…"
    if task.outcome is None:
        return ""
    if not task.outcome:
        return translate(QT_TRANSLATE_NOOP("Checkpoints", "Verified: every file is as it was published."))
    one = translate(QT_TRANSLATE_NOOP("Checkpoints", "One file is damaged:"))
    many = translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 files are damaged:"))
    return f"{plural(len(task.outcome), one, many)} {', '.join(task.outcome)}"
