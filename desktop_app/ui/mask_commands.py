"""MaskCommands: what the actions of the menu Mask do."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from desktop_app.core.image import SUFFIXES
from desktop_app.studio.scenes import mask_name
from desktop_app.ui.mask_bars import TOOLS
from desktop_app.ui.mask_tools import Tool
from desktop_app.ui.save_place import ask_where

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow

NEEDS_PICTURE = ("brush_swap", "brush_smaller", "brush_larger")
NEEDS_REST = ("mask_invert", "mask_alpha", "mask_load")
"""These change all of the mask, one at a time; the next ones need a mask besides."""

NEEDS_MASK = ("mask_grow", "mask_shrink", "mask_holes", "mask_clear")


class MaskCommands(QObject):
    """Connects the actions to the document's mask and to the canvas's tools. Lives in the GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._document = window.document
        self._actions = window.actions_by_id
        self._tools = window.canvas.mask_tools
        mask, work, tools = self._document.mask, self._document.mask_work, self._tools
        for tool, name in TOOLS.items():
            self._actions[name].triggered.connect(partial(self._take_up, tool))
        for name, slot in (
            ("brush_swap", tools.swap),
            ("brush_smaller", partial(tools.step_brush, -1)),
            ("brush_larger", partial(tools.step_brush, 1)),
            ("mask_invert", work.invert),
            ("mask_grow", lambda: work.grow(tools.growth)),
            ("mask_shrink", lambda: work.shrink(tools.growth)),
            ("mask_holes", work.fill_holes),
            ("mask_clear", lambda: mask.clear(self.tr("Clear mask"))),
            ("mask_alpha", work.from_alpha),
            ("mask_load", self.load),
            ("mask_save", self.save),
        ):
            self._actions[name].triggered.connect(lambda _checked=False, slot=slot: slot())
        self._actions["mask_faint"].toggled.connect(self._on_faint_toggled)
        tools.tool_changed.connect(self._on_tool_changed)
        mask.state_changed.connect(self._refresh)
        work.working_changed.connect(self._refresh)
        self._on_tool_changed(tools.tool)
        self._refresh()

    def load(self) -> None:
        """Ask for a picture and take the mask from it."""
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        title, kinds = self.tr("Load mask"), self.tr("Pictures (%1)").replace("%1", patterns)
        name, _kind = QFileDialog.getOpenFileName(self._window, title, self._window.settings.get("last_folder"), kinds)
        if name:
            self._window.settings.set("last_folder", str(Path(name).parent))
            self._document.open_mask(Path(name))

    def save(self) -> None:
        """Ask where to, and write the mask."""
        init_image = self._document.init_image
        folder = Path(self._window.settings.get("last_folder") or Path.home())
        proposed = folder / mask_name(init_image.name if init_image else "")
        path = ask_where(self._window, self.tr("Save mask"), proposed, self.tr("PNG picture (*.png)"))
        if path is not None:
            self._document.mask_work.save(path)

    def _take_up(self, tool: Tool) -> None:
        self._tools.tool = tool

    def _on_faint_toggled(self, is_faint: bool) -> None:
        self._tools.is_faint = is_faint

    def _on_tool_changed(self, tool: Tool) -> None:
        self._actions[TOOLS[tool]].setChecked(True)

    def _refresh(self) -> None:
        mask = self._document.mask
        has_picture, is_resting = mask.size is not None, not self._document.mask_work.is_working
        for name in (*TOOLS.values(), *NEEDS_PICTURE):
            self._actions[name].setEnabled(has_picture)
        for name in NEEDS_REST:
            self._actions[name].setEnabled(has_picture and is_resting)
        for name in NEEDS_MASK:
            self._actions[name].setEnabled(not mask.is_empty and is_resting)
        self._actions["mask_save"].setEnabled(not mask.is_empty)
