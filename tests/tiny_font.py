"""A TrueType font of a few letters, each a black bar of its own height."""

from __future__ import annotations

import struct

UNITS = 1000


def tiny_font(letters: str) -> bytes:
    """The file; what is not in ``letters``, all below U+FFFF, is shown as a square."""
    codes = sorted(map(ord, letters))
    glyphs = [_glyph(50, 700), *(_glyph(400, 100 + 10 * number) for number in range(len(codes)))]
    places = [sum(map(len, glyphs[:number])) for number in range(len(glyphs) + 1)]
    count = len(glyphs)
    tables = {
        b"cmap": _cmap(codes),
        b"glyf": b"".join(glyphs),
        b"head": struct.pack(
            ">IIIIHHQQ4hHHhhh", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, UNITS, 0, 0, 0, 0, 700, 900, 0, 8, 2, 1, 0
        ),
        b"hhea": struct.pack(">I3hH11hH", 0x10000, 900, -200, 0, 800, *[0] * 11, count),
        b"hmtx": struct.pack(">Hh", 800, 50) * count,
        b"loca": struct.pack(f">{count + 1}I", *places),
        b"maxp": struct.pack(">IH13H", 0x10000, count, 4, 1, *[0] * 11),
    }
    return _file(tables)


def _glyph(left: int, height: int) -> bytes:
    """A bar from ``left`` to 700, and up to ``height``."""
    steps_x, steps_y = (left, 0, 700 - left, 0), (0, height, 0, -height)
    return struct.pack(">h4hHH4B4h4hxx", 1, left, 0, 700, height, 3, 0, *[1] * 4, *steps_x, *steps_y)


def _cmap(codes: list[int]) -> bytes:
    """A segment for each code, in format 4."""
    ends = [*codes, 0xFFFF]
    deltas = [(number + 1 - code) % 0x10000 for number, code in enumerate(codes)] + [1]
    count = len(ends)
    search = 2 * 2 ** (count.bit_length() - 1)
    words = [2 * count, search, search.bit_length() - 2, 2 * count - search, *ends, 0, *ends, *deltas, *[0] * count]
    body = struct.pack(f">{len(words)}H", *words)
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + struct.pack(">HHH", 4, 6 + len(body), 0) + body


def _file(tables: dict[bytes, bytes]) -> bytes:
    start = 12 + 16 * len(tables)
    entries, content = b"", b""
    for tag, table in sorted(tables.items()):
        entries += tag + struct.pack(">III", 0, start + len(content), len(table))
        content += table + bytes(-len(table) % 4)
    return struct.pack(">IHHHH", 0x10000, len(tables), 64, 2, 48) + entries + content
