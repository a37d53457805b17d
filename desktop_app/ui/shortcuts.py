"""Shortcuts: which keys each command has, those of the table of actions or the user's own."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QAction, QKeySequence

from desktop_app.studio.settings import Settings
from desktop_app.ui.action_spec import ActionSpec
from desktop_app.ui.actions import ACTIONS, show_keys

SETTING = "shortcuts"
COMMANDS: dict[str, ActionSpec] = {spec.id: spec for spec in ACTIONS if spec.text != "-"}


class Shortcuts(QObject):
    """Keeps the keys of ``actions`` equal to the setting. Lives in the GUI thread."""

    changed = Signal()

    def __init__(self, actions: dict[str, QAction], settings: Settings, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self._settings = settings
        settings.changed.connect(self._on_setting_changed)
        self._apply()

    def keys_of(self, command: str) -> tuple[str, ...]:
        """The keys of ``command``, as `QKeySequence` writes them anywhere in the world."""
        own = self._settings.get(SETTING).get(command)
        if isinstance(own, list) and all(isinstance(keys, str) for keys in own):
            return tuple(own)
        return COMMANDS[command].keys

    def taken_by(self, keys: str, command: str) -> ActionSpec | None:
        """Which command other than ``command`` has ``keys`` already."""
        wanted = QKeySequence(keys)
        for other, spec in COMMANDS.items():
            if other != command and wanted in map(QKeySequence, self.keys_of(other)):
                return spec
        return None

    def set_keys(self, command: str, keys: Sequence[str]) -> None:
        """Give ``command`` other keys, or none."""
        others = {name: own for name, own in self._settings.get(SETTING).items() if name != command}
        own = {} if tuple(keys) == COMMANDS[command].keys else {command: list(keys)}
        self._settings.set(SETTING, {**others, **own})

    def reset(self) -> None:
        """Give all commands the keys of the table again."""
        self._settings.set(SETTING, {})

    def _apply(self) -> None:
        for command, spec in COMMANDS.items():
            show_keys(self._actions[command], spec, self.keys_of(command))

    def _on_setting_changed(self, key: str) -> None:
        if key == SETTING:
            self._apply()
            self.changed.emit()
