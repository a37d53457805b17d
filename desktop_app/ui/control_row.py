"""ControlRow: one control image, with all that can be said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.control_modes import ANNOTATORS
from desktop_app.studio.control_choice import annotators, control_nets, family_of, missing_refs
from desktop_app.studio.control_deriver import DeriveState, DeriveView
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.control_combo import ChoiceCombo
from desktop_app.ui.control_specs import CONTROL_SPECS, LEAST_SHARE
from desktop_app.ui.control_texts import download_text, mode_label, state_text, summary_text
from desktop_app.ui.control_thumb import ControlThumb
from desktop_app.ui.elided_label import ElidedLabel
from desktop_app.ui.field import WheelGuard, set_role
from desktop_app.ui.icons import Icons
from desktop_app.ui.picture_sources import accept_picture, take_drop
from desktop_app.ui.texts import param_text
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider

ICON = 16
_SLIDERS = {"weight": 2, "start": 2, "end": 2, "low": 0, "high": 0}
"""The values with a slider, and how many decimals each has."""

_OPEN, _PASTE = "open", "paste"


@dataclass(frozen=True)
class RowFacts:
    """What a row shows beside its control. ``base`` is the checkpoint that paints, ``infos`` all that are here;
    ``size_of`` tells the bytes that a REF takes to download, 0 where nobody knows. Where it is not ``is_used``, since
    the checkpoint takes no control images, it can be switched off or removed and nothing else.
    """

    base: CheckpointInfo | None
    infos: tuple[CheckpointInfo, ...]
    view: DeriveView
    size_of: Callable[[str], int]
    has_job: bool = False
    is_opening: bool = False
    is_used: bool = True


class ControlRow(QFrame):
    """Renders one `Control`; what the user changes is told, not kept."""

    edited = Signal(object, str)
    """The `Control` as it shall be, and what the step of undo is called; empty for a slider that moves."""
    removed = Signal()
    open_requested = Signal()
    paste_requested = Signal()
    dropped = Signal(object)
    """The mime data of a picture."""
    derive_requested = Signal()
    large_requested = Signal()
    download_requested = Signal(tuple)
    """REFs."""
    folded = Signal(bool)

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("controlRow")
        self.setAcceptDrops(True)
        self._control = Control(ControlMode.CANNY)
        self._missing: tuple[str, ...] = ()
        self._make_head(icons)
        self._make_picture_part()
        self._make_values_part()
        self._lay_out()
        self._connect()
        self.set_open(True)

    @property
    def control(self) -> Control:
        """What is shown."""
        return self._control

    @property
    def is_open(self) -> bool:
        """Whether more than the head is shown."""
        return self._fold.isChecked()

    def set_open(self, is_open: bool) -> None:
        """Show all, or the head only."""
        self._fold.setChecked(is_open)
        self._on_fold_toggled(is_open)

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for slider in self.sliders.values():
            slider.commit()

    # Parts ----------------------------------------------------------------------------------------

    def _make_head(self, icons: Icons) -> None:
        self._fold = QToolButton()
        self._fold.setCheckable(True)
        self._fold.setObjectName("controlFoldButton")
        self._fold.setToolTip(self.tr("Show or hide the details"))
        set_role(self._fold, "disclosure")
        self.on = QCheckBox()
        self.on.setObjectName("controlOnCheck")
        self.on.setToolTip(self.tr("Whether the control image counts"))
        self.mode = QComboBox()
        self.mode.setObjectName("controlModeCombo")
        self.mode.setAccessibleName(self.tr("Kind of control image"))
        self.mode.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for mode, annotator in ANNOTATORS.items():
            self.mode.addItem(param_text(annotator.label), mode)
            tip = plain_tip(param_text(annotator.tip))
            self.mode.setItemData(self.mode.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.remove = QToolButton()
        self.remove.setObjectName("controlRemoveButton")
        self.remove.setIcon(icons.get("close"))
        self.remove.setToolTip(self.tr("Remove this control image"))
        self._summary = ElidedLabel()
        set_role(self._summary, "caption")

    def _make_picture_part(self) -> None:
        self.thumb = ControlThumb()
        self.source = QComboBox()
        self.source.setObjectName("controlSourceCombo")
        self.source.setAccessibleName(self.tr("Made from"))
        self.source.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.ready = QCheckBox(self.tr("Use it as it is"))
        self.ready.setObjectName("controlReadyCheck")
        self.ready.setToolTip(self.tr("The picture is a control image already and is used as it is"))
        self._state = QLabel()
        self._state.setObjectName("controlState")
        self._state.setTextFormat(Qt.TextFormat.PlainText)
        self._state.setWordWrap(True)
        set_role(self._state, "caption")
        self.make = QPushButton(self.tr("Make it now"))
        self.make.setObjectName("controlMakeButton")

    def _make_values_part(self) -> None:
        self.net = ChoiceCombo("controlNetCombo", self.tr("Choose a ControlNet"))
        self.net.setAccessibleName(self.tr("ControlNet"))
        self.annotator = ChoiceCombo("controlAnnotatorCombo", self.tr("Choose an annotator"))
        self.annotator.setAccessibleName(self.tr("Made by"))
        self.download = QPushButton()
        self.download.setObjectName("controlDownloadButton")
        self.download.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.sliders = {
            name: ValueSlider(name, f"control{name.title()}Slider", decimals, CONTROL_SPECS[name])
            for name, decimals in _SLIDERS.items()
        }
        self._labels = {name: _label(param_text(CONTROL_SPECS[name].label)) for name in _SLIDERS}
        self._labels |= {"net": _label(self.tr("ControlNet")), "annotator": _label(self.tr("Made by"))}
        for name, control in (("net", self.net), ("annotator", self.annotator)):
            self._labels[name].setBuddy(control)
        for name, slider in self.sliders.items():
            self._labels[name].setBuddy(slider.bar)
            self._labels[name].setToolTip(slider.toolTip())

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID // 2)
        head.addWidget(self._fold)
        head.addWidget(self.on)
        head.addWidget(self.mode, 1)
        head.addWidget(self.remove)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(GRID)
        body.addLayout(self._picture_layout())
        body.addLayout(self._values_layout())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID - 2, GRID, GRID)
        layout.setSpacing(GRID - 2)
        layout.addLayout(head)
        layout.addWidget(self._summary)
        layout.addWidget(self._body)
        self._order_tabs()

    def _order_tabs(self) -> None:
        """As it is read, from top to bottom."""
        order: list[QWidget] = [self._fold, self.on, self.mode, self.remove, self.thumb, self.source, self.ready]
        order += [self.make, self.annotator, *self._slider_parts("low", "high"), self.net, self.download]
        order += self._slider_parts("weight", "start", "end")
        for before, after in pairwise(order):
            self.setTabOrder(before, after)

    def _slider_parts(self, *names: str) -> list[QWidget]:
        return [part for name in names for part in (self.sliders[name].bar, self.sliders[name].box)]

    def _picture_layout(self) -> QHBoxLayout:
        aside = QVBoxLayout()
        aside.setSpacing(GRID // 2)
        for widget in (self.source, self.ready, self._state, self.make):
            aside.addWidget(widget)
        aside.addStretch()
        row = QHBoxLayout()
        row.setSpacing(GRID)
        row.addWidget(self.thumb, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(aside, 1)
        return row

    def _values_layout(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID // 2)
        grid.setColumnStretch(1, 1)
        rows: list[tuple[str, QWidget]] = [("annotator", self.annotator)]
        rows += [(name, self.sliders[name]) for name in ("low", "high")]
        rows += [("net", self.net), ("", self.download)]
        rows += [(name, self.sliders[name]) for name in ("weight", "start", "end")]
        for number, (name, widget) in enumerate(rows):
            if name:
                grid.addWidget(self._labels[name], number, 0)
            grid.addWidget(widget, number, 1)
        return grid

    def _connect(self) -> None:
        self._fold.toggled.connect(self._on_fold_toggled)
        self._fold.clicked.connect(self.folded)
        self.on.clicked.connect(self._on_on_clicked)
        self.mode.activated.connect(self._on_mode_activated)
        self.remove.clicked.connect(self.removed)
        self.source.activated.connect(self._on_source_activated)
        self.ready.clicked.connect(self._on_ready_clicked)
        self.make.clicked.connect(self.derive_requested)
        self.thumb.clicked.connect(self.large_requested)
        self.net.picked.connect(self._on_net_picked)
        self.annotator.picked.connect(self._on_annotator_picked)
        self.download.clicked.connect(self._on_download_clicked)
        for name, slider in self.sliders.items():
            slider.valueChanged.connect(lambda value, name=name: self._on_slider_moved(name, value))
        self._guard = WheelGuard(self)
        self._guard.watch(self.mode, self.source, self.net, self.annotator)

    # What is shown --------------------------------------------------------------------------------

    def show_control(self, control: Control, facts: RowFacts) -> None:
        """Render ``control`` as ``facts`` have it."""
        self._control = control
        family = family_of(facts.base)
        has_net = family is None or not family.reads_controls
        self.on.setChecked(control.is_on)
        self.mode.setCurrentIndex(self.mode.findData(control.mode))
        self.mode.setToolTip(plain_tip(param_text(ANNOTATORS[control.mode].tip)))
        self.ready.setChecked(not control.derive)
        self._name_parts(mode_label(control))
        self._show_source(control, is_opening=facts.is_opening)
        nets = control_nets(control, facts.base, facts.infos)
        none = self.tr("No ControlNet fits this checkpoint: they are made for Stable Diffusion 1, 2 and XL.")
        self.net.show_value(control.checkpoint, nets, none if facts.base else "")
        self.annotator.show_value(control.annotator, annotators(control, facts.infos))
        for name, slider in self.sliders.items():
            if abs(slider.value() - getattr(control, name)) > 1e-9:
                with QSignalBlocker(slider):
                    slider.setValue(getattr(control, name))
        self._show_parts(control, has_net=has_net)
        self._show_missing(control, facts)
        used = next((each.label for each in nets if each.ref == control.checkpoint), "") if control.checkpoint else ""
        text = summary_text(control, used, has_net=has_net, is_missing=bool(self._missing))
        self._summary.show_text(text)
        self._show_view(control, facts)
        self._show_fold()
        for part in (self.mode, self._body):
            part.setEnabled(facts.is_used)

    def _name_parts(self, kind: str) -> None:
        """For a screen reader: there may be several rows."""
        for part, text in (
            (self._fold, self.tr("Details of %1")),
            (self.on, self.tr("%1 is on")),
            (self.remove, self.tr("Remove %1")),
        ):
            part.setAccessibleName(text.replace("%1", kind))

    def _show_source(self, control: Control, *, is_opening: bool) -> None:
        entries = [(self.tr("The init image"), "init")]
        if control.image is not None:
            entries.append((control.image.name or self.tr("Its own picture"), "own"))
        entries += [(self.tr("Open a picture…"), _OPEN), (self.tr("Paste a picture"), _PASTE)]
        if [text for text, _ in entries] != [self.source.itemText(row) for row in range(self.source.count())]:
            self.source.clear()
            for text, value in entries:
                self.source.addItem(text, value)
        self.source.setCurrentIndex(0 if control.image is None else 1)
        tip = self.tr("What the control image is made from; pictures can be dropped here too")
        self.source.setToolTip(tip)
        self.source.setEnabled(not is_opening)

    def _show_parts(self, control: Control, *, has_net: bool) -> None:
        is_canny = control.derive and control.mode is ControlMode.CANNY and not control.annotator
        shown = {
            "annotator": control.derive,
            "low": is_canny,
            "high": is_canny,
            "net": has_net,
            "weight": has_net,
            "start": has_net,
            "end": has_net,
        }
        parts: dict[str, QWidget] = {"annotator": self.annotator, "net": self.net, **self.sliders}
        for name, is_shown in shown.items():
            self._labels[name].setVisible(is_shown)
            parts[name].setVisible(is_shown)

    def _show_missing(self, control: Control, facts: RowFacts) -> None:
        self._missing = missing_refs(control, facts.base, facts.infos)
        self.download.setText(download_text([(ref, facts.size_of(ref)) for ref in self._missing]))
        self.download.setToolTip(plain_tip(", ".join(self._missing)))
        self.download.setVisible(bool(self._missing))

    def _show_view(self, control: Control, facts: RowFacts) -> None:
        view = facts.view
        progress = view.progress
        share = progress.step / progress.total if progress and progress.total else 0.0
        is_working = view.state is DeriveState.DERIVING
        self.thumb.show_image(view.picture.qimage if view.picture else None, share if is_working else None)
        self.thumb.setAccessibleDescription(mode_label(control))
        opening = self.tr("The picture is being opened…")
        self._state.setText(opening if facts.is_opening else state_text(control, view, has_job=facts.has_job))
        role = "error" if view.state is DeriveState.FAILED and not facts.is_opening else "caption"
        if self._state.property("role") != role:
            set_role(self._state, role)
            self._state.style().polish(self._state)
        self.make.setVisible(view.state in (DeriveState.WAITING, DeriveState.FAILED))
        again = view.state is DeriveState.FAILED
        self.make.setText(self.tr("Try again") if again else self.tr("Make it now"))

    def _show_fold(self) -> None:
        closed = Qt.ArrowType.LeftArrow if self.isRightToLeft() else Qt.ArrowType.RightArrow
        self._fold.setArrowType(Qt.ArrowType.DownArrow if self.is_open else closed)
        self._body.setVisible(self.is_open)
        self._summary.setVisible(not self.is_open and bool(self._summary.words))

    # What the user does ---------------------------------------------------------------------------

    def _edit(self, text: str, **changes: Any) -> None:
        changed = replace(self._control, **changes)
        if changed != self._control:
            self.edited.emit(changed, text)

    def _on_fold_toggled(self, _is_open: bool) -> None:
        self._show_fold()

    def _on_on_clicked(self, is_on: bool) -> None:
        self._edit(self.tr("Control image on") if is_on else self.tr("Control image off"), is_on=is_on)

    def _on_mode_activated(self, index: int) -> None:
        self._edit(self.tr("Kind of control image"), mode=self.mode.itemData(index))

    def _on_ready_clicked(self, is_ready: bool) -> None:
        self._edit(self.tr("Is a control image already"), derive=not is_ready)

    def _on_source_activated(self, index: int) -> None:
        value = self.source.itemData(index)
        self.source.setCurrentIndex(0 if self._control.image is None else 1)
        if value == _OPEN:
            self.open_requested.emit()
        elif value == _PASTE:
            self.paste_requested.emit()
        elif value == "init":
            self._edit(self.tr("Picture of a control image"), image=None)

    def _on_net_picked(self, ref: str) -> None:
        self._edit(self.tr("ControlNet"), checkpoint=ref)

    def _on_annotator_picked(self, ref: str) -> None:
        self._edit(self.tr("Annotator"), annotator=ref)

    def _on_download_clicked(self) -> None:
        self.download_requested.emit(self._missing)

    def _on_slider_moved(self, name: str, value: float) -> None:
        """The other end gives way where they would meet."""
        control = self._control
        if name == "start":
            start = round(value, 2)
            self._edit("", start=start, end=max(control.end, round(start + LEAST_SHARE, 2)))
        elif name == "end":
            end = round(value, 2)
            self._edit("", end=end, start=min(control.start, round(end - LEAST_SHARE, 2)))
        elif name == "low":
            self._edit("", low=round(value), high=max(control.high, round(value)))
        elif name == "high":
            self._edit("", high=round(value), low=min(control.low, round(value)))
        else:
            self._edit("", **{name: round(value, 2)})

    # Events ---------------------------------------------------------------------------------------

    def changeEvent(self, event: QEvent) -> None:
        """Another reading direction, another arrow."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self._show_fold()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A picture may be dropped on its control image."""
        accept_picture(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """It becomes the picture that the control image is made from."""
        self.dropped.emit(take_drop(event))


def _label(text: str) -> QLabel:
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label
