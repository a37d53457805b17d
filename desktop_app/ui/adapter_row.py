"""AdapterRow: one adapter, with all that can be said of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import (
    QCheckBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.adapter import AdapterInfo, token_of
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.errors import StudioError
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.adapter_texts import facts_text, name_of, problem_text, tip_text, weight_spec
from desktop_app.ui.chip import Chip
from desktop_app.ui.control_thumb import ControlThumb
from desktop_app.ui.elided_label import ElidedLabel
from desktop_app.ui.field import set_role
from desktop_app.ui.flow_layout import FlowLayout
from desktop_app.ui.icons import Icons
from desktop_app.ui.picture_sources import accept_picture, take_drop
from desktop_app.ui.tab_order import put_in_turn
from desktop_app.ui.texts import param_text
from desktop_app.ui.theme import GRID
from desktop_app.ui.value_slider import ValueSlider

_MAX_TOKEN = 80


@dataclass(frozen=True)
class AdapterFacts:
    """What a row shows beside its adapter. ``known`` is None while the file is read; ``reason`` is why it does not fit
    the checkpoint, or empty; ``prompt`` is what the trigger words would be added to.
    """

    known: AdapterInfo | StudioError | None
    reason: str = ""
    prompt: str = ""
    picture: QImage | None = None
    is_opening: bool = False


class AdapterRow(QFrame):
    """Renders one `Adapter` of one kind; what the user changes is told, not kept."""

    edited = Signal(object, str)
    """The `Adapter` as it shall be, and what the step of undo is called; empty for a slider that moves."""
    removed = Signal()
    words_taken = Signal(str)
    open_requested = Signal()
    paste_requested = Signal()
    dropped = Signal(object)
    """The mime data of a picture."""
    large_requested = Signal()

    def __init__(self, kind: AdapterKind, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("adapterRow")
        self.kind = kind
        self._adapter = Adapter(kind, "")
        self._words: tuple[str, ...] = ()
        self.chips: list[Chip] = []
        self.setAcceptDrops(kind is AdapterKind.IP_ADAPTER)
        self._make_head(icons)
        self._make_body()
        self._lay_out()
        self._connect()

    @property
    def adapter(self) -> Adapter:
        """What is shown."""
        return self._adapter

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        self.weight.commit()
        if self.token.hasFocus():
            self._on_token_edited()

    # Parts ----------------------------------------------------------------------------------------

    def _make_head(self, icons: Icons) -> None:
        self.on = QCheckBox()
        self.on.setObjectName("adapterOnCheck")
        self.on.setToolTip(self.tr("Whether the adapter counts"))
        self.name = ElidedLabel()
        self.name.setObjectName("adapterName")
        self.remove = QToolButton()
        self.remove.setObjectName("adapterRemoveButton")
        self.remove.setIcon(icons.get("close"))
        self.remove.setToolTip(self.tr("Remove this adapter; its file stays"))
        self.facts = ElidedLabel()
        self.facts.setObjectName("adapterFacts")
        set_role(self.facts, "caption")

    def _make_body(self) -> None:
        spec = weight_spec(self.kind)
        self.weight = ValueSlider("weight", "adapterWeightSlider", 2, spec)
        self._weight_label = QLabel(param_text(spec.label))
        self._weight_label.setBuddy(self.weight.bar)
        self._weight_label.setToolTip(self.weight.toolTip())
        self.token = QLineEdit()
        self.token.setObjectName("adapterTokenEdit")
        self.token.setMaxLength(_MAX_TOKEN)
        self.token.setToolTip(self.tr("The word that calls the textual inversion in the prompt"))
        self._token_label = QLabel(self.tr("Word"))
        self._token_label.setBuddy(self.token)
        self.thumb = ControlThumb()
        self.thumb.setObjectName("adapterThumb")
        self.thumb.setAccessibleName(self.tr("Picture of the IP-Adapter"))
        self.open = QPushButton(self.tr("Open a picture…"))
        self.open.setObjectName("adapterOpenButton")
        self.open.setToolTip(self.tr("The picture that is looked at; one can be dropped here too"))
        self.paste = QPushButton(self.tr("Paste a picture"))
        self.paste.setObjectName("adapterPasteButton")
        self._state = ElidedLabel()
        self._state.setObjectName("adapterState")
        set_role(self._state, "caption")
        self.problem = QLabel()
        self.problem.setObjectName("adapterProblem")
        self.problem.setTextFormat(Qt.TextFormat.PlainText)
        self.problem.setWordWrap(True)
        set_role(self.problem, "error")
        self.note = QLabel()
        self.note.setTextFormat(Qt.TextFormat.PlainText)
        self.note.setWordWrap(True)
        set_role(self.note, "caption")
        self._chip_box = QWidget()
        self._chip_flow = FlowLayout(self._chip_box, GRID // 2)

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(GRID // 2)
        head.addWidget(self.on)
        head.addWidget(self.name, 1)
        head.addWidget(self.remove)
        weight = QHBoxLayout()
        weight.setSpacing(GRID)
        weight.addWidget(self._weight_label)
        weight.addWidget(self.weight, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID - 2, GRID, GRID)
        layout.setSpacing(GRID - 2)
        layout.addLayout(head)
        layout.addWidget(self.facts)
        layout.addWidget(self.problem)
        layout.addWidget(self.note)
        layout.addWidget(self._make_picture_part())
        layout.addLayout(weight)
        layout.addWidget(self._make_token_part())
        layout.addWidget(self._chip_box)

    def _make_picture_part(self) -> QWidget:
        part = QWidget()
        aside = QVBoxLayout()
        aside.setSpacing(GRID // 2)
        for widget in (self.open, self.paste, self._state):
            aside.addWidget(widget)
        aside.addStretch()
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self.thumb, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(aside, 1)
        part.setVisible(self.kind is AdapterKind.IP_ADAPTER)
        return part

    def _make_token_part(self) -> QWidget:
        part = QWidget()
        row = QHBoxLayout(part)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GRID)
        row.addWidget(self._token_label)
        row.addWidget(self.token, 1)
        part.setVisible(self.kind is AdapterKind.TEXTUAL_INVERSION)
        return part

    def _connect(self) -> None:
        self.on.clicked.connect(self._on_on_clicked)
        self.remove.clicked.connect(self.removed)
        self.weight.valueChanged.connect(self._on_weight_moved)
        self.token.editingFinished.connect(self._on_token_edited)
        self.open.clicked.connect(self.open_requested)
        self.paste.clicked.connect(self.paste_requested)
        self.thumb.clicked.connect(self.large_requested)

    # What is shown --------------------------------------------------------------------------------

    def show_adapter(self, adapter: Adapter, facts: AdapterFacts) -> None:
        """Render ``adapter`` as ``facts`` have it."""
        self._adapter = adapter
        known = facts.known
        name = name_of(adapter, known)
        self.name.show_text(name)
        self.name.setToolTip(plain_tip(tip_text(adapter, known)))
        self.facts.show_text(facts_text(adapter.kind, known))
        self.on.setChecked(adapter.is_on)
        self.on.setAccessibleName(name)
        self.remove.setAccessibleName(self.tr("Remove %1").replace("%1", name))
        self._show_weight(adapter.weight)
        problem = problem_text(known) if isinstance(known, StudioError) else facts.reason
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        note = known.note or known.reason if isinstance(known, AdapterInfo) else ""
        self.note.setText(note)
        self.note.setVisible(bool(note) and not problem)
        if isinstance(known, AdapterInfo):
            self._show_words(adapter, known, facts.prompt)
        self._chip_box.setVisible(bool(self.chips) and isinstance(known, AdapterInfo))
        self._show_picture(adapter, facts)

    def _show_weight(self, weight: float) -> None:
        """The slider reaches farther where a request from elsewhere has more."""
        spec = weight_spec(self.kind)
        assert spec.minimum is not None
        assert spec.maximum is not None
        with QSignalBlocker(self.weight):
            self.weight.setRange(min(spec.minimum, weight), max(spec.maximum, weight))
            if abs(self.weight.value() - weight) > 1e-9:
                self.weight.setValue(weight)

    def _show_words(self, adapter: Adapter, info: AdapterInfo, prompt: str) -> None:
        token = token_of(adapter, info)
        if not self.token.hasFocus() and self.token.text() != token:
            self.token.setText(token)
        words = (token,) if adapter.kind is AdapterKind.TEXTUAL_INVERSION else info.trigger_words
        if words != self._words:
            self._words = words
            self._make_chips()
        for chip in self.chips:
            is_there = chip.words in prompt
            chip.setEnabled(not is_there)
            chip.setToolTip(self.tr("It is in the prompt") if is_there else self.tr("Add it to the prompt"))

    def _make_chips(self) -> None:
        while self._chip_flow.takeAt(0):
            pass
        for chip in self.chips:
            chip.hide()
            chip.deleteLater()
        self.chips = [Chip(words) for words in self._words]
        for chip in self.chips:
            chip.clicked.connect(self._on_chip_clicked)
            self._chip_flow.addWidget(chip)
        put_in_turn(self.token, *self.chips)

    def _show_picture(self, adapter: Adapter, facts: AdapterFacts) -> None:
        self.thumb.show_image(facts.picture, 0.0 if facts.is_opening else None)
        if facts.is_opening:
            text = self.tr("The picture is being opened…")
        elif adapter.image is None:
            text = self.tr("No picture yet")
        else:
            text = adapter.image.name or self.tr("Its picture")
        self._state.show_text(text)

    # What the user does ---------------------------------------------------------------------------

    def _edit(self, text: str, **changes: Any) -> None:
        changed = replace(self._adapter, **changes)
        if changed != self._adapter:
            self.edited.emit(changed, text)

    def _on_on_clicked(self, is_on: bool) -> None:
        self._edit(self.tr("Adapter on") if is_on else self.tr("Adapter off"), is_on=is_on)

    def _on_weight_moved(self, value: float) -> None:
        self._edit("", weight=round(value, 2))

    def _on_token_edited(self) -> None:
        known = self._words[0] if self._words else ""
        token = "_".join(self.token.text().split())
        if not token:
            self.token.setText(known)
        elif token != known:
            self._edit(self.tr("Word of a textual inversion"), token=token)

    def _on_chip_clicked(self) -> None:
        chip = self.sender()
        if isinstance(chip, Chip):
            self.words_taken.emit(chip.words)

    # Events ---------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A picture may be dropped on an IP-Adapter."""
        accept_picture(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """It becomes the picture that is looked at."""
        self.dropped.emit(take_drop(event))
