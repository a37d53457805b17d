"""Canvas: the middle of the window. Shows init image and result, and takes pictures that are dropped on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QAction,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFocusEvent,
    QImage,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPalette,
    QPen,
    QResizeEvent,
)
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.studio.document import Document
from desktop_app.ui.canvas_bars import ModeBar, ZoomBar
from desktop_app.ui.canvas_busy import BusyLabel
from desktop_app.ui.canvas_drop import DropOverlay, DropZone
from desktop_app.ui.canvas_empty import EmptyCanvas
from desktop_app.ui.canvas_mask import CanvasMask
from desktop_app.ui.canvas_paint import ground
from desktop_app.ui.canvas_sources import left_out, offers_picture, read_drop, read_paste, read_variations
from desktop_app.ui.checkpoint_drop import checkpoint_paths
from desktop_app.ui.compare_view import CompareView, ViewMode
from desktop_app.ui.mask_tools import MaskTools
from desktop_app.ui.theme import GRID

__all__ = ["Canvas", "DropZone", "ViewMode", "read_drop", "read_paste"]

RING = 2
"""Width of the line round the canvas while it has the keyboard."""

SPLIT_STEP = 0.02
PAN_STEP = 40.0

ARROWS = {
    Qt.Key.Key_Left: QPointF(1, 0),
    Qt.Key.Key_Right: QPointF(-1, 0),
    Qt.Key.Key_Up: QPointF(0, 1),
    Qt.Key.Key_Down: QPointF(0, -1),
}
"""Where the picture goes, which is the other way than the look at it."""


class Canvas(QWidget):
    """Keeps the mode and the keyboard; its parts paint. Opens nothing itself: it says what the user brought."""

    image_dropped = Signal(object, DropZone)
    """A `Path`, bytes, a web address or a `QImage`, and the zone it was dropped on."""
    variation_dropped = Signal(str, DropZone)
    left_out = Signal(list)
    """Names of what was dropped beside the one picture that is taken."""
    sample_requested = Signal(Path)
    paste_requested = Signal()
    open_requested = Signal()
    url_requested = Signal()
    mode_changed = Signal(ViewMode)

    def __init__(self, samples_dir: Path) -> None:
        super().__init__()
        self.setObjectName("canvas")
        self.setAccessibleName(self.tr("Canvas"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAcceptDrops(True)
        self._view = CompareView(self)
        self._empty = EmptyCanvas(samples_dir, self)
        self._modes = ModeBar(self)
        self._zooms = ZoomBar(self)
        self.mask_tools = MaskTools(self)
        self._mask: CanvasMask | None = None
        self._ways_out: dict[str, QAction] = {}
        self._busy = BusyLabel(self)
        self._overlay = DropOverlay(self)
        self._connect()
        self._modes.show_mode(self.mode)
        self._refresh()

    def _connect(self) -> None:
        self._view.view_changed.connect(self._on_view_changed)
        self._modes.mode_chosen.connect(self._on_mode_chosen)
        self._zooms.fit.clicked.connect(self.zoom_fit)
        self._zooms.actual.clicked.connect(self.zoom_actual)
        self._empty.open_requested.connect(self.open_requested)
        self._empty.paste_requested.connect(self.paste_requested)
        self._empty.url_requested.connect(self.url_requested)
        self._empty.sample_requested.connect(self.sample_requested)

    def attach_mask(self, document: Document, actions: Mapping[str, QAction]) -> None:
        """Show the mask of ``document``, and the tools to change it, which are ``actions``."""
        self._mask = CanvasMask(self._view, self.mask_tools, document, actions, self)
        self._mask.mode_wanted.connect(self._on_mode_chosen)
        self._mask.placed.connect(self._place_bars)
        self._mask.fit()
        self._overlay.raise_()
        self._busy.raise_()
        self._place_bars()

    def tell_keys(self, actions: Mapping[str, QAction]) -> None:
        """Say to those who hear it by which keys of ``actions`` the keyboard leaves the canvas."""
        self._ways_out = {name: actions[name] for name in ("next_pane", "hide_panels")}
        for action in self._ways_out.values():
            action.changed.connect(self._describe)
        self._describe()

    # Pictures

    @property
    def mode(self) -> ViewMode:
        """What is shown: init image, result, or both."""
        return self._view.mode

    @mode.setter
    def mode(self, mode: ViewMode) -> None:
        if mode is not self._view.mode:
            self._view.mode = mode
            self._modes.show_mode(mode)
            self._describe()
            self.mode_changed.emit(mode)

    @property
    def is_empty(self) -> bool:
        """Whether there is no picture at all."""
        return self._view.picture_size is None

    def set_init(self, image: QImage | None) -> None:
        """Show ``image`` as init image, or none."""
        self._overlay.has_init_image = image is not None
        self._view.set_init(image)
        self._refresh()

    def set_result(self, image: QImage | None, copies: Sequence[QImage] = ()) -> None:
        """Show ``image`` as result, or none. Who looks at the init image alone is brought to a result that arrives."""
        self._view.set_result(image, copies)
        self._refresh()
        if image is not None and self.mode is ViewMode.INIT:
            self.mode = ViewMode.RESULT

    def set_preview(self, image: QImage | None) -> None:
        """Show ``image`` in the result's place while the result is painted; None ends that."""
        self._view.set_preview(image)
        self._refresh()

    def hold_init(self, is_held: bool) -> None:
        """Show the init image in the result's place as long as ``is_held``."""
        self._view.hold_init(is_held)

    def take_copies(self, image: QImage, copies: Sequence[QImage]) -> None:
        """Draw the large ``image`` with the help of smaller ``copies``."""
        self._view.take_copies(image, copies)

    def set_has_results(self, has_results: bool) -> None:
        """Whether there are results to choose from, when none is shown."""
        self._view.set_has_results(has_results)

    def set_busy(self, is_busy: bool) -> None:
        """Say that a picture is on its way, or that it is no more."""
        self._busy.set_busy(is_busy)

    # Zoom

    def zoom_fit(self) -> None:
        """Show the whole picture."""
        self._view.zoom_fit()

    def zoom_actual(self) -> None:
        """One picture pixel on one screen pixel."""
        self._view.zoom_actual()

    def zoom_in(self) -> None:
        """To the next larger round zoom."""
        self._view.zoom_step(1)

    def zoom_out(self) -> None:
        """To the next smaller round zoom."""
        self._view.zoom_step(-1)

    # How it looks

    def sizeHint(self) -> QSize:
        """Most of the window."""
        return QSize(720, 560)

    def minimumSizeHint(self) -> QSize:
        """Room for the bars and a picture between them."""
        return QSize(320, 240)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The view fills the canvas, the bars float on it."""
        inside = self.rect().adjusted(RING, RING, -RING, -RING)
        self._view.setGeometry(inside)
        self._empty.setGeometry(inside)
        self._overlay.setGeometry(inside)
        if self._mask is not None:
            self._mask.fit()
        self._busy.place()
        self._place_bars()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The line that says who has the keyboard."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), ground(self.palette()))
        if self.hasFocus() and not self.is_empty:
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Link), RING))
            half = RING / 2
            painter.drawRect(QRectF(self.rect()).adjusted(half, half, -half, -half))

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Draw the line."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """Take the line away."""
        super().focusOutEvent(event)
        self.update()

    def event(self, event: QEvent) -> bool:
        """A key that is still held when the window loses the keyboard is never seen to be released. While something is
        painted, Esc is for that.
        """
        if event.type() == QEvent.Type.WindowDeactivate:
            self.hold_init(False)
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._is_cancel(event):
            event.accept()
            return True
        return super().event(event)

    def _is_cancel(self, event: QKeyEvent) -> bool:
        return event.key() == Qt.Key.Key_Escape and self._mask is not None and self._mask.stage.is_pulling

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows slide the divider or the picture, Home and End put the divider to the edges, + and - zoom."""
        if self._is_cancel(event) and self._mask is not None:
            self._mask.stage.cancel()
            return
        key = Qt.Key(event.key())
        is_far = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        if self.is_empty or not self._press(key, 5 if is_far else 1):
            super().keyPressEvent(event)

    def _press(self, key: Qt.Key, times: int) -> bool:
        """Do what ``key`` means; False when it means nothing here."""
        if self._view.has_divider and key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._view.split += (SPLIT_STEP if key is Qt.Key.Key_Right else -SPLIT_STEP) * times
        elif self._view.has_divider and key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._view.split = 0.0 if key is Qt.Key.Key_Home else 1.0
        elif key in ARROWS:
            self._view.pan(ARROWS[key] * PAN_STEP * times)
        elif key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self.zoom_in()
        elif key == Qt.Key.Key_Minus:
            self.zoom_out()
        else:
            return False
        return True

    def _place_bars(self) -> None:
        edge = GRID + 2
        for bar in (self._modes, self._zooms):
            bar.adjustSize()
        self._modes.move((self.width() - self._modes.width()) // 2, edge)
        is_mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        right = edge if is_mirrored else self.width() - self._zooms.width() - edge
        self._zooms.move(right, self.height() - self._zooms.height() - edge)
        if self._mask is not None:
            self._place_mask_bars(edge, is_mirrored=is_mirrored)

    def _place_mask_bars(self, edge: int, *, is_mirrored: bool) -> None:
        """What is shown and the tools stand beside each other, together in the middle."""
        assert self._mask is not None
        inside = self.rect().adjusted(edge, edge, -edge, -edge)
        together = self._modes.width() + edge + self._mask.tool_bar.sizeHint().width()
        if together <= inside.width() and not self._mask.tool_bar.isHidden():
            left = (self.width() - together) // 2
            self._modes.move(self.width() - left - self._modes.width() if is_mirrored else left, edge)
        self._mask.place(self._modes.geometry(), self._zooms.geometry(), inside)

    def _refresh(self) -> None:
        """Show the card or the pictures, and say which."""
        focus = QApplication.focusWidget()
        had_focus = focus is not None and self._empty.isAncestorOf(focus)
        # None ends the proxy (Qt's documentation); PySide6's types do not know. Tab on the canvas hides the panels, so
        # without a proxy nobody would reach the card by Tab.
        self.setFocusProxy(self._empty.open if self.is_empty else None)  # type: ignore[arg-type]
        for part in (self._view, self._modes, self._zooms):
            part.setVisible(not self.is_empty)
        self._empty.setVisible(self.is_empty)
        if had_focus and not self.is_empty:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
        self._describe()

    def _describe(self) -> None:
        """Say in words what is shown, for those who hear it."""
        if (words := self._description()) != self.accessibleDescription():
            self.setAccessibleDescription(words)

    def _description(self) -> str:
        if self.is_empty:
            return self.tr("Empty. Open, paste or drop a picture to start from.")
        init, result = self._view.init_size, self._view.result_size
        first = self.tr("Init image %1").replace("%1", _words(init)) if init else self.tr("No init image")
        if self._view.is_painting:
            second = self.tr("result being painted")
        elif result:
            second = self.tr("result %1").replace("%1", _words(result))
        else:
            second = self.tr("no result yet")
        return ". ".join([f"{first}, {second}", *self._key_words()])

    def _key_words(self) -> list[str]:
        """How to get away from here by the keyboard, since Tab does not lead to the next widget."""
        texts = {"next_pane": self.tr("%1 leaves the canvas"), "hide_panels": self.tr("%1 hides or shows the panels")}
        native = QKeySequence.SequenceFormat.NativeText
        keys = {name: action.shortcut().toString(native) for name, action in self._ways_out.items()}
        return [texts[name].replace("%1", key) for name, key in keys.items() if key]

    def _on_view_changed(self) -> None:
        size = self._view.picture_size
        if size is not None:
            self._zooms.show_view(size, self._view.zoom, is_fit=self._view.is_fit)
            self._place_bars()

    def _on_mode_chosen(self, mode: ViewMode) -> None:
        self.mode = mode

    # Drag and drop

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Light up the zones for what may be a picture; refuse anything else, and a move, which would take the file."""
        can_copy = bool(event.possibleActions() & Qt.DropAction.CopyAction)
        if can_copy and offers_picture(event.mimeData()) and not checkpoint_paths(event.mimeData()):
            self._take(event)
        else:
            event.ignore()

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        """Light the zone under the cursor."""
        self._take(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """The canvas as it was."""
        self._overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Say what was dropped where; opening it takes its time elsewhere."""
        zone = self._overlay.zone_at(self._on_overlay(event))
        self._overlay.hide()
        self.take_drop(event, zone)

    def take_drop(self, event: QDropEvent, zone: DropZone) -> None:
        """Say that what ``event`` holds was dropped on ``zone``; or leave it, when it is no picture after all."""
        ids = read_variations(event.mimeData())
        source = None if ids else read_drop(event.mimeData())
        if not ids and source is None:
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if ids:
            self.variation_dropped.emit(ids[0], zone)
        else:
            self.image_dropped.emit(source, zone)
        if names := left_out(event.mimeData()):
            self.left_out.emit(names)

    def _take(self, event: QDragMoveEvent) -> None:
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self._overlay.light(self._on_overlay(event))

    def _on_overlay(self, event: QDropEvent) -> QPointF:
        return event.position() - QPointF(self._overlay.pos())


def _words(size: QSize) -> str:
    return f"{size.width()} × {size.height()}"
