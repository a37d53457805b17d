"""How the window looks: Fusion, two palettes, one accent colour, and the few rules a palette cannot say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QPalette
from PySide6.QtWidgets import QApplication, QStyleFactory

GRID = 8
"""Spacing is a multiple of this many pixels (or a half of it)."""


@dataclass(frozen=True)
class Scheme:
    """Colours of one theme. Text on its ground has a contrast of 4.5 or more, which a test computes."""

    window: str
    base: str
    raised: str
    text: str
    dim: str
    border: str
    accent: str
    on_accent: str
    focus: str
    error: str
    error_ground: str


LIGHT = Scheme(
    window="#f2f4f3",
    base="#ffffff",
    raised="#fafbfa",
    text="#1a211f",
    dim="#55615d",
    border="#c3ccc8",
    accent="#0f766e",
    on_accent="#ffffff",
    focus="#0f766e",
    error="#b42318",
    error_ground="#fdecea",
)
DARK = Scheme(
    window="#1e2322",
    base="#161a19",
    raised="#2a302e",
    text="#e6ebe9",
    dim="#9fada8",
    border="#434c49",
    accent="#17796f",
    on_accent="#ffffff",
    focus="#3fc4b3",
    error="#ff9a8d",
    error_ground="#3d2220",
)


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


def make_style_sheet(scheme: Scheme, icons: Path) -> str:
    """The rules beside the palette: titles, the one primary button, error lines, the banner, frames, focus rings.

    ``icons`` is the folder of the chevrons: Fusion draws the frames of boxes too dark to be seen on a dark ground.
    """
    return f"""
    QToolTip {{ border: 1px solid {scheme.border}; padding: 4px; }}
    QLabel[role="caption"] {{ color: {scheme.dim}; }}
    QLabel[role="heading"] {{ font-weight: 600; }}
    QLabel[role="error"] {{ color: {scheme.error}; }}
    QLabel[role="empty"] {{ color: {scheme.dim}; }}
    {_field_rules(scheme, icons)}
    QProgressBar {{ border: 1px solid {scheme.border}; border-radius: 4px; background: {scheme.base}; }}
    QProgressBar::chunk {{ background: {scheme.focus}; border-radius: 3px; }}
    QPushButton#generateButton {{
        background: {scheme.accent}; color: {scheme.on_accent}; border: 2px solid {scheme.accent};
        border-radius: 5px; padding: 6px 16px; font-weight: 600;
    }}
    QPushButton#generateButton:hover {{ border-color: {scheme.focus}; }}
    QPushButton#generateButton:focus {{ border-color: {scheme.text}; }}
    QPushButton#generateButton:pressed {{ background: {scheme.focus}; }}
    QPushButton#generateButton:disabled {{
        background: {scheme.border}; border-color: {scheme.border}; color: {scheme.dim};
    }}
    QPushButton[role="chip"] {{
        border: 1px solid {scheme.border}; border-radius: 10px; padding: 2px 8px; color: {scheme.dim};
        background: {scheme.raised}; text-align: left;
    }}
    QPushButton[role="chip"]:hover, QPushButton[role="chip"]:focus {{
        border-color: {scheme.focus}; color: {scheme.text};
    }}
    QFrame#messageBanner {{ background: {scheme.error_ground}; border-bottom: 1px solid {scheme.error}; }}
    QDockWidget {{ font-weight: 600; }}
    QDockWidget::title {{ padding: 6px 8px; background: {scheme.window}; }}
    QDockWidget > QWidget {{ font-weight: normal; }}
    QMainWindow::separator {{ background: {scheme.border}; width: 1px; height: 1px; margin: 0 2px; }}
    QScrollArea#paramsScroll {{ border: none; }}
    QListView#galleryView, QListView#variationStrip, QListView#queueView {{
        border: 1px solid transparent; background: {scheme.window};
    }}
    QListView#galleryView:focus, QListView#variationStrip:focus, QListView#queueView:focus {{
        border: 1px solid {scheme.focus};
    }}
    QFrame#jobBar {{ border-top: 1px solid {scheme.border}; }}
    """


def _field_rules(scheme: Scheme, icons: Path) -> str:
    """What one types into and chooses from, with a ring where the focus is and a red one where the value is refused."""
    return f"""
    QPlainTextEdit, QLineEdit {{
        border: 1px solid {scheme.border}; border-radius: 4px; padding: 3px 4px; background: {scheme.base};
        selection-background-color: {scheme.accent}; selection-color: {scheme.on_accent};
    }}
    QLineEdit {{ min-height: 18px; }}
    QPlainTextEdit:focus, QLineEdit:focus {{ border: 1px solid {scheme.focus}; }}
    QPlainTextEdit[invalid="true"], QLineEdit[invalid="true"] {{ border: 1px solid {scheme.error}; }}
    QAbstractSpinBox {{
        border: 1px solid {scheme.border}; border-radius: 4px; background: {scheme.base}; min-height: 22px;
    }}
    QAbstractSpinBox:focus {{ border-color: {scheme.focus}; }}
    QAbstractSpinBox[invalid="true"] {{ border-color: {scheme.error}; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
        subcontrol-origin: border; width: 18px; border: none; background: transparent;
    }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; }}
    QAbstractSpinBox::down-button {{ subcontrol-position: bottom right; }}
    QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {scheme.raised}; }}
    QAbstractSpinBox::up-arrow {{ image: url("{icons.as_posix()}/chevron-up.svg"); width: 10px; height: 10px; }}
    QAbstractSpinBox::down-arrow {{ image: url("{icons.as_posix()}/chevron-down.svg"); width: 10px; height: 10px; }}
    QComboBox {{
        border: 1px solid {scheme.border}; border-radius: 4px; background: {scheme.raised}; min-height: 22px;
        padding: 0 8px;
    }}
    QComboBox:focus, QComboBox:on {{ border-color: {scheme.focus}; }}
    QComboBox[invalid="true"] {{ border-color: {scheme.error}; }}
    QComboBox::drop-down {{ border: none; width: 22px; }}
    QComboBox::down-arrow {{ image: url("{icons.as_posix()}/chevron-down.svg"); width: 10px; height: 10px; }}
    QComboBox QAbstractItemView {{ border: 1px solid {scheme.border}; background: {scheme.base}; outline: 0; }}
    QAbstractSpinBox > QLineEdit {{ border: none; padding: 0 0 0 4px; min-height: 0; background: transparent; }}
    """


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
