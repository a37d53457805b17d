"""How the window looks: Fusion, two palettes, one accent colour, and the few rules a palette cannot say."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

from desktop_app.ui.schemes import DARK, LIGHT, Scheme
from desktop_app.ui.style_sheet import make_style_sheet

__all__ = ["DARK", "GRID", "LIGHT", "Scheme", "Theme", "make_palette"]

GRID = 8
"""Spacing is a multiple of this many pixels (or a half of it)."""


def make_palette(scheme: Scheme) -> QPalette:
    """The palette of ``scheme``, the disabled colours included."""
    palette = QPalette(QColor(scheme.raised), QColor(scheme.window))
    roles = QPalette.ColorRole
    for role, color in (
        (roles.Window, scheme.window),
        (roles.WindowText, scheme.text),
        (roles.Base, scheme.base),
        (roles.AlternateBase, scheme.raised),
        (roles.Text, scheme.text),
        (roles.Button, scheme.raised),
        (roles.ButtonText, scheme.text),
        (roles.BrightText, scheme.error),
        (roles.ToolTipBase, scheme.base),
        (roles.ToolTipText, scheme.text),
        (roles.PlaceholderText, scheme.dim),
        (roles.Highlight, scheme.accent),
        (roles.HighlightedText, scheme.on_accent),
        (roles.Accent, scheme.focus),
        (roles.Link, scheme.focus),
        (roles.LinkVisited, scheme.focus),
        (roles.Mid, scheme.border),
        (roles.Midlight, scheme.border),
    ):
        palette.setColor(role, QColor(color))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        faded = QColor(scheme.text)
        faded.setAlphaF(0.4)
        palette.setColor(QPalette.ColorGroup.Disabled, role, faded)
    palette.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, QColor(scheme.border))
    return palette


class Theme(QObject):
    """Keeps the application's palette equal to the user's choice: light, dark, or as the desktop has it (auto)."""

    changed = Signal()

    def __init__(self, app: QApplication, icons: Path, choice: str = "auto") -> None:
        super().__init__(app)
        self._app = app
        self._icons = icons
        self._choice = choice
        app.setStyle(QStyleFactory.create("Fusion"))
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_desktop_scheme_changed)
        self._apply()

    @property
    def scheme(self) -> Scheme:
        """The colours in use."""
        if self._choice == "auto":
            is_dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
            return DARK if is_dark else LIGHT
        return DARK if self._choice == "dark" else LIGHT

    def choose(self, choice: str) -> None:
        """Take ``choice``: auto, light or dark."""
        if choice != self._choice:
            self._choice = choice
            self._apply()

    def _on_desktop_scheme_changed(self, _scheme: Qt.ColorScheme) -> None:
        if self._choice == "auto":
            self._apply()

    def _apply(self) -> None:
        self._app.setPalette(make_palette(self.scheme))
        self._app.setStyleSheet(make_style_sheet(self.scheme, self._icons))
        self.changed.emit()
