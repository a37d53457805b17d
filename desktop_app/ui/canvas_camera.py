"""Camera: how large a picture is shown and which part of it. Plain geometry; `CompareView` owns the one there is."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF

MIN_ZOOM = 0.05
MAX_ZOOM = 32.0
SMALLEST_SHARE = 0.5
"""Of a pane that a whole picture fills, when even that is a smaller zoom than the smallest."""

STEPS = (0.05, 0.0625, 0.08, 0.125, 0.17, 0.25, 0.33, 0.5, 0.67, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)
"""Where the zoom commands stop."""


class Camera:
    """Zoom counts screen pixels for one picture pixel. Panes and offsets are in logical pixels of the widget."""

    def __init__(self) -> None:
        self._picture = QSizeF(1, 1)
        self._pane = QSizeF(1, 1)
        self._ratio = 1.0
        self._zoom = 1.0
        self._center = QPointF(0.5, 0.5)
        self._is_fit = True

    @property
    def zoom(self) -> float:
        """Screen pixels for one picture pixel: 1 is 100 %."""
        return self._zoom

    @property
    def is_fit(self) -> bool:
        """Whether the whole picture is shown, and will be when the pane changes."""
        return self._is_fit

    @property
    def fit_zoom(self) -> float:
        """The zoom at which the picture just fills the pane."""
        width = self._pane.width() * self._ratio / self._picture.width()
        height = self._pane.height() * self._ratio / self._picture.height()
        return min(width, height, MAX_ZOOM)

    def set_picture(self, size: QSize) -> None:
        """Look at a picture of ``size``; one of another size than before is shown whole."""
        if QSizeF(size) != self._picture:
            self._picture = QSizeF(size)
            self.fit()

    def set_pane(self, size: QSizeF, ratio: float) -> None:
        """Show it in a pane of ``size`` on a screen of pixel ratio ``ratio``."""
        self._pane = size.expandedTo(QSizeF(1, 1))
        self._ratio = ratio
        if self._is_fit:
            self.fit()
        else:
            self._settle()

    def fit(self) -> None:
        """Show the whole picture."""
        self._is_fit = True
        self._zoom = self.fit_zoom
        self._settle()

    def zoom_to(self, zoom: float, offset: QPointF) -> None:
        """Zoom so that what lies ``offset`` from the middle of the pane stays there."""
        zoom = min(max(zoom, min(MIN_ZOOM, self.fit_zoom * SMALLEST_SHARE)), MAX_ZOOM)
        self._center += offset * (self._ratio / self._zoom - self._ratio / zoom)
        self._zoom = zoom
        self._is_fit = False
        self._settle()

    def step(self, direction: int, offset: QPointF) -> None:
        """Go to the next larger (``direction`` 1) or smaller (-1) of the steps."""
        if direction > 0:
            zoom = next((step for step in STEPS if step > self._zoom * 1.01), MAX_ZOOM)
        else:
            zoom = next((step for step in reversed(STEPS) if step < self._zoom * 0.99), self._zoom)
        self.zoom_to(zoom, offset)

    def pan(self, offset: QPointF) -> None:
        """Move the picture by ``offset``."""
        if self.can_pan:
            self._center -= offset * (self._ratio / self._zoom)
            self._settle()

    @property
    def can_pan(self) -> bool:
        """Whether there is more to see than the pane shows."""
        return self._zoom > self.fit_zoom * 1.001

    def rect(self, pane: QRectF) -> QRectF:
        """Where the picture lies when ``pane`` is where it is shown; the edges are on whole screen pixels."""
        scale = self._zoom / self._ratio
        corner = pane.center() - self._center * scale
        left, top = self._whole(corner.x()), self._whole(corner.y())
        right = self._whole(corner.x() + self._picture.width() * scale)
        bottom = self._whole(corner.y() + self._picture.height() * scale)
        return QRectF(QPointF(left, top), QPointF(right, bottom))

    def _whole(self, position: float) -> float:
        return round(position * self._ratio) / self._ratio

    def _settle(self) -> None:
        """A picture that fits lies in the middle; of a larger one, some part is always there."""
        width, height = self._picture.width(), self._picture.height()
        if self.can_pan:
            self._center = QPointF(min(max(self._center.x(), 0), width), min(max(self._center.y(), 0), height))
        else:
            self._center = QPointF(width / 2, height / 2)
