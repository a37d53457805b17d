"""What is said of a control image: how it stands with it, and what would be downloaded for it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from desktop_app.core.conditions import Control
from desktop_app.core.control_modes import ANNOTATORS
from desktop_app.studio.control_deriver import DeriveState, DeriveView
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, file_size, param_text

_STATES: dict[DeriveState, str] = {
    DeriveState.NO_PICTURE: QT_TRANSLATE_NOOP("Controls", "There is no init image, and no picture of its own."),
    DeriveState.WAITING: QT_TRANSLATE_NOOP("Controls", "Not made yet."),
    DeriveState.QUEUED: QT_TRANSLATE_NOOP("Controls", "Made in a moment…"),
}


def _tr(text: str) -> str:
    return QCoreApplication.translate("Controls", text)


def mode_label(control: Control) -> str:
    """The name of its kind."""
    return param_text(ANNOTATORS[control.mode].label)


def state_text(control: Control, view: DeriveView, *, has_job: bool) -> str:
    """One or two short sentences on the control image; ``has_job`` while the engine is busy with a job."""
    if view.state is DeriveState.QUEUED and has_job:
        return _tr("Made when the running job has ended.")
    if view.state is DeriveState.DERIVING:
        progress = view.progress
        count = f" {progress.step}/{progress.total}" if progress and progress.total else "…"
        return _tr("Being made%1").replace("%1", count)
    if view.state is DeriveState.FAILED and view.error is not None:
        error = view.error
        return f"{error.title}: {error.detail}. {error.hint}".replace(": . ", ". ").replace("..", ".").strip()
    if view.picture is not None:
        image = view.picture.qimage
        size = f"{image.width()} × {image.height()}"
        used = size if control.derive else _tr("%1, used as it is").replace("%1", size)
        return f"{used}. {view.picture.note}".strip() if view.picture.note else f"{used}."
    return _tr(_STATES[view.state])


def summary_text(control: Control, net: str, *, has_net: bool, is_missing: bool) -> str:
    """What is said of one that is folded: its ControlNet ``net``, how much it counts and when, and whether something is
    not on this machine.
    """
    parts = []
    if has_net:
        weight = _tr("weight %1").replace("%1", f"{control.weight:g}")
        parts = [net or _tr("no ControlNet chosen"), weight]
    if has_net and (control.start, control.end) != (0.0, 1.0):
        parts.append(f"{control.start:.0%} – {control.end:.0%}")
    if is_missing:
        parts.insert(0, _tr("to be downloaded"))
    return " · ".join(parts)


def download_text(sizes: Sequence[tuple[str, int]]) -> str:
    """What the button says that fetches REFs of so many bytes, 0 where nobody knows."""
    if sizes and all(size for _ref, size in sizes):
        return _tr("Download (%1)…").replace("%1", file_size(sum(size for _ref, size in sizes)))
    return _tr("Download…")
