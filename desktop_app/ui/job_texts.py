"""What is said of a job: its phase, its pace, its values."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from desktop_app.core.engine import Phase
from desktop_app.studio.jobs import Job, JobState
from desktop_app.studio.request_texts import checkpoints_text, strength_text
from desktop_app.ui.texts import QT_TRANSLATE_NOOP

PHASES: dict[Phase, str] = {
    Phase.STARTING: QT_TRANSLATE_NOOP("Jobs", "Starting"),
    Phase.DOWNLOADING: QT_TRANSLATE_NOOP("Jobs", "Downloading"),
    Phase.DERIVING: QT_TRANSLATE_NOOP("Jobs", "Making the control image"),
    Phase.LOADING: QT_TRANSLATE_NOOP("Jobs", "Loading the checkpoint"),
    Phase.ENCODING: QT_TRANSLATE_NOOP("Jobs", "Encoding"),
    Phase.DENOISING: QT_TRANSLATE_NOOP("Jobs", "Denoising"),
    Phase.DECODING: QT_TRANSLATE_NOOP("Jobs", "Decoding"),
    Phase.UPSCALING: QT_TRANSLATE_NOOP("Jobs", "Upscaling"),
    Phase.SAVING: QT_TRANSLATE_NOOP("Jobs", "Saving"),
}

STATES: dict[JobState, str] = {
    JobState.QUEUED: QT_TRANSLATE_NOOP("Jobs", "Waiting"),
    JobState.RUNNING: QT_TRANSLATE_NOOP("Jobs", "Running"),
    JobState.STOPPING: QT_TRANSLATE_NOOP("Jobs", "Stopping"),
    JobState.DONE: QT_TRANSLATE_NOOP("Jobs", "Done"),
    JobState.FAILED: QT_TRANSLATE_NOOP("Jobs", "Failed"),
    JobState.CANCELLED: QT_TRANSLATE_NOOP("Jobs", "Stopped"),
}

_OF_ALL_STAGES = (Phase.STARTING, Phase.SAVING)

INTERRUPTED = QT_TRANSLATE_NOOP("Jobs", "Waiting: interrupted last time")


def _tr(text: str) -> str:
    return QCoreApplication.translate("Jobs", text)


def clock(seconds: float) -> str:
    """``seconds`` as 0:07 or 1:02:03."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def progress_text(job: Job) -> str:
    """Such as "Denoising 12/24 · 3.1 steps/s · 0:07 left"; of a chain "Stage 2 of 3 · Loading the checkpoint…"."""
    if job.state is JobState.STOPPING:
        return _tr(STATES[job.state]) + "…"
    progress = job.progress
    if progress is None:
        return _tr(PHASES[Phase.STARTING]) + "…"
    name = _tr(PHASES[progress.phase])
    parts = [f"{name} {progress.step}/{progress.total}" if progress.total else f"{name}…"]
    if progress.stages > 1 and progress.phase not in _OF_ALL_STAGES:
        stage = _tr("Stage %1 of %2").replace("%1", str(progress.stage + 1))
        parts.insert(0, stage.replace("%2", str(progress.stages)))
    if progress.phase is Phase.DENOISING and job.rate:
        pace = _tr("%1 steps/s") if job.rate >= 1 else _tr("%1 s/step")
        parts.append(pace.replace("%1", f"{job.rate if job.rate >= 1 else 1 / job.rate:.1f}"))
    if job.seconds_left is not None:
        left = _tr("%1 left") if job.is_in_last_stage else _tr("%1 left in this stage")
        parts.append(left.replace("%1", clock(job.seconds_left)))
    return " · ".join(parts)


def state_text(job: Job) -> str:
    """One line on where ``job`` stands."""
    if job.state is JobState.RUNNING:
        return progress_text(job)
    if job.state is JobState.FAILED and job.error is not None:
        return f"{_tr(STATES[job.state])}: {job.error.title}"
    if job.state is JobState.QUEUED and job.is_interrupted:
        return _tr(INTERRUPTED)
    return _tr(STATES[job.state])


def values_text(job: Job) -> str:
    """Such as "strength 0.6 · seed 7 · 20 steps · NAME": tells apart two jobs of one prompt."""
    request = job.request
    seed = _tr("seed %1").replace("%1", str(request.seed))
    steps = _tr("%1 steps").replace("%1", str(request.stages[0].steps))
    return " · ".join(filter(None, (strength_text(request), seed, steps, checkpoints_text(request))))


def request_text(job: Job) -> str:
    """What the job makes, in one line."""
    stage = job.request.stages[0]
    return stage.prompt.replace("\n", " ") or _tr("(no prompt)")
