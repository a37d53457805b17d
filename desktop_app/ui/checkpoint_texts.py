"""What is said of a checkpoint: where it stands, how far its download is, whether it fits."""

from __future__ import annotations

import math

from PySide6.QtCore import QCoreApplication, QLocale
from PySide6.QtGui import QGuiApplication

from desktop_app.core.catalog import Role
from desktop_app.core.checkpoint import Home
from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import StudioError
from desktop_app.core.memory import Verdict
from desktop_app.studio.checkpoint_rows import CheckpointRow, Section
from desktop_app.studio.checkpoint_work import Task, WorkKind
from desktop_app.studio.downloads import AT_WORK, Download, DownloadState
from desktop_app.ui.job_texts import clock
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, file_size, plural

MAX_DETAIL = 300
"""Characters of an error's details that are shown beside its title."""

FITS: dict[Verdict, str] = {
    Verdict.FITS: QT_TRANSLATE_NOOP("Checkpoints", "fits in memory"),
    Verdict.WITH_OFFLOAD: QT_TRANSLATE_NOOP("Checkpoints", "with offload"),
    Verdict.TOO_LARGE: QT_TRANSLATE_NOOP("Checkpoints", "too large"),
}
RUNS = QT_TRANSLATE_NOOP("Checkpoints", "Runs on %1, %2. %6")
TOO_LARGE = QT_TRANSLATE_NOOP("Checkpoints", "Too large for this computer (%1), even %2.")
MEMORY_NEED = QT_TRANSLATE_NOOP("Checkpoints", "About %3 for a picture of %4 × %4 pixels.")
MAIN_MEMORY_NEED = QT_TRANSLATE_NOOP("Checkpoints", "The weights wait in main memory: about %5.")
SECTIONS: dict[Section, str] = {
    Section.DOWNLOADING: QT_TRANSLATE_NOOP("Checkpoints", "Downloading"),
    Section.INSTALLED: QT_TRANSLATE_NOOP("Checkpoints", "Installed"),
    Section.AVAILABLE: QT_TRANSLATE_NOOP("Checkpoints", "Available"),
}
ROLES: dict[Role, str] = {
    Role.CHECKPOINT: "",
    Role.PRIOR: QT_TRANSLATE_NOOP("Checkpoints", "prior"),
    Role.UPSCALER: QT_TRANSLATE_NOOP("Checkpoints", "upscaler"),
    Role.CONTROL: QT_TRANSLATE_NOOP("Checkpoints", "control"),
}
USES: dict[Role, str] = {
    Role.CHECKPOINT: "",
    Role.PRIOR: QT_TRANSLATE_NOOP("Checkpoints", "does not paint by itself, but with a checkpoint that needs it"),
    Role.UPSCALER: QT_TRANSLATE_NOOP("Checkpoints", "makes a picture larger, as a card of the chain"),
    Role.CONTROL: QT_TRANSLATE_NOOP("Checkpoints", "steers a checkpoint that paints, by a control image"),
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
PLACES: dict[Home, str] = {
    Home.PROGRAM: QT_TRANSLATE_NOOP("Checkpoints", "Ships with Underpaint"),
    Home.OWN: QT_TRANSLATE_NOOP("Checkpoints", "In Underpaint's own folder"),
    Home.SHARED: QT_TRANSLATE_NOOP("Checkpoints", "In the Hugging Face cache, shared with other programs"),
    Home.ELSEWHERE: QT_TRANSLATE_NOOP("Checkpoints", "Used where it is"),
}
TOKEN_PLACES: dict[str, str] = {
    "keyring": QT_TRANSLATE_NOOP("Checkpoints", "in the system keyring"),
    "memory": QT_TRANSLATE_NOOP("Checkpoints", "only for this session"),
    "environment": QT_TRANSLATE_NOOP("Checkpoints", "from the environment"),
    "": QT_TRANSLATE_NOOP("Checkpoints", "none"),
}


def isolated(text: str) -> str:
    """``text`` of Latin letters and numbers so that it keeps its order among words that run from right to left."""
    return f"\u2066{text}\u2069" if text and QGuiApplication.isRightToLeft() else text


def size(count: int) -> str:
    """``count`` bytes as people say it."""
    return isolated(file_size(count))


def translate(text: str) -> str:
    """``text`` of the tables above in the user's language."""
    return QCoreApplication.translate("Checkpoints", text)


def amount(done: int, total: int) -> str:
    """Such as "1.3 of 7.4 GB": both in the unit of ``total``."""
    if total <= 0:
        return size(done)
    power = min(int(math.log(total, 1000)), 6)
    digits = 1 if power else 0
    share = QLocale().toString(done / 1000**power, "f", digits)
    return translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 of %2")).replace("%1", share).replace("%2", size(total))


def progress_text(progress: DownloadProgress) -> str:
    """Such as "1.3 of 7.4 GB · 14.7 MB/s · 6:40 left"."""
    parts = [amount(progress.done, progress.total)]
    if progress.rate:
        parts.append(translate(QT_TRANSLATE_NOOP("Checkpoints", "%1/s")).replace("%1", size(round(progress.rate))))
    elif progress.rate == 0 and progress.done < progress.total:
        parts.append(translate(QT_TRANSLATE_NOOP("Checkpoints", "waiting for the hub")))
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
    error = row.download.error if row.download else None
    if row.is_gated:
        return row.installed is None and (row.download is None or error is not None)
    return error is not None and "token" in f"{error.title} {error.detail} {error.hint}".casefold()


def heading_text(row: CheckpointRow) -> str:
    """The heading of a section."""
    return f"{translate(SECTIONS[row.section])} ({row.count})"


def title_text(row: CheckpointRow) -> str:
    """Its label; what was only typed so far says what it offers."""
    if not row.is_from_hub:
        return row.label
    return translate(QT_TRANSLATE_NOOP("Checkpoints", "Download %1 from the hub")).replace("%1", row.label)


def size_text(row: CheckpointRow) -> str:
    """Its size, or nothing where that is not known."""
    return size(row.size_bytes) if row.size_bytes else ""


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
    return ", ".join(
        part for part in (title_text(row), row.family, state, size_text(row), *_marks(row), row.licence) if part
    )


def role_text(row: CheckpointRow) -> str:
    """What it is there for, where it does not paint by itself; of a pixel upscaler also how much larger it makes."""
    if row.installed is not None and row.installed.scale:
        text = translate(QT_TRANSLATE_NOOP("Checkpoints", "upscaler ×%1"))
        return text.replace("%1", str(row.installed.scale))
    return translate(ROLES[row.role]) if ROLES[row.role] else ""


def use_text(row: CheckpointRow) -> str:
    """How it is used, where it does not paint by itself."""
    return translate(USES[row.role]) if USES[row.role] else ""


def _marks(row: CheckpointRow) -> list[str]:
    marks = [role_text(row)]
    if row.judgement:
        marks.append(translate(FITS[row.judgement.verdict]))
    if row.is_gated:
        marks.append(translate(GATED))
    if row.is_pickled:
        marks.append(translate(PICKLED))
    return marks


UNUSABLE = QT_TRANSLATE_NOOP("Checkpoints", "Cannot be used")
FROM_HUB = QT_TRANSLATE_NOOP("Checkpoints", "Not on the list; the hub is asked for size and files first")
GATED = QT_TRANSLATE_NOOP("Checkpoints", "licence to accept")
PICKLED = QT_TRANSLATE_NOOP("Checkpoints", "to be converted")


def is_long(error: StudioError) -> bool:
    """Whether the details of ``error`` are better read in a dialog of their own."""
    return len(error.detail) > MAX_DETAIL or "\n" in error.detail


def error_text(error: StudioError) -> str:
    """Title, detail and hint, a line each; long details are left out."""
    detail = "" if is_long(error) else error.detail
    return "\n".join(part for part in (error.title, detail, error.hint) if part)


def memory_text(row: CheckpointRow) -> str:
    """What would run where, and how much memory that takes."""
    judgement = row.judgement
    if judgement is None:
        return ""
    need = translate(MEMORY_NEED)
    if judgement.main_bytes:
        need = f"{need} {translate(MAIN_MEMORY_NEED)}"
    is_too_large = judgement.verdict is Verdict.TOO_LARGE
    text = f"{translate(TOO_LARGE if is_too_large else RUNS)} {need}"
    use = judgement.choice.use
    values = {
        "%1": judgement.device,
        "%2": translate(use.label),
        "%3": size(judgement.choice.peak_bytes),
        "%4": str(judgement.side),
        "%5": size(judgement.main_bytes),
        "%6": translate(use.plan.explanation),
    }
    for mark, value in values.items():
        text = text.replace(mark, value)
    return text


def need_text(need: CheckpointRow) -> str:
    """What another checkpoint needs, and whether it is here."""
    state = QT_TRANSLATE_NOOP("Checkpoints", "not installed") if need.is_missing else SECTIONS[need.section]
    return f"{need.label} ({translate(state).lower()})"


def task_text(task: Task) -> str:
    """One line on ``task``, which was started for a row."""
    if task.kind is WorkKind.VERIFY:
        return _verify_text(task)
    if task.kind is WorkKind.REMOVE:
        return translate(QT_TRANSLATE_NOOP("Checkpoints", "Removing…")) if task.is_running else ""
    if task.kind is WorkKind.DISCARD:
        return translate(QT_TRANSLATE_NOOP("Checkpoints", "Throwing damaged files away…")) if task.is_running else ""
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
        return translate(QT_TRANSLATE_NOOP("Checkpoints", "Verified: no damage was found."))
    one = translate(QT_TRANSLATE_NOOP("Checkpoints", "One file is damaged:"))
    many = translate(QT_TRANSLATE_NOOP("Checkpoints", "%1 files are damaged:"))
    return f"{plural(len(task.outcome), one, many)} {', '.join(task.outcome)}"
