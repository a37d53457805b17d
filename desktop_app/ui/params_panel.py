"""ParamsPanel: strength, guidance, steps, seed, scheduler, size. GeneratePanel: what will run, and the button."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.conditions import ColourMatch
from desktop_app.core.errors import RequestError
from desktop_app.core.families import family_named
from desktop_app.core.family import Family
from desktop_app.core.params import MULTIPLE, PARAM_SPECS, Fit, Params
from desktop_app.core.schedulers import SCHEDULERS
from desktop_app.studio.chain_facts import MOST_COUNTED
from desktop_app.studio.document import Document
from desktop_app.studio.plan import RunPlan
from desktop_app.studio.settings import Settings
from desktop_app.ui.field import SIZE, Field, WheelGuard, describe, set_role, show_unused
from desktop_app.ui.icons import Icons
from desktop_app.ui.seed_control import SeedControl
from desktop_app.ui.size_control import SizeControl
from desktop_app.ui.strength_control import StrengthControl
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, number_locale, param_text
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider

FITS = {
    Fit.CROP: QT_TRANSLATE_NOOP("Params", "Crop what hangs over"),
    Fit.PAD: QT_TRANSLATE_NOOP("Params", "Pad with the edge"),
    Fit.SCALE: QT_TRANSLATE_NOOP("Params", "Stretch"),
}


COLOUR_MATCHES = {
    ColourMatch.OFF: QT_TRANSLATE_NOOP("Params", "As painted"),
    ColourMatch.LUMINANCE: QT_TRANSLATE_NOOP("Params", "Light and dark of the init image"),
    ColourMatch.LAB: QT_TRANSLATE_NOOP("Params", "Colours of the init image"),
}

SPIN_MARGIN = 4
"""From the frame of a number box to its number: the style sheet's padding does not reach it."""


def make_spin(param: str, name: str) -> QSpinBox:
    """A box for a whole number of `Params`."""
    spec = PARAM_SPECS[param]
    spin = QSpinBox()
    spin.setObjectName(name)
    spin.setLocale(number_locale())
    spin.setRange(int(spec.minimum or 0), int(spec.maximum or 0))
    spin.lineEdit().setTextMargins(SPIN_MARGIN, 0, 0, 0)
    describe(spin, param)
    return spin


class ParamsPanel(QWidget):
    """Renders the document's numbers and choices; edits go straight back to the document."""

    def __init__(self, document: Document, settings: Settings, icons: Icons) -> None:
        super().__init__()
        self._document = document
        self._settings = settings
        self.strength = StrengthControl()
        self.guidance = ValueSlider("guidance_scale", "guidanceSlider", 1)
        self.steps = make_spin("steps", "stepsSpin")
        self.seed = SeedControl(icons)
        self.scheduler = self._combo("schedulerCombo", {})
        self.size_control = SizeControl(icons)
        self.fit = self._combo("fitCombo", {fit.value: param_text(text) for fit, text in FITS.items()})
        matches = {match.value: param_text(text) for match, text in COLOUR_MATCHES.items()}
        self.colour_match = self._combo("colourMatchCombo", matches)
        self.own_size = QCheckBox(param_text(PARAM_SPECS["own_size"].label))
        self.own_size.setObjectName("ownSizeCheck")
        describe(self.own_size, "own_size")
        self.fields = self._make_fields()
        self._lay_out()
        self._connect()
        self._on_setting_changed("snap_strength")
        self._on_params_changed(document.params)
        self._on_checkpoint_changed()

    def field_of(self, param: str) -> Field | None:
        """The field of the control that sets ``param``, if one of this panel does."""
        return self.fields.get(SIZE if param in ("width", "height") else param)

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` beside the control it names. The other controls are cleared."""
        wrong = self.field_of(error.param) if error else None
        for field in self.fields.values():
            field.show_error(error if field is wrong else None)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        self.strength.slider.commit()
        self.guidance.commit()

    def refresh(self, plan: RunPlan) -> None:
        """Show what ``plan`` found out: the automatic size, and the value that cannot be run."""
        params = self._document.params
        size = (params.width, params.height) if params.width and params.height else None
        self.size_control.show_value(size, plan.working_size)
        self.show_error(plan.error)

    def _make_fields(self) -> dict[str, Field]:
        return {
            "strength": Field("strength", self.strength, self.strength.slider.bar),
            "guidance_scale": Field("guidance_scale", self.guidance, self.guidance.bar),
            "steps": Field("steps", self.steps),
            "seed": Field("seed", self.seed, self.seed.edit),
            "scheduler": Field("scheduler", self.scheduler),
            SIZE: Field(SIZE, self.size_control, self.size_control.combo),
            "fit": Field("fit", self.fit),
            "colour_match": Field("colour_match", self.colour_match),
        }

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID + 2)
        layout.addWidget(self.fields["strength"])
        layout.addWidget(self.fields["guidance_scale"])
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.fields["steps"], 2, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.fields["seed"], 5, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(row)
        for name in ("scheduler", SIZE, "fit"):
            layout.addWidget(self.fields[name])
        layout.addWidget(self.own_size)
        layout.addWidget(self.fields["colour_match"])

    def _connect(self) -> None:
        self._document.params_changed.connect(self._on_params_changed)
        self._document.init_image_changed.connect(self._on_init_image_changed)
        self._document.checkpoint_changed.connect(self._on_checkpoint_changed)
        self._settings.changed.connect(self._on_setting_changed)
        self.strength.edited.connect(self._on_strength_edited)
        self.guidance.valueChanged.connect(self._on_guidance_changed)
        self.steps.valueChanged.connect(self._on_steps_changed)
        self.seed.edited.connect(self._on_seed_edited)
        self.scheduler.activated.connect(self._on_scheduler_activated)
        self.size_control.edited.connect(self._on_size_edited)
        self.fit.activated.connect(self._on_fit_activated)
        self.own_size.clicked.connect(self._on_own_size_clicked)
        self.colour_match.activated.connect(self._on_colour_match_activated)
        self._guard = WheelGuard(self)
        self._guard.watch(self.steps, self.scheduler, self.size_control.combo, self.fit, self.colour_match)
        self._guard.watch(self.size_control.width_spin, self.size_control.height_spin)

    def _combo(self, name: str, entries: dict[str, str]) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(name)
        combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for value, label in entries.items():
            combo.addItem(label, value)
        return combo

    def _on_params_changed(self, params: Params) -> None:
        has_init_image = self._document.init_image is not None
        info = self._document.checkpoint_info
        family = family_named(info.family) if info else None
        self.strength.show_value(params.strength, params.steps, family, has_init_image=has_init_image)
        if abs(self.guidance.value() - params.guidance_scale) > 1e-9:
            with QSignalBlocker(self.guidance):
                self.guidance.setValue(params.guidance_scale)
        with QSignalBlocker(self.steps):
            self.steps.setValue(params.steps)
        self.seed.show_value(params.seed)
        self._show_schedulers(family, params.scheduler)
        self.fit.setCurrentIndex(self.fit.findData(params.fit.value))
        self.own_size.setChecked(params.own_size)
        self.colour_match.setCurrentIndex(self.colour_match.findData(params.colour_match.value))

    def _show_schedulers(self, family: Family | None, used: str) -> None:
        """Offer those that the family runs with, and ``used``, of which the plan says so if it is none of them."""
        fitting = (family.schedulers if family else ()) or tuple(SCHEDULERS)
        names = [name for name in SCHEDULERS if name in fitting or name == used]
        if names != [self.scheduler.itemData(index) for index in range(self.scheduler.count())]:
            self.scheduler.clear()
            for name in names:
                self.scheduler.addItem(SCHEDULERS[name].label, name)
        self.scheduler.setCurrentIndex(self.scheduler.findData(used))

    def _on_init_image_changed(self) -> None:
        self._on_params_changed(self._document.params)

    def _on_checkpoint_changed(self) -> None:
        info = self._document.checkpoint_info
        show_unused(self.fields, info)
        self.size_control.set_multiple(info.multiple if info else MULTIPLE)
        self._on_params_changed(self._document.params)

    def _on_setting_changed(self, key: str) -> None:
        if key == "snap_strength":
            self.strength.is_snapping = self._settings.get("snap_strength")

    def _on_strength_edited(self, value: float) -> None:
        self._document.set_param("strength", value)

    def _on_guidance_changed(self, value: float) -> None:
        self._document.set_param("guidance_scale", round(value, 1))

    def _on_steps_changed(self, value: int) -> None:
        self._document.set_param("steps", value)

    def _on_seed_edited(self, seed: int | None) -> None:
        self._document.set_param("seed", seed)

    def _on_scheduler_activated(self, index: int) -> None:
        self._document.set_param("scheduler", self.scheduler.itemData(index))

    def _on_size_edited(self, size: tuple[int, int] | None) -> None:
        width, height = size or (None, None)
        self._document.set_params(self.tr("Size"), width=width, height=height)

    def _on_fit_activated(self, index: int) -> None:
        self._document.set_param("fit", Fit(self.fit.itemData(index)))

    def _on_colour_match_activated(self, index: int) -> None:
        self._document.set_param("colour_match", ColourMatch(self.colour_match.itemData(index)))

    def _on_own_size_clicked(self, is_on: bool) -> None:
        self._document.set_param("own_size", is_on)


class GeneratePanel(QWidget):
    """What will run, how many times, and the button that starts it."""

    generate_requested = Signal()

    def __init__(self, document: Document, generate: QAction) -> None:
        """``generate`` says in its tip which keys press the button."""
        super().__init__()
        self._document = document
        self._generate = generate
        self._sentence = QLabel()
        self._sentence.setObjectName("planLabel")
        self._sentence.setWordWrap(True)
        self._sentence.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self._sentence, "caption")
        self.button = QPushButton(self.tr("Generate"))
        self.button.setObjectName("generateButton")
        generate.changed.connect(self._on_generate_changed)
        self._on_generate_changed()
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.button.clicked.connect(self.generate_requested)
        self.count = make_spin("count", "countSpin")
        self.count.setPrefix("× ")
        self.count.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.MinimumExpanding)
        self.count.valueChanged.connect(self._on_count_changed)
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.button)
        row.addWidget(self.count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID + 4, GRID, GRID + 4, GRID + 4)
        layout.setSpacing(GRID)
        layout.addWidget(self._sentence)
        layout.addLayout(row)
        document.params_changed.connect(self._on_params_changed)
        self._on_params_changed(document.params)

    def refresh(self, plan: RunPlan) -> None:
        """Show ``plan``'s sentence, or why nothing can be run: the control at fault may be out of sight."""
        text = f"{plan.error.title}." if plan.error else plan.sentence
        role = "error" if plan.error else "caption"
        self._sentence.setText(text.replace("..", "."))
        self.button.setText("\n".join(filter(None, (self.tr("Generate"), self._reuse_text(plan)))))
        if self._sentence.property("role") != role:
            set_role(self._sentence, role)
            self._sentence.style().polish(self._sentence)

    def _reuse_text(self, plan: RunPlan) -> str:
        """Such as "re-uses 2 of 4 stages", or "8+ of 40" where not all pictures were looked at."""
        if not plan.reused:
            return ""
        count = self._document.params.count
        reused = f"{plan.reused}+" if count > MOST_COUNTED else str(plan.reused)
        return self.tr("re-uses %1 of %2 stages").replace("%1", reused).replace("%2", str(count * plan.stages))

    def _on_generate_changed(self) -> None:
        self.button.setToolTip(self._generate.toolTip())

    def _on_params_changed(self, params: Params) -> None:
        with QSignalBlocker(self.count):
            self.count.setValue(params.count)

    def _on_count_changed(self, value: int) -> None:
        self._document.set_param("count", value)
