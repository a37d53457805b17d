"""StrengthControl: the strength slider, its step boundaries, and how many steps that makes."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QSlider, QVBoxLayout, QWidget

from desktop_app.core.family import Family
from desktop_app.core.params import PARAM_SPECS
from desktop_app.core.request import StageKind
from desktop_app.core.steps import effective_steps, snap_strength
from desktop_app.ui.field import set_role
from desktop_app.ui.value_slider import ValueSlider

MAX_TICKS = 50
"""With more steps the boundaries lie closer than the eye can use."""


class StrengthControl(QWidget):
    """Shows a strength and a number of steps; reports what the user makes of the strength."""

    edited = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.slider = ValueSlider("strength", "strengthSlider", 2)
        self.slider.valueChanged.connect(self._on_slider_value_changed)
        self._is_snapping = False
        self._steps = 1
        self._family: Family | None = None
        self._label = QLabel()
        self._label.setObjectName("stepsLabel")
        set_role(self._label, "caption")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.slider)
        layout.addWidget(self._label)

    @property
    def is_snapping(self) -> bool:
        """Whether mouse, wheel and keys go from one whole step to the next."""
        return self._is_snapping

    @is_snapping.setter
    def is_snapping(self, is_snapping: bool) -> None:
        self._is_snapping = is_snapping
        self._set_key_step()

    @property
    def sentence(self) -> str:
        """What is said under the slider."""
        return self._label.text()

    def show_value(self, strength: float, steps: int, family: Family | None, *, has_init_image: bool) -> None:
        """Show ``strength`` on a schedule of ``steps``, of which a checkpoint of ``family`` runs as many as that says;
        one of a family that is not known yet runs as Stable Diffusion does.
        """
        self._set_steps(steps)
        self._family = family
        if abs(self.slider.value() - strength) > 1e-9:
            self.slider.blockSignals(True)
            self.slider.setValue(strength)
            self.slider.blockSignals(False)
        run = self._count(strength) if has_init_image else steps
        text = self.tr("%1 of %2 steps run") if has_init_image else self.tr("%1 of %2 steps run: no init image")
        if family is not None and not family.takes("strength"):
            text = self.tr("All %2 steps run")
        self._label.setText(text.replace("%1", str(run)).replace("%2", str(steps)))

    def _count(self, strength: float) -> int:
        """Steps that run on an init image at ``strength``."""
        if self._family is None:
            return effective_steps(self._steps, strength)
        return self._family.effective_steps(StageKind.IMAGE_TO_IMAGE, self._steps, strength)

    def _snap(self, strength: float) -> float:
        return (
            self._family.snap_strength(self._steps, strength) if self._family else snap_strength(self._steps, strength)
        )

    def _set_steps(self, steps: int) -> None:
        if steps == self._steps:
            return
        self._steps = steps
        self._set_key_step()
        if steps <= MAX_TICKS:
            self.slider.setTickInterval(1 / steps)
            self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        else:
            self.slider.setTickPosition(QSlider.TickPosition.NoTicks)

    def _set_key_step(self) -> None:
        """One press of an arrow is one step more or less where the slider snaps, else one hundredth."""
        step = PARAM_SPECS["strength"].step or 0.01
        self.slider.setSingleStep(max(1 / self._steps, step) if self._is_snapping else step)

    def _on_slider_value_changed(self, value: float) -> None:
        is_dragged = self.slider.isSliderDown()
        self.edited.emit(self._snap(value) if self.is_snapping and is_dragged else value)
