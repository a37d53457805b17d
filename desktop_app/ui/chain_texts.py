"""What is said of the stages of a chain."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from desktop_app.core import handover
from desktop_app.core.chain import Card
from desktop_app.core.handover import Handover
from desktop_app.core.kinds import StageKind
from desktop_app.studio.chain_cards import CardKind, Surroundings, kind_of, steps_of_card
from desktop_app.studio.request_texts import checkpoint_name
from desktop_app.ui.texts import QT_TRANSLATE_NOOP

KINDS: dict[CardKind, str] = {
    CardKind.IMAGE_TO_IMAGE: QT_TRANSLATE_NOOP("Chain", "Image-to-image"),
    CardKind.REFINE: QT_TRANSLATE_NOOP("Chain", "Refine (takes over)"),
    CardKind.INPAINT: QT_TRANSLATE_NOOP("Chain", "Inpaint"),
    CardKind.LATENT_UPSCALE: QT_TRANSLATE_NOOP("Chain", "Latent upscale ×2"),
    CardKind.UPSCALE: QT_TRANSLATE_NOOP("Chain", "Upscale ×4"),
    CardKind.PIXEL_UPSCALE: QT_TRANSLATE_NOOP("Chain", "Pixel upscaler"),
}

KIND_TIPS: dict[CardKind, str] = {
    CardKind.IMAGE_TO_IMAGE: QT_TRANSLATE_NOOP("Chain", "Paints over the picture of the stage before"),
    CardKind.REFINE: QT_TRANSLATE_NOOP("Chain", "Goes on with the unfinished picture of the stage before"),
    CardKind.INPAINT: QT_TRANSLATE_NOOP("Chain", "Paints over what is inside the mask"),
    CardKind.LATENT_UPSCALE: QT_TRANSLATE_NOOP("Chain", "Twice as wide and high, before the picture is decoded"),
    CardKind.UPSCALE: QT_TRANSLATE_NOOP("Chain", "Four times as wide and high, with new detail that suits the prompt"),
    CardKind.PIXEL_UPSCALE: QT_TRANSLATE_NOOP("Chain", "Larger by a small network, quickly and without a prompt"),
}

_FIRST: dict[StageKind, str] = {
    StageKind.TEXT_TO_IMAGE: QT_TRANSLATE_NOOP("Chain", "Text-to-image"),
    StageKind.IMAGE_TO_IMAGE: QT_TRANSLATE_NOOP("Chain", "Image-to-image"),
    StageKind.INPAINT: QT_TRANSLATE_NOOP("Chain", "Inpaint"),
}

_HANDOVERS: dict[str, str] = {
    handover.SAME_VAE: QT_TRANSLATE_NOOP("Chain", "same VAE"),
    handover.OTHER_VAE: QT_TRANSLATE_NOOP("Chain", "different VAE"),
    handover.NOT_COMPARED: QT_TRANSLATE_NOOP("Chain", "the VAE of a file is not compared with that of a folder"),
    handover.ON_PIXELS: QT_TRANSLATE_NOOP("Chain", "this stage works on pixels"),
    handover.FROM_PIXELS: QT_TRANSLATE_NOOP("Chain", "the stage before works on pixels"),
    handover.MASKED: QT_TRANSLATE_NOOP("Chain", "outside the mask the picture is put back"),
    handover.OTHER_CHANNELS: QT_TRANSLATE_NOOP("Chain", "only latents of 4 channels can be handed on"),
    handover.OWN_LATENTS: QT_TRANSLATE_NOOP("Chain", "the latents of one of them mean nothing to the other"),
}

HANDOVER_TIP = QT_TRANSLATE_NOOP(
    "Chain",
    "What this stage gets of the one before: its latents as they are, or the picture decoded to pixels and encoded "
    "anew, which costs a little detail",
)


def tr(text: str) -> str:
    """``text`` in the user's language."""
    return QCoreApplication.translate("Chain", text)


def kind_text(kind: CardKind) -> str:
    """What a kind of stage is called."""
    return tr(KINDS[kind])


def first_text(kind: StageKind) -> str:
    """What the first stage is called; other kinds it cannot be."""
    return tr(_FIRST.get(kind, _FIRST[StageKind.IMAGE_TO_IMAGE]))


def handover_text(found: Handover | None, card: Card) -> str:
    """Such as "latents: same VAE"; empty where nothing is known."""
    if card.refines:
        return tr("takes over at %1 of the schedule").replace("%1", f"{card.begin:g}")
    if found is None:
        return ""
    text = tr("latents: %1") if found.by_latents else tr("pixels: %1")
    return text.replace("%1", tr(_HANDOVERS.get(found.reason, found.reason)))


def checkpoint_text(card: Card, around: Surroundings) -> str:
    """What to call the checkpoint that ``card`` runs."""
    if not card.checkpoint and not kind_of(card).needs_checkpoint:
        return tr("as the first")
    info = around.info_of(card) if card.checkpoint else None
    return (info.label if info else checkpoint_name(card.checkpoint)) or tr("no checkpoint yet")


def summary_text(card: Card, around: Surroundings) -> str:
    """All of ``card`` in one line: its checkpoint, "strength 0.45 · 9 of 20 steps"."""
    kind, family = kind_of(card), around.family_of(card)
    parts = [checkpoint_text(card, around)]
    if kind is CardKind.REFINE:
        parts.append(tr("takes over at %1").replace("%1", f"{card.begin:g}"))
    elif kind is not CardKind.PIXEL_UPSCALE:
        steps = steps_of_card(card, family)
        if kind in (CardKind.IMAGE_TO_IMAGE, CardKind.INPAINT):
            if family is None or family.takes("strength"):
                parts.append(tr("strength %1").replace("%1", f"{card.strength:.3g}"))
            parts.append(tr("%1 of %2 steps").replace("%1", str(steps)).replace("%2", str(card.steps)))
        else:
            parts.append(tr("1 step") if steps == 1 else tr("%1 steps").replace("%1", str(steps)))
    return " · ".join(parts)
