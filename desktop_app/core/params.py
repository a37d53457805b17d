"""The values a user can adjust, and the one table that says what each may be.

Sliders, the command line and `desktop_app.core.validation` all read `PARAM_SPECS`; nothing else holds a range or a
default.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from typing import Any

from desktop_app.core.chain import Card
from desktop_app.core.conditions import Adapter, ColourMatch, Control

MAX_SEED = 2**63 - 1
"""Largest seed torch.Generator.manual_seed takes as a positive number."""

MAX_RANDOM_SEED = 2**32 - 1
"""Random seeds stay below this, so that other programs can take them over."""

MAX_PROMPT_CHARS = 10_000

FILE_REFS = ("checkpoint", "prior", "refiner", "recipe", "style")
"""Fields that may name a file: what stands in them is never made to look better."""

DEFAULT_SCHEDULER = "default"
"""The scheduler that the checkpoint itself names."""


class Fit(Enum):
    """How an init image is brought to the working size when their aspect ratios differ."""

    CROP = "crop"
    """Fill the working size and cut what hangs over, equally on both sides."""
    PAD = "pad"
    """Fit wholly inside and extend the edge pixels into the rest."""
    SCALE = "scale"
    """Resize each side by itself; the picture is stretched."""


@dataclass(frozen=True)
class Params:
    """What the controls show. Frozen: an edit replaces the whole value.

    ``seed`` None means a new random one for each request; ``width`` and ``height`` None (both or neither) mean that
    the working size follows the init image and the checkpoint. ``own_size`` asks for the result at the init image's
    own size instead of the working size.

    ``prior`` and ``refiner`` are REFs of a second checkpoint; an empty prior is the one that the checkpoint names, an
    empty refiner is none. ``refiner_share`` is where in the schedule the refiner takes over; with a
    ``refiner_strength`` above 0 it works over the finished picture instead. ``original_width`` and ``original_height``
    (both or neither) are the size that the checkpoint shall believe the picture came from; None: the working size.

    ``chain`` has the stages that follow what the other values say; without ``first_stage`` they begin with the init
    image itself. ``style`` is the name of one of `desktop_app.core.styles`. For the mask see `Request`.
    """

    prompt: str = ""
    negative_prompt: str = ""
    strength: float = 0.6
    guidance_scale: float = 7.5
    steps: int = 30
    seed: int | None = None
    scheduler: str = DEFAULT_SCHEDULER
    width: int | None = None
    height: int | None = None
    fit: Fit = Fit.CROP
    own_size: bool = True
    count: int = 1
    checkpoint: str = "starter"
    recipe: str = "starter"
    prior: str = ""
    prior_steps: int = 25
    prior_guidance_scale: float = 4.0
    refiner: str = ""
    refiner_share: float = 0.8
    refiner_strength: float = 0.0
    aesthetic_score: float = 6.0
    negative_aesthetic_score: float = 2.5
    original_width: int | None = None
    original_height: int | None = None
    style: str = ""
    first_stage: bool = True
    chain: tuple[Card, ...] = ()
    controls: tuple[Control, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    mask_feather: int = 8
    masked_only: bool = False
    mask_padding: int = 32
    colour_match: ColourMatch = ColourMatch.OFF

    def to_json(self) -> dict[str, Any]:
        """Plain data for the session's file; read back by `desktop_app.core.validation.params_from_json`."""
        return {name: _plain_value(value) for name, value in self.__dict__.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    return [each.to_json() for each in value] if isinstance(value, tuple) else value


@dataclass(frozen=True)
class ParamSpec:
    """What one field of `Params` may be. ``flag`` is its option on the command line, without dashes; ``is_optional``
    ones may be None.
    """

    name: str
    label: str
    kind: type
    tip: str
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    flag: str = ""
    is_optional: bool = False


PARAM_SPECS: dict[str, ParamSpec] = {
    spec.name: spec
    for spec in (
        ParamSpec("prompt", "Prompt", str, "What the picture should become.", flag="prompt"),
        ParamSpec("negative_prompt", "Negative prompt", str, "What to move away from.", flag="negative"),
        ParamSpec(
            "strength",
            "Strength",
            float,
            "How much of the init image may change: the share of the denoising schedule that is run on it.",
            0.0,
            1.0,
            0.01,
            flag="strength",
        ),
        ParamSpec(
            "guidance_scale",
            "Guidance",
            float,
            "How closely to follow the prompt (classifier-free guidance). 1 switches it off; 3 to 10 is usual.",
            0.0,
            30.0,
            0.1,
            flag="guidance",
        ),
        ParamSpec(
            "steps",
            "Steps",
            int,
            "Length of the denoising schedule. Strength decides how many of these steps are run.",
            1,
            1000,
            1,
            flag="steps",
        ),
        ParamSpec("seed", "Seed", int, "Same seed, same request: same picture.", 0, MAX_SEED, 1, "seed", True),
        ParamSpec(
            "scheduler",
            "Scheduler",
            str,
            "The algorithm that walks down the noise levels (some programs say sampler).",
            flag="scheduler",
        ),
        ParamSpec("width", "Width", int, "Working width in pixels, a multiple of 8.", 8, 8192, 8, "", True),
        ParamSpec("height", "Height", int, "Working height in pixels, a multiple of 8.", 8, 8192, 8, "", True),
        ParamSpec("fit", "Fit", Fit, "How the init image is brought to another aspect ratio.", flag="fit"),
        ParamSpec(
            "own_size",
            "At the init image's size",
            bool,
            "Scale the result to the init image's own size.",
            flag="own-size",
        ),
        ParamSpec("count", "Variations", int, "How many pictures, each with its own seed.", 1, 100, 1, flag="count"),
        ParamSpec("checkpoint", "Checkpoint", str, "The set of weights that paints.", flag="checkpoint"),
        ParamSpec("recipe", "Recipe", str, "A named way of working with good defaults.", flag="recipe"),
        ParamSpec(
            "prior",
            "Prior",
            str,
            "The checkpoint that turns the prompt into what is painted; empty: the one that the checkpoint names.",
            flag="prior",
        ),
        ParamSpec(
            "prior_steps",
            "Prior steps",
            int,
            "Denoising steps of the prior, before the picture is begun.",
            2,
            1000,
            1,
            flag="prior-steps",
        ),
        ParamSpec(
            "prior_guidance_scale",
            "Prior guidance",
            float,
            "How closely the prior follows the prompt. 1 switches its guidance off.",
            0.0,
            30.0,
            0.1,
            flag="prior-guidance",
        ),
        ParamSpec(
            "refiner",
            "Refiner",
            str,
            "A second checkpoint that finishes the picture; empty: none.",
            flag="refiner",
        ),
        ParamSpec(
            "refiner_share",
            "Refiner takes over at",
            float,
            "The share of the denoising schedule after which the refiner goes on with the unfinished picture.",
            0.01,
            0.99,
            0.01,
            flag="refiner-share",
        ),
        ParamSpec(
            "refiner_strength",
            "Refiner strength",
            float,
            "Above 0 the refiner works over the finished picture, with this strength, and does not take over earlier.",
            0.0,
            1.0,
            0.01,
            flag="refiner-strength",
        ),
        ParamSpec(
            "aesthetic_score",
            "Aesthetic score",
            float,
            "How beautiful people would find the picture, 1 to 10: the refiner was trained with such marks.",
            0.0,
            10.0,
            0.1,
            flag="aesthetic-score",
        ),
        ParamSpec(
            "negative_aesthetic_score",
            "Negative aesthetic score",
            float,
            "The mark to move away from.",
            0.0,
            10.0,
            0.1,
            flag="negative-aesthetic-score",
        ),
        ParamSpec(
            "original_width",
            "Original width",
            int,
            "Width in pixels that the picture shall seem to come from; a small one gives blur. Usual: the working one.",
            1,
            16384,
            8,
            "original-width",
            True,
        ),
        ParamSpec(
            "original_height",
            "Original height",
            int,
            "Height in pixels that the picture shall seem to come from. Usual: the working height.",
            1,
            16384,
            8,
            "original-height",
            True,
        ),
        ParamSpec("style", "Style", str, "A way of painting whose words are put around the prompt.", flag="style"),
        ParamSpec(
            "first_stage",
            "First stage",
            bool,
            "Off: the chain begins with its next stage, on the init image as it is.",
            flag="first-stage",
        ),
        ParamSpec("chain", "Chain", tuple, "Stages that go on from the picture, one after the other."),
        ParamSpec("controls", "Control images", tuple, "Pictures whose edges, depth or shapes the result follows."),
        ParamSpec("adapters", "Adapters", tuple, "Small files that teach a checkpoint a style, a thing or a face."),
        ParamSpec(
            "mask_feather",
            "Feather",
            int,
            "How far the mask's edge is softened, in pixels of the init image.",
            0,
            512,
            1,
            flag="mask-feather",
        ),
        ParamSpec(
            "masked_only",
            "Masked part only",
            bool,
            "Paint just the masked part, enlarged to the working size, instead of the whole picture.",
            flag="masked-only",
        ),
        ParamSpec(
            "mask_padding",
            "Surroundings",
            int,
            "Pixels of the init image around the masked part that the checkpoint sees beside it.",
            0,
            1024,
            8,
            flag="mask-padding",
        ),
        ParamSpec(
            "colour_match",
            "Colour match",
            ColourMatch,
            "Gives the result the init image's colours: not at all, light and dark only, or light and hue.",
            flag="colour-match",
        ),
    )
}

MULTIPLE = 8
"""Working sizes are multiples of this: the factor of the VAE of Stable Diffusion."""


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufeff\u2028\u2029]")


def clean_text(text: str) -> str:
    """``text`` in NFC without control characters (line feed and tab stay) and lone surrogates. Idempotent."""
    return unicodedata.normalize("NFC", _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
