"""Conditions beside the prompt: control images, and adapters that change what a checkpoint paints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from desktop_app.core.image_ref import FindImages, ImageRef, image_from_json
from desktop_app.core.plain_data import as_count_between, as_flag, as_one_of, as_share, as_text

MAX_WEIGHT = 2.0
"""Of a control image; more only breaks the picture."""

MAX_ADAPTER_WEIGHT = 4.0
MAX_CONTROLS = 8
MAX_ADAPTERS = 16


class ControlMode(Enum):
    """Kind of a control image, by what it keeps of a picture."""

    CANNY = "canny"
    """Edges, one pixel wide."""
    DEPTH = "depth"
    """How near each point is: white is near."""
    SCRIBBLE = "scribble"
    """Soft edges made to strokes."""
    SEGMENTATION = "segmentation"
    """Areas of one thing each, in one colour each."""
    LINE_ART = "line art"
    TILE = "tile"
    """The picture itself, blurred: colours and shapes stay, details come new."""
    POSE = "pose"
    """A figure of sticks for each person."""


@dataclass(frozen=True)
class Control:
    """``checkpoint`` is the REF of the ControlNet, empty for a checkpoint that reads control images itself.

    ``image`` is the picture that it comes from, None: the init image. With ``derive`` the annotator makes the control
    image of it; without, it is one already. ``annotator`` is the REF of one that was downloaded; empty: the light way,
    which needs none. ``low`` and ``high`` are Canny's thresholds, 0 to 255. ``weight`` is how much it counts, ``start``
    and ``end`` the share of the schedule in which it does.
    """

    mode: ControlMode
    checkpoint: str = ""
    image: ImageRef | None = None
    derive: bool = True
    annotator: str = ""
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    low: int = 100
    high: int = 200
    is_on: bool = True

    def to_json(self) -> dict[str, Any]:
        """Plain data; read back by `control_from_json`."""
        image = self.image.to_json() if self.image else None
        return {**self.__dict__, "mode": self.mode.value, "image": image}


class AdapterKind(Enum):
    """What an adapter adds to a checkpoint."""

    LORA = "LoRA"
    TEXTUAL_INVERSION = "textual inversion"
    IP_ADAPTER = "IP-Adapter"


@dataclass(frozen=True)
class Adapter:
    """``ref`` is its file; ``sha256`` that of the file's contents, empty while nobody has read it. ``weight`` is how
    much it counts. ``token`` is the word by which a textual inversion is called; ``image`` the picture that an
    IP-Adapter looks at.
    """

    kind: AdapterKind
    ref: str
    weight: float = 1.0
    is_on: bool = True
    sha256: str = ""
    token: str = ""
    image: ImageRef | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain data; read back by `adapter_from_json`."""
        image = self.image.to_json() if self.image else None
        return {**self.__dict__, "kind": self.kind.value, "image": image}


_LEVEL = (0, 255)
_CONTROL_READERS: dict[str, Callable[[Any], Any]] = {
    "mode": lambda value: as_one_of(value, ControlMode),
    "checkpoint": as_text,
    "derive": as_flag,
    "annotator": as_text,
    "weight": lambda value: as_share(value, 0.0, MAX_WEIGHT),
    "start": as_share,
    "end": as_share,
    "low": lambda value: as_count_between(value, *_LEVEL),
    "high": lambda value: as_count_between(value, *_LEVEL),
    "is_on": as_flag,
}
_ADAPTER_READERS: dict[str, Callable[[Any], Any]] = {
    "kind": lambda value: as_one_of(value, AdapterKind),
    "ref": as_text,
    "weight": lambda value: as_share(value, -MAX_ADAPTER_WEIGHT, MAX_ADAPTER_WEIGHT),
    "is_on": as_flag,
    "sha256": as_text,
    "token": as_text,
}


def control_from_json(data: Any, find_image: FindImages | None = None) -> Control:
    """The control that `Control.to_json` wrote. Raises KeyError, TypeError, ValueError, `RequestError`."""
    image = image_from_json(data.get("image"), find_image, "control image")
    control = Control(image=image, **_read(_CONTROL_READERS, data, "mode"))
    if control.start >= control.end:
        raise ValueError(f"a control image from {control.start:g} to {control.end:g} of the schedule")
    return control


def adapter_from_json(data: Any, find_image: FindImages | None = None) -> Adapter:
    """The adapter that `Adapter.to_json` wrote. Raises KeyError, TypeError, ValueError, `RequestError`."""
    image = image_from_json(data.get("image"), find_image, "adapter's image")
    return Adapter(image=image, **_read(_ADAPTER_READERS, data, "kind", "ref"))


def _read(readers: dict[str, Callable[[Any], Any]], data: Any, *needed: str) -> dict[str, Any]:
    if unknown := sorted(set(data) - {*readers, "image"}):
        raise KeyError(", ".join(unknown))
    if missing := [name for name in needed if name not in data]:
        raise ValueError(f"{missing[0]} is missing")
    return {name: readers[name](value) for name, value in data.items() if name != "image"}


class ColourMatch(Enum):
    """What of the init image's colours the result is given back."""

    OFF = "off"
    LUMINANCE = "luminance"
    """Its light and dark; the hues are the result's own."""
    LAB = "lab"
    """Light, hue and saturation, on the average and in how far they spread."""
