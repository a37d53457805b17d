"""CanvasMask: brings the document's mask onto the canvas, with its tools and bars."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QObject, QRect, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from desktop_app.core.params import Params
from desktop_app.studio.document import Document
from desktop_app.ui.compare_view import CompareView, ViewMode
from desktop_app.ui.mask_bars import MaskOptionsBar, MaskToolBar
from desktop_app.ui.mask_picture import MaskPicture
from desktop_app.ui.mask_stage import MaskStage
from desktop_app.ui.mask_tools import MaskTools, Tool

ROOM_SHARE = 0.62
"""Of the room there is, a picture that is to be extended fills so much."""


class CanvasMask(QObject):
    """Lives in the GUI thread, with the canvas. Whoever takes a tool up while the result is shown alone is brought to
    the init image, since that is what the mask is of; from then on tools work in whatever view, because both pictures
    lie in one place.
    """

    mode_wanted = Signal(ViewMode)
    placed = Signal()
    """A bar has another size, or is there no longer."""

    def __init__(
        self, view: CompareView, tools: MaskTools, document: Document, actions: Mapping[str, QAction], canvas: QWidget
    ) -> None:
        super().__init__(canvas)
        self._view = view
        self._tools = tools
        self._layer = document.mask
        self._picture = MaskPicture(document.mask)
        self.stage = MaskStage(view, tools, document.mask, document.mask_work)
        self.tool_bar = MaskToolBar(actions, canvas)
        self.options_bar = MaskOptionsBar(tools, document.mask, actions, canvas)
        self.tool_bar.stackUnder(self.options_bar)
        view.set_mask(self._picture)
        document.mask.changed.connect(self._on_mask_changed)
        document.mask.replaced.connect(self._on_mask_replaced)
        document.params_changed.connect(self._on_params_changed)
        document.init_image_changed.connect(self._on_init_image_changed)
        self.stage.extend_requested.connect(document.extend_init_image)
        tools.tool_changed.connect(self._on_tool_changed)
        tools.faint_changed.connect(view.set_faint)
        self.options_bar.resized.connect(self.placed)
        self._on_params_changed(document.params)
        self._on_init_image_changed()

    def fit(self) -> None:
        """Let the stage fill the view."""
        self.stage.setGeometry(self._view.rect())

    def place(self, top: QRect, bottom: QRect, inside: QRect) -> None:
        """Put the bars within ``inside``: the tools beside ``top``, the other bar's place, or below it; the options in
        the corner that ``bottom`` leaves, or above it.
        """
        self.tool_bar.adjustSize()
        self.options_bar.fit_into(inside.width())
        is_mirrored = self.tool_bar.layoutDirection() is Qt.LayoutDirection.RightToLeft
        gap = top.top()
        tools, options = self.tool_bar.rect(), self.options_bar.rect()
        if top.width() + gap + tools.width() <= inside.width():
            tools.moveTopLeft(top.topRight())
            tools.translate(gap + 1, 0)
            if is_mirrored:
                tools.moveRight(top.left() - gap)
        else:
            tools.moveTop(top.bottom() + gap)
            tools.moveLeft(inside.center().x() - tools.width() // 2)
        options.moveBottom(bottom.bottom())
        if options.width() + gap + bottom.width() > inside.width():
            options.moveBottom(bottom.top() - gap)
        options.moveLeft(inside.left())
        if is_mirrored:
            options.moveRight(inside.right())
        self.tool_bar.move(tools.topLeft())
        self.options_bar.move(options.topLeft())

    def _on_mask_changed(self, rect: QRect) -> None:
        self._picture.touch(rect)
        self._view.update_mask(rect)

    def _on_mask_replaced(self) -> None:
        self._picture.forget()
        self._view.update()

    def _on_params_changed(self, params: Params) -> None:
        if params.mask_feather != self._picture.feather:
            self._picture.feather = params.mask_feather
            self._view.update()

    def _on_init_image_changed(self) -> None:
        """The picture is shown whole when it is another; what can be extended further needs room again."""
        has_picture = self._layer.size is not None
        self.tool_bar.setVisible(has_picture)
        if not has_picture:
            self._tools.tool = Tool.MOVE
        if self._tools.tool is Tool.EXTEND:
            self._view.zoom_out_to(ROOM_SHARE)
        self.placed.emit()

    def _on_tool_changed(self, tool: Tool) -> None:
        if tool is not Tool.MOVE and self._view.mode is ViewMode.RESULT:
            self.mode_wanted.emit(ViewMode.INIT)
        if tool is Tool.EXTEND:
            self._view.zoom_out_to(ROOM_SHARE)
        elif self._view.is_small:
            self._view.zoom_fit()
        self.placed.emit()
