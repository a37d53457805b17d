"""FamilyPanel: what only some families of checkpoints take: a prior, a refiner, and finer conditions under "More"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QSpinBox, QVBoxLayout, QWidget

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.families import family_named
from desktop_app.core.family import MARKS, ORIGINAL_SIZE, PRIOR_PARAMS, REFINER_PARAMS, Family
from desktop_app.core.params import Params
from desktop_app.studio.document import Document
from desktop_app.ui.field import ORIGINAL_SIZE as ORIGINAL
from desktop_app.ui.field import Field, WheelGuard
from desktop_app.ui.fold import ArrowButton
from desktop_app.ui.params_panel import make_spin
from desktop_app.ui.ref_control import RefControl
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider

SECOND_PASS_STRENGTH = 0.3
"""What a second pass begins with: the strength that Stable Diffusion XL's refiner takes by itself."""


class RefinerControl(QWidget):
    """Which refiner, and whether it takes over within the schedule or passes over the finished picture."""

    strength_edited = Signal(float)
    """What `Params.refiner_strength` shall be: 0 where it takes over."""

    def __init__(self) -> None:
        super().__init__()
        self.refiner = RefControl("refinerCombo")
        self.mode = QComboBox()
        self.mode.setObjectName("refinerModeCombo")
        self.mode.setAccessibleName(self.tr("How the refiner works"))
        self.mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.mode.addItems([self.tr("Takes over the last steps"), self.tr("Second pass over the picture")])
        self.mode.activated.connect(self._on_mode_activated)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.refiner)
        layout.addWidget(self.mode)

    def show_value(self, params: Params, none: str, infos: Sequence[CheckpointInfo]) -> None:
        """Show the refiner in use and its way of working; offer ``infos``."""
        self.refiner.show_value(params.refiner, none, infos)
        self.mode.setVisible(bool(params.refiner))
        self.mode.setCurrentIndex(1 if params.refiner_strength > 0 else 0)

    def _on_mode_activated(self, index: int) -> None:
        self.strength_edited.emit(SECOND_PASS_STRENGTH if index else 0.0)


class OriginalSizeControl(QWidget):
    """The size that the picture shall seem to come from, or the working size."""

    edited = Signal(object)
    """(width, height) in pixels, or None."""

    def __init__(self) -> None:
        super().__init__()
        self._usual = (1024, 1024)
        self.combo = QComboBox()
        self.combo.setObjectName("originalSizeCombo")
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.combo.addItems([self.tr("The working size"), self.tr("Another")])
        self.combo.activated.connect(self._on_combo_activated)
        self.spins = (
            make_spin("original_width", "originalWidthSpin"),
            make_spin("original_height", "originalHeightSpin"),
        )
        self._sides = QWidget()
        row = QHBoxLayout(self._sides)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        for widget in (self.spins[0], QLabel("×"), self.spins[1]):
            row.addWidget(widget, 1 if isinstance(widget, QSpinBox) else 0)
        for spin in self.spins:
            spin.valueChanged.connect(self._on_side_changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.combo)
        layout.addWidget(self._sides)

    def show_value(self, size: tuple[int, int] | None, usual: tuple[int, int]) -> None:
        """Show ``size``; None is that of the picture being worked on, ``usual``."""
        self._usual = usual
        self.combo.setCurrentIndex(0 if size is None else 1)
        self._sides.setVisible(size is not None)
        for spin, side in zip(self.spins, size or usual, strict=True):
            with QSignalBlocker(spin):
                spin.setValue(side)

    def _on_combo_activated(self, index: int) -> None:
        self.edited.emit(self._usual if index else None)

    def _on_side_changed(self, _value: int) -> None:
        self.edited.emit((self.spins[0].value(), self.spins[1].value()))


class FamilyPanel(QWidget):
    """Renders those of the document's values that the family of its checkpoint has a place for; hidden without any."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self._infos: tuple[CheckpointInfo, ...] = ()
        self.prior = RefControl("priorCombo")
        self.prior_steps = make_spin("prior_steps", "priorStepsSpin")
        self.prior_guidance = ValueSlider("prior_guidance_scale", "priorGuidanceSlider", 1)
        self.refiner = RefinerControl()
        self.share = ValueSlider("refiner_share", "refinerShareSlider", 2)
        self.strength = ValueSlider("refiner_strength", "refinerStrengthSlider", 2)
        self.marks = {name: ValueSlider(name, f"{name}Slider", 1) for name in MARKS}
        self.original = OriginalSizeControl()
        self.fields = self._make_fields()
        self._more = ArrowButton("moreButton")
        self._more.setText(self.tr("More"))
        self._more.setToolTip(self.tr("Marks for beauty and the size that the picture shall seem to come from"))
        self._more.toggled.connect(self._refresh)
        self._lay_out()
        self._connect()
        self._refresh()

    def set_checkpoints(self, infos: Sequence[CheckpointInfo]) -> None:
        """Offer those of ``infos`` that can be a prior or a refiner here."""
        self._infos = tuple(infos)
        self._refresh()

    def field_of(self, param: str) -> Field | None:
        """The field of the control that sets ``param``, if one of this panel does."""
        if param in ORIGINAL_SIZE:
            return self.fields[ORIGINAL]
        return self.fields.get(param)

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` beside the control it names. The other controls are cleared."""
        wrong = self.field_of(error.param) if error else None
        for field in self.fields.values():
            field.show_error(error if field is wrong else None)
        if wrong is not None and wrong in self._more_fields():
            self._more.setChecked(True)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for slider in (self.prior_guidance, self.share, self.strength, *self.marks.values()):
            slider.commit()

    def _make_fields(self) -> dict[str, Field]:
        return {
            "prior": Field("prior", self.prior),
            "prior_steps": Field("prior_steps", self.prior_steps),
            "prior_guidance_scale": Field("prior_guidance_scale", self.prior_guidance, self.prior_guidance.bar),
            "refiner": Field("refiner", self.refiner, self.refiner.refiner),
            "refiner_share": Field("refiner_share", self.share, self.share.bar),
            "refiner_strength": Field("refiner_strength", self.strength, self.strength.bar),
            **{name: Field(name, slider, slider.bar) for name, slider in self.marks.items()},
            ORIGINAL: Field(ORIGINAL, self.original, self.original.combo),
        }

    def _more_fields(self) -> list[Field]:
        return [self.fields[name] for name in (*MARKS, ORIGINAL)]

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID + 2)
        for name in (*PRIOR_PARAMS, *REFINER_PARAMS):
            layout.addWidget(self.fields[name])
        layout.addWidget(self._more)
        for field in self._more_fields():
            layout.addWidget(field)
        self._guard = WheelGuard(self)
        self._guard.watch(self.prior, self.prior_steps, self.refiner.refiner, self.refiner.mode)
        self._guard.watch(self.original.combo, *self.original.spins)

    def _connect(self) -> None:
        self._document.params_changed.connect(self._refresh)
        self._document.init_image_changed.connect(self._refresh)
        self._document.checkpoint_changed.connect(self._refresh)
        self.prior.picked.connect(partial(self._document.set_param, "prior"))
        self.refiner.refiner.picked.connect(partial(self._document.set_param, "refiner"))
        self.refiner.strength_edited.connect(partial(self._document.set_param, "refiner_strength"))
        self.prior_steps.valueChanged.connect(partial(self._document.set_param, "prior_steps"))
        for name, slider in (("prior_guidance_scale", self.prior_guidance), *self.marks.items()):
            slider.valueChanged.connect(partial(self._on_tenths_changed, name))
        for name, slider in (("refiner_share", self.share), ("refiner_strength", self.strength)):
            slider.valueChanged.connect(partial(self._on_hundredths_changed, name))
        self.original.edited.connect(self._on_original_edited)

    def _on_tenths_changed(self, name: str, value: float) -> None:
        self._document.set_param(name, round(value, 1))

    def _on_hundredths_changed(self, name: str, value: float) -> None:
        """A second pass of no strength would be the other mode: that is chosen above, not by sliding to the end."""
        self._document.set_param(name, max(round(value, 2), 0.01))

    def _on_original_edited(self, size: tuple[int, int] | None) -> None:
        width, height = size or (None, None)
        self._document.set_params(self.tr("Original size"), original_width=width, original_height=height)

    def _refresh(self, _change: object = None) -> None:
        """Show what the family takes, with the document's values."""
        info, params = self._document.checkpoint_info, self._document.params
        family = family_named(info.family) if info else None
        self._show_values(params, info, family)
        for name, field in self.fields.items():
            param = "original_width" if name == ORIGINAL else name
            field.setVisible(family is not None and family.takes(param))
        self.fields["refiner_strength" if params.refiner_strength == 0 else "refiner_share"].hide()
        if not params.refiner:
            self.fields["refiner_share"].hide()
            self.fields["refiner_strength"].hide()
            self._hide_marks(family)
        more = [field for field in self._more_fields() if not field.isHidden()]
        self._more.setVisible(bool(more))
        for field in more:
            field.setVisible(self._more.isChecked())
        self.setVisible(bool(more) or any(not field.isHidden() for field in self.fields.values()))

    def _hide_marks(self, family: Family | None) -> None:
        """Without a refiner they are only for a checkpoint that was trained with them itself."""
        for name in MARKS:
            if family is None or name not in family.keywords:
                self.fields[name].hide()

    def _show_values(self, params: Params, info: CheckpointInfo | None, family: Family | None) -> None:
        own = info.prior if info and info.prior else self.tr("the one that the checkpoint names")
        priors = [each for each in self._infos if family and each.family == family.prior]
        self.prior.show_value(params.prior, own, priors)
        refiners = [each for each in self._infos if family and each.family in family.refiners]
        others = [each for each in refiners if each.ref != params.checkpoint]
        self.refiner.show_value(params, self.tr("None"), others)
        with QSignalBlocker(self.prior_steps):
            self.prior_steps.setValue(params.prior_steps)
        second = {"refiner_share": self.share, "refiner_strength": self.strength}
        values = {"prior_guidance_scale": self.prior_guidance, **second, **self.marks}
        for name, slider in values.items():
            if abs(slider.value() - getattr(params, name)) > 1e-9:
                with QSignalBlocker(slider):
                    slider.setValue(getattr(params, name))
        size = (params.original_width, params.original_height)
        whole = (size[0], size[1]) if size[0] and size[1] else None
        self.original.show_value(whole, self._document.plan().working_size or (1024, 1024))
