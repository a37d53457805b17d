"""CompareView: paints init image and result alone, under a sliding edge or side by side; zooms them as one."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QMarginsF, QPointF, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QImage,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from desktop_app.ui.canvas_camera import Camera
from desktop_app.ui.canvas_layer import Layer, ViewMode
from desktop_app.ui.canvas_paint import Corner, draw_divider, draw_gap, draw_label, ground, is_dark
from desktop_app.ui.canvas_picture import PIXELS_FROM, Picture, checkerboard, softened
from desktop_app.ui.mask_picture import MaskPicture

__all__ = ["CompareView", "ViewMode"]

MARGINS = QMarginsF(16, 50, 16, 50)
"""Kept free around a picture that is shown whole: the bars float there."""

GAP = 2
"""Between the two halves of side by side."""

GRIP = 8
"""How far from the divider it can still be taken."""

WHEEL_FACTOR = 1.25
"""Zoom of one notch of a wheel."""

NOTCH = 120.0
"""Qt's unit for one notch (QWheelEvent.angleDelta)."""

TRACKPAD_PIXELS = 40.0
"""Pixels of a two-finger movement that zoom as far as one notch."""


OPACITY, FAINT_OPACITY = 0.45, 0.14
RESULT_SHARE = 0.5
"""Of the mask's tint; over a result there is less of it."""


class CompareView(QWidget):
    """Lives in the canvas, which keeps the keyboard. Never mirrored: left stays left in every language."""

    view_changed = Signal()
    """Other zoom, or a picture of another size."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareView")
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.grabGesture(Qt.GestureType.PinchGesture)
        self._camera = Camera()
        self._init: Picture | None = None
        self._result: Picture | None = None
        self._preview: Picture | None = None
        self._preview_size: QSize | None = None
        self._mode = ViewMode.RESULT
        self._has_results = False
        self._is_held = False
        self._split = 0.5
        self._pan_from: QPointF | None = None
        self._is_dividing = False
        self._mask: MaskPicture | None = None
        self._opacity = OPACITY

    # What is shown

    @property
    def mode(self) -> ViewMode:
        """Alone, split, or side by side."""
        return self._mode

    @mode.setter
    def mode(self, mode: ViewMode) -> None:
        self._mode = mode
        self._refresh()

    @property
    def picture_size(self) -> QSize | None:
        """Size of the picture whose pixels the zoom counts: the init image, else what there is."""
        picture = self._init or self._result
        return picture.size if picture else self._preview_size

    @property
    def init_size(self) -> QSize | None:
        """Size of the init image."""
        return self._init.size if self._init else None

    @property
    def result_size(self) -> QSize | None:
        """Size of the result."""
        return self._result.size if self._result else None

    @property
    def is_painting(self) -> bool:
        """Whether a preview stands in for the result."""
        return self._preview is not None

    def set_init(self, image: QImage | None) -> None:
        """Show ``image`` as init image."""
        self._init = _picture(image)
        self._refresh()

    def set_result(self, image: QImage | None, copies: Sequence[QImage] = ()) -> None:
        """Show ``image`` as result, in the init image's place whatever its size; ``copies`` are those of `halved`."""
        self._result = _picture(image, copies)
        self._refresh()

    def take_copies(self, image: QImage, copies: Sequence[QImage]) -> None:
        """Draw ``image`` with the help of ``copies`` from now on, if it is shown."""
        for picture in filter(None, (self._init, self._result)):
            picture.take(image, copies)
        self.update()

    def set_preview(self, image: QImage | None) -> None:
        """Show ``image`` in the result's place until it is None again."""
        self._preview_size = image.size() if image else None
        self._preview = _picture(softened(image) if image else None)
        self._refresh()

    def set_has_results(self, has_results: bool) -> None:
        """Whether there are results to choose from, when none is shown."""
        self._has_results = has_results
        self.update()

    def hold_init(self, is_held: bool) -> None:
        """Show the init image wherever the result is, as long as ``is_held``."""
        self._is_held = is_held
        self.update()

    # The mask

    def set_mask(self, mask: MaskPicture | None) -> None:
        """Draw ``mask`` over every picture, or none."""
        self._mask = mask
        self.update()

    def set_faint(self, is_faint: bool) -> None:
        """Draw little of the mask's tint. Its outline stays."""
        self._opacity = FAINT_OPACITY if is_faint else OPACITY
        self.update()

    def update_mask(self, changed: QRect) -> None:
        """Draw anew what shows the pixels in ``changed``."""
        if self._mask is None or self.picture_size is None:
            return
        reached = QRectF(self._mask.reach(changed))
        for area in self._areas():
            self.update(self._on_view(reached, area).toAlignedRect().adjusted(-4, -4, 4, 4))

    def _paint_mask(self, painter: QPainter, layer: Layer, exposed: QRectF) -> None:
        if self._mask is None or self._init is None:
            return
        opacity = self._opacity * (1.0 if layer.picture is self._init else RESULT_SHARE)
        target, ratio = self._camera.rect(layer.area), self.devicePixelRatioF()
        self._mask.draw(painter, target, layer.clip & exposed, ratio=ratio, opacity=opacity)

    # Zoom and divider

    @property
    def zoom(self) -> float:
        """Screen pixels for one picture pixel: 1 is 100 %."""
        return self._camera.zoom

    @property
    def is_fit(self) -> bool:
        """Whether the whole picture is shown and stays so when the window changes."""
        return self._camera.is_fit

    @property
    def is_small(self) -> bool:
        """Whether less than the whole room is used."""
        return self._camera.zoom < self._camera.fit_zoom * 0.999

    @property
    def split(self) -> float:
        """Where the divider stands: 0 at the left edge of what is seen of the picture, 1 at the right one."""
        return self._split

    @split.setter
    def split(self, split: float) -> None:
        self._split = min(max(split, 0.0), 1.0)
        self.update()

    def zoom_fit(self) -> None:
        """Show the whole picture."""
        self._camera.fit()
        self._show_view()

    def zoom_actual(self, at: QPointF | None = None) -> None:
        """One picture pixel on one screen pixel."""
        self._camera.zoom_to(1.0, self._offset(at))
        self._show_view()

    def zoom_out_to(self, share: float) -> None:
        """Show the whole picture on ``share`` of the room there is."""
        self._camera.zoom_to(self._camera.fit_zoom * share, QPointF())
        self._show_view()

    def zoom_step(self, direction: int) -> None:
        """Zoom in (1) or out (-1) to the next round value."""
        self._camera.step(direction, QPointF())
        self._show_view()

    def pan(self, offset: QPointF) -> None:
        """Move the pictures by ``offset`` pixels."""
        self._camera.pan(offset)
        self.update()

    @property
    def has_divider(self) -> bool:
        """Whether there are two pictures under a sliding edge."""
        return self._mode is ViewMode.SPLIT and self._init is not None and self._second is not None

    @property
    def divider_x(self) -> float:
        """Where the divider is drawn."""
        seen = self.picture_rect & QRectF(self.rect())
        return seen.left() + self._split * seen.width()

    @property
    def picture_rect(self) -> QRectF:
        """Where the picture lies (side by side: the left one)."""
        return self._camera.rect(self._areas()[0])

    # Geometry

    def to_picture(self, position: QPointF) -> QPointF:
        """Which point of the picture, in its pixels, lies at ``position``; it may be outside of it."""
        size, rect = self.picture_size or QSize(1, 1), self._pane_rect(position)
        offset = position - rect.topLeft()
        return QPointF(offset.x() * size.width() / rect.width(), offset.y() * size.height() / rect.height())

    def from_picture(self, rect: QRectF, pane: QPointF) -> QRectF:
        """Where ``rect`` of the picture lies in the pane that ``pane`` is in."""
        return self._on_view(rect, self._areas()[1 if self._is_in_right(pane) else 0])

    def _on_view(self, rect: QRectF, area: QRectF) -> QRectF:
        size, target = self.picture_size or QSize(1, 1), self._camera.rect(area)
        scale_x, scale_y = target.width() / size.width(), target.height() / size.height()
        x, y = target.left() + rect.left() * scale_x, target.top() + rect.top() * scale_y
        return QRectF(x, y, rect.width() * scale_x, rect.height() * scale_y)

    def _pane_rect(self, position: QPointF) -> QRectF:
        """Where the picture lies in the pane that ``position`` is in."""
        return self._camera.rect(self._areas()[1 if self._is_in_right(position) else 0])

    def _is_in_right(self, position: QPointF) -> bool:
        return self._mode is ViewMode.SIDE and position.x() > self.width() / 2

    @property
    def _second(self) -> Picture | None:
        """What stands in the result's place."""
        return self._preview or self._result

    def _areas(self) -> tuple[QRectF, QRectF]:
        """The part of each pane in which a whole picture lies; the same twice where there is one pane."""
        whole = QRectF(self.rect())
        if self._mode is not ViewMode.SIDE:
            area = whole.marginsRemoved(MARGINS)
            return area, area
        left, right = self._halves()
        return left.marginsRemoved(MARGINS), right.marginsRemoved(MARGINS)

    def _halves(self) -> tuple[QRectF, QRectF]:
        width = (self.width() - GAP) / 2
        return QRectF(0, 0, width, self.height()), QRectF(self.width() - width, 0, width, self.height())

    def _offset(self, at: QPointF | None) -> QPointF:
        """How far ``at`` is from the middle of the pane it lies in."""
        if at is None:
            return QPointF()
        return at - self._areas()[1 if self._is_in_right(at) else 0].center()

    def _refresh(self) -> None:
        size = self.picture_size
        if size is not None:
            self._camera.set_picture(size)
        self._camera.set_pane(self._areas()[0].size(), self.devicePixelRatioF())
        self._show_view()

    def _show_view(self) -> None:
        self.update()
        self.view_changed.emit()

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        """The ground, the pictures, their labels, the divider."""
        painter = QPainter(self)
        painter.fillRect(event.rect(), ground(self.palette()))
        layers = self._layers()
        for layer in layers:
            painter.setClipRect(layer.clip)
            self._paint_layer(painter, layer)
            self._paint_mask(painter, layer, QRectF(event.rect()))
            self._paint_label(painter, layer)
        painter.setClipping(False)
        if self._mode is ViewMode.SIDE:
            draw_gap(painter, QRectF(self._halves()[0].right(), 0, GAP, self.height()), self.palette())
        if self.has_divider and not self._is_held:
            draw_divider(painter, self.divider_x, self.picture_rect & QRectF(self.rect()), is_active=self._is_dividing)

    def _paint_layer(self, painter: QPainter, layer: Layer) -> None:
        target = self._camera.rect(layer.area)
        seen = target & layer.clip
        if layer.picture is None:
            self._paint_place(painter, target, layer.label)
            return
        if layer.picture.has_alpha:
            painter.setBrushOrigin(target.topLeft())
            painter.fillRect(seen, checkerboard(is_dark=is_dark(self.palette())))
        ratio = self.devicePixelRatioF()
        own_zoom = target.width() * ratio / layer.picture.size.width()
        is_smooth = layer.is_soft or min(self.zoom, own_zoom) < PIXELS_FROM
        layer.picture.draw(painter, target, layer.clip, ratio=ratio, is_smooth=is_smooth)

    def _paint_label(self, painter: QPainter, layer: Layer) -> None:
        if layer.picture is not None:
            draw_label(painter, self._camera.rect(layer.area) & layer.clip, layer.label, layer.corner)

    def _paint_place(self, painter: QPainter, target: QRectF, text: str) -> None:
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Mid), 1, Qt.PenStyle.DashLine))
        painter.drawRect(target.adjusted(0.5, 0.5, -0.5, -0.5))
        painter.setPen(self.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(target & QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, text)

    def _layers(self) -> list[Layer]:
        if self._mode is ViewMode.SIDE:
            return self._side_layers()
        if self.has_divider and not self._is_held:
            return self._split_layers()
        return self._single_layers()

    def _single_layers(self) -> list[Layer]:
        whole, area = QRectF(self.rect()), self._areas()[0]
        wants_init = self._is_held or self._mode is ViewMode.INIT
        first, second = (self._init, self._second) if wants_init else (self._second, self._init)
        picture = first or second
        if picture is None:
            return []
        return [Layer(picture, whole, area, self._caption(picture), Corner.BOTTOM_LEFT, picture is self._preview)]

    def _caption(self, picture: Picture) -> str:
        if picture is self._preview:
            return self.tr("Painting…")
        if self._is_held and picture is self._init:
            return self.tr("Init")
        if picture is self._init and self._mode is not ViewMode.INIT:
            return self.no_result_text
        if picture is self._result and self._mode is not ViewMode.RESULT:
            return self.tr("No init image")
        return ""

    @property
    def no_result_text(self) -> str:
        """What is said where no result is shown."""
        return self.tr("No result chosen") if self._has_results else self.tr("No result yet")

    def _split_layers(self) -> list[Layer]:
        area, x = self._areas()[0], self.divider_x
        left = QRectF(0, 0, x, self.height())
        right = QRectF(x, 0, self.width() - x, self.height())
        return [self._init_layer(left, area), self._result_layer(right, area)]

    def _side_layers(self) -> list[Layer]:
        halves, areas = self._halves(), self._areas()
        first = self._init_layer(halves[0], areas[0])
        if self._is_held and self._init is not None:
            return [first, Layer(self._init, halves[1], areas[1], self.tr("Init"), Corner.TOP_RIGHT)]
        return [first, self._result_layer(halves[1], areas[1])]

    def _init_layer(self, clip: QRectF, area: QRectF) -> Layer:
        label = self.tr("Init") if self._init else self.tr("No init image")
        return Layer(self._init, clip, area, label, Corner.TOP_LEFT)

    def _result_layer(self, clip: QRectF, area: QRectF) -> Layer:
        label = self.tr("Result") if self._result else self.no_result_text
        label = self.tr("Painting…") if self.is_painting else label
        return Layer(self._second, clip, area, label, Corner.TOP_RIGHT, self.is_painting)

    # Mouse, wheel, fingers

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A whole picture stays whole."""
        self._refresh()

    def event(self, event: QEvent) -> bool:
        """Pinches come as two kinds of event: from trackpads and from touch screens."""
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self._zoom_by(1 + event.value(), event.position())
            return True
        if isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self._zoom_by(pinch.scaleFactor(), self.mapFromGlobal(pinch.hotSpot()))
                event.accept(pinch)
                return True
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._refresh()
        return super().event(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom at the cursor."""
        pixels, angle = event.pixelDelta(), event.angleDelta()
        notches = pixels.y() / TRACKPAD_PIXELS if not pixels.isNull() else angle.y() / NOTCH
        if notches:
            self._zoom_by(WHEEL_FACTOR**notches, event.position())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the divider or the picture."""
        if event.button() == Qt.MouseButton.LeftButton and self.is_at_divider(event.position()):
            self._is_dividing = True
        elif event.button() in (Qt.MouseButton.LeftButton, Qt.MouseButton.MiddleButton):
            self._pan_from = event.position()
        else:
            event.ignore()
        self._show_cursor(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Slide what was taken."""
        if self._is_dividing:
            seen = self.picture_rect & QRectF(self.rect())
            self.split = (event.position().x() - seen.left()) / max(seen.width(), 1.0)
        elif self._pan_from is not None:
            self.pan(event.position() - self._pan_from)
            self._pan_from = event.position()
        self._show_cursor(event.position())

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._is_dividing = False
        self._pan_from = None
        self._show_cursor(event.position())
        self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Between the whole picture and its pixels."""
        if event.button() != Qt.MouseButton.LeftButton or self.is_at_divider(event.position()):
            self.mousePressEvent(event)
        elif self.is_fit:
            self.zoom_actual(event.position())
        else:
            self.zoom_fit()

    def _zoom_by(self, factor: float, at: QPointF) -> None:
        self._camera.zoom_to(self.zoom * factor, self._offset(at))
        self._show_view()

    def is_at_divider(self, position: QPointF) -> bool:
        """Whether the divider can be taken at ``position``."""
        return self.has_divider and abs(position.x() - self.divider_x) <= GRIP

    def _show_cursor(self, position: QPointF) -> None:
        shapes = Qt.CursorShape
        if self._is_dividing or (self._pan_from is None and self.is_at_divider(position)):
            self.setCursor(shapes.SplitHCursor)
        elif not self._camera.can_pan:
            self.unsetCursor()
        else:
            self.setCursor(shapes.ClosedHandCursor if self._pan_from is not None else shapes.OpenHandCursor)


def _picture(image: QImage | None, copies: Sequence[QImage] = ()) -> Picture | None:
    return Picture(image, copies) if image is not None and not image.isNull() else None
