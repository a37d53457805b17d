"""AnimationDialog: how a chain shall become an animation."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.variation import Variation
from desktop_app.studio.request_texts import chain_text
from desktop_app.ui.field import set_role
from desktop_app.ui.params_panel import SPIN_MARGIN
from desktop_app.ui.texts import number_locale
from desktop_app.ui.theme import GRID

FORMATS = (("GIF", ".gif"), ("WebP", ".webp"))
SIDES = (1024, 512)
"""Pixels of the longest side that are offered beside the final picture's own size."""

SECONDS = 1.0


@dataclass(frozen=True)
class AnimationChoice:
    """``format`` as Pillow calls it; ``longest_side`` 0 for the final picture's size."""

    format: str
    suffix: str
    seconds_each: float
    longest_side: int
    with_init: bool


class AnimationDialog(QDialog):
    """Asks for kind of file, pace, size and whether to begin with the init image."""

    def __init__(self, variation: Variation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("animationDialog")
        self.setWindowTitle(self.tr("Export chain as animation"))
        heading = QLabel(self.tr("One picture for each stage"))
        set_role(heading, "heading")
        stages = QLabel(chain_text(variation.request).replace(" · ", "\n"))
        stages.setWordWrap(True)
        stages.setVisible(bool(stages.text()))
        set_role(stages, "caption")
        self.format = QComboBox()
        for name, _suffix in FORMATS:
            self.format.addItem(name)
        self.seconds = QDoubleSpinBox()
        self.seconds.lineEdit().setTextMargins(SPIN_MARGIN, 0, 0, 0)
        self.seconds.setLocale(number_locale())
        self.seconds.setRange(0.1, 10.0)
        self.seconds.setSingleStep(0.1)
        self.seconds.setDecimals(1)
        self.seconds.setValue(SECONDS)
        self.seconds.setSuffix(self.tr(" s"))
        self.size_box = QComboBox()
        self.size_box.addItem(self.tr("As large as the final picture"), 0)
        for side in SIDES:
            if variation.chain or side < max(variation.size):  # of a stage it is not known how large the end is
                self.size_box.addItem(self.tr("Longest side %1 pixels").replace("%1", str(side)), side)
        self.with_init = QCheckBox(self.tr("Begin with the &init image"))
        self.with_init.setChecked(variation.request.init_image is not None)
        self.with_init.setEnabled(variation.request.init_image is not None)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        buttons.addButton(self.tr("Export…"), QDialogButtonBox.ButtonRole.AcceptRole)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        self._lay_out(heading, stages, buttons)

    def _lay_out(self, heading: QLabel, stages: QLabel, buttons: QDialogButtonBox) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(2 * GRID)
        form.setVerticalSpacing(GRID)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow(self.tr("&Kind of file"), self.format)
        form.addRow(self.tr("&Time for each"), self.seconds)
        form.addRow(self.tr("&Size"), self.size_box)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID + 4)
        layout.addWidget(heading)
        layout.addWidget(stages)
        layout.addLayout(form)
        layout.addWidget(self.with_init)
        layout.addWidget(buttons)
        self.setMinimumWidth(420)

    def choice(self) -> AnimationChoice:
        """What is chosen."""
        name, suffix = FORMATS[self.format.currentIndex()]
        return AnimationChoice(
            name.upper(), suffix, self.seconds.value(), int(self.size_box.currentData()), self.with_init.isChecked()
        )
