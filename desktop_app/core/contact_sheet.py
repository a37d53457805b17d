"""Contact sheet: pictures in a grid, with what they differ in written beside them. Pillow only."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont, ImageOps

from desktop_app.core.image import flatten
from desktop_app.core.sweep import Axis

MAX_LETTERS = 1000
"""Of a line of text; there is room for no more."""

MAX_SIDE = 8192
"""Of the sheet, in pixels; pictures are made smaller to fit."""

LEAST_CELL = 192
"""Pixels of the longer side of a cell: small pictures are enlarged, so that what is written beside them has room."""

MARGIN, GAP = 24, 10
GROUND, INK, QUIET = (250, 250, 250), (30, 30, 30), (225, 225, 225)
FONT_SHARE = 0.055
"""Of a picture's width, that a letter is high."""

SMALLEST, LARGEST = 12, 44
LINE = 1.6
"""Height of a line of text, in heights of a letter."""

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Made = Image.Image | str | None
"""A picture, or why there is none."""


def contact_sheet(
    pictures: Sequence[Made],
    columns: int,
    *,
    captions: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
    title: str = "",
) -> Image.Image:
    """``pictures``, line by line, ``columns`` in each, as one RGB picture; where one was not made, a grey place says
    why.

    ``captions`` are written below the pictures, one each. The cells have the size of the largest picture; more where
    that is small, and less where the sheet would be longer than `MAX_SIDE`. Text for which there is no room ends in an
    ellipsis.
    """
    rows = math.ceil(len(pictures) / columns)
    cell = _cell_size(pictures, columns + bool(row_labels), rows, round(LARGEST * LINE) if captions else 0)
    font = ImageFont.load_default(size=min(max(round(cell[0] * FONT_SHARE), SMALLEST), LARGEST))
    line = _line(font)
    row_labels = [_shortened(font, label, cell[0]) for label in row_labels[:rows]]
    left = MARGIN + (max(_width(font, label) for label in row_labels) + GAP if row_labels else 0)
    top = MARGIN + (line if title else 0) + (line if column_labels else 0)
    width = left + columns * (cell[0] + GAP) - GAP + MARGIN
    pitch = cell[1] + GAP + (line if captions else 0)
    height = top + rows * pitch - GAP + MARGIN
    sheet = Image.new("RGB", (width, height), GROUND)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((MARGIN, MARGIN), _shortened(font, title, width - 2 * MARGIN), INK, font)
    for column, label in enumerate(column_labels[:columns]):
        x = left + column * (cell[0] + GAP)
        draw.text((x, top - line), _shortened(font, label, cell[0]), INK, font)
    for row, label in enumerate(row_labels):
        y = top + row * pitch + cell[1] // 2
        draw.text((MARGIN, y), label, INK, font, anchor="lm")
    for index, picture in enumerate(pictures):
        place = (left + index % columns * (cell[0] + GAP), top + index // columns * pitch)
        if isinstance(picture, Image.Image):
            _put(sheet, picture, place, cell)
        else:
            _put_reason(draw, font, picture or "", place, cell)
        if captions:
            below = (place[0], place[1] + cell[1] + GAP // 2)
            draw.text(below, _shortened(font, captions[index], cell[0]), INK, font)
    return sheet


def sweep_sheet(axes: Sequence[Axis], pictures: Sequence[Made], prompt: str = "") -> Image.Image:
    """The grid of a sweep over ``axes``, under the ``prompt`` unless that is varied."""
    columns, rows = axes[0], axes[1] if len(axes) > 1 else None
    return contact_sheet(
        pictures,
        len(columns.values),
        column_labels=[f"{columns.name} {label}" for label in columns.labels],
        row_labels=[f"{rows.name} {label}" for label in rows.labels] if rows else (),
        title="" if any(axis.param == "prompt" for axis in axes) else prompt,
    )


def reduce(picture: Image.Image, count: int) -> Image.Image:
    """``picture`` no larger than a sheet of ``count`` pictures in a row has room for, so that many large ones can be in
    memory together.
    """
    side = max(MAX_SIDE // max(count, 1), LEAST_CELL)
    if max(picture.size) <= side:
        return picture
    return ImageOps.contain(picture, (side, side), Image.Resampling.LANCZOS)


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
    draw: ImageDraw.ImageDraw, font: Font, reason: str, place: tuple[int, int], cell: tuple[int, int]
) -> None:
    draw.rectangle((*place, place[0] + cell[0] - 1, place[1] + cell[1] - 1), QUIET)
    line, room = _line(font), cell[0] - 2 * GAP
    lines = [_shortened(font, words, room) for words in _wrapped(font, reason, room)][: max((cell[1] - GAP) // line, 0)]
    top = place[1] + (cell[1] - line * len(lines)) // 2 + line // 2
    for number, words in enumerate(lines):
        draw.text((place[0] + cell[0] // 2, top + number * line), words, INK, font, anchor="mm")


def _put(sheet: Image.Image, picture: Image.Image, place: tuple[int, int], cell: tuple[int, int]) -> None:
    flat = ImageOps.contain(flatten(picture), cell, Image.Resampling.LANCZOS)
    sheet.paste(flat, (place[0] + (cell[0] - flat.width) // 2, place[1] + (cell[1] - flat.height) // 2))


def _line(font: Font) -> int:
    return round(font.size * LINE) if isinstance(font, ImageFont.FreeTypeFont) else 18


def _wrapped(font: Font, text: str, room: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and _width(font, longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _width(font: Font, text: str) -> int:
    return math.ceil(font.getlength(text))


def _shortened(font: Font, text: str, room: int) -> str:
    """``text`` in one line, or its beginning and an ellipsis, no wider than ``room``."""
    text = " ".join(text[:MAX_LETTERS].split())
    if _width(font, text) <= room:
        return text
    while text and _width(font, f"{text}…") > room:
        text = text[:-1]
    return f"{text}…"
