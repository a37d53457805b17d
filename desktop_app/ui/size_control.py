"""SizeControl: the working size, taken from the init image or given as width x height."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSpinBox, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.params import MULTIPLE, PARAM_SPECS
from desktop_app.ui.field import describe
from desktop_app.ui.icons import Icons
from desktop_app.ui.texts import number_locale

AUTOMATIC = 0
CUSTOM = 1


class SizeControl(QWidget):
    """Shows a size; reports the user's as (width, height), or None for automatic."""

    edited = Signal(object)

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self._automatic_size = (512, 512)
        self.combo = QComboBox()
        self.combo.setObjectName("sizeCombo")
        self.combo.addItems([self.tr("From the picture"), self.tr("Custom")])
        self.combo.activated.connect(self._on_combo_activated)
        self.width_spin = self._side("width", "widthSpin")
        self.height_spin = self._side("height", "heightSpin")
        swap = QToolButton()
        swap.setIcon(icons.get("swap"))
        swap.setAutoRaise(True)
        swap.setToolTip(self.tr("Swap width and height"))
        swap.setAccessibleName(swap.toolTip())
        swap.clicked.connect(self._on_swap_clicked)
        self._sides = QWidget()
        row = QHBoxLayout(self._sides)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.width_spin, QLabel("×"), self.height_spin, swap):
            row.addWidget(widget)
        row.setStretch(0, 1)
        row.setStretch(2, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.combo)
        layout.addWidget(self._sides)

    def show_value(self, size: tuple[int, int] | None, automatic: tuple[int, int] | None) -> None:
        """Show ``size``, or that it is ``automatic``."""
        if automatic is not None:
            self._automatic_size = automatic
        text = self.tr("From the picture")
        if size is None and automatic is not None:
            text = (
                self.tr("From the picture: %1 × %2").replace("%1", str(automatic[0])).replace("%2", str(automatic[1]))
            )
        self.combo.setItemText(AUTOMATIC, text)
        self.combo.setCurrentIndex(AUTOMATIC if size is None else CUSTOM)
        self._sides.setVisible(size is not None)
        for spin, side in zip((self.width_spin, self.height_spin), size or (), strict=False):
            if spin.value() != side:
                spin.blockSignals(True)
                spin.setValue(side)
                spin.blockSignals(False)

    def set_multiple(self, multiple: int) -> None:
        """Let the arrows go by ``multiple`` pixels, which a checkpoint's sides have to be a multiple of."""
        step = math.lcm(MULTIPLE, multiple)
        tips = (
            self.tr("Working width in pixels, a multiple of %1."),
            self.tr("Working height in pixels, a multiple of %1."),
        )
        for spin, tip in zip((self.width_spin, self.height_spin), tips, strict=True):
            spin.setSingleStep(step)
            spin.setToolTip(tip.replace("%1", str(step)))
            spin.setAccessibleDescription(spin.toolTip())

    def _side(self, param: str, name: str) -> QSpinBox:
        spec = PARAM_SPECS[param]
        spin = QSpinBox()
        spin.setObjectName(name)
        spin.setLocale(number_locale())
        spin.setRange(int(spec.minimum or 0), int(spec.maximum or 0))
        spin.setSingleStep(MULTIPLE)
        spin.setAlignment(Qt.AlignmentFlag.AlignRight)
        describe(spin, param)
        spin.valueChanged.connect(self._on_side_changed)
        return spin

    def _on_combo_activated(self, index: int) -> None:
        self.edited.emit(self._automatic_size if index == CUSTOM else None)

    def _on_side_changed(self, _value: int) -> None:
        self.edited.emit((self.width_spin.value(), self.height_spin.value()))

    def _on_swap_clicked(self) -> None:
        self.edited.emit((self.height_spin.value(), self.width_spin.value()))
