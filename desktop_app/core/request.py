"""Request: everything one run needs, resolved and validated, so that it can run anywhere and again.

One request makes one picture. It is JSON plus the pictures it refers to by the hash of their pixels.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from PIL import Image

from desktop_app.core.errors import RequestError
from desktop_app.core.params import DEFAULT_SCHEDULER, Fit, Params, clean_text, effective_steps

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


@dataclass(frozen=True)
class Stage:
    """One pipeline run. ``checkpoint`` is a REF (``starter``, a folder, ...), resolved by the checkpoint store."""

    kind: StageKind
    checkpoint: str
    prompt: str
    negative_prompt: str = ""
    strength: float = 1.0
    steps: int = 30
    guidance_scale: float = 7.5
    scheduler: str = DEFAULT_SCHEDULER

    @property
    def effective_steps(self) -> int:
        """Denoising steps that will run."""
        if self.kind is StageKind.TEXT_TO_IMAGE:
            return self.steps
        return effective_steps(self.steps, self.strength)

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
        )


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
        kind=StageKind(data["kind"]),
        checkpoint=_text(data["checkpoint"]),
        prompt=clean_text(_text(data["prompt"])),
        negative_prompt=clean_text(_text(data.get("negative_prompt", ""))),
        strength=_number(data.get("strength", 1.0), float),
        steps=_number(data["steps"], int),
        guidance_scale=_number(data["guidance_scale"], float),
        scheduler=_text(data.get("scheduler", DEFAULT_SCHEDULER)),
    )


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
