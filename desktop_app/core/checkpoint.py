"""CheckpointInfo: what the program needs to know of a checkpoint without loading it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from desktop_app.core.conditions import ControlMode
from desktop_app.core.kinds import StageKind
from desktop_app.core.memory import PartSize

PAINTING = frozenset({StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE, StageKind.INPAINT})
"""Stages by which a picture begins; the others go on with one, or paint nothing."""

PIXEL_UPSCALER = "Pixel upscaler"
"""What stands for the family of networks that enlarge pixels; they are no pipelines, and have no row of their own."""

STARTER = "starter"
"""REF of the checkpoint that ships with the program."""


class Home(Enum):
    """To whom a checkpoint belongs; its value is what the user reads. Only an OWN one is ever changed."""

    PROGRAM = "part of the program"
    OWN = "own"
    SHARED = "shared, read-only"
    ELSEWHERE = "used in place"


@dataclass(frozen=True)
class CheckpointInfo:
    """Read from a folder's JSON files.

    ``native_size`` is the side, in pixels, of the square pictures it was trained on; ``multiple`` the pixels that one
    latent covers; ``max_tokens`` how many tokens of a prompt it reads, begin and end marks included; ``tokenizer``
    the folder of its tokenizer, None where it has none; ``size_bytes`` its weights on disk; ``kinds`` the stages that
    its family can run; ``parts`` the sizes of its parts with weights; ``prior`` the REF of the prior that it names;
    ``text_width`` how many numbers its denoiser is told of each token, 0 where it does not say; ``note`` a sentence
    that the user should know, or empty; ``scale`` how many times larger a pixel upscaler makes each side. Of a
    ControlNet, ``fits`` are the families of the checkpoints that it can steer; of an annotator, ``mode`` is what it
    makes.
    """

    ref: str
    label: str
    path: Path
    family: str
    native_size: int
    multiple: int
    max_tokens: int
    tokenizer: Path | None
    size_bytes: int
    kinds: tuple[StageKind, ...] = (StageKind.IMAGE_TO_IMAGE, StageKind.TEXT_TO_IMAGE)
    parts: tuple[PartSize, ...] = ()
    prior: str = ""
    text_width: int = 0
    note: str = ""
    scale: int = 0
    fits: tuple[str, ...] = ()
    mode: ControlMode | None = None

    @property
    def can_paint(self) -> bool:
        """Whether a picture can begin with it: a prior, an upscaler or a ControlNet works beside another one."""
        return bool(PAINTING.intersection(self.kinds))
