"""Request: everything one run needs, resolved and validated, so that it can run anywhere and again.

One request makes one picture. It is JSON plus the pictures it refers to by the hash of their pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from desktop_app.core.errors import RequestError
from desktop_app.core.params import DEFAULT_SCHEDULER, Fit, Params, clean_text, effective_steps, handover_step

REQUEST_VERSION = 1

N = TypeVar("N", int, float)


@dataclass(frozen=True)
class ImageRef:
    """A picture by content: ``sha256`` as `hash_pixels` computes it, ``size`` (width, height) in pixels.

    ``path`` is where the picture lies on this machine; two refs are equal when their pixels are.
    ``name`` is what the user knows it by (a file name, never a path).
    """

    sha256: str
    size: tuple[int, int]
    path: Path
    name: str = ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ImageRef) and (self.sha256, self.size) == (other.sha256, other.size)

    def __hash__(self) -> int:
        return hash(self.sha256)

    def to_json(self) -> dict[str, Any]:
        """Plain data; the folder is left out, since pictures travel between machines."""
        return {"sha256": self.sha256, "width": self.size[0], "height": self.size[1], "name": self.name}


def hash_pixels(image: Image.Image) -> str:
    """sha-256 over mode, size and pixels, so that a lossless copy of a picture has the same hash."""
    digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height}\n".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


class StageKind(Enum):
    """What one pipeline run does."""

    IMAGE_TO_IMAGE = "image-to-image"
    TEXT_TO_IMAGE = "text-to-image"
    EMBEDDING = "embedding"
    """From the prompt to what a decoder paints: the work of a prior, and no stage of a request by itself."""


@dataclass(frozen=True)
class Stage:
    """One pipeline run. ``checkpoint`` is a REF (``starter``, a folder, ...), resolved by the checkpoint store.

    ``prior`` is the REF of the checkpoint that reads the prompt for this one, empty where it reads it itself, with
    steps and guidance of its own. ``begin`` and ``end`` are shares of the schedule: a stage that ends before 1 hands
    its latents to the next one, which begins where it ended, whatever its strength. ``original_width`` and
    ``original_height`` are what the checkpoint shall take for the size in pixels that the picture had; None: its own.
    """

    kind: StageKind
    checkpoint: str
    prompt: str
    negative_prompt: str = ""
    strength: float = 1.0
    steps: int = 30
    guidance_scale: float = 7.5
    scheduler: str = DEFAULT_SCHEDULER
    prior: str = ""
    prior_steps: int = 25
    prior_guidance_scale: float = 4.0
    begin: float = 0.0
    end: float = 1.0
    aesthetic_score: float = 6.0
    negative_aesthetic_score: float = 2.5
    original_width: int | None = None
    original_height: int | None = None

    @property
    def first_step(self) -> int:
        """Steps of the schedule that are left out before the first one that runs."""
        if self.begin > 0:
            return handover_step(self.steps, self.begin)
        if self.kind is StageKind.TEXT_TO_IMAGE:
            return 0
        return self.steps - effective_steps(self.steps, self.strength)

    @property
    def effective_steps(self) -> int:
        """Denoising steps that will run, those of a prior not counted."""
        last = handover_step(self.steps, self.end) if self.end < 1 else self.steps
        return max(last - self.first_step, 0)

    def to_json(self) -> dict[str, Any]:
        """Plain data; read back by `request_from_json`."""
        return {**self.__dict__, "kind": self.kind.value}


@dataclass(frozen=True)
class Request:
    """Everything one picture needs. ``width`` and ``height`` are the working size in pixels."""

    stages: tuple[Stage, ...]
    seed: int
    width: int
    height: int
    init_image: ImageRef | None = None
    fit: Fit = Fit.CROP
    own_size: bool = True
    recipe: str = ""

    def to_json(self) -> dict[str, Any]:
        """The request as plain data; read back by `request_from_json`."""
        return {
            "version": REQUEST_VERSION,
            "stages": [stage.to_json() for stage in self.stages],
            "seed": self.seed,
            "width": self.width,
            "height": self.height,
            "init_image": self.init_image.to_json() if self.init_image else None,
            "fit": self.fit.value,
            "own_size": self.own_size,
            "recipe": self.recipe,
        }

    def to_params(self) -> Params:
        """The controls' values that make this request again."""
        first = self.stages[0]
        return Params(
            prompt=first.prompt,
            negative_prompt=first.negative_prompt,
            strength=first.strength,
            guidance_scale=first.guidance_scale,
            steps=first.steps,
            seed=self.seed,
            scheduler=first.scheduler,
            width=self.width,
            height=self.height,
            fit=self.fit,
            own_size=self.own_size,
            checkpoint=first.checkpoint,
            recipe=self.recipe,
            prior=first.prior,
            prior_steps=first.prior_steps,
            prior_guidance_scale=first.prior_guidance_scale,
            **_refiner_params(self.stages),
            original_width=first.original_width,
            original_height=first.original_height,
        )


def _refiner_params(stages: tuple[Stage, ...]) -> dict[str, Any]:
    """The fields of `Params` that tell of the second stage, if there is one; the marks are those of the last."""
    last = stages[-1]
    marks = {"aesthetic_score": last.aesthetic_score, "negative_aesthetic_score": last.negative_aesthetic_score}
    if len(stages) == 1:
        return marks
    way = {"refiner_share": last.begin} if last.begin > 0 else {"refiner_strength": last.strength}
    return {"refiner": last.checkpoint, **way, **marks}


def request_from_json(data: Any, find_image: dict[str, Path] | None = None) -> Request:
    """The request that `Request.to_json` wrote; foreign data is checked field by field.

    ``find_image`` maps hashes of pixels to files on this machine; a picture that is not in it gets an empty path.
    Raises `RequestError`.
    """
    try:
        if data["version"] > REQUEST_VERSION:
            raise RequestError(
                "The request was written by a newer version",
                f"format {data['version']}, this program reads up to {REQUEST_VERSION}",
                "Update Underpaint.",
            )
        stages = tuple(_stage_from_json(stage) for stage in data["stages"])
        if not stages:
            raise ValueError("no stages")
        return Request(
            stages=stages,
            seed=_number(data["seed"], int),
            width=_number(data["width"], int),
            height=_number(data["height"], int),
            init_image=image_from_json(data.get("init_image"), find_image),
            fit=Fit(data.get("fit", Fit.CROP.value)),
            own_size=bool(data.get("own_size", True)),
            recipe=_text(data.get("recipe", "")),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as e:
        raise RequestError("The request cannot be read", f"{type(e).__name__}: {e}", "") from e


def _stage_from_json(data: Any) -> Stage:
    return Stage(
        kind=_painting(StageKind(data["kind"])),
        checkpoint=_text(data["checkpoint"]),
        prompt=clean_text(_text(data["prompt"])),
        negative_prompt=clean_text(_text(data.get("negative_prompt", ""))),
        strength=_number(data.get("strength", 1.0), float),
        steps=_number(data["steps"], int),
        guidance_scale=_number(data["guidance_scale"], float),
        scheduler=_text(data.get("scheduler", DEFAULT_SCHEDULER)),
        **{name: read(data[name]) for name, read in _LATER_FIELDS.items() if name in data},
    )


def _painting(kind: StageKind) -> StageKind:
    if kind is StageKind.EMBEDDING:
        raise ValueError(f"{kind.value} makes no picture")
    return kind


def _share(value: Any) -> float:
    share = _number(value, float)
    if not 0 <= share <= 1:
        raise ValueError(f"{share} is no share")
    return share


def _side(value: Any) -> int | None:
    return None if value is None else _number(value, int)


_LATER_FIELDS: dict[str, Callable[[Any], Any]] = {
    "prior": lambda value: _text(value),
    "prior_steps": lambda value: _number(value, int),
    "prior_guidance_scale": lambda value: _number(value, float),
    "begin": _share,
    "end": _share,
    "aesthetic_score": lambda value: _number(value, float),
    "negative_aesthetic_score": lambda value: _number(value, float),
    "original_width": _side,
    "original_height": _side,
}
"""Fields of `Stage` that records of earlier versions lack, and how each is read."""


def image_from_json(data: Any, find_image: dict[str, Path] | None = None) -> ImageRef | None:
    """The ref that `ImageRef.to_json` wrote, or None for null. Raises `RequestError`."""
    if data is None:
        return None
    try:
        sha256 = _text(data["sha256"])
        size = (_number(data["width"], int), _number(data["height"], int))
        return ImageRef(sha256, size, (find_image or {}).get(sha256, Path()), _text(data.get("name", "")))
    except (KeyError, TypeError, ValueError, OverflowError) as e:
        raise RequestError("The request cannot be read", f"init image: {type(e).__name__}: {e}", "") from e


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _number(value: Any, kind: type[N]) -> N:
    if isinstance(value, bool) or not isinstance(value, int | float) or kind(value) != value:
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return kind(value)
