"""What the gallery writes of a result: its picture and those of its stages, each a PNG that carries its own request."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from PIL import Image

from desktop_app.core.engine import Result
from desktop_app.core.image import encode_png
from desktop_app.core.request import Request
from desktop_app.core.variation import PROGRAM_KEY, ChainPlace, Variation, read_variation, until_stage, write_texts
from desktop_app.store import gallery_rows as rows
from desktop_app.store.paths import Paths


@dataclass(frozen=True)
class NewPicture:
    """A picture to be saved: as ``file`` below the gallery's folder, with ``record`` in its row."""

    variation: Variation
    file: str
    record: str
    content: bytes
    image: Image.Image


def new_pictures(paths: Paths, request: Request, result: Result) -> Iterator[NewPicture]:
    """The final picture, then those of the stages before it, in order."""
    created, final_id = datetime.now(UTC), rows.new_id()
    yield _new_picture(paths, request, result, final_id, created)
    for made in result.intermediates:
        own_request = until_stage(request, made.stage)
        own_steps = result.steps_run[: made.stage + 1]
        own_result = replace(result, image=made.image, steps_run=own_steps, notes=(), reused=0, intermediates=())
        place = ChainPlace(final_id, made.stage)
        yield _new_picture(paths, own_request, own_result, rows.new_id(), created, place)


def _new_picture(
    paths: Paths,
    request: Request,
    result: Result,
    variation_id: str,
    created: datetime,
    place: ChainPlace | None = None,
) -> NewPicture:
    texts = write_texts(request, result, variation_id, created, place)
    file = rows.file_name(request, variation_id, created, place)
    variation = read_variation(texts[PROGRAM_KEY], rows.picture_path(paths, file, trashed=False))
    return NewPicture(variation, file, texts[PROGRAM_KEY], encode_png(result.image, texts), result.image)
