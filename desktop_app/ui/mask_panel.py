"""MaskPanel: how the mask is used: its soft edge, and whether only the marked part is painted."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from PySide6.QtCore import QSignalBlocker, QSize
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QSpinBox, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.errors import RequestError
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import PARAM_SPECS, Params
from desktop_app.studio.document import Document
from desktop_app.studio.plan import RunPlan
from desktop_app.ui.field import Field, WheelGuard, describe, set_role
from desktop_app.ui.mask_bars import coverage_text
from desktop_app.ui.mask_tools import MaskTools
from desktop_app.ui.params_panel import SPIN_MARGIN, make_spin
from desktop_app.ui.texts import number_locale, param_text
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider

MAX_GROWTH = 500
ICON = 18


class MaskPanel(QWidget):
    """Renders the document's values of the mask; hidden without one."""

    def __init__(self, document: Document, tools: MaskTools, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setObjectName("maskPanel")
        self._document = document
        self._tools = tools
        self._kinds: tuple[StageKind, ...] = ()
        self.feather = ValueSlider("mask_feather", "maskFeatherSlider", 0)
        self.only = QCheckBox(param_text(PARAM_SPECS["masked_only"].label))
        self.only.setObjectName("maskedOnlyCheck")
        describe(self.only, "masked_only")
        self.padding = make_spin("mask_padding", "maskPaddingSpin")
        self.padding.setSingleStep(8)
        self.growth = self._make_growth()
        self.status = QLabel()
        self.status.setObjectName("maskPanelStatus")
        self.status.setWordWrap(True)
        set_role(self.status, "caption")
        self.fields = {
            "mask_feather": Field("mask_feather", self.feather, self.feather.bar),
            "mask_padding": Field("mask_padding", self.padding),
        }
        self._lay_out(actions)
        self._connect()
        self._refresh()

    def field_of(self, param: str) -> Field | None:
        """The field of the control that sets ``param``, if one of this panel does."""
        return self.fields.get(param)

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` beside the control it names. The other controls are cleared."""
        for name, field in self.fields.items():
            field.show_error(error if error and error.param == name else None)

    def refresh(self, plan: RunPlan) -> None:
        """Say what ``plan`` makes of the mask, and show its error here if it is one of these values."""
        self._kinds = plan.kinds or self._kinds
        self._show_status()
        self.show_error(plan.error)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        self.feather.commit()

    def _make_growth(self) -> QSpinBox:
        spin = QSpinBox()
        spin.setObjectName("maskGrowthSpin")
        spin.setLocale(number_locale())
        spin.setRange(1, MAX_GROWTH)
        spin.setSuffix(self.tr(" px"))
        spin.lineEdit().setTextMargins(SPIN_MARGIN, 0, 0, 0)
        tip = self.tr("By how many pixels of the init image the mask grows or shrinks")
        spin.setAccessibleName(self.tr("Grow or shrink by"))
        spin.setAccessibleDescription(tip)
        spin.setToolTip(tip)
        return spin

    def _lay_out(self, actions: Mapping[str, QAction]) -> None:
        heading = QLabel(self.tr("Mask"))
        set_role(heading, "heading")
        label = QLabel(self.tr("Grow or shrink by"))
        label.setBuddy(self.growth)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.growth, 1)
        for name in ("mask_grow", "mask_shrink", "mask_invert", "mask_clear"):
            row.addWidget(_button(actions[name]))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        for part in (heading, self.status):
            layout.addWidget(part)
        layout.addSpacing(GRID // 2)
        layout.addWidget(self.fields["mask_feather"])
        layout.addWidget(self.only)
        layout.addWidget(self.fields["mask_padding"])
        layout.addSpacing(GRID // 2)
        layout.addWidget(label)
        layout.addLayout(row)
        self._guard = WheelGuard(self)
        self._guard.watch(self.padding, self.growth)

    def _connect(self) -> None:
        self._document.params_changed.connect(self._refresh)
        self._document.mask.state_changed.connect(self._refresh)
        self.feather.valueChanged.connect(self._on_feather_changed)
        self.only.toggled.connect(partial(self._document.set_param, "masked_only"))
        self.padding.valueChanged.connect(partial(self._document.set_param, "mask_padding"))
        self.growth.valueChanged.connect(self._on_growth_changed)

    def _on_feather_changed(self, feather: float) -> None:
        self._document.set_param("mask_feather", round(feather))

    def _on_growth_changed(self, pixels: int) -> None:
        self._tools.growth = pixels

    def _refresh(self, _params: Params | None = None) -> None:
        params, mask = self._document.params, self._document.mask
        self.setVisible(not mask.is_empty)
        self._show_status()
        with QSignalBlocker(self.feather), QSignalBlocker(self.only), QSignalBlocker(self.padding):
            if round(self.feather.value()) != params.mask_feather:
                self.feather.setValue(params.mask_feather)
            self.only.setChecked(params.masked_only)
            self.padding.setValue(params.mask_padding)
        self.fields["mask_padding"].setVisible(params.masked_only)
        with QSignalBlocker(self.growth):
            self.growth.setValue(self._tools.growth)

    def _show_status(self) -> None:
        if self._kinds and StageKind.INPAINT not in self._kinds:
            text = self.tr("The mask is not used: no stage paints inside it.")
        elif any(kind is not StageKind.INPAINT for kind in self._kinds):
            text = self.tr("%1 of the picture is marked. Some stages of the chain change the rest too.")
        else:
            text = self.tr("Only the marked part changes: %1 of the picture.")
        self.status.setText(text.replace("%1", coverage_text(self._document.mask.coverage)))


def _button(action: QAction) -> QToolButton:
    button = QToolButton()
    button.setDefaultAction(action)
    button.setIconSize(QSize(ICON, ICON))
    button.setAccessibleName(action.text().replace("&", ""))
    return button
