"""ViewCommands: the commands that change only how the window looks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QDockWidget, QWidget

from desktop_app.ui.canvas import ViewMode
from desktop_app.ui.prompt_edit import PromptEdit

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow

MODES = {
    "mode_init": ViewMode.INIT,
    "mode_result": ViewMode.RESULT,
    "mode_split": ViewMode.SPLIT,
    "mode_side": ViewMode.SIDE,
}


WEIGHT_STEP = 0.1
"""By how much one press of a key changes the weight of words."""


class ViewCommands(QObject):
    """View modes, zoom, full screen, panels."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._actions = window.actions_by_id
        self._hidden: list[QDockWidget] = []
        for name, slot in (
            ("zoom_in", window.canvas.zoom_in),
            ("zoom_out", window.canvas.zoom_out),
            ("zoom_fit", window.canvas.zoom_fit),
            ("zoom_actual", window.canvas.zoom_actual),
            ("full_screen", self._toggle_full_screen),
            ("hide_panels", self._toggle_panels),
            ("next_pane", self._focus_next_pane),
            ("reset_layout", window.reset_layout),
            ("focus_prompt", self._focus_prompt),
            ("search", self._focus_search),
            ("weight_up", partial(self._change_weight, WEIGHT_STEP)),
            ("weight_down", partial(self._change_weight, -WEIGHT_STEP)),
        ):
            self._actions[name].triggered.connect(slot)
        for name in MODES:
            self._actions[name].triggered.connect(self._on_mode_triggered)
        window.canvas.mode_changed.connect(self._on_mode_changed)
        self._on_mode_changed(window.canvas.mode)

    def _on_mode_triggered(self) -> None:
        self._window.canvas.mode = next(mode for name, mode in MODES.items() if self._actions[name].isChecked())

    def _on_mode_changed(self, mode: ViewMode) -> None:
        for name, shown in MODES.items():
            self._actions[name].setChecked(shown is mode)

    def _toggle_full_screen(self) -> None:
        self._window.setWindowState(self._window.windowState() ^ Qt.WindowState.WindowFullScreen)

    def _toggle_panels(self) -> None:
        """Hide what is shown, or show again what was hidden so."""
        if self._actions["hide_panels"].isChecked():
            self._hidden = [dock for dock in self._window.docks() if not dock.isHidden()]
        for dock in self._hidden:
            dock.setVisible(not self._actions["hide_panels"].isChecked())

    def _focus_prompt(self) -> None:
        self._window.params_dock.show()
        self._window.prompt_panel.prompt.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _change_weight(self, change: float) -> None:
        """Of the words in the prompt that has the keyboard, if one has."""
        edit = self._window.focusWidget()
        if isinstance(edit, PromptEdit):
            edit.change_weight(change)

    def _focus_search(self) -> None:
        self._window.gallery_dock.show()
        self._window.gallery_panel.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._window.gallery_panel.search.selectAll()

    def _focus_next_pane(self) -> None:
        """Prompt, canvas, strip, gallery, lineage, queue, and round again."""
        window = self._window
        panes: list[QWidget] = [
            window.prompt_panel.prompt,
            window.canvas,
            window.strip.view,
            window.gallery_panel.view,
            window.lineage_panel.view,
            window.queue_panel.view,
        ]
        shown = [pane for pane in panes if pane.isVisible()]
        focus = window.focusWidget()
        now = next((number for number, pane in enumerate(shown) if focus and _holds(pane, focus)), -1)
        if shown:
            shown[(now + 1) % len(shown)].setFocus(Qt.FocusReason.ShortcutFocusReason)


def _holds(pane: QWidget, widget: QWidget) -> bool:
    return pane is widget or pane.isAncestorOf(widget)
