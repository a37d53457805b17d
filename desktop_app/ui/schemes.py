"""The colours of the two themes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Scheme:
    """Colours of one theme. Text on its ground has a contrast of 4.5 or more, which a test computes."""

    window: str
    base: str
    raised: str
    text: str
    dim: str
    border: str
    accent: str
    on_accent: str
    focus: str
    error: str
    error_ground: str
    handle: str
    hover: str
    pressed: str
    scroll: str
    heavy: str


LIGHT = Scheme(
    window="#f2f4f3",
    base="#ffffff",
    raised="#fafbfa",
    text="#1a211f",
    dim="#55615d",
    border="#c3ccc8",
    accent="#0f766e",
    on_accent="#ffffff",
    focus="#0f766e",
    error="#b42318",
    error_ground="#fdecea",
    handle="#ffffff",
    hover="#e3e8e6",
    pressed="#d3dbd8",
    scroll="#b6c0bc",
    heavy="#9a4400",
)
DARK = Scheme(
    window="#1e2322",
    base="#161a19",
    raised="#2a302e",
    text="#e6ebe9",
    dim="#9fada8",
    border="#434c49",
    accent="#17796f",
    on_accent="#ffffff",
    focus="#3fc4b3",
    error="#ff9a8d",
    error_ground="#3d2220",
    handle="#cdd6d3",
    hover="#2f3634",
    pressed="#3d4643",
    scroll="#4d5754",
    heavy="#ffb066",
)
