"""Settings: what the user decided once for the whole program, and the one table that says what there is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QObject, Signal

from desktop_app.core.engine import ATTENTIONS
from desktop_app.core.memory import MemoryPlan
from desktop_app.store.session import SessionStore
from desktop_app.studio.autosave import Autosave


@dataclass(frozen=True)
class Setting:
    """One row of `SETTINGS`. ``choices`` are all values it may have, or empty for any of its default's type."""

    key: str
    default: Any
    label: str
    tip: str = ""
    choices: tuple[Any, ...] = ()

    def accepts(self, value: object) -> bool:
        """Whether ``value`` may be stored under this key."""
        return type(value) is type(self.default) and (not self.choices or value in self.choices)


SETTINGS: dict[str, Setting] = {
    setting.key: setting
    for setting in (
        Setting("theme", "auto", "Theme", "Light, dark, or as the desktop is.", ("auto", "light", "dark")),
        Setting("snap_strength", True, "Strength snaps to whole steps", "A typed value is always kept as typed."),
        Setting("autostart", True, "Begin jobs at the start", "Off: the queue waits until you resume it."),
        Setting(
            "network", True, "Use the network", "Off: no connection is tried, for downloads and web pictures alike."
        ),
        Setting(
            "memory_plan",
            "auto",
            "Memory",
            "Where the weights are while a picture is made.",
            ("auto", *(plan.value for plan in MemoryPlan)),
        ),
        Setting("attention", "", "Attention", "How attention is computed.", tuple(ATTENTIONS)),
        Setting("shortcuts", {}, "Keyboard shortcuts", "The keys of commands that have others than they began with."),
        Setting("layout", "", "Window layout"),
        Setting("checkpoints_layout", "", "Layout of the Checkpoints window"),
        Setting("last_folder", "", "Folder of the last opened picture"),
    )
}


class Settings(QObject):
    """The settings' values. Lives in the GUI thread; written to the session's folder soon after each change."""

    changed = Signal(str)
    """The key of the setting that has another value now."""
    error_raised = Signal(object)

    def __init__(self, session: SessionStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._values = _read(session.load("settings") or {})
        self._autosave = Autosave(session, "settings", self._snapshot, self)
        self._autosave.failed.connect(self.error_raised)

    def get(self, key: str) -> Any:
        """The value of a key of `SETTINGS`."""
        return self._values.get(key, SETTINGS[key].default)

    def set(self, key: str, value: object) -> None:
        """Set a key of `SETTINGS`. Raises `ValueError` for a value that the key may not have."""
        if not SETTINGS[key].accepts(value):
            raise ValueError(f"{key} cannot be {value!r}")
        if value == self.get(key):
            return
        self._values[key] = value
        self._autosave.touch()
        self.changed.emit(key)

    def flush(self) -> None:
        """Write what has changed, now. Raises `StoreError`."""
        self._autosave.flush()

    def _snapshot(self) -> Callable[[], dict[str, Any]]:
        return dict(self._values).copy


def _read(data: dict[str, Any]) -> dict[str, Any]:
    """The values of ``data`` that a setting accepts. Keys of other versions are kept for them."""
    return {key: value for key, value in data.items() if key not in SETTINGS or SETTINGS[key].accepts(value)}
