"""Contact sheet: pictures in a grid, with what they differ in written beside them. Pillow only."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from desktop_app.core.image import flatten
from desktop_app.core.sweep import Axis

MAX_SIDE = 8192
"""Of the sheet, in pixels; pictures are made smaller to fit."""

LEAST_CELL = 192
"""Pixels of the longer side of a cell: small pictures are enlarged, so that what is written beside them has room."""

MARGIN, GAP = 24, 10
GROUND, INK, QUIET = (250, 250, 250), (30, 30, 30), (225, 225, 225)
FONT_SHARE = 0.055
"""Of a picture's width, that a letter is high."""

SMALLEST, LARGEST = 12, 44

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def contact_sheet(
    pictures: Sequence[Image.Image | None],
    columns: int,
    *,
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    title: str = "",
) -> Image.Image:
    """``pictures``, line by line, ``columns`` in each, as one RGB picture; None is a picture that was not made.

    The cells have the size of the largest picture; more where that is small, and less where the sheet would be longer
    than `MAX_SIDE`.
    """
    rows = math.ceil(len(pictures) / columns)
    cell = _cell_size(pictures, columns, rows)
    font = ImageFont.load_default(size=min(max(round(cell[0] * FONT_SHARE), SMALLEST), LARGEST))
    line = round(font.size * 1.6) if isinstance(font, ImageFont.FreeTypeFont) else 18
    left = MARGIN + (max(_width(font, label) for label in row_labels) + GAP if row_labels else 0)
    top = MARGIN + (line if title else 0) + (line if column_labels else 0)
    width = left + columns * (cell[0] + GAP) - GAP + MARGIN
    height = top + rows * (cell[1] + GAP) - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((MARGIN, MARGIN), _shortened(font, title, width - 2 * MARGIN), INK, font)
    for column, label in enumerate(column_labels[:columns]):
        x = left + column * (cell[0] + GAP)
        draw.text((x, top - line), _shortened(font, label, cell[0]), INK, font)
    for row, label in enumerate(row_labels[:rows]):
        y = top + row * (cell[1] + GAP) + cell[1] // 2
        draw.text((MARGIN, y), label, INK, font, anchor="lm")
    for index, picture in enumerate(pictures):
        place = (left + index % columns * (cell[0] + GAP), top + index // columns * (cell[1] + GAP))
        _put(sheet, draw, picture, place, cell)
    return sheet


def sweep_sheet(axes: Sequence[Axis], pictures: Sequence[Image.Image | None], prompt: str = "") -> Image.Image:
    """The grid of a sweep over ``axes``, under the ``prompt`` unless that is varied."""
    columns, rows = axes[0], axes[1] if len(axes) > 1 else None
    return contact_sheet(
        pictures,
        len(columns.values),
        column_labels=[f"{columns.name} {label}" for label in columns.labels],
        row_labels=[f"{rows.name} {label}" for label in rows.labels] if rows else (),
        title="" if any(axis.param == "prompt" for axis in axes) else prompt,
    )


def _cell_size(pictures: Sequence[Image.Image | None], columns: int, rows: int) -> tuple[int, int]:
    made = [picture for picture in pictures if picture]
    width = max((picture.width for picture in made), default=64)
    height = max((picture.height for picture in made), default=64)
    growth = max(math.ceil(LEAST_CELL / max(width, height)), 1)
    width, height = width * growth, height * growth
    room = MAX_SIDE - 4 * MARGIN
    scale = min(1.0, room / (columns * (width + GAP)), room / (rows * (height + GAP)))
    return max(int(width * scale), 1), max(int(height * scale), 1)


def _put(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    picture: Image.Image | None,
    place: tuple[int, int],
    cell: tuple[int, int],
) -> None:
    if picture is None:
        draw.rectangle((*place, place[0] + cell[0] - 1, place[1] + cell[1] - 1), QUIET)
        return
    flat = ImageOps.contain(flatten(picture), cell, Image.Resampling.LANCZOS)
    sheet.paste(flat, (place[0] + (cell[0] - flat.width) // 2, place[1] + (cell[1] - flat.height) // 2))


def _width(font: Font, text: str) -> int:
    return math.ceil(font.getlength(text))


def _shortened(font: Font, text: str, room: int) -> str:
    """``text``, or its beginning and an ellipsis, no wider than ``room``."""
    if _width(font, text) <= room:
        return text
    while text and _width(font, f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"
