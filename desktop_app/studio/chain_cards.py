"""The cards of a chain as the window edits them: what each kind takes, what it begins with, which checkpoints fit."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from desktop_app.core.chain import Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.families import family_named
from desktop_app.core.family import Family
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.params import Params
from desktop_app.core.steps import effective_steps

REFINE_SHARE = 0.8
"""Where a refiner takes over, as the card of Stable Diffusion XL's has it."""


class CardKind(Enum):
    """What a user can choose a stage to be; one that refines is an image-to-image that begins inside the schedule."""

    IMAGE_TO_IMAGE = "image-to-image"
    REFINE = "refine"
    INPAINT = "inpaint"
    LATENT_UPSCALE = "latent upscale"
    UPSCALE = "upscale"
    PIXEL_UPSCALE = "pixel upscale"

    @property
    def stage_kind(self) -> StageKind:
        """What a stage of it does."""
        return StageKind.IMAGE_TO_IMAGE if self is CardKind.REFINE else StageKind(self.value)

    @property
    def needs_checkpoint(self) -> bool:
        """Whether only a checkpoint made for it will do."""
        return self.stage_kind in UPSCALES


_USUAL_REFS = {
    CardKind.LATENT_UPSCALE: "stabilityai/sd-x2-latent-upscaler",
    CardKind.UPSCALE: "stabilityai/stable-diffusion-x4-upscaler",
}
_USUAL_VALUES: dict[CardKind, dict[str, Any]] = {
    CardKind.LATENT_UPSCALE: {"steps": 20, "guidance_scale": 0.0},
    CardKind.UPSCALE: {"steps": 75, "guidance_scale": 9.0},
}
"""Those of the card of the one, and of diffusers' pipeline for the other."""


@dataclass(frozen=True)
class Surroundings:
    """What a card is seen in: the values, what is known of their checkpoint, and the checkpoints on this machine."""

    params: Params
    info: CheckpointInfo | None
    infos: tuple[CheckpointInfo, ...] = ()

    def info_of(self, card: Card) -> CheckpointInfo | None:
        """What is known of the checkpoint that ``card`` runs."""
        if not card.checkpoint or (self.info and card.checkpoint == self.info.ref):
            return self.info
        return next((info for info in self.infos if info.ref == card.checkpoint), None)

    def family_of(self, card: Card) -> Family | None:
        """Its family, None where that is not known."""
        return _family(self.info_of(card))

    def family_before(self, index: int) -> Family | None:
        """The family of what runs before card ``index``."""
        before = [card for card in self.params.chain[:index] if card.is_on]
        return self.family_of(before[-1]) if before else _family(self.info)

    def fitting(self, kind: CardKind, index: int) -> tuple[CheckpointInfo, ...]:
        """The checkpoints that can run a stage of ``kind`` as card ``index``."""
        before = self.family_before(index)
        return tuple(info for info in self.infos if _fits(kind, info, before))


def kind_of(card: Card) -> CardKind:
    """What the user calls ``card``."""
    return CardKind.REFINE if card.refines else CardKind(card.kind.value)


def new_card(kind: CardKind, around: Surroundings) -> Card:
    """A card of ``kind`` at the end of the chain, with values that are a good beginning."""
    params = around.params
    card = Card(steps=params.steps, guidance_scale=params.guidance_scale)
    return with_kind(card, kind, around, len(params.chain))


def with_kind(card: Card, kind: CardKind, around: Surroundings, index: int) -> Card:
    """``card``, number ``index``, as one of ``kind``; a checkpoint that does not fit that gives way."""
    begin = REFINE_SHARE if kind is CardKind.REFINE else 0.0
    changed = replace(card, kind=kind.stage_kind, begin=begin, **_USUAL_VALUES.get(kind, {}))
    refs = [info.ref for info in around.fitting(kind, index)]
    if changed.checkpoint in refs or (not changed.checkpoint and not kind.needs_checkpoint):
        return changed
    usual = _USUAL_REFS.get(kind, "")
    if kind.needs_checkpoint and refs and usual not in refs:
        usual = refs[0]
    return replace(changed, checkpoint=usual)


def fields_of(card: Card, family: Family | None) -> frozenset[str]:
    """The fields of `Card` that have an effect on a checkpoint of ``family``; all of its kind where that is unknown."""
    kind = kind_of(card)
    if kind is CardKind.PIXEL_UPSCALE:
        return frozenset({"checkpoint"})
    names = {"checkpoint", "prompt", "negative_prompt", "guidance_scale", "scheduler"}
    names |= {"begin"} if kind is CardKind.REFINE else {"steps"}
    names |= {"strength"} if kind in (CardKind.IMAGE_TO_IMAGE, CardKind.INPAINT) else set()
    names |= {"noise_level"} if kind is CardKind.UPSCALE else set()
    return frozenset(name for name in names if family is None or family.takes(name))


def steps_of_card(card: Card, family: Family | None) -> int:
    """Denoising steps that ``card``, which does not refine, runs."""
    if "strength" not in fields_of(card, family):
        return card.steps
    if family is None:
        return effective_steps(card.steps, card.strength)
    return family.effective_steps(card.kind, card.steps, card.strength)


def count_own_stages(params: Params, info: CheckpointInfo | None) -> int:
    """How many stages run before the cards: the first with its refiner. ``info`` is of the first checkpoint."""
    family = _family(info)
    has_refiner = bool(params.refiner) and family is not None and family.takes("refiner")
    return 1 + has_refiner if params.first_stage else 0


def count_stages(params: Params, info: CheckpointInfo | None) -> int:
    """How many stages run in all."""
    return count_own_stages(params, info) + sum(card.is_on for card in params.chain)


def number_cards(params: Params, info: CheckpointInfo | None) -> tuple[int | None, ...]:
    """Of each card its number, from 1, among the stages that run, as progress and errors count; None: it is off."""
    numbers = itertools.count(count_own_stages(params, info) + 1)
    return tuple(next(numbers) if card.is_on else None for card in params.chain)


def _family(info: CheckpointInfo | None) -> Family | None:
    return family_named(info.family) if info else None


def _fits(kind: CardKind, info: CheckpointInfo, before: Family | None) -> bool:
    if kind is CardKind.INPAINT:
        return bool({StageKind.INPAINT, StageKind.IMAGE_TO_IMAGE} & set(info.kinds))
    if kind.stage_kind not in info.kinds:
        return False
    return kind is not CardKind.REFINE or before is None or info.family in before.refiners
