"""A pose as a figure of sticks: how a picture is shown to ViTPose (2022), and how what it sees is drawn: as OpenPose
does, since the ControlNets for poses were trained on its figures.
"""

from __future__ import annotations

import colorsys
import math
from typing import Any

from PIL import Image, ImageDraw

MARGIN = 1.25
"""What is shown is so many times as large as the picture, as in the training of ViTPose."""

MEANS, DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pictures, by which ViTPose's are normalised."""

LEAST_SCORE = 0.3
STICK, SIDE = 4, 512
"""Half the width of a stick, and the radius of a joint, in pixels of a picture with a shorter side of ``SIDE``."""

DIMMED = 0.6
"""Share of the light of a joint that a stick has."""

NECK = 1
_SEEN_AS = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""OpenPose's 18 joints by the numbers of COCO's 17, which are what ViTPose finds; the neck is between the shoulders."""

_SHOULDERS = (5, 6)
_STICKS = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7), (1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),
)
_COLOURS = [tuple(round(255 * band) for band in colorsys.hsv_to_rgb(number / 18, 1, 1)) for number in range(18)]

Point = tuple[float, float]
"""Across and down, in pixels."""


def show_figure(picture: Image.Image, size: tuple[int, int]) -> Any:
    """``picture``, RGB, in the middle of a tensor (1, 3, height, width) of ``size``, width and height in pixels."""
    import numpy
    import torch

    left, top, wide, high = _window(picture.size, size)
    across, down = wide / (size[0] - 1), high / (size[1] - 1)
    matrix = (across, 0, left + (1 - across) / 2, 0, down, top + (1 - down) / 2)
    shown = picture.transform(size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    means, deviations = (numpy.array(each, dtype=numpy.float32) for each in (MEANS, DEVIATIONS))
    pixels = (numpy.asarray(shown, dtype=numpy.float32) / 255 - means) / deviations
    return torch.from_numpy(pixels.transpose(2, 0, 1)[None])


def find_points(heat: Any, size: tuple[int, int]) -> list[Point | None]:
    """OpenPose's joints in a picture of ``size``, where they are seen, from maps (17, height, width) of how likely each
    of COCO's points is.
    """
    high, wide = heat.shape[1:]
    left, top, across, down = _window(size, (wide, high))
    seen: list[Point | None] = []
    for each in heat:
        row, column = divmod(int(each.argmax()), wide)
        at = (left + column * across / (wide - 1), top + row * down / (high - 1))
        seen.append(at if each[row, column] >= LEAST_SCORE else None)
    points = [None if number is None else seen[number] for number in _SEEN_AS]
    first, second = (seen[number] for number in _SHOULDERS)
    if first and second:
        points[NECK] = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
    return points


def draw_pose(size: tuple[int, int], points: list[Point | None]) -> Image.Image:
    """The figure on black; what is not seen is left out."""
    picture = Image.new("RGB", size)
    draw = ImageDraw.Draw(picture)
    width = STICK * max(1.0, min(size) / SIDE)
    for (begin, end), colour in zip(_STICKS, _COLOURS, strict=False):
        if (first := points[begin]) and (second := points[end]):
            draw.polygon(_stick(first, second, width), fill=tuple(int(band * DIMMED) for band in colour))
    for point, colour in zip(points, _COLOURS, strict=True):
        if point:
            box = (point[0] - width, point[1] - width, point[0] + width, point[1] + width)
            draw.ellipse(box, fill=colour)
    return picture


def _window(size: tuple[int, int], shape: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, width and height of what is shown of a picture of ``size``, in the proportions of ``shape``."""
    aspect = shape[0] / shape[1]
    wide = MARGIN * max(size[0], size[1] * aspect)
    high = wide / aspect
    return (size[0] - wide) / 2, (size[1] - high) / 2, wide, high


def _stick(first: Point, second: Point, width: float) -> list[Point]:
    """An ellipse from point to point."""
    middle = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
    half, angle = math.dist(first, second) / 2, math.atan2(second[1] - first[1], second[0] - first[0])
    turns = [math.tau * part / 36 for part in range(36)]
    flat = [(half * math.cos(turn), width * math.sin(turn)) for turn in turns]
    cos, sin = math.cos(angle), math.sin(angle)
    return [(middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos) for x, y in flat]
