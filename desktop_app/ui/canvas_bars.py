"""The small bars that float on the canvas: what is shown, and how large."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from desktop_app.ui.compare_view import ViewMode
from desktop_app.ui.field import set_role

STYLE = """
    QFrame { background: palette(window); border: 1px solid palette(mid); border-radius: 8px; }
    QLabel { background: transparent; border: none; }
    QToolButton {
        background: transparent; border: 1px solid transparent; border-radius: 5px; padding: 3px 10px;
        color: palette(window-text);
    }
    QToolButton:hover { background: palette(midlight); }
    QToolButton:checked { background: palette(midlight); }
    QToolButton[role="tool"] { padding: 3px; }
    QToolButton::menu-indicator { image: none; }
    QFrame#maskToolBar QToolButton:checked, QFrame#modeBar QToolButton:checked {
        background: palette(highlight); color: palette(highlighted-text);
    }
    QToolButton:focus { border-color: palette(link); }
    QFrame#maskToolBar QToolButton:checked:focus, QFrame#modeBar QToolButton:checked:focus {
        border-color: palette(window-text);
    }
"""

HEIGHT = 36
"""Of every bar, so that those beside each other are one line."""


class Bar(QFrame):
    """A rounded frame with a row of flat buttons."""

    def __init__(self, name: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self.setStyleSheet(STYLE)
        self.setFixedHeight(HEIGHT)
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(3, 3, 3, 3)
        self.row.setSpacing(2)

    def add_button(self, name: str, text: str, tip: str) -> QToolButton:
        """A button at the end of the row. It leaves the keyboard where it is when clicked."""
        button = QToolButton()
        button.setObjectName(name)
        button.setText(text)
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setAccessibleDescription(tip)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.row.addWidget(button)
        return button


class ModeBar(Bar):
    """Init | Result | Split | Side, one of them pressed."""

    mode_chosen = Signal(ViewMode)

    def __init__(self, parent: QWidget) -> None:
        super().__init__("modeBar", parent)
        self.setAccessibleName(self.tr("What the canvas shows"))
        self._group = QButtonGroup(self)
        self.buttons: dict[ViewMode, QToolButton] = {}
        for mode, text, tip in (
            (ViewMode.INIT, self.tr("Init"), self.tr("Show the init image")),
            (ViewMode.RESULT, self.tr("Result"), self.tr("Show the result")),
            (ViewMode.SPLIT, self.tr("Split"), self.tr("Init image and result under one sliding edge")),
            (ViewMode.SIDE, self.tr("Side"), self.tr("Init image and result beside each other")),
        ):
            button = self.add_button(f"{mode.value}ModeButton", text, tip)
            button.setCheckable(True)
            button.clicked.connect(lambda _checked=False, chosen=mode: self.mode_chosen.emit(chosen))
            self._group.addButton(button)
            self.buttons[mode] = button

    def show_mode(self, mode: ViewMode) -> None:
        """Press the button of ``mode``."""
        self.buttons[mode].setChecked(True)


class ZoomBar(Bar):
    """Size of the picture, zoom, and the buttons Fit and 100 %."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__("zoomBar", parent)
        self.setAccessibleName(self.tr("Zoom"))
        self.setLayoutDirection(Qt.LayoutDirection.LeftToRight)  # numbers are read so in every language
        self.size_text = QLabel()
        self.size_text.setToolTip(self.tr("Size of the picture in pixels"))
        set_role(self.size_text, "caption")
        self.percent = QLabel()
        self.percent.setToolTip(self.tr("Zoom: screen pixels for one picture pixel"))
        self.percent.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.percent.setMinimumWidth(self.fontMetrics().horizontalAdvance("3200 %") + 8)
        self.row.addSpacing(8)
        self.row.addWidget(self.size_text)
        self.row.addSpacing(4)
        self.row.addWidget(self.percent)
        self.fit = self.add_button("zoomFitButton", self.tr("Fit"), self.tr("Show the whole picture"))
        self.fit.setCheckable(True)
        self.actual = self.add_button(
            "zoomActualButton", self.tr("100 %"), self.tr("One picture pixel on one screen pixel")
        )
        self.actual.setText(f"\u200e{self.actual.text()}\u200e")  # or the sign comes first where words go to the left
        self.actual.setCheckable(True)

    def show_view(self, size: QSize, zoom: float, *, is_fit: bool) -> None:
        """Say how large the picture is and how large it is shown."""
        self.size_text.setText(f"{size.width()} × {size.height()}")
        self.percent.setText(f"{zoom * 100:.0f} %")
        self.fit.setChecked(is_fit)
        self.actual.setChecked(zoom == 1.0)
