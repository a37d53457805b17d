"""MaskStage: lies over the pictures while a mask tool is taken up, and turns mouse and pen into changes of the mask."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QEnterEvent,
    QHideEvent,
    QInputDevice,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPointingDevice,
    QTabletEvent,
)
from PySide6.QtWidgets import QWidget

from desktop_app.core.outpaint import Margins
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.mask_work import MaskWork
from desktop_app.ui.canvas_paint import draw_ring
from desktop_app.ui.compare_view import CompareView
from desktop_app.ui.mask_extend import CURSORS, draw_handles, handle_at
from desktop_app.ui.mask_pulls import BrushPull, ExtendPull, LassoPull, LinePull, Pull, RectanglePull, SizePull, Touch
from desktop_app.ui.mask_tools import MaskTools, Tool

BRUSHES = (Tool.BRUSH, Tool.ERASER)
EDGE = 3
"""Room around the ring of a brush, which is drawn a little thicker than it is large."""


class MaskStage(QWidget):
    """Fills ``view``. It leaves the middle button, the wheel, pinches and the divider to it."""

    extend_requested = Signal(Margins)

    def __init__(self, view: CompareView, tools: MaskTools, layer: MaskLayer, work: MaskWork) -> None:
        super().__init__(view)
        self.setObjectName("maskStage")
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMouseTracking(True)
        self.setTabletTracking(True)
        self._view = view
        self._tools = tools
        self._layer = layer
        self._work = work
        self._pull: Pull | None = None
        self._hover: QPointF | None = None
        self._last: QPointF | None = None
        self._ring = QRectF()
        tools.tool_changed.connect(self.refresh)
        tools.brush_changed.connect(self._update_ring)
        work.working_changed.connect(self._on_working_changed)
        layer.replaced.connect(self._on_layer_replaced)
        layer.state_changed.connect(self.cancel)
        view.view_changed.connect(self.update)
        self.refresh()

    @property
    def is_pulling(self) -> bool:
        """Whether something is being done that can be called off."""
        return self._pull is not None

    def cancel(self) -> None:
        """Call off what is being done."""
        if self._pull is not None:
            self._pull.cancel()
            self._pull = None
            self.update()

    def refresh(self) -> None:
        """Be there while there is something to do."""
        self.cancel()
        self.setVisible(self._layer.size is not None and self._tools.tool is not Tool.MOVE)
        self._show_cursor()
        self.update()

    # How it looks ---------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """The brush at its true size, the frame to be extended, and what is being done."""
        painter = QPainter(self)
        if self._tools.tool is Tool.EXTEND and self._pull is None:
            draw_handles(painter, self._frame(QPointF()))
        if self._pull is not None:
            self._pull.draw(painter)
        if not self._ring.isEmpty():
            draw_ring(painter, self._ring.center(), self._ring.width())

    def hideEvent(self, event: QHideEvent) -> None:
        """No brush where no tool is."""
        self._hover = None
        self._ring = QRectF()

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show the brush."""
        self._show_hover(event.position())

    def leaveEvent(self, event: QEvent) -> None:
        """Take the brush away."""
        self._hover = None
        self._update_ring()

    def _frame(self, at: QPointF) -> QRectF:
        size = self._layer.size or QSize(1, 1)
        return self._view.from_picture(QRectF(0, 0, size.width(), size.height()), at)

    def _show_hover(self, at: QPointF) -> None:
        self._hover = at
        self._update_ring()
        self._show_cursor()

    def _update_ring(self) -> None:
        """Where the brush was and where it is now."""
        before, self._ring = self._ring, QRectF()
        if self._hover is not None and self._tools.tool in BRUSHES:
            middle = self._pull.start.at if isinstance(self._pull, SizePull) else self._hover
            diameter = max(self._tools.brush * self._scale(), 3.0)
            self._ring = QRectF(0, 0, diameter, diameter)
            self._ring.moveCenter(middle)
        for ring in (before, self._ring):
            if not ring.isEmpty():
                self.update(ring.adjusted(-EDGE, -EDGE, EDGE, EDGE).toAlignedRect())

    def _show_cursor(self) -> None:
        shapes, at = Qt.CursorShape, self._hover or QPointF(-1, -1)
        if self._work.is_working:
            self.setCursor(shapes.BusyCursor)
        elif self._pull is None and self._view.is_at_divider(at):
            self.setCursor(shapes.SplitHCursor)
        elif self._tools.tool is Tool.EXTEND:
            if self._pull is None:
                handle = handle_at(self._frame(at), at)
                self.setCursor(CURSORS[handle] if handle else shapes.ArrowCursor)
        elif self._tools.tool in BRUSHES:
            self.setCursor(shapes.BlankCursor)
        else:
            self.setCursor(shapes.CrossCursor)

    # Mouse ----------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin; the middle button moves the picture."""
        buttons = Qt.MouseButton
        if self._pull is not None:
            event.accept()  # another button while one is held
            return
        if event.button() in (buttons.LeftButton, buttons.RightButton) and self._may_begin(event.position()):
            touch = self._touch(event.position(), event.modifiers())
            self._begin(touch, is_right=event.button() is buttons.RightButton)
            event.accept()
        else:
            event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Two quick strokes."""
        self.mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Go on."""
        if self._pull is not None:
            self._go_on(self._touch(event.position(), event.modifiers()))
        self._show_hover(event.position())
        event.setAccepted(self._pull is not None)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Finish."""
        if self._pull is not None and event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            self._finish()
            event.accept()
        else:
            event.ignore()

    # Pen ------------------------------------------------------------------------------------------

    def tabletEvent(self, event: QTabletEvent) -> None:
        """As the mouse, with pressure; the other end of the pen erases."""
        kinds, at = QEvent.Type, event.position()
        if event.type() == kinds.TabletPress:
            if event.button() is not Qt.MouseButton.LeftButton or not self._may_begin(at) or self._pull is not None:
                event.ignore()
                return
            is_eraser = event.pointerType() is QPointingDevice.PointerType.Eraser
            self._begin(self._touch(at, event.modifiers(), _pressure(event)), is_eraser=is_eraser)
        elif event.type() == kinds.TabletMove and self._pull is not None:
            self._go_on(self._touch(at, event.modifiers(), _pressure(event)))
        elif event.type() == kinds.TabletRelease and self._pull is not None:
            self._finish()
        elif event.buttons() != Qt.MouseButton.NoButton:
            event.ignore()
            return
        self._show_hover(at)
        event.accept()

    # Pulls ----------------------------------------------------------------------------------------

    def _scale(self) -> float:
        return self._view.from_picture(QRectF(0, 0, 1000, 1000), QPointF()).width() / 1000

    def _touch(
        self, at: QPointF, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier, pressure: float = 1.0
    ) -> Touch:
        """A pull stays in the pane in which it began, wherever it goes."""
        if self._pull is not None:
            start = self._pull.start
            point = start.point + (at - start.at) / start.scale
            return Touch(at, point, start.scale, pressure, modifiers)
        return Touch(at, self._view.to_picture(at), self._scale(), pressure, modifiers)

    def _may_begin(self, at: QPointF) -> bool:
        return not self._work.is_working and not self._view.is_at_divider(at)

    def _begin(self, touch: Touch, *, is_right: bool = False, is_eraser: bool = False) -> None:
        tool, layer, tools = self._tools.tool, self._layer, self._tools
        if tool in BRUSHES and (is_right or touch.is_alt):
            self._pull = SizePull(touch, tools)
        elif is_right:
            return
        elif tool in BRUSHES:
            self._pull = self._brush_pull(touch, is_erasing=is_eraser or tool is Tool.ERASER)
        elif tool is Tool.LASSO:
            self._pull = LassoPull(touch, layer, self.tr("Lasso"))
        elif tool is Tool.RECTANGLE:
            self._pull = RectanglePull(touch, layer, self.tr("Rectangle"))
        elif tool is Tool.EXTEND:
            self._pull = self._extend_pull(touch)
        elif tool is Tool.FILL:
            self._fill(touch)

    def _brush_pull(self, touch: Touch, *, is_erasing: bool) -> Pull:
        text = self.tr("Eraser") if is_erasing else self.tr("Brush")
        if touch.is_shift:
            return LinePull(touch, self._layer, self._tools, text, self._last, is_erasing=is_erasing)
        return BrushPull(touch, self._layer, self._tools, text, is_erasing=is_erasing)

    def _extend_pull(self, touch: Touch) -> Pull | None:
        frame = self._frame(touch.at)
        handle, size = handle_at(frame, touch.at), self._layer.size
        return ExtendPull(touch, handle, size, frame) if handle and size else None

    def _fill(self, touch: Touch) -> None:
        point = (int(touch.point.x() // 1), int(touch.point.y() // 1))
        size = self._layer.size
        if size is not None and 0 <= point[0] < size.width() and 0 <= point[1] < size.height():
            self._work.fill(point, self._tools.tolerance, is_taken_away=touch.is_alt)

    def _go_on(self, touch: Touch) -> None:
        assert self._pull is not None
        before = self._pull.area
        self._pull.move(touch)
        for area in (before, self._pull.area):
            if not area.isEmpty():
                self.update(area.adjusted(-EDGE, -EDGE, EDGE, EDGE).toAlignedRect())

    def _finish(self) -> None:
        pull, self._pull = self._pull, None
        assert pull is not None
        pull.end()
        if isinstance(pull, BrushPull | LinePull):
            self._last = pull.now.point
        if isinstance(pull, ExtendPull) and not pull.margins.is_empty:
            self.extend_requested.emit(pull.margins)
        self._update_ring()
        self._show_cursor()
        self.update()

    def _on_layer_replaced(self) -> None:
        self._last = None
        self.refresh()

    def _on_working_changed(self, is_working: bool) -> None:
        if is_working:
            self.cancel()
        self._show_cursor()


def _pressure(event: QTabletEvent) -> float:
    """Of a pen that does not tell, full."""
    can_tell = event.pointingDevice().hasCapability(QInputDevice.Capability.Pressure)
    return event.pressure() if can_tell else 1.0
