"""Contact sheet: pictures in a grid, with what they differ in written beside them. Pillow only."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from desktop_app.core.errors import ImageError
from desktop_app.core.image import flatten
from desktop_app.core.lettering import LINE, Lettering
from desktop_app.core.sweep import Axis

MAX_SIDE = 8192
"""Of the sheet, in pixels; pictures are made smaller to fit."""

LEAST_CELL = 192
"""Pixels of the longer side of a cell: small pictures are enlarged, so that what is written beside them has room."""

MARGIN, GAP = 24, 10
GROUND, QUIET = (250, 250, 250), (225, 225, 225)
FONT_SHARE = 0.055
"""Of a picture's width, that a letter is high."""

SMALLEST, LARGEST = 12, 44

CAPTION_LINES = 3
"""At most so many are below a picture."""

Made = Image.Image | str | None
"""A picture, or why there is none."""


@dataclass(frozen=True)
class Sheet:
    """The grid, RGB; ``problem`` is why some of what is written on it cannot be read."""

    image: Image.Image
    problem: ImageError | None = None


def contact_sheet(
    pictures: Sequence[Made],
    columns: int,
    *,
    captions: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    title: str = "",
    fonts: Iterable[Path] = (),
) -> Sheet:
    """``pictures``, line by line, ``columns`` in each, as one; where one was not made, a grey place says why.

    ``captions`` are written below the pictures, one each. The cells have the size of the largest picture; more where
    that is small, and less where the sheet would be longer than `MAX_SIDE`. Text for which there is no room ends in an
    ellipsis; letters that Pillow's own font lacks are taken from ``fonts``.
    """
    rows = math.ceil(len(pictures) / columns)
    cell = _cell_size(
        pictures, columns + bool(row_labels), rows, CAPTION_LINES * round(LARGEST * LINE) if captions else 0
    )
    reasons = [picture for picture in pictures if isinstance(picture, str)]
    texts = (title, *captions, *column_labels, *row_labels, *reasons)
    lettering = Lettering(texts, min(max(round(cell[0] * FONT_SHARE), SMALLEST), LARGEST), fonts)
    line = lettering.line
    row_labels = [lettering.shorten(label, cell[0]) for label in row_labels[:rows]]
    left = MARGIN + (max(lettering.width(label) for label in row_labels) + GAP if row_labels else 0)
    top = MARGIN + (line if title else 0) + (line if column_labels else 0)
    width = left + columns * (cell[0] + GAP) - GAP + MARGIN
    below = [lettering.wrap(caption, cell[0], CAPTION_LINES) for caption in captions]
    pitch = cell[1] + GAP + max(map(len, below), default=0) * line
    height = top + rows * pitch - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        lettering.write(draw, (MARGIN, MARGIN), title, width - 2 * MARGIN)
    for column, label in enumerate(column_labels[:columns]):
        x = left + column * (cell[0] + GAP)
        lettering.write(draw, (x, top - line), label, cell[0])
    for row, label in enumerate(row_labels):
        y = top + row * pitch + cell[1] // 2
        lettering.write(draw, (MARGIN, y), label, cell[0], "lm")
    for index, picture in enumerate(pictures):
        place = (left + index % columns * (cell[0] + GAP), top + index // columns * pitch)
        if isinstance(picture, Image.Image):
            _put(sheet, picture, place, cell)
        else:
            _put_reason(draw, lettering, picture or "", place, cell)
        for number, words in enumerate(below[index] if below else ()):
            lettering.write(draw, (place[0], place[1] + cell[1] + GAP // 2 + number * line), words, cell[0])
    return Sheet(sheet, lettering.problem)


def sweep_sheet(axes: Sequence[Axis], pictures: Sequence[Made], prompt: str = "", fonts: Iterable[Path] = ()) -> Sheet:
    """The grid of a sweep over ``axes``, under the ``prompt`` unless that is varied."""
    columns, rows = axes[0], axes[1] if len(axes) > 1 else None
    return contact_sheet(
        pictures,
        len(columns.values),
        column_labels=[f"{columns.name} {label}" for label in columns.labels],
        row_labels=[f"{rows.name} {label}" for label in rows.labels] if rows else (),
        title="" if any(axis.param == "prompt" for axis in axes) else prompt,
        fonts=fonts,
    )


def reduce(picture: Image.Image, count: int) -> Image.Image:
    """``picture`` no larger than a sheet of ``count`` pictures in a row has room for, so that many large ones can be in
    memory together.
    """
    side = max(MAX_SIDE // max(count, 1), LEAST_CELL)
    if max(picture.size) <= side:
        return picture
    return _contain(picture, (side, side))


def _cell_size(pictures: Sequence[Made], columns: int, rows: int, extra: int) -> tuple[int, int]:
    """``extra`` are the pixels below each picture."""
    made = [picture for picture in pictures if isinstance(picture, Image.Image)]
    width = max((picture.width for picture in made), default=64)
    height = max((picture.height for picture in made), default=64)
    growth = max(math.ceil(LEAST_CELL / max(width, height)), 1)
    width, height = width * growth, height * growth
    room = MAX_SIDE - 2 * MARGIN - 2 * LARGEST * LINE
    scale = min(1.0, (room / columns - GAP) / width, (room / rows - GAP - extra) / height)
    return max(int(width * scale), 1), max(int(height * scale), 1)


def _put_reason(
    draw: ImageDraw.ImageDraw, lettering: Lettering, reason: str, place: tuple[int, int], cell: tuple[int, int]
) -> None:
    draw.rectangle((*place, place[0] + cell[0] - 1, place[1] + cell[1] - 1), QUIET)
    line, room = lettering.line, cell[0] - 2 * GAP
    lines = lettering.wrap(reason, room, max((cell[1] - GAP) // line, 0))
    top = place[1] + (cell[1] - line * len(lines)) // 2 + line // 2
    for number, words in enumerate(lines):
        lettering.write(draw, (place[0] + cell[0] // 2, top + number * line), words, room, "mm")


def _put(sheet: Image.Image, picture: Image.Image, place: tuple[int, int], cell: tuple[int, int]) -> None:
    flat = _contain(flatten(picture), cell)
    sheet.paste(flat, (place[0] + (cell[0] - flat.width) // 2, place[1] + (cell[1] - flat.height) // 2))


def _contain(picture: Image.Image, room: tuple[int, int]) -> Image.Image:
    """``picture`` as large as there is ``room``; `PIL.ImageOps.contain` leaves nothing of a very narrow one."""
    scale = min(room[0] / picture.width, room[1] / picture.height)
    size = max(round(picture.width * scale), 1), max(round(picture.height * scale), 1)
    return picture.resize(size, Image.Resampling.LANCZOS)
