"""Card: one more stage of a chain, as the user sets it. What the controls show is the first stage; cards follow it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from desktop_app.core.kinds import StageKind
from desktop_app.core.plain_data import as_count_between, as_flag, as_one_of, as_share, as_text

CARD_KINDS = (
    StageKind.IMAGE_TO_IMAGE,
    StageKind.INPAINT,
    StageKind.LATENT_UPSCALE,
    StageKind.UPSCALE,
    StageKind.PIXEL_UPSCALE,
)
"""What a card may do; text-to-image is the first stage's alone."""

PROMPT = "{prompt}"
"""What stands for the first stage's prompt in that of a card, and for its negative prompt in the other."""

_PROMPT = re.compile(rf"\\[{{}}|\\]|{re.escape(PROMPT)}")
"""Also a backslash and what it takes the meaning from, as in `desktop_app.core.choices`."""

MAX_CARDS = 16
MAX_NOISE_LEVEL = 350
"""Of the upscaler x4 (``max_noise_level`` of its configuration)."""


@dataclass(frozen=True)
class Card:
    """``checkpoint`` is a REF, of a PIXEL_UPSCALE a file; empty: that of the first stage. ``prompt`` and
    ``negative_prompt`` None: those of the first stage; in a text of its own `PROMPT` stands for that, unless a
    backslash stands before it.

    With a ``begin`` above 0 it refines: the stage before ends at that share of the schedule, and this one goes on from
    there with the same number of steps, whatever its strength. ``noise_level`` is what an UPSCALE adds to the picture
    first, 0 to 350.
    """

    kind: StageKind = StageKind.IMAGE_TO_IMAGE
    checkpoint: str = ""
    prompt: str | None = None
    negative_prompt: str | None = None
    strength: float = 0.5
    steps: int = 30
    guidance_scale: float = 7.5
    scheduler: str = "default"
    begin: float = 0.0
    noise_level: int = 20
    is_on: bool = True

    @property
    def refines(self) -> bool:
        """Whether it takes over from the stage before, inside the schedule."""
        return self.begin > 0

    def to_json(self) -> dict[str, Any]:
        """Plain data; read back by `card_from_json`."""
        return {**self.__dict__, "kind": self.kind.value}


def with_inherited(text: str, inherited: str) -> str:
    """The ``text`` of a card, with that of the first stage for each `PROMPT`."""
    words = spare_prompt(inherited)
    return _PROMPT.sub(lambda found: words if found[0] == PROMPT else found[0], text)


def spare_prompt(text: str) -> str:
    """``text`` as it has to stand in a card to be read as it is: a `PROMPT` in it gets a backslash."""
    return _PROMPT.sub(lambda found: f"\\{PROMPT}" if found[0] == PROMPT else found[0], text)


def _kind(value: Any) -> StageKind:
    if value in [kind.value for kind in StageKind if kind not in CARD_KINDS]:
        raise ValueError(f"{value} is no stage that follows another")
    return as_one_of(value, CARD_KINDS)


def _own_text(value: Any) -> str | None:
    return None if value is None else as_text(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": _kind,
    "checkpoint": as_text,
    "prompt": _own_text,
    "negative_prompt": _own_text,
    "strength": as_share,
    "steps": lambda value: as_count_between(value, 1, 1000),
    "guidance_scale": lambda value: as_share(value, 0.0, 30.0),
    "scheduler": as_text,
    "begin": lambda value: as_share(value, 0.0, 0.99),
    "noise_level": lambda value: as_count_between(value, 0, MAX_NOISE_LEVEL),
    "is_on": as_flag,
}


def card_from_json(data: Any) -> Card:
    """The card that `Card.to_json` wrote; what is not said is the usual. Raises KeyError, TypeError, ValueError."""
    if unknown := sorted(set(data) - set(_READERS)):
        raise KeyError(", ".join(unknown))
    return Card(**{name: _READERS[name](value) for name, value in data.items()})
