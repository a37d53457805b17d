"""SettingCommands: the actions that show a setting and change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow

SWITCHES = ("snap_strength", "autostart")
"""Settings that are on or off; each has an action of its name."""

THEMES = {"theme_auto": "auto", "theme_light": "light", "theme_dark": "dark"}


class SettingCommands(QObject):
    """Theme and switches."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._settings = window.settings
        self._theme = window.theme
        self._actions = window.actions_by_id
        for name in THEMES:
            self._actions[name].triggered.connect(self._on_theme_triggered)
        for name in SWITCHES:
            self._actions[name].triggered.connect(self._on_switch_triggered)
        window.settings.changed.connect(self._on_setting_changed)
        for key in ("theme", *SWITCHES):
            self._on_setting_changed(key)

    def _on_theme_triggered(self) -> None:
        self._settings.set("theme", next(theme for name, theme in THEMES.items() if self._actions[name].isChecked()))

    def _on_switch_triggered(self) -> None:
        for name in SWITCHES:
            self._settings.set(name, self._actions[name].isChecked())

    def _on_setting_changed(self, key: str) -> None:
        if key in SWITCHES:
            self._actions[key].setChecked(self._settings.get(key))
        elif key == "theme":
            chosen = self._settings.get("theme")
            self._theme.choose(chosen)
            for name, theme in THEMES.items():
                self._actions[name].setChecked(theme == chosen)
