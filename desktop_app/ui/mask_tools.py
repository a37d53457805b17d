"""MaskTools: which tool is taken up, how large the brush is, and what painting with it does to the mask."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from PySide6.QtCore import QObject, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from desktop_app.studio.mask_layer import MaskLayer

MIN_BRUSH, MAX_BRUSH, FIRST_BRUSH = 1, 2000, 40
BRUSH_STEP = 1.25
FIRST_TOLERANCE = 24
FIRST_GROWTH = 8
PIECES_PER_SIZE = 6
"""A stroke whose pressure changes is drawn in as many pieces as fit into its width times this."""

SHARP_BELOW = 1.5
"""A brush of a pixel paints whole pixels."""

SHOWN, HIDDEN = QColor(255, 255, 255), QColor(0, 0, 0)


class Tool(Enum):
    """What the left button does on the canvas."""

    MOVE = "move"
    BRUSH = "brush"
    ERASER = "eraser"
    RECTANGLE = "rectangle"
    LASSO = "lasso"
    FILL = "fill"
    EXTEND = "extend"


class MaskTools(QObject):
    """What the bars, the commands and the stage share. Lives in the GUI thread."""

    tool_changed = Signal(Tool)
    brush_changed = Signal(int)
    tolerance_changed = Signal(int)
    faint_changed = Signal(bool)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._tool = Tool.MOVE
        self._brush = FIRST_BRUSH
        self._tolerance = FIRST_TOLERANCE
        self._is_faint = False
        self.growth = FIRST_GROWTH
        """By how many pixels the mask grows or shrinks at a time."""

    @property
    def tool(self) -> Tool:
        """The one that is taken up."""
        return self._tool

    @tool.setter
    def tool(self, tool: Tool) -> None:
        if tool is not self._tool:
            self._tool = tool
            self.tool_changed.emit(tool)

    @property
    def brush(self) -> int:
        """Its diameter in pixels of the init image."""
        return self._brush

    @brush.setter
    def brush(self, brush: int) -> None:
        brush = min(max(brush, MIN_BRUSH), MAX_BRUSH)
        if brush != self._brush:
            self._brush = brush
            self.brush_changed.emit(brush)

    @property
    def tolerance(self) -> int:
        """How far a colour may be from the one that is filled, 0 to 255."""
        return self._tolerance

    @tolerance.setter
    def tolerance(self, tolerance: int) -> None:
        if tolerance != self._tolerance:
            self._tolerance = tolerance
            self.tolerance_changed.emit(tolerance)

    @property
    def is_faint(self) -> bool:
        """Whether the mask is shown as little as it may be."""
        return self._is_faint

    @is_faint.setter
    def is_faint(self, is_faint: bool) -> None:
        if is_faint != self._is_faint:
            self._is_faint = is_faint
            self.faint_changed.emit(is_faint)

    def swap(self) -> None:
        """From the brush to the eraser; from anything else to the brush."""
        self.tool = Tool.ERASER if self._tool is Tool.BRUSH else Tool.BRUSH

    def step_brush(self, direction: int) -> None:
        """A larger (1) or a smaller (-1) brush."""
        if direction > 0:
            self.brush = max(round(self._brush * BRUSH_STEP), self._brush + 1)
        else:
            self.brush = min(round(self._brush / BRUSH_STEP), self._brush - 1)


class Stroke:
    """One pull of brush or eraser over ``layer``. Points are in pixels of the picture, pressure is 0 to 1."""

    def __init__(self, layer: MaskLayer, brush: int, *, is_erasing: bool) -> None:
        self._layer = layer
        self._brush = brush
        self._color = HIDDEN if is_erasing else SHOWN
        self._last: tuple[QPointF, float] | None = None

    def move_to(self, point: QPointF, pressure: float = 1.0) -> None:
        """Paint from where it was to ``point``."""
        width = max(self._brush * pressure, 1.0)
        start, first = self._last or (point, width)
        self._last = (point, width)
        length = QPointF.dotProduct(point - start, point - start) ** 0.5
        pieces = 1
        if abs(width - first) > 1:
            pieces = max(round(length * PIECES_PER_SIZE / max(width, first)), 1)
        for number in range(pieces):
            share, then = number / pieces, (number + 1) / pieces
            self._line(start + (point - start) * share, start + (point - start) * then, first + (width - first) * then)

    def _line(self, start: QPointF, end: QPointF, width: float) -> None:
        if width < SHARP_BELOW:
            start, end = _whole(start), _whole(end)
        pen = QPen(self._color, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap)

        def draw(painter: QPainter) -> None:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, width >= SHARP_BELOW)
            painter.setPen(pen)
            if start == end:
                painter.drawPoint(end)
            else:
                painter.drawLine(start, end)

        reach = width / 2 + 2
        self._layer.paint(QRectF(start, end).normalized().adjusted(-reach, -reach, reach, reach).toAlignedRect(), draw)


def paint_polygon(layer: MaskLayer, points: Sequence[QPointF], *, is_erasing: bool) -> None:
    """Mark what ``points`` enclose, or take its mark away."""
    polygon = QPolygonF(points)

    def draw(painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(HIDDEN if is_erasing else SHOWN)
        painter.drawPolygon(polygon, Qt.FillRule.WindingFill)

    layer.paint(polygon.boundingRect().adjusted(-1, -1, 1, 1).toAlignedRect(), draw)


def paint_rectangle(layer: MaskLayer, rect: QRect, *, is_erasing: bool) -> None:
    """Mark the pixels of ``rect``, or take their marks away."""
    layer.paint(rect, lambda painter: painter.fillRect(rect, HIDDEN if is_erasing else SHOWN))


def _whole(point: QPointF) -> QPointF:
    """The middle of the pixel that ``point`` lies in."""
    return QPointF(int(point.x() // 1) + 0.5, int(point.y() // 1) + 0.5)
