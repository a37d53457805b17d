"""The rules that a palette cannot say: frames that can be seen in both themes, focus rings, the one primary button."""

from __future__ import annotations

from pathlib import Path

from desktop_app.ui.schemes import Scheme


def make_style_sheet(scheme: Scheme, icons: Path) -> str:
    """The whole style sheet. ``icons`` is the folder of the arrows, which a style sheet can only take from files."""
    arrows = icons.as_posix()
    parts = (_texts(scheme), _boxes(scheme, arrows), _sliders(scheme), _buttons(scheme), _bars(scheme))
    return "".join((*parts, _panels(scheme, arrows)))


def _texts(scheme: Scheme) -> str:
    return f"""
    QToolTip {{ border: 1px solid {scheme.border}; padding: 4px; }}
    QLabel[role="caption"] {{ color: {scheme.dim}; }}
    QLabel[role="heading"] {{ font-weight: 600; }}
    QLabel[role="error"] {{ color: {scheme.error}; }}
    QLabel[role="empty"] {{ color: {scheme.dim}; }}
    """


def _boxes(scheme: Scheme, arrows: str) -> str:
    """Text boxes, number boxes and choices: all 26 high, 8 from the frame to the words."""
    return f"""
    QPlainTextEdit, QLineEdit {{
        border: 1px solid {scheme.border}; border-radius: 4px; padding: 2px 4px; background: {scheme.base};
        selection-background-color: {scheme.accent}; selection-color: {scheme.on_accent};
    }}
    QLineEdit {{ min-height: 20px; }}
    QPlainTextEdit:disabled, QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {{
        background: {scheme.window}; color: {scheme.dim};
    }}
    QPlainTextEdit:focus, QLineEdit:focus {{ border: 1px solid {scheme.focus}; }}
    QPlainTextEdit[invalid="true"], QLineEdit[invalid="true"] {{ border: 1px solid {scheme.error}; }}
    QLineEdit[role="value"] {{ border-color: transparent; background: transparent; padding: 0 2px; }}
    QLineEdit[role="value"]:hover {{ border-color: {scheme.border}; }}
    QLineEdit[role="value"]:focus {{ border-color: {scheme.focus}; background: {scheme.base}; }}
    QAbstractSpinBox {{
        border: 1px solid {scheme.border}; border-radius: 4px; background: {scheme.base}; min-height: 22px;
        selection-background-color: {scheme.accent}; selection-color: {scheme.on_accent};
    }}
    QAbstractSpinBox:focus {{ border-color: {scheme.focus}; }}
    QAbstractSpinBox[invalid="true"] {{ border-color: {scheme.error}; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{
        subcontrol-origin: border; width: 18px; border: none; background: transparent;
    }}
    QAbstractSpinBox::up-button {{ subcontrol-position: top right; margin: 1px 1px 0 0; border-top-right-radius: 3px; }}
    QAbstractSpinBox::down-button {{
        subcontrol-position: bottom right; margin: 0 1px 1px 0; border-bottom-right-radius: 3px;
    }}
    QAbstractSpinBox::up-button:hover, QAbstractSpinBox::down-button:hover {{ background: {scheme.border}; }}
    QAbstractSpinBox::up-arrow {{ image: url("{arrows}/chevron-up.svg"); width: 10px; height: 10px; }}
    QAbstractSpinBox::down-arrow {{ image: url("{arrows}/chevron-down.svg"); width: 10px; height: 10px; }}
    QAbstractSpinBox > QLineEdit {{ border: none; padding: 0; min-height: 0; background: transparent; }}
    QComboBox {{
        border: 1px solid {scheme.border}; border-radius: 4px; background: {scheme.raised}; min-height: 24px;
        padding: 0 8px;
    }}
    QComboBox:hover {{ border-color: {scheme.dim}; }}
    QComboBox:focus, QComboBox:on {{ border-color: {scheme.focus}; }}
    QComboBox[invalid="true"] {{ border-color: {scheme.error}; }}
    QComboBox::drop-down {{ border: none; width: 22px; }}
    QComboBox::down-arrow {{ image: url("{arrows}/chevron-down.svg"); width: 10px; height: 10px; }}
    QCheckBox {{ spacing: 6px; }}
    QCheckBox::indicator {{
        width: 14px; height: 14px; border: 1px solid {scheme.dim}; border-radius: 3px; background: {scheme.base};
    }}
    QCheckBox::indicator:checked {{
        border-color: {scheme.accent}; background: {scheme.accent}; image: url("{arrows}/check.svg");
    }}
    QCheckBox::indicator:hover {{ border-color: {scheme.focus}; }}
    QCheckBox::indicator:focus {{ width: 12px; height: 12px; border: 2px solid {scheme.focus}; }}
    QCheckBox::indicator:checked:focus {{ border-color: {scheme.text}; }}
    QCheckBox:focus {{ color: {scheme.focus}; }}
    QCheckBox::indicator:disabled {{ border-color: {scheme.border}; background: {scheme.window}; }}
    QCheckBox::indicator:checked:disabled {{ background: {scheme.scroll}; }}
    QComboBox QAbstractItemView {{ border: 1px solid {scheme.border}; background: {scheme.base}; outline: 0; }}
    """


def _sliders(scheme: Scheme) -> str:
    return f"""
    QSlider {{ min-height: 24px; max-height: 24px; }}
    QSlider::groove:horizontal {{ height: 4px; border-radius: 2px; background: {scheme.border}; }}
    QSlider::sub-page:horizontal {{ border-radius: 2px; background: {scheme.focus}; }}
    QSlider[mirrored="true"]::sub-page:horizontal {{ background: transparent; }}
    QSlider[mirrored="true"]::add-page:horizontal {{ border-radius: 2px; background: {scheme.focus}; }}
    QSlider::handle:horizontal {{
        width: 14px; height: 14px; margin: -6px 0; border-radius: 8px;
        border: 1px solid {scheme.dim}; background: {scheme.handle};
    }}
    QSlider::handle:horizontal:hover {{ border-color: {scheme.focus}; }}
    QSlider::handle:horizontal:focus {{ border: 2px solid {scheme.focus}; width: 12px; height: 12px; }}
    QSlider[invalid="true"]::handle:horizontal {{ border-color: {scheme.error}; }}
    QSlider[invalid="true"]::sub-page:horizontal {{ background: {scheme.error}; }}
    QSlider::sub-page:horizontal:disabled, QSlider[mirrored="true"]::add-page:horizontal:disabled {{
        background: {scheme.border};
    }}
    QSlider::handle:horizontal:disabled {{ border-color: {scheme.border}; background: {scheme.window}; }}
    """


def _buttons(scheme: Scheme) -> str:
    return f"""
    QPushButton {{
        border: 1px solid {scheme.border}; border-radius: 5px; background: {scheme.raised};
        min-height: 18px; padding: 3px 14px;
    }}
    QPushButton:hover {{ border-color: {scheme.dim}; }}
    QPushButton:default {{ border-color: {scheme.focus}; }}
    QPushButton:focus {{ border: 2px solid {scheme.focus}; padding: 2px 13px; }}
    QPushButton:pressed, QPushButton:checked {{ background: {scheme.border}; }}
    QPushButton:disabled {{ border-color: {scheme.border}; background: transparent; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QPushButton#generateButton {{
        background: {scheme.accent}; color: {scheme.on_accent}; border: 2px solid {scheme.accent};
        padding: 5px 16px; font-weight: 600;
    }}
    QPushButton#generateButton:hover {{ border-color: {scheme.focus}; }}
    QPushButton#generateButton:focus {{ border-color: {scheme.text}; }}
    QPushButton#generateButton:pressed {{ background: {scheme.focus}; }}
    QPushButton#generateButton:disabled {{
        background: {scheme.border}; border-color: {scheme.border}; color: {scheme.dim};
    }}
    QPushButton[role="chip"] {{
        border: 1px solid {scheme.border}; border-radius: 10px; padding: 0 8px; color: {scheme.dim};
        background: {scheme.raised}; text-align: left;
    }}
    QPushButton[role="chip"]:hover, QPushButton[role="chip"]:focus {{
        border: 1px solid {scheme.focus}; color: {scheme.text};
    }}
    QToolButton {{ border: 1px solid transparent; border-radius: 4px; padding: 3px; background: transparent; }}
    QToolButton:hover {{ background: {scheme.hover}; }}
    QToolButton:focus {{ border-color: {scheme.focus}; }}
    QToolButton:pressed, QToolButton:checked {{ background: {scheme.pressed}; }}
    QToolButton[role="disclosure"] {{ padding-left: 0; color: {scheme.dim}; }}
    QToolButton[role="disclosure"]:checked {{ background: transparent; }}
    QFrame#jobBar QToolButton {{
        border: 1px solid {scheme.border}; background: {scheme.raised}; padding: 2px 10px 2px 6px;
    }}
    QFrame#jobBar QToolButton:hover {{ border-color: {scheme.dim}; }}
    QFrame#jobBar QToolButton:focus {{ border-color: {scheme.focus}; }}
    QFrame#jobBar QToolButton:pressed, QFrame#jobBar QToolButton:checked {{ background: {scheme.pressed}; }}
    QFrame#jobBar QToolButton:disabled {{ background: transparent; }}
    QFrame#jobBar QToolButton[popupMode="1"] {{ padding-right: 26px; }}
    QFrame#jobBar QToolButton::menu-button {{ width: 18px; border: none; border-left: 1px solid {scheme.border}; }}
    """


def _bars(scheme: Scheme) -> str:
    """Progress and scroll bars."""
    return f"""
    QProgressBar {{ border: none; border-radius: 3px; background: {scheme.pressed}; }}
    QProgressBar::chunk {{ background: {scheme.focus}; border-radius: 3px; }}
    QScrollBar:vertical {{ width: 12px; background: transparent; margin: 0; }}
    QScrollBar:horizontal {{ height: 12px; background: transparent; margin: 0; }}
    QScrollBar::handle {{ background: {scheme.scroll}; border-radius: 3px; margin: 3px; }}
    QScrollBar::handle:vertical {{ min-height: 32px; }}
    QScrollBar::handle:horizontal {{ min-width: 32px; }}
    QScrollBar::handle:hover, QScrollBar::handle:pressed {{ background: {scheme.dim}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    """


def _panels(scheme: Scheme, arrows: str) -> str:
    return f"""
    QFrame#messageBanner {{ background: {scheme.error_ground}; border-bottom: 1px solid {scheme.error}; }}
    QDockWidget {{
        font-weight: 600; icon-size: 18px;
        titlebar-close-icon: url("{arrows}/dock-close.svg"); titlebar-normal-icon: url("{arrows}/dock-float.svg");
    }}
    QDockWidget::title {{ padding: 6px 8px; background: {scheme.window}; }}
    QDockWidget::close-button, QDockWidget::float-button {{ border: none; background: transparent; padding: 1px; }}
    QDockWidget::close-button:hover, QDockWidget::float-button:hover {{ background: {scheme.hover}; }}
    QDockWidget > QWidget {{ font-weight: normal; }}
    QMainWindow::separator {{ background: {scheme.border}; width: 1px; height: 1px; }}
    QMainWindow::separator:hover {{ background: {scheme.focus}; }}
    QScrollArea#paramsScroll {{ border: none; }}
    QListView#galleryView, QListView#variationStrip, QListView#queueView, QTreeView#lineageView {{
        border: 1px solid transparent; background: {scheme.window};
    }}
    QListView#galleryView:focus, QListView#variationStrip:focus, QListView#queueView:focus,
    QTreeView#lineageView:focus {{
        border: 1px solid {scheme.focus};
    }}
    QFrame#stageCard {{ border: 1px solid {scheme.border}; border-radius: 5px; background: {scheme.raised}; }}
    QFrame#stageCard[invalid="true"] {{ border-color: {scheme.error}; }}
    QToolButton#addStageButton::menu-indicator {{ image: none; }}
    QFrame#chainDropLine {{ border: none; border-radius: 1px; background: {scheme.focus}; }}
    QFrame#controlRow, QFrame#adapterRow {{
        border: 1px solid {scheme.border}; border-radius: 5px; background: {scheme.raised};
    }}
    QStatusBar {{ border-top: 1px solid {scheme.border}; }}
    QStatusBar::item {{ border: none; }}
    """
