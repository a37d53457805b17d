"""What is said of a request in a few words, in the queue, the gallery and the dialogs."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from desktop_app.core.request import Request, Stage, StageKind

_HUB_ID = re.compile(r"\w[\w.-]*/(\w[\w.-]*?)(?:@.*)?", re.DOTALL)
_FILE_SUFFIX = re.compile(r"\.safetensors$", re.IGNORECASE)


def checkpoint_name(ref: str) -> str:
    """What to call the checkpoint ``ref``: the last part of a hub id or a folder, the stem of a file."""
    match = _HUB_ID.fullmatch(ref)
    name = match[1] if match else re.split(r"[/\\]", ref.rstrip("/\\"))[-1]
    return _FILE_SUFFIX.sub("", name) or ref


def refs_of(request: Request) -> tuple[str, ...]:
    """REFs of all checkpoints of ``request``, each once, the one that paints first."""
    refs = [ref for stage in request.stages for ref in (stage.checkpoint, stage.prior)]
    return tuple(dict.fromkeys(ref for ref in refs if ref))


def strength_text(request: Request) -> str:
    """Such as "strength 0.6"; empty where the whole schedule runs, as it does without an init image and for
    checkpoints that take no strength.
    """
    stage = request.stages[0]
    if stage.kind is not StageKind.IMAGE_TO_IMAGE or stage.strength >= 1:
        return ""
    return _tr("strength %1").replace("%1", f"{stage.strength:g}")


def partners_text(request: Request) -> str:
    """Such as "then refiner NAME from 80 %", "refiner NAME at 0.3" or "prior NAME, 25 steps"; empty where there is no
    second checkpoint.
    """
    first, *others = request.stages
    texts = [_prior_text(first)] if first.prior else []
    return " · ".join([*texts, *map(_refiner_text, others)])


def checkpoints_text(request: Request) -> str:
    """The names of all checkpoints of ``request``, and what each is there for."""
    return " · ".join(filter(None, (checkpoint_name(request.stages[0].checkpoint), partners_text(request))))


def _prior_text(stage: Stage) -> str:
    steps = _tr("1 step") if stage.prior_steps == 1 else _tr("%1 steps").replace("%1", str(stage.prior_steps))
    return _tr("prior %1, %2").replace("%2", steps).replace("%1", checkpoint_name(stage.prior))


def _refiner_text(stage: Stage) -> str:
    text, value = _tr("refiner %1 at %2"), f"{stage.strength:g}"
    if stage.begin > 0:
        text, value = _tr("then refiner %1 from %2 %"), f"{100 * stage.begin:.4g}"
    return text.replace("%2", value).replace("%1", checkpoint_name(stage.checkpoint))


def _tr(text: str) -> str:
    return QCoreApplication.translate("Requests", text)
