"""Lettering: texts in pictures, in a font that has their letters. Pillow's own has little beyond English."""

from __future__ import annotations

import math
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import ImageDraw, ImageFont, features

from desktop_app.core.errors import ImageError

MAX_LETTERS = 1000
"""Of a line of text; there is room for no more."""

INK = (30, 30, 30)
LINE = 1.6
"""Height of a line of text, in heights of a letter."""

ELLIPSIS = "…"
TOLD_LETTERS = 20
_TRIAL_SIZE = 16
_NO_LETTER = "\uffff"
"""What no font has: in its place stands the sign for a letter that is not there."""

Place = tuple[int, int]


@dataclass(frozen=True)
class _Found:
    """The letters of the texts that a font has; ``path`` None for Pillow's own."""

    path: Path | None
    letters: frozenset[str]


@dataclass(frozen=True)
class _Opened:
    """A font, and the letters of the texts that it has."""

    font: ImageFont.FreeTypeFont
    letters: frozenset[str]


class Lettering:
    """Writes ``texts``, and parts of them, ``size`` pixels high: with Pillow's own font where that has all letters,
    else with what is found among ``fonts``, files that are looked at in their order. What is read from the right is
    written with one font a line, so that it keeps its order.
    """

    def __init__(self, texts: Sequence[str], size: int, fonts: Iterable[Path] = ()) -> None:
        self.line = round(size * LINE)
        """Pixels from one line of text to the next."""
        lines = [as_line(text) for text in texts]
        letters = frozenset(letter for line in lines for letter in line if _is_seen(letter))
        self._is_from_right = any(_is_from_right(letter) for letter in letters)
        self._fonts = [_Opened(_open(each.path, size), each.letters) for each in _choose(letters | {ELLIPSIS}, fonts)]
        runs = [run for line in lines for run in self._runs(line)]
        self.missing = "".join(
            sorted({letter for run, font in runs for letter in letters.intersection(run) - font.letters})
        )
        """The letters for which there is no font."""

    @property
    def problem(self) -> ImageError | None:
        """Why some of the texts cannot be read."""
        if self.missing:
            hint = "Install a font that has them, and make the picture again."
            return ImageError("Some letters are not written", f"there is no font for {_told(self.missing)}", hint)
        if self._is_from_right and not features.check("raqm"):
            detail = "words that are read from the right stand here letter by letter, from the left"
            return ImageError("Some words are not written as they should be", detail, "Install FriBidi.")
        return None

    def write(self, draw: ImageDraw.ImageDraw, place: Place, text: str, room: int, anchor: str = "la") -> None:
        """``text`` in one line that is no wider than ``room``. ``anchor`` is in Pillow's letters where in it ``place``
        is: left (l) or middle (m), top (a) or middle (m).
        """
        line = self.shorten(text, room)
        ascent, descent = self._fonts[0].font.getmetrics()
        x = place[0] - (self.width(line) / 2 if anchor[0] == "m" else 0)
        y = place[1] + (ascent if anchor[1] == "a" else (ascent - descent) / 2)
        for run, opened in self._runs(line):
            draw.text((x, y), run, INK, opened.font, anchor="ls")
            x += opened.font.getlength(run)

    def width(self, text: str) -> int:
        """In pixels, of a text in one line."""
        return math.ceil(sum(opened.font.getlength(run) for run, opened in self._runs(text)))

    def shorten(self, text: str, room: int) -> str:
        """``text`` in one line, or its beginning and an ellipsis, no wider than ``room``."""
        text = as_line(text)
        if self.width(text) <= room:
            return text
        count = bisect_right(range(1, len(text)), room, key=lambda count: self.width(text[:count] + ELLIPSIS))
        return text[:count] + ELLIPSIS

    def wrap(self, text: str, room: int, most: int) -> list[str]:
        """``text`` in at most ``most`` lines, no wider than ``room`` as far as its words allow that; the last has all
        the rest.
        """
        lines: list[str] = []
        for word in as_line(text).split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and (len(lines) == most or self.width(longer) <= room):
                lines[-1] = longer
            else:
                lines.append(word)
        return lines[:most]

    def _runs(self, line: str) -> list[tuple[str, _Opened]]:
        """The parts of ``line``, and what each is written with."""
        if len(self._fonts) == 1:
            return [(line, self._fonts[0])]
        if any(map(_is_from_right, line)):
            return [(line, max(self._fonts, key=lambda opened: sum(letter in opened.letters for letter in line)))]
        runs: list[tuple[str, _Opened]] = []
        for letter in line:
            last = runs[-1][1] if runs else self._fonts[0]
            having = [opened for opened in self._fonts if letter in opened.letters] or [last]
            if runs and last in having:
                runs[-1] = runs[-1][0] + letter, last
            else:
                runs.append((letter, having[0]))
        return runs


def as_line(text: str) -> str:
    """``text`` without line breaks, as much of it as a line may have; names of files may hold lone surrogates."""
    return " ".join(text[:MAX_LETTERS].split()).encode(errors="replace").decode()


def _choose(letters: frozenset[str], fonts: Iterable[Path]) -> list[_Found]:
    """The one font that has all ``letters``; else those that have most of what the others lack. At least one."""
    own = _Found(None, frozenset(_letters_in(None, letters)))
    if own.letters == letters:
        return [own]
    looked_at = [own]
    for path in fonts:
        if helpful := _letters_in(path, letters - own.letters):
            found = _Found(path, frozenset([*helpful, *_letters_in(path, own.letters)]))
            if found.letters == letters:
                return [found]
            looked_at.append(found)
    chosen: list[_Found] = []
    left = letters
    while not chosen or left:
        best = max(looked_at, key=lambda found: len(found.letters & left))
        if chosen and not best.letters & left:
            break
        chosen.append(best)
        left -= best.letters
    return chosen


def _letters_in(path: Path | None, letters: Iterable[str]) -> list[str]:
    """Those of ``letters`` that a font has; none of a file that is no such font."""
    try:
        font = _open(path, _TRIAL_SIZE, ImageFont.Layout.BASIC)
        lacking = bytes(font.getmask(_NO_LETTER))
        masks = {letter: font.getmask(letter) for letter in letters}
        return [letter for letter, mask in masks.items() if mask.getbbox() and bytes(mask) != lacking]
    except OSError:
        return []


def _open(path: Path | None, size: int, layout: ImageFont.Layout | None = None) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(path, size, layout_engine=layout) if path else ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)
    return font


def _is_from_right(letter: str) -> bool:
    return unicodedata.bidirectional(letter) in ("R", "AL")


def _is_seen(letter: str) -> bool:
    """Whether ``letter`` is one that a font draws: spaces, and signs that only change others, are none."""
    return not letter.isspace() and unicodedata.category(letter) != "Cf" and not "\ufe00" <= letter <= "\ufe0f"


def _told(letters: str) -> str:
    return " ".join(letters[:TOLD_LETTERS]) + (f" {ELLIPSIS}" if len(letters) > TOLD_LETTERS else "")
