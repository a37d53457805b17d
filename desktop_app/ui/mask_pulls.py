"""Pulls: what a tool does from the press of a button, or of a pen, to its release."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPolygonF

from desktop_app.core.outpaint import Margins
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.ui.canvas_paint import draw_outline, draw_pill
from desktop_app.ui.mask_extend import Handle, draw_frame, margins_of
from desktop_app.ui.mask_tools import MaskTools, Stroke, paint_polygon, paint_rectangle

CLICK = 3.0
"""Screen pixels. Who moves less far has clicked."""

LINE = 2.0
"""Width of outlines on the screen, with their dark edge."""


@dataclass(frozen=True)
class Touch:
    """Where the mouse or the pen is: ``at`` on the view, ``point`` in pixels of the picture; ``pressure`` 0 to 1."""

    at: QPointF
    point: QPointF
    scale: float
    """Pixels of the view for one of the picture."""
    pressure: float = 1.0
    modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier

    @property
    def is_shift(self) -> bool:
        """Whether Shift is held."""
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def is_alt(self) -> bool:
        """Whether Alt is held."""
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)


class Pull:
    """One pull. ``start`` is the touch that began it, ``now`` the last one."""

    def __init__(self, start: Touch) -> None:
        self.start = start
        self.now = start

    def move(self, touch: Touch) -> None:
        """Follow to ``touch``."""
        self.now = touch

    def end(self) -> None:
        """Do it."""

    def cancel(self) -> None:
        """Leave all as it was."""

    def draw(self, painter: QPainter) -> None:
        """Show what would be done, on the view."""

    @property
    def area(self) -> QRectF:
        """Where `draw` paints, on the view."""
        return QRectF()

    @property
    def is_click(self) -> bool:
        """Whether it has gone nowhere."""
        return (self.now.at - self.start.at).manhattanLength() <= CLICK


class BrushPull(Pull):
    """Paints as it goes."""

    def __init__(self, start: Touch, layer: MaskLayer, tools: MaskTools, text: str, *, is_erasing: bool) -> None:
        super().__init__(start)
        self._layer = layer
        self._text = text
        self._stroke = Stroke(layer, tools.brush, is_erasing=is_erasing)
        self._stroke.move_to(start.point, start.pressure)

    def move(self, touch: Touch) -> None:
        """Paint on to ``touch``."""
        super().move(touch)
        self._stroke.move_to(touch.point, touch.pressure)

    def end(self) -> None:
        """One step of undo for all of it."""
        self._layer.commit(self._text)

    def cancel(self) -> None:
        """Take it all back."""
        self._layer.abandon()


class LinePull(Pull):
    """A straight line from where it began; a click draws one from the end of the last stroke."""

    def __init__(
        self,
        start: Touch,
        layer: MaskLayer,
        tools: MaskTools,
        text: str,
        last: QPointF | None,
        *,
        is_erasing: bool,
    ) -> None:
        super().__init__(start)
        self._layer = layer
        self._text = text
        self._last = last or start.point
        self._stroke = Stroke(layer, tools.brush, is_erasing=is_erasing)

    def end(self) -> None:
        """Draw the line."""
        self._stroke.move_to(self._last if self.is_click else self.start.point)
        self._stroke.move_to(self.now.point)
        self._layer.commit(self._text)

    def draw(self, painter: QPainter) -> None:
        """The line's middle."""
        draw_outline(painter, QPolygonF([self.start.at, self.now.at]))

    @property
    def area(self) -> QRectF:
        """Around the line."""
        return QRectF(self.start.at, self.now.at).normalized().adjusted(-LINE, -LINE, LINE, LINE)


class LassoPull(Pull):
    """Marks what it goes around, or takes the mark away."""

    def __init__(self, start: Touch, layer: MaskLayer, text: str) -> None:
        super().__init__(start)
        self._layer = layer
        self._text = text
        self._points = [start.point]
        self._path = QPolygonF([start.at])

    def move(self, touch: Touch) -> None:
        """Go on around."""
        super().move(touch)
        self._points.append(touch.point)
        self._path.append(touch.at)

    def end(self) -> None:
        """Fill what was gone around."""
        if len(self._points) > 2:
            paint_polygon(self._layer, self._points, is_erasing=self.start.is_alt)
            self._layer.commit(self._text)

    def draw(self, painter: QPainter) -> None:
        """The way so far, and back to its beginning."""
        draw_outline(painter, QPolygonF([*self._path.toList(), self.start.at]))

    @property
    def area(self) -> QRectF:
        """Around the way."""
        return self._path.boundingRect().adjusted(-LINE, -LINE, LINE, LINE)


class RectanglePull(Pull):
    """Marks a rectangle of whole pixels, with Shift a square, or takes its mark away."""

    def __init__(self, start: Touch, layer: MaskLayer, text: str) -> None:
        super().__init__(start)
        self._layer = layer
        self._text = text

    @property
    def rect(self) -> QRect:
        """The pixels."""
        first, offset = self.start.point, self.now.point - self.start.point
        if self.now.is_shift:
            side = max(abs(offset.x()), abs(offset.y()))
            offset = QPointF(side if offset.x() > 0 else -side, side if offset.y() > 0 else -side)
        return QRectF(first, first + offset).normalized().toAlignedRect()

    def end(self) -> None:
        """Fill it."""
        if not self.is_click:
            paint_rectangle(self._layer, self.rect, is_erasing=self.start.is_alt)
            self._layer.commit(self._text)

    def draw(self, painter: QPainter) -> None:
        """Its outline and its size."""
        rect = self._on_view
        draw_outline(painter, QPolygonF([rect.topLeft(), rect.topRight(), rect.bottomRight(), rect.bottomLeft()]))
        if not self.is_click:
            draw_pill(painter, rect.center(), f"{self.rect.width()} × {self.rect.height()}")

    @property
    def area(self) -> QRectF:
        """With room for the size."""
        return self._on_view.adjusted(-90, -30, 90, 30)

    @property
    def _on_view(self) -> QRectF:
        scale, rect = self.start.scale, QRectF(self.rect)
        corner = self.start.at + (rect.topLeft() - self.start.point) * scale
        return QRectF(corner, rect.size() * scale)


class SizePull(Pull):
    """Makes the brush larger to the right and smaller to the left."""

    def __init__(self, start: Touch, tools: MaskTools) -> None:
        super().__init__(start)
        self._tools = tools
        self._before = tools.brush

    def move(self, touch: Touch) -> None:
        """Show the brush at its new size."""
        super().move(touch)
        self._tools.brush = round(self._before + (touch.at.x() - self.start.at.x()) / touch.scale)

    def end(self) -> None:
        """It is done already."""

    def cancel(self) -> None:
        """The size of before."""
        self._tools.brush = self._before


class ExtendPull(Pull):
    """Draws an edge or a corner of the picture outwards; with Alt the other side too."""

    def __init__(self, start: Touch, handle: Handle, size: QSize, frame: QRectF) -> None:
        super().__init__(start)
        self._handle = handle
        self._size = size
        self._frame = frame
        self.margins = Margins()
        """What the picture would get."""
        self.is_done = False

    def move(self, touch: Touch) -> None:
        """Follow."""
        super().move(touch)
        self.margins = margins_of(self._handle, touch.point - self.start.point, is_both=touch.is_alt)

    def end(self) -> None:
        """Whoever began it looks at `margins`."""
        self.is_done = True

    def draw(self, painter: QPainter) -> None:
        """The new frame and the size it gives."""
        draw_frame(painter, self._frame, self.area_of_frame, self.margins.around(self._size.toTuple()))

    @property
    def area_of_frame(self) -> QRectF:
        """The new frame on the view."""
        scale, margins = self.start.scale, self.margins
        return self._frame.adjusted(
            -margins.left * scale, -margins.top * scale, margins.right * scale, margins.bottom * scale
        )

    @property
    def area(self) -> QRectF:
        """With room for the size and for the handles."""
        return self.area_of_frame.adjusted(-90, -30, 90, 30)
