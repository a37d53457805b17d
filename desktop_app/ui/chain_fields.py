"""CardFields: the values of a card, each with the control that fits it."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.chain import MAX_NOISE_LEVEL, Card
from desktop_app.core.family import Family
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.studio.chain_cards import CardKind, Surroundings, fields_of, kind_of
from desktop_app.ui.chain_prompt import CardPrompt
from desktop_app.ui.chain_texts import KIND_TIPS, kind_text, tr
from desktop_app.ui.field import Field, WheelGuard, describe
from desktop_app.ui.params_panel import SPIN_MARGIN, make_spin
from desktop_app.ui.ref_control import RefControl
from desktop_app.ui.strength_control import StrengthControl
from desktop_app.ui.texts import number_locale
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider


class CardFields(QWidget):
    """Renders a card; says by signals what the user makes of it."""

    edited = Signal(str, object)
    """A field of `Card`, and its value."""
    kind_picked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.kind = self._combo("cardKindCombo")
        for kind in CardKind:
            self.kind.addItem(kind_text(kind), kind.value)
            self.kind.setItemData(self.kind.count() - 1, tr(KIND_TIPS[kind]), Qt.ItemDataRole.ToolTipRole)
        self.checkpoint = RefControl("cardCheckpointCombo")
        self.choose_file = QPushButton(self.tr("Choose a file…"))
        self.choose_file.setObjectName("cardFileButton")
        self.prompt = CardPrompt("prompt", "cardPromptEdit", 2)
        self.negative = CardPrompt("negative_prompt", "cardNegativePromptEdit", 1)
        self.strength = StrengthControl()
        self.strength.slider.setObjectName("cardStrengthSlider")
        self.share = ValueSlider("refiner_share", "cardShareSlider", 2)
        self.guidance = ValueSlider("guidance_scale", "cardGuidanceSlider", 1)
        self.steps = make_spin("steps", "cardStepsSpin")
        self.scheduler = self._combo("cardSchedulerCombo")
        self.noise = QSpinBox()
        self.noise.setObjectName("cardNoiseSpin")
        self.noise.setLocale(number_locale())
        self.noise.setRange(0, MAX_NOISE_LEVEL)
        self.noise.lineEdit().setTextMargins(SPIN_MARGIN, 0, 0, 0)
        describe(self.noise, "noise_level")
        self.fields = self._make_fields()
        self._lay_out()
        self._connect()

    def show_value(self, card: Card, index: int, around: Surroundings) -> None:
        """Show ``card``, number ``index`` of the chain."""
        kind, family = kind_of(card), around.family_of(card)
        taken = fields_of(card, family)
        for name, field in self.fields.items():
            field.setVisible(name in taken or name == "kind")
        self.kind.setCurrentIndex(self.kind.findData(kind.value))
        self.kind.setToolTip(tr(KIND_TIPS[kind]))
        none = self.tr("None yet") if kind.needs_checkpoint else self.tr("As the first stage")
        self.checkpoint.show_value(card.checkpoint, none, around.fitting(kind, index))
        self.choose_file.setVisible(kind is CardKind.PIXEL_UPSCALE)
        params, takes_weights = around.params, family is None or family.takes_weights
        self.prompt.show_value(card.prompt, params.prompt, takes_weights=takes_weights)
        self.negative.show_value(card.negative_prompt, params.negative_prompt, takes_weights=takes_weights)
        self.strength.show_value(card.strength, card.steps, family, has_init_image=True)
        _show(self.share, card.begin)
        _show(self.guidance, card.guidance_scale)
        for spin, value in ((self.steps, card.steps), (self.noise, card.noise_level)):
            with QSignalBlocker(spin):
                spin.setValue(value)
        self._show_schedulers(family, card.scheduler)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for slider in (self.strength.slider, self.share, self.guidance):
            slider.commit()

    def _make_fields(self) -> dict[str, Field]:
        return {
            "kind": Field("kind", self.kind),
            "checkpoint": Field("checkpoint", self.checkpoint),
            "prompt": self.prompt.field,
            "negative_prompt": self.negative.field,
            "strength": Field("strength", self.strength, self.strength.slider.bar),
            "begin": Field("refiner_share", self.share, self.share.bar),
            "guidance_scale": Field("guidance_scale", self.guidance, self.guidance.bar),
            "steps": Field("steps", self.steps),
            "scheduler": Field("scheduler", self.scheduler),
            "noise_level": Field("noise_level", self.noise),
        }

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID)
        layout.addWidget(self.fields["kind"])
        layout.addWidget(self.fields["checkpoint"])
        layout.addWidget(self.choose_file)
        for widget in (self.prompt, self.negative):
            layout.addWidget(widget)
        for name in ("strength", "begin", "guidance_scale"):
            layout.addWidget(self.fields[name])
        row = QHBoxLayout()
        row.setSpacing(GRID)
        for name, stretch in (("steps", 2), ("noise_level", 2), ("scheduler", 4)):
            row.addWidget(self.fields[name], stretch, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(row)
        self._guard = WheelGuard(self)
        self._guard.watch(self.kind, self.checkpoint, self.steps, self.scheduler, self.noise)

    def _connect(self) -> None:
        self.kind.activated.connect(self._on_kind_activated)
        self.scheduler.activated.connect(self._on_scheduler_activated)
        self.checkpoint.picked.connect(partial(self.edited.emit, "checkpoint"))
        self.choose_file.clicked.connect(self._on_choose_file)
        self.prompt.edited.connect(partial(self.edited.emit, "prompt"))
        self.negative.edited.connect(partial(self.edited.emit, "negative_prompt"))
        self.strength.edited.connect(partial(self.edited.emit, "strength"))
        self.share.valueChanged.connect(self._on_share_changed)
        self.guidance.valueChanged.connect(self._on_guidance_changed)
        self.steps.valueChanged.connect(partial(self.edited.emit, "steps"))
        self.noise.valueChanged.connect(partial(self.edited.emit, "noise_level"))

    def _combo(self, name: str) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(name)
        combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        return combo

    def _show_schedulers(self, family: Family | None, used: str) -> None:
        """Offer those that the family runs with, and ``used``, of which the plan says so if it is none of them."""
        fitting = (family.schedulers if family else ()) or tuple(SCHEDULERS)
        names = [name for name in SCHEDULERS if name in fitting or name == used]
        if names != [self.scheduler.itemData(index) for index in range(self.scheduler.count())]:
            self.scheduler.clear()
            for name in names:
                self.scheduler.addItem(SCHEDULERS[name].label, name)
        self.scheduler.setCurrentIndex(self.scheduler.findData(used))

    def _on_kind_activated(self, index: int) -> None:
        self.kind_picked.emit(CardKind(self.kind.itemData(index)))

    def _on_scheduler_activated(self, index: int) -> None:
        self.edited.emit("scheduler", self.scheduler.itemData(index))

    def _on_share_changed(self, value: float) -> None:
        self.edited.emit("begin", round(value, 2))

    def _on_guidance_changed(self, value: float) -> None:
        self.edited.emit("guidance_scale", round(value, 1))

    def _on_choose_file(self) -> None:
        kinds = self.tr("Upscalers (*.safetensors)")
        name, _kind = QFileDialog.getOpenFileName(self, self.tr("Choose a pixel upscaler"), "", kinds)
        if name:
            self.edited.emit("checkpoint", name)


def _show(slider: ValueSlider, value: float) -> None:
    if abs(slider.value() - value) > 1e-9:
        with QSignalBlocker(slider):
            slider.setValue(value)
