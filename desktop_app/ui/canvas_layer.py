"""What the canvas can show, and one picture of it in its place."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from PySide6.QtCore import QRectF

from desktop_app.ui.canvas_paint import Corner
from desktop_app.ui.canvas_picture import Picture


class ViewMode(Enum):
    """What the canvas shows."""

    INIT = "init"
    RESULT = "result"
    SPLIT = "split"
    SIDE = "side"


@dataclass(frozen=True)
class Layer:
    """One picture (None: the place where it will be), clipped to ``clip``, in a pane whose middle part is ``area``."""

    picture: Picture | None
    clip: QRectF
    area: QRectF
    label: str
    corner: Corner
    is_soft: bool = False
    """Drawn smoothly however large: a preview is a sketch, its pixels mean nothing."""
