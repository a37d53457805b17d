"""SettingCommands: the actions that show a setting and change it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from desktop_app.core.memory import MemoryPlan

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow

SWITCHES = ("snap_strength", "autostart", "network")
"""Settings that are on or off; each has an action of its name."""

CHOICES = {
    "theme": {"theme_auto": "auto", "theme_light": "light", "theme_dark": "dark"},
    "memory_plan": {
        "memory_auto": "auto",
        "memory_resident": MemoryPlan.RESIDENT.value,
        "memory_model": MemoryPlan.MODEL_OFFLOAD.value,
        "memory_group": MemoryPlan.GROUP_OFFLOAD.value,
        "memory_sequential": MemoryPlan.SEQUENTIAL.value,
    },
    "attention": {
        "attention_auto": "",
        "attention_sdpa": "sdpa",
        "attention_xformers": "xformers",
        "attention_flash": "flash",
        "attention_sage": "sage",
    },
}
"""Settings with some values; each value has an action."""


class SettingCommands(QObject):
    """Switches and choices. Lives in the GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._settings = window.settings
        self._theme = window.theme
        self._actions = window.actions_by_id
        for key, values in CHOICES.items():
            for name, value in values.items():
                self._actions[name].triggered.connect(partial(self._settings.set, key, value))
        for name in SWITCHES:
            self._actions[name].triggered.connect(self._on_switch_triggered)
        window.settings.changed.connect(self._on_setting_changed)
        for key in (*CHOICES, *SWITCHES):
            self._on_setting_changed(key)

    def _on_switch_triggered(self) -> None:
        for name in SWITCHES:
            self._settings.set(name, self._actions[name].isChecked())

    def _on_setting_changed(self, key: str) -> None:
        if key in SWITCHES:
            self._actions[key].setChecked(self._settings.get(key))
        elif key in CHOICES:
            chosen = self._settings.get(key)
            for name, value in CHOICES[key].items():
                self._actions[name].setChecked(value == chosen)
        if key == "theme":
            self._theme.choose(self._settings.get("theme"))
