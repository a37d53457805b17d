"""The two bars of the mask on the canvas: the tools, and what the tool that is taken up can be told."""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QSignalBlocker, QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QSlider, QSpinBox, QToolButton, QWidget

from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.ui.canvas_bars import Bar
from desktop_app.ui.field import set_role
from desktop_app.ui.mask_actions import MASK_ACTIONS
from desktop_app.ui.mask_tools import MAX_BRUSH, MIN_BRUSH, MaskTools, Tool
from desktop_app.ui.params_panel import SPIN_MARGIN
from desktop_app.ui.texts import number_locale

ICON = 18
SLIDER_STEPS = 200
TEXT_ROOM = (8, 0, 4, 0)
"""Around words in a bar: left, top, right, bottom."""

MAX_TOLERANCE = 128
TOOLS: dict[Tool, str] = {tool: f"tool_{tool.value}" for tool in Tool}
"""The action that takes up each tool."""

MENU = tuple(spec for spec in MASK_ACTIONS if spec.id.startswith("mask_") and spec.id not in ("mask_1", "mask_2"))


def coverage_text(share: float) -> str:
    """A ``share`` of the picture in percent; a little is not nothing."""
    percent = share * 100
    return f"{percent:.0f} %" if percent >= 1 else "< 1 %"


class MaskToolBar(Bar):
    """One button for each tool, one of them pressed."""

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget) -> None:
        super().__init__("maskToolBar", parent)
        self.setAccessibleName(self.tr("Mask tools"))
        for name in TOOLS.values():
            add_action_button(self, actions[name])


class MaskOptionsBar(Bar):
    """What the tool can be told, how much is marked, and a menu of what can be done with all of the mask."""

    resized = Signal()
    """It shows other things now."""

    def __init__(self, tools: MaskTools, layer: MaskLayer, actions: Mapping[str, QAction], parent: QWidget) -> None:
        super().__init__("maskOptionsBar", parent)
        self.setAccessibleName(self.tr("Mask"))
        self._tools = tools
        self._layer = layer
        self.brush = _Amount(self.tr("Size"), self.tr("Diameter in pixels of the init image"), "brush", " px")
        self.brush.spin.setRange(MIN_BRUSH, MAX_BRUSH)
        self.tolerance = _Amount(
            self.tr("Tolerance"), self.tr("How far a colour may be from the one that you click"), "tolerance", ""
        )
        self.tolerance.spin.setRange(0, MAX_TOLERANCE)
        self.hint = QLabel(self.tr("Drag an edge or a corner"))
        set_role(self.hint, "caption")
        self.status = QLabel()
        self.status.setObjectName("maskStatus")
        self.status.setToolTip(self.tr("A mask is active: only the marked part of the picture changes"))
        for label in (self.hint, self.status):
            label.setContentsMargins(*TEXT_ROOM)
        for part in (self.brush, self.tolerance, self.hint, self.status):
            self.row.addWidget(part)
        self.faint = add_action_button(self, actions["mask_faint"])
        self.menu = self._make_menu(actions)
        self.brush.changed.connect(self._on_brush_edited)
        self.tolerance.changed.connect(self._on_tolerance_edited)
        for signal in (tools.tool_changed, tools.brush_changed, tools.tolerance_changed, layer.state_changed):
            signal.connect(self.refresh)
        self.refresh()

    def _make_menu(self, actions: Mapping[str, QAction]) -> QToolButton:
        menu = QMenu(self)
        for spec in MENU:
            menu.addAction(actions[spec.id])
        button = self.add_button("maskMenuButton", self.tr("Mask"), self.tr("Invert, grow, load, save and clear"))
        button.setText(f"{self.tr('Mask')} ▾")
        button.setMenu(menu)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        return button

    def refresh(self) -> None:
        """Show what fits the tool, with the values of the moment."""
        tool, is_marked = self._tools.tool, not self._layer.is_empty
        self.brush.setVisible(tool in (Tool.BRUSH, Tool.ERASER))
        self.brush.show_value(self._tools.brush)
        self.tolerance.setVisible(tool is Tool.FILL)
        self.tolerance.show_value(self._tools.tolerance)
        self.hint.setVisible(tool is Tool.EXTEND)
        self.status.setVisible(is_marked)
        text = self.tr("%1 marked") if self.brush.isHidden() and self.tolerance.isHidden() else "%1"
        self.status.setText(text.replace("%1", coverage_text(self._layer.coverage)))
        self.faint.setVisible(is_marked)
        self.setVisible(self._layer.size is not None and (is_marked or tool is not Tool.MOVE))
        self.resized.emit()

    def fit_into(self, width: int) -> None:
        """Be no wider than ``width``: without sliders and hints where they have no room. Numbers can be typed."""
        self._set_short(False)
        if self.sizeHint().width() > width:
            self._set_short(True)
        self.adjustSize()

    def _set_short(self, is_short: bool) -> None:
        for amount in (self.brush, self.tolerance):
            amount.set_short(is_short)
        self.hint.setVisible(self._tools.tool is Tool.EXTEND and not is_short)

    def _on_brush_edited(self, brush: int) -> None:
        self._tools.brush = brush

    def _on_tolerance_edited(self, tolerance: int) -> None:
        self._tools.tolerance = tolerance


class _Amount(QWidget):
    """A slider and a number box for one value; small values have more of the slider."""

    changed = Signal(int)

    def __init__(self, text: str, tip: str, name: str, suffix: str) -> None:
        super().__init__()
        self.spin = QSpinBox()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, SLIDER_STEPS)
        self.slider.setFixedWidth(80)
        self.spin.setObjectName(f"{name}Spin")
        self.slider.setObjectName(f"{name}Slider")
        self.spin.setLocale(number_locale())
        self.spin.setSuffix(suffix)
        self.spin.setFixedWidth(self.fontMetrics().horizontalAdvance("2000 px") + 36)
        self.spin.lineEdit().setTextMargins(SPIN_MARGIN, 0, 0, 0)
        self._label = label = QLabel(text)
        label.setBuddy(self.spin)
        row = QHBoxLayout(self)
        row.setContentsMargins(*TEXT_ROOM)
        row.setSpacing(6)
        for part in (label, self.slider, self.spin):
            row.addWidget(part)
            part.setToolTip(tip)
        for control in (self.slider, self.spin):
            control.setAccessibleName(text)
            control.setAccessibleDescription(tip)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.spin.valueChanged.connect(self.changed)

    def set_short(self, is_short: bool) -> None:
        """Whether there is the number box only."""
        self.slider.setVisible(not is_short)
        self._label.setVisible(not is_short)
        self.updateGeometry()  # now, not with the next turn of the event loop

    def show_value(self, value: int) -> None:
        """Show ``value``, without telling of it."""
        with QSignalBlocker(self.spin), QSignalBlocker(self.slider):
            self.spin.setValue(value)
            if self._value_at(self.slider.value()) != value:
                self.slider.setValue(self._place_of(value))

    def _value_at(self, place: int) -> int:
        least, most = self.spin.minimum(), self.spin.maximum()
        return round(math.pow(most - least + 1, place / SLIDER_STEPS) - 1 + least)

    def _place_of(self, value: int) -> int:
        return next((place for place in range(SLIDER_STEPS + 1) if self._value_at(place) >= value), SLIDER_STEPS)

    def _on_slider_moved(self, place: int) -> None:
        self.changed.emit(self._value_at(place))


def add_action_button(bar: Bar, action: QAction) -> QToolButton:
    """A button at the end of ``bar`` that is ``action``, by its icon."""
    button = bar.add_button(f"{action.objectName().removeprefix('action_')}Button", "", "")
    button.setDefaultAction(action)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    button.setIconSize(QSize(ICON, ICON))
    button.setAccessibleName(action.text().replace("&", "").removesuffix("…"))
    button.setProperty("role", "tool")
    return button
