"""ChainPanel: the stages that go on from the picture, as cards that can be added, moved, folded and left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from PySide6.QtCore import QPointF, QSize, Qt, QTimer
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QScrollArea, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.chain import MAX_CARDS, Card
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.handover import Handover
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import Params
from desktop_app.studio.chain_cards import CardKind, Surroundings, count_own_stages, count_stages, new_card, with_kind
from desktop_app.studio.document import Document
from desktop_app.studio.plan import RunPlan
from desktop_app.studio.request_texts import checkpoint_name
from desktop_app.studio.settings import Settings
from desktop_app.ui.chain_texts import HANDOVER_TIP, KIND_TIPS, first_text, handover_text, kind_text, tr
from desktop_app.ui.field import error_text, set_role
from desktop_app.ui.fold import ArrowButton
from desktop_app.ui.icons import Icons
from desktop_app.ui.stage_card import DropLine, FirstStageCard, StageCard
from desktop_app.ui.tab_order import put_in_turn
from desktop_app.ui.texts import plural

FIRST, CHAIN = "first_stage", "chain"


class ChainPanel(QWidget):
    """Renders the document's chain; edits go straight back to the document. Lives in the GUI thread."""

    def __init__(self, document: Document, settings: Settings, icons: Icons) -> None:
        super().__init__()
        self._document = document
        self._settings = settings
        self._icons = icons
        self._infos: tuple[CheckpointInfo, ...] = ()
        self._handovers: Mapping[int, Handover] = {}
        self._first_kind = StageKind.TEXT_TO_IMAGE
        self._last_edit: tuple[int, str] | None = None
        self._wrong = ""
        self._folded: list[bool] = []
        self.cards: list[StageCard] = []
        self._lines: list[QLabel] = []
        self.title = self._make_title()
        self.add = self._make_add()
        self.first = FirstStageCard()
        self.first.toggled.connect(self._on_first_toggled)
        self.first.reveal_requested.connect(self._open)
        self.hint = QLabel()
        self.hint.setObjectName("chainHint")
        self.hint.setWordWrap(True)
        set_role(self.hint, "caption")
        self._error = QLabel()
        self._error.setWordWrap(True)
        self._error.hide()
        set_role(self._error, "error")
        self._lay_out()
        document.params_changed.connect(self._on_params_changed)
        document.init_image_changed.connect(self._refresh)
        document.checkpoint_changed.connect(self._refresh)
        settings.changed.connect(self._on_setting_changed)
        self._on_params_changed(document.params)

    # What is shown --------------------------------------------------------------------------------

    def set_checkpoints(self, infos: Sequence[CheckpointInfo]) -> None:
        """Offer those of ``infos`` that fit each card."""
        self._infos = tuple(infos)
        self._refresh()

    def refresh(self, plan: RunPlan, handovers: Mapping[int, Handover]) -> None:
        """Show what ``plan`` found out: what the first stage does, what cannot be run; and what goes from stage to
        stage.
        """
        has_picture = self._document.init_image is not None
        usual = StageKind.IMAGE_TO_IMAGE if has_picture else StageKind.TEXT_TO_IMAGE
        self._first_kind = plan.kinds[0] if plan.kinds and self._document.params.first_stage else usual
        self._handovers = handovers
        self._refresh()
        self.show_error(plan.error)

    def show_error(self, error: RequestError | None) -> None:
        """Show ``error`` in the card that it names. The other cards are cleared."""
        wrong = self.field_of(error.param) if error else None
        shown: list[StageCard | FirstStageCard] = [self.first, *self.cards]
        for card in shown:
            card.show_error(error if card is wrong else None)
        own = error if error and error.param == CHAIN else None
        self._error.setText(error_text(own))
        self._error.setVisible(own is not None)
        param = error.param if error and (wrong or own) else ""
        if param and param != self._wrong:
            self.title.setChecked(True)
        self._wrong = param

    def field_of(self, param: str) -> StageCard | FirstStageCard | None:
        """The card that sets ``param``: "first_stage", or "chain.0" for the first card of `Params.chain`."""
        name, _, number = param.partition(".")
        if name == FIRST:
            return self.first
        is_card = name == CHAIN and number.isdecimal() and int(number) < len(self.cards)
        return self.cards[int(number)] if is_card else None

    def commit_typing(self) -> None:
        """Take what is being typed, as if the user had left the box."""
        for card in self.cards:
            card.fields.commit_typing()

    def _make_title(self) -> ArrowButton:
        title = ArrowButton("chainButton")
        title.setToolTip(self.tr("Stages that go on from the picture, one after the other"))
        title.toggled.connect(self._show_folding)
        return title

    def _make_add(self) -> QToolButton:
        add = QToolButton()
        add.setObjectName("addStageButton")
        add.setText(self.tr("Add stage"))
        add.setIcon(self._icons.get("plus"))
        add.setIconSize(QSize(16, 16))
        add.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        add.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(add)
        menu.setToolTipsVisible(True)
        for kind in CardKind:
            action = menu.addAction(kind_text(kind))
            action.setToolTip(tr(KIND_TIPS[kind]))
            action.triggered.connect(partial(self._on_add, kind))
        add.setMenu(menu)
        return add

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self.title)
        head.addStretch()
        head.addWidget(self.add)
        self._body = QWidget()
        self._column = QVBoxLayout(self._body)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addWidget(self.first)
        self._drop_line = DropLine(self._body)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(head)
        layout.addWidget(self._error)
        layout.addWidget(self._body)
        layout.addWidget(self.hint)

    def _show_folding(self, _is_open: object = None) -> None:
        is_open = self.title.isChecked()
        self._body.setVisible(is_open)
        self.hint.setVisible(is_open and bool(self.hint.text()))

    def _open(self) -> None:
        self.title.setChecked(True)

    def _on_params_changed(self, params: Params) -> None:
        if params.chain and not self.cards:
            self.title.setChecked(True)
        self._refresh()

    def _on_setting_changed(self, key: str) -> None:
        if key == "snap_strength":
            self._refresh()

    def _refresh(self, _change: object = None) -> None:
        """Show the document's chain, with as many cards as it has."""
        params = self._document.params
        if params.chain and not self.cards:
            self.title.setChecked(True)  # a recipe brought them, and they shall be seen
        self._make_cards(len(params.chain))
        around = self._around()
        for index, (card, shown, line) in enumerate(zip(params.chain, self.cards, self._lines, strict=True)):
            shown.fields.strength.is_snapping = self._settings.get("snap_strength")
            shown.show_value(card, index, around, is_folded=self._folded[index])
            text = handover_text(self._handovers.get(index), card) if card.is_on else ""
            line.setText(f"↓ {text}" if text else "↓")
        self._show_first(params)
        count = count_stages(params, around.info)
        text = plural(count, self.tr("Chain (1 stage)"), self.tr("Chain (%1 stages)"))
        self.title.setText(text if params.chain else self.tr("Chain"))
        is_full = len(params.chain) >= MAX_CARDS
        self.add.setEnabled(not is_full)
        most = self.tr("A chain has at most %1 more stages").replace("%1", str(MAX_CARDS))
        self.add.setToolTip(most if is_full else self.tr("Go on from the picture with one more stage"))
        self.hint.setText(self._hint_text(params))
        self._show_folding()

    def _hint_text(self, params: Params) -> str:
        if not params.chain:
            return self.tr("Add a stage: it goes on from the picture that the controls above make.")
        if params.seed is None and count_stages(params, self._document.checkpoint_info) > 1:
            return self.tr("Fix the seed to re-use finished stages.")
        return ""

    def _show_first(self, params: Params) -> None:
        info = self._document.checkpoint_info
        name = info.label if info else checkpoint_name(params.checkpoint)
        why_not = ""
        if not params.chain:
            why_not = self.tr("Without another stage there would be nothing to run")
        elif self._document.init_image is None:
            why_not = self.tr("Without an init image the next stage would have nothing to begin with")
        count = count_own_stages(params, info)
        self.first.show_value(first_text(self._first_kind), name, count=count, why_not=why_not)

    def _around(self) -> Surroundings:
        return Surroundings(self._document.params, self._document.checkpoint_info, self._infos)

    def _make_cards(self, count: int) -> None:
        """Cards and the lines between them, until there are ``count``."""
        has_new = len(self.cards) < count
        while len(self.cards) < count:
            line, card = QLabel("↓"), StageCard(self._icons)
            line.setAlignment(Qt.AlignmentFlag.AlignHCenter)
            line.setWordWrap(True)
            line.setToolTip(tr(HANDOVER_TIP))
            line.setObjectName("handoverLabel")
            set_role(line, "caption")
            self._connect(card)
            for widget in (line, card):
                self._column.addWidget(widget)
                widget.show()  # at once, so that it can have the keyboard
            self.cards.append(card)
            self._lines.append(line)
        if has_new:
            put_in_turn(self.title, self.add, self.first, *self.cards)
        while len(self.cards) > count:
            for widget in (self._lines.pop(), self.cards.pop()):
                self._column.removeWidget(widget)
                widget.hide()
                widget.deleteLater()
        self._folded = [*self._folded[:count], *[True] * (count - len(self._folded))]

    def _connect(self, card: StageCard) -> None:
        """What happens in ``card`` is meant for the one that it shows at that moment."""
        header, fields = card.header, card.fields
        fields.edited.connect(lambda name, value: self._edit(self.cards.index(card), name, value))
        fields.kind_picked.connect(lambda kind: self._on_kind_picked(self.cards.index(card), kind))
        header.toggled.connect(lambda is_on: self._on_card_toggled(self.cards.index(card), is_on=is_on))
        header.duplicate_requested.connect(lambda: self._on_duplicate(self.cards.index(card)))
        header.remove_requested.connect(lambda: self._on_remove(self.cards.index(card)))
        header.fold_requested.connect(lambda: self._on_fold(self.cards.index(card)))
        card.reveal_requested.connect(self._open)
        card.move_requested.connect(lambda delta: self._on_move(self.cards.index(card), delta))
        grip = header.grip
        grip.dragged.connect(lambda at: self._on_dragged(at))
        grip.dropped.connect(lambda at: self._on_dropped(self.cards.index(card), at))
        grip.cancelled.connect(self._drop_line.hide)

    # What the user does ---------------------------------------------------------------------------

    def _edit(self, index: int, name: str, value: Any) -> None:
        """Set one field of a card. Quick changes of the same one are one step of undo."""
        chain = list(self._document.params.chain)
        chain[index] = replace(chain[index], **{name: value})
        if self._last_edit != (index, name):
            self._document.undo_stack.setClean()  # a clean stack merges nothing into what came before
        self._last_edit = (index, name)
        self._document.set_param(CHAIN, tuple(chain))

    def _set_chain(self, text: str, chain: Sequence[Card], folded: Sequence[bool]) -> None:
        """A change of the chain itself, a step of undo called ``text``."""
        self._last_edit = None
        self._folded = list(folded)
        self._document.set_params(text, chain=tuple(chain))

    def _on_add(self, kind: CardKind) -> None:
        chain = self._document.params.chain
        self._set_chain(self.tr("Add stage"), [*chain, new_card(kind, self._around())], [*self._folded, False])
        self.title.setChecked(True)
        self.cards[-1].fields.checkpoint.setFocus(Qt.FocusReason.OtherFocusReason)
        self._scroll_to(self.cards[-1])

    def _on_kind_picked(self, index: int, kind: CardKind) -> None:
        chain = list(self._document.params.chain)
        chain[index] = with_kind(chain[index], kind, self._around(), index)
        self._set_chain(self.tr("Kind of stage"), chain, self._folded)

    def _on_card_toggled(self, index: int, *, is_on: bool) -> None:
        chain = list(self._document.params.chain)
        chain[index] = replace(chain[index], is_on=is_on)
        self._set_chain(self.tr("Stage on") if is_on else self.tr("Stage off"), chain, self._folded)

    def _on_first_toggled(self, is_on: bool) -> None:
        self._document.set_param(FIRST, is_on)

    def _on_duplicate(self, index: int) -> None:
        chain = self._document.params.chain
        if len(chain) >= MAX_CARDS:
            return
        copied = [*chain[: index + 1], *chain[index:]]
        self._set_chain(self.tr("Duplicate stage"), copied, [*self._folded[: index + 1], *self._folded[index:]])
        self.cards[index + 1].focus_control()

    def _on_remove(self, index: int) -> None:
        chain = self._document.params.chain
        left = [*chain[:index], *chain[index + 1 :]]
        self._set_chain(self.tr("Remove stage"), left, [*self._folded[:index], *self._folded[index + 1 :]])
        if self.cards:
            self.cards[min(index, len(self.cards) - 1)].focus_control()
        else:
            self.add.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_fold(self, index: int) -> None:
        self._folded[index] = not self._folded[index]
        self._refresh()
        self.cards[index].header.fold.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_move(self, index: int, delta: int) -> None:
        self._move(index, index + delta)

    def _move(self, index: int, target: int) -> None:
        """Bring card ``index`` to the place ``target``."""
        chain, folded = list(self._document.params.chain), list(self._folded)
        if target == index or not 0 <= target < len(chain):
            return
        chain.insert(target, chain.pop(index))
        folded.insert(target, folded.pop(index))
        self._set_chain(self.tr("Move stage"), chain, folded)
        self.cards[target].focus_control()
        self._scroll_to(self.cards[target])

    def _on_dragged(self, at: QPointF) -> None:
        slot = self._slot(at)
        below = slot < len(self.cards)
        edge = self._lines[slot].geometry().center().y() if below else self.cards[-1].geometry().bottom() + 1
        self._drop_line.show_at(edge, self._body.width())
        area = self._scroll_area()
        page = area.widget() if area else None
        if area and page:
            where = page.mapFromGlobal(at.toPoint())
            area.ensureVisible(where.x(), where.y(), 0, 24)

    def _on_dropped(self, index: int, at: QPointF) -> None:
        self._drop_line.hide()
        slot = self._slot(at)
        self._move(index, slot - 1 if slot > index else slot)

    def _slot(self, at: QPointF) -> int:
        """Before which card something dropped at this place of the screen would come."""
        y = self._body.mapFromGlobal(at.toPoint()).y()
        return sum(card.geometry().center().y() < y for card in self.cards)

    def _scroll_area(self) -> QScrollArea | None:
        parent = self.parentWidget()
        while parent is not None and not isinstance(parent, QScrollArea):
            parent = parent.parentWidget()
        return parent

    def _scroll_to(self, card: StageCard) -> None:
        """Once it has its place."""
        area = self._scroll_area()
        if area is not None:
            QTimer.singleShot(0, card, lambda: area.ensureWidgetVisible(card))
