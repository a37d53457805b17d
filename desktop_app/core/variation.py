"""Variation: a saved result and how it was made; and the texts that a picture carries about itself.

Two PNG texts: ``underpaint`` is the whole request as JSON, with the result's facts beside it; ``parameters`` says
the same in the form of AUTOMATIC1111's programs, as far as that form goes (see `desktop_app.core.parameters`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from desktop_app import __version__
from desktop_app.core.engine import Result
from desktop_app.core.errors import RequestError
from desktop_app.core.image_ref import hashes_in
from desktop_app.core.parameters import parameters_text, parse_parameters
from desktop_app.core.plain_data import as_count_between, as_number
from desktop_app.core.request import Request, hash_pixels, request_from_json
from desktop_app.core.validation import validate

__all__ = [
    "ChainPlace",
    "Variation",
    "find_images",
    "parameters_text",
    "parse_parameters",
    "read_request",
    "read_variation",
    "until_stage",
    "write_texts",
]

PROGRAM_KEY = "underpaint"
PARAMETERS_KEY = "parameters"

MAX_SIDE = 1_000_000
"""Of a picture that a record tells of; no loader takes more."""

_ID = re.compile(r"[A-Za-z0-9_-]{0,64}")
_SHA256 = re.compile(r"[0-9a-f]{64}")

FindImage = Callable[[str], Path | None]
"""The file that has the pixels of a hash, or None."""


@dataclass(frozen=True)
class ChainPlace:
    """Of the picture that stage number ``stage`` (from 0) of a chain made: ``id`` is that of the chain's final one."""

    id: str
    stage: int


@dataclass(frozen=True)
class Variation:
    """A result in the gallery.

    ``size`` is (width, height) in pixels, ``created`` in UTC, ``seconds`` the run's; ``reused`` is as in
    `desktop_app.core.engine.Result`. ``parent_id`` is the variation whose pixels the init image has. ``chain`` is what
    a picture of a stage before the last belongs to; the final one has none, and ``intermediates`` is how many of its
    stages' pictures the gallery has. ``missing`` means that the file is not where the gallery left it.
    """

    id: str
    path: Path
    request: Request
    created: datetime
    size: tuple[int, int]
    pixels_sha256: str
    steps_run: tuple[int, ...]
    seconds: float
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict, compare=False)
    stars: int = 0
    parent_id: str | None = None
    thumbnail: Path | None = None
    trashed: bool = False
    missing: bool = False
    reused: int = 0
    chain: ChainPlace | None = None
    intermediates: int = 0

    @property
    def chain_id(self) -> str | None:
        """The final picture of the chain that this one is a stage of."""
        return self.chain.id if self.chain else None

    @property
    def stage(self) -> int | None:
        """Which stage of that chain, from 0."""
        return self.chain.stage if self.chain else None


def until_stage(request: Request, stage: int) -> Request:
    """The request that makes what stage number ``stage`` (from 0) of ``request`` made."""
    return replace(request, stages=request.stages[: stage + 1])


def write_texts(
    request: Request,
    result: Result,
    variation_id: str = "",
    created: datetime | None = None,
    chain: ChainPlace | None = None,
) -> dict[str, str]:
    """The texts for the PNG of ``result``; ``variation_id`` is empty where there is no gallery."""
    made: dict[str, Any] = {
        "id": variation_id,
        "created": (created or datetime.now(UTC)).astimezone(UTC).isoformat(),
        "width": result.image.width,
        "height": result.image.height,
        "pixels_sha256": hash_pixels(result.image),
        "steps_run": list(result.steps_run),
        "seconds": round(result.seconds, 3),
        "notes": list(result.notes),
        "environment": result.environment,
    }
    if result.reused:
        made["reused"] = result.reused
    if chain:
        made["chain"] = {"id": chain.id, "stage": chain.stage}
    record = {**request.to_json(), "program": f"underpaint {__version__}", "variation": made}
    return {
        PARAMETERS_KEY: parameters_text(request, result.image.size),
        # Names of files may hold lone surrogates, which UTF-8 cannot write; JSON has an escape for them.
        PROGRAM_KEY: json.dumps(record, ensure_ascii=False).encode(errors="backslashreplace").decode(),
    }


def read_request(texts: dict[str, str], find_image: FindImage | None = None) -> Request | None:
    """The request in a picture's texts, None where there is none. Raises `RequestError` when it cannot be run."""
    if PROGRAM_KEY not in texts:
        return None
    request = _request(_parse(texts[PROGRAM_KEY]), find_image)
    validate(request.to_params(), has_init_image=False)  # how many steps run, its checkpoint's family says
    return request


def read_variation(text: str, path: Path, find_image: FindImage | None = None) -> Variation:
    """The variation that the ``underpaint`` text of the picture at ``path`` tells of. Raises `RequestError`."""
    data = _parse(text)
    request = _request(data, find_image)
    try:
        made = data["variation"]
        return Variation(
            id=_matching(made["id"], _ID),  # names the thumbnail, so it may not lead elsewhere
            path=path,
            request=request,
            created=datetime.fromisoformat(made["created"]).astimezone(UTC),
            size=(_side(made["width"]), _side(made["height"])),
            pixels_sha256=_matching(made["pixels_sha256"], _SHA256),
            steps_run=tuple(int(steps) for steps in made["steps_run"]),
            seconds=float(made["seconds"]),
            notes=tuple(str(note) for note in made["notes"]),
            environment=dict(made["environment"]),
            reused=as_count_between(made.get("reused", 0), 0, len(request.stages)),
            chain=_chain(made.get("chain"), request),
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as e:
        raise RequestError("The picture's record cannot be read", f"{type(e).__name__}: {e}", "") from e


def _matching(value: Any, pattern: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{str(value)[:80]!r} is not as it should be")
    return value


def _side(value: Any) -> int:
    side = int(value)
    if not 1 <= side <= MAX_SIDE:
        raise ValueError(f"a side of {str(value)[:20]} pixels")
    return side


def _chain(data: Any, request: Request) -> ChainPlace | None:
    if data is None:
        return None
    place = ChainPlace(_matching(data["id"], _ID), as_number(data["stage"], int))
    if not place.id or place.stage != len(request.stages) - 1:
        raise ValueError(f"stage {place.stage} of {place.id!r} has {len(request.stages)} stages")
    return place


def find_images(data: Any, find_image: FindImage) -> dict[str, Path]:
    """Where those pictures are that the plain data of a request refers to, by hash; what is nowhere is left out."""
    places = ((sha256, find_image(sha256)) for sha256 in dict.fromkeys(hashes_in(data)))
    return {sha256: path for sha256, path in places if path}


def _request(data: dict[str, Any], find_image: FindImage | None) -> Request:
    try:
        known = find_images(data, find_image) if find_image else {}
    except RecursionError as e:
        raise RequestError("The request cannot be read", str(e), "The picture's text is damaged.") from e
    return request_from_json(data, known)


def _parse(text: str) -> dict[str, Any]:
    try:
        data = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as e:
        raise RequestError("The request cannot be read", str(e), "The picture's text is damaged.") from e
    if not isinstance(data, dict):
        raise RequestError("The request cannot be read", "it is not an object", "The picture's text is damaged.")
    return data


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")
