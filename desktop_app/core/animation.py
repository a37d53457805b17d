"""Animations: several pictures, one after the other, in one file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from desktop_app.core.errors import ImageError

FORMATS = ("GIF", "WEBP")
LONGEST_SIDES = {"GIF": 65_535, "WEBP": 16_383}
"""In pixels, as the formats can say it."""

MIN_SECONDS, MAX_SECONDS = 0.02, 60.0
HOLD = 3
"""The last picture stays so many times as long as the others: it is what the others lead to."""

_OPTIONS: dict[str, dict[str, Any]] = {"GIF": {"optimize": True}, "WEBP": {"quality": 90, "method": 4}}


def encode_animation(pictures: Sequence[Image.Image], seconds_each: float, format: str) -> bytes:
    """``pictures``, RGB or RGBA, as an animation that begins anew for ever; ``format`` is one of `FORMATS`. All get the
    size of the last one, on which it rests. Transparent parts become white.

    Raises `ImageError` for what the format cannot hold.
    """
    _check(pictures, seconds_each, format)
    frames = [_frame(picture, pictures[-1].size, format) for picture in pictures]
    each = max(round(seconds_each * 100) * 10, 20)  # a GIF counts in hundredths of a second
    durations = [*[each] * (len(frames) - 1), each * HOLD]
    content = io.BytesIO()
    try:
        frames[0].save(
            content, format, save_all=True, append_images=frames[1:], duration=durations, loop=0, **_OPTIONS[format]
        )
    except (OSError, ValueError, MemoryError) as e:
        raise _refused(str(e)) from e
    return content.getvalue()


def _check(pictures: Sequence[Image.Image], seconds_each: float, format: str) -> None:
    if format not in FORMATS:
        raise _refused(f"{format} is none of {', '.join(FORMATS)}")
    if not pictures:
        raise _refused("there is no picture")
    if not MIN_SECONDS <= seconds_each <= MAX_SECONDS:
        raise _refused(f"{seconds_each:g} seconds are not between {MIN_SECONDS:g} and {MAX_SECONDS:g}")
    longest = max(pictures[-1].size)
    if longest > LONGEST_SIDES[format]:
        raise _refused(f"{longest} pixels are more than {LONGEST_SIDES[format]}, the most that {format} can hold")


def _frame(picture: Image.Image, size: tuple[int, int], format: str) -> Image.Image:
    if picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    plain = picture.convert("RGB")
    if plain.size != size:
        plain = plain.resize(size, Image.Resampling.LANCZOS)
    return plain.quantize(256, Image.Quantize.MEDIANCUT) if format == "GIF" else plain


def _refused(detail: str) -> ImageError:
    return ImageError("The animation cannot be made", detail, "Choose another format, size or duration.")
