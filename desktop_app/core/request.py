"""Request: everything one run needs, resolved and validated, so that it can run anywhere and again.

One request makes one picture. It is JSON plus the pictures it refers to by the hash of their pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from desktop_app.core.chain import MAX_CARDS, Card, spare_prompt
from desktop_app.core.checkpoint import STARTER
from desktop_app.core.conditions import (
    MAX_ADAPTERS,
    MAX_CONTROLS,
    Adapter,
    ColourMatch,
    Control,
    adapter_from_json,
    control_from_json,
)
from desktop_app.core.errors import RequestError
from desktop_app.core.family import MARKS
from desktop_app.core.image_ref import FindImages, ImageRef, hash_pixels, image_from_json
from desktop_app.core.kinds import UPSCALES, StageKind
from desktop_app.core.params import DEFAULT_SCHEDULER, PARAM_SPECS, Fit, Params, clean_text
from desktop_app.core.plain_data import as_count_between, as_flag, as_number, as_share, as_text
from desktop_app.core.steps import effective_steps, handover_step

__all__ = [
    "REQUEST_VERSION",
    "ImageRef",
    "Request",
    "Stage",
    "StageKind",
    "hash_pixels",
    "image_from_json",
    "request_from_json",
]

REQUEST_VERSION = 1

T = TypeVar("T")


@dataclass(frozen=True)
class Stage:
    """One pipeline run. ``checkpoint`` is a REF (``starter``, a folder, ...), resolved by the checkpoint store.

    ``prior`` is the REF of the checkpoint that reads the prompt for this one, empty where it reads it itself, with
    steps and guidance of its own. ``begin`` and ``end`` are shares of the schedule: a stage that ends before 1 hands
    its latents to the next one, which begins where it ended, whatever its strength. ``original_width`` and
    ``original_height`` are what the checkpoint shall take for the size in pixels that the picture had; None: its own.
    ``noise_level`` is what an UPSCALE adds first; ``is_card`` marks a stage that the user added as a card of a chain.
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
    noise_level: int = 20
    controls: tuple[Control, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    is_card: bool = False

    @property
    def first_step(self) -> int:
        """Steps of the schedule that are left out before the first one that runs."""
        if self.begin > 0:
            return handover_step(self.steps, self.begin)
        if self.kind is StageKind.TEXT_TO_IMAGE or self.kind in UPSCALES:
            return 0
        return self.steps - effective_steps(self.steps, self.strength)

    @property
    def effective_steps(self) -> int:
        """Denoising steps that will run, those of a prior not counted."""
        if self.kind is StageKind.PIXEL_UPSCALE:
            return 0
        last = handover_step(self.steps, self.end) if self.end < 1 else self.steps
        return max(last - self.first_step, 0)

    def to_json(self) -> dict[str, Any]:
        """Plain data; read back by `request_from_json`."""
        return {
            **self.__dict__,
            "kind": self.kind.value,
            "controls": [control.to_json() for control in self.controls],
            "adapters": [adapter.to_json() for adapter in self.adapters],
        }


@dataclass(frozen=True)
class Request:
    """Everything one picture needs. ``width`` and ``height`` are the working size in pixels, that of the first stage.

    ``mask`` has the init image's size and is white where the picture shall change; ``mask_feather`` is how far, in
    pixels of the init image, its edge is softened inwards and outwards. With ``masked_only`` the working size shows
    the masked part alone, with ``mask_padding`` pixels of the init image around it.
    """

    stages: tuple[Stage, ...]
    seed: int
    width: int
    height: int
    init_image: ImageRef | None = None
    fit: Fit = Fit.CROP
    own_size: bool = True
    recipe: str = ""
    mask: ImageRef | None = None
    mask_feather: int = 0
    masked_only: bool = False
    mask_padding: int = 32
    colour_match: ColourMatch = ColourMatch.OFF

    @property
    def images(self) -> tuple[ImageRef, ...]:
        """All pictures without which it could not be run again, each once."""
        found = [self.init_image, self.mask]
        for stage in self.stages:
            found += [control.image for control in stage.controls]
            found += [adapter.image for adapter in stage.adapters]
        return tuple(dict.fromkeys(image for image in found if image))

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
            "mask": self.mask.to_json() if self.mask else None,
            "mask_feather": self.mask_feather,
            "masked_only": self.masked_only,
            "mask_padding": self.mask_padding,
            "colour_match": self.colour_match.value,
        }

    def to_params(self) -> Params:
        """The controls' values that make this request again; with its ``init_image`` and its ``mask``."""
        first, own = self._shown, [stage for stage in self.stages if not stage.is_card]
        with_prior = next((stage for stage in (first, *self.stages) if stage.prior), first)
        is_at_own_size = self.stages[0].kind in UPSCALES  # an upscaler takes a picture of any size as it is
        return Params(
            prompt=first.prompt,
            negative_prompt=first.negative_prompt,
            strength=first.strength,
            guidance_scale=first.guidance_scale,
            steps=first.steps,
            seed=self.seed,
            scheduler=first.scheduler,
            width=None if is_at_own_size else self.width,
            height=None if is_at_own_size else self.height,
            fit=self.fit,
            own_size=self.own_size,
            checkpoint=STARTER if first.kind is StageKind.PIXEL_UPSCALE else first.checkpoint,
            recipe=self.recipe,
            prior=with_prior.prior,
            prior_steps=with_prior.prior_steps,
            prior_guidance_scale=with_prior.prior_guidance_scale,
            **_refiner_params(own or [first]),
            **_marks([*own[::-1], *self.stages]),
            original_width=first.original_width,
            original_height=first.original_height,
            first_stage=bool(own),
            chain=tuple(_card(stage, first) for stage in self.stages if stage.is_card),
            controls=first.controls,
            adapters=first.adapters,
            mask_feather=self.mask_feather,
            masked_only=self.masked_only,
            mask_padding=self.mask_padding,
            colour_match=self.colour_match,
        )

    @property
    def _shown(self) -> Stage:
        """The stage whose values the controls show: the first one, or the card that adapters or a prior were for."""
        own = [stage for stage in self.stages if not stage.is_card]
        painting = [stage for stage in self.stages if stage.kind is not StageKind.PIXEL_UPSCALE]
        adapted = [stage for stage in painting if stage.adapters]
        return (own or adapted or [stage for stage in painting if stage.prior] or painting or list(self.stages))[0]


def _card(stage: Stage, first: Stage) -> Card:
    """What the user set to get ``stage``: what it has in common with the ``first`` one is inherited."""
    is_file, negative = stage.kind is StageKind.PIXEL_UPSCALE, stage.negative_prompt
    return Card(
        kind=stage.kind,
        checkpoint=stage.checkpoint if stage.checkpoint != first.checkpoint or is_file else "",
        prompt=spare_prompt(stage.prompt) if stage.prompt != first.prompt else None,
        negative_prompt=spare_prompt(negative) if negative != first.negative_prompt else None,
        strength=stage.strength,
        steps=stage.steps,
        guidance_scale=stage.guidance_scale,
        scheduler=stage.scheduler,
        begin=stage.begin,
        noise_level=stage.noise_level,
    )


def _refiner_params(stages: list[Stage]) -> dict[str, Any]:
    """The fields of `Params` that tell of a refiner: the second of ``stages``, which are no cards, if there is one."""
    last = stages[-1]
    if len(stages) == 1:
        return {}
    way = {"refiner_share": last.begin} if last.begin > 0 else {"refiner_strength": last.strength}
    return {"refiner": last.checkpoint, **way}


def _marks(stages: list[Stage]) -> dict[str, Any]:
    """Those of the first of ``stages`` that has others than the usual ones: all that take any have the same."""
    usual = Stage(StageKind.IMAGE_TO_IMAGE, "", "")
    marks = [{name: getattr(stage, name) for name in MARKS} for stage in (*stages, usual)]
    return next((each for each in marks if each != marks[-1]), marks[-1])


def request_from_json(data: Any, find_image: FindImages | None = None) -> Request:
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
        stages = tuple(_stage_from_json(stage, find_image) for stage in data["stages"])
        if not stages or len(stages) > MAX_CARDS + 2:
            raise ValueError(f"{len(stages)} stages")
        return Request(
            stages=stages,
            seed=as_number(data["seed"], int),
            width=_side(data["width"]),
            height=_side(data["height"]),
            init_image=image_from_json(data.get("init_image"), find_image),
            fit=Fit(data.get("fit", Fit.CROP.value)),
            own_size=as_flag(data.get("own_size", True)),
            recipe=as_text(data.get("recipe", "")),
            mask=image_from_json(data.get("mask"), find_image, "mask"),
            mask_feather=_in_range("mask_feather", data.get("mask_feather", 0)),
            masked_only=as_flag(data.get("masked_only", False)),
            mask_padding=_in_range("mask_padding", data.get("mask_padding", 32)),
            colour_match=ColourMatch(data.get("colour_match", ColourMatch.OFF.value)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as e:
        raise RequestError("The request cannot be read", f"{type(e).__name__}: {e}", "") from e


def _stage_from_json(data: Any, find_image: FindImages | None) -> Stage:
    return Stage(
        kind=_painting(StageKind(data["kind"])),
        checkpoint=as_text(data["checkpoint"]),
        prompt=clean_text(as_text(data["prompt"])),
        negative_prompt=clean_text(as_text(data.get("negative_prompt", ""))),
        strength=as_number(data.get("strength", 1.0), float),
        steps=as_number(data["steps"], int),
        guidance_scale=as_number(data["guidance_scale"], float),
        scheduler=as_text(data.get("scheduler", DEFAULT_SCHEDULER)),
        controls=_items(data.get("controls", ()), MAX_CONTROLS, lambda each: control_from_json(each, find_image)),
        adapters=_items(data.get("adapters", ()), MAX_ADAPTERS, lambda each: adapter_from_json(each, find_image)),
        **{name: read(data[name]) for name, read in _LATER_FIELDS.items() if name in data},
    )


def _painting(kind: StageKind) -> StageKind:
    if kind is StageKind.EMBEDDING:
        raise ValueError(f"{kind.value} makes no picture")
    return kind


def _items(data: Any, most: int, read: Callable[[Any], T]) -> tuple[T, ...]:
    if not isinstance(data, list | tuple):
        raise TypeError(f"{str(data)[:80]} is not a list")
    if len(data) > most:
        raise ValueError(f"{len(data)} control images or adapters; at most {most} are taken")
    return tuple(read(each) for each in data)


def _side(value: Any) -> int:
    """Of a working size: that of an upscaler may be any up to the largest."""
    return as_count_between(value, 1, int(PARAM_SPECS["width"].maximum or 0))


def _in_range(name: str, value: Any) -> int:
    spec = PARAM_SPECS[name]
    return as_count_between(value, int(spec.minimum or 0), int(spec.maximum or 0))


def _original_side(value: Any) -> int | None:
    return None if value is None else as_number(value, int)


_LATER_FIELDS: dict[str, Callable[[Any], Any]] = {
    "prior": as_text,
    "prior_steps": lambda value: as_number(value, int),
    "prior_guidance_scale": lambda value: as_number(value, float),
    "begin": as_share,
    "end": as_share,
    "aesthetic_score": lambda value: as_number(value, float),
    "negative_aesthetic_score": lambda value: as_number(value, float),
    "original_width": _original_side,
    "original_height": _original_side,
    "noise_level": lambda value: as_number(value, int),
    "is_card": as_flag,
}
"""Fields of `Stage` that records of earlier versions lack, and how each is read."""
