"""What is said of a request in a few words, in the queue, the gallery and the dialogs."""

from __future__ import annotations

import re

from PySide6.QtCore import QCoreApplication

from desktop_app.core.kinds import FACTORS
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
    if stage.kind not in WITH_STRENGTH or stage.strength >= 1:
        return ""
    return _tr("strength %1").replace("%1", f"{stage.strength:g}")


def partners_text(request: Request) -> str:
    """Such as "then refiner NAME from 80 %", "refiner NAME at 0.3" or "prior NAME, 25 steps"; empty where there is no
    second checkpoint. What cards of a chain do, `chain_text` tells.
    """
    first, *others = [stage for stage in request.stages if not stage.is_card] or request.stages[:1]
    texts = [_prior_text(first)] if first.prior else []
    return " · ".join([*texts, *map(_refiner_text, others)])


def stage_text(stage: Stage) -> str:
    """What ``stage`` does, such as "image-to-image 0.6", "latent upscale ×2" or "refine from 80 %"."""
    if stage.begin > 0:
        return _tr("refine from %1 %").replace("%1", f"{100 * stage.begin:.4g}")
    text = _tr(stage.kind.value)
    if stage.kind in FACTORS:
        return f"{text} ×{FACTORS[stage.kind]}"
    return f"{text} {stage.strength:g}" if stage.kind in WITH_STRENGTH else text


def numbered_stage_text(request: Request, number: int) -> str:
    """`stage_text` of stage ``number`` (from 0), numbered as people count, with its checkpoint where that is not the
    first stage's.
    """
    stage, first = request.stages[number], request.stages[0]
    other = f" ({checkpoint_name(stage.checkpoint)})" if stage.checkpoint != first.checkpoint else ""
    return f"{number + 1} {stage_text(stage)}{other}"


def chain_text(request: Request) -> str:
    """The stages of a chain, such as "1 text-to-image · 2 latent upscale ×2"; empty where there are no cards."""
    if len(request.stages) < 2 or not any(stage.is_card for stage in request.stages):
        return ""
    return " · ".join(numbered_stage_text(request, number) for number in range(len(request.stages)))


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


WITH_STRENGTH = (StageKind.IMAGE_TO_IMAGE, StageKind.INPAINT)
"""Kinds of stage that run a share of the schedule; checkpoints that take no strength run all of it."""


def _tr(text: str) -> str:
    return QCoreApplication.translate("Requests", text)
