"""StageCard: a stage of the chain, in one line or with all its values. FirstStageCard: what the controls above say."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QElidingLabel

from desktop_app.core.chain import Card
from desktop_app.core.errors import RequestError
from desktop_app.studio.chain_cards import Surroundings, kind_of, number_cards
from desktop_app.ui.chain_fields import CardFields
from desktop_app.ui.chain_header import CardHeader, moves_by
from desktop_app.ui.chain_texts import kind_text, summary_text
from desktop_app.ui.field import error_text, set_role
from desktop_app.ui.icons import Icons
from desktop_app.ui.theme import GRID


class _ErrorLabel(QLabel):
    """Why a stage cannot be run; hidden while it can."""

    def __init__(self) -> None:
        super().__init__()
        self.setWordWrap(True)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.hide()
        set_role(self, "error")

    def show_error(self, error: RequestError | None) -> None:
        """Say ``error``; None takes it back."""
        self.setText(error_text(error))
        self.setVisible(error is not None)


class StageCard(QFrame):
    """Renders one card; the panel is told what the user wants of it."""

    move_requested = Signal(int)
    reveal_requested = Signal()
    """The card shall be seen."""

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("stageCard")
        self.header = CardHeader(icons)
        self.fields = CardFields()
        self.summary = QElidingLabel()
        self.summary.setObjectName("cardSummary")
        self.summary.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        set_role(self.summary, "caption")
        self._error = _ErrorLabel()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2, GRID, GRID // 2 + 2)
        layout.setSpacing(4)
        for widget in (self.header, self.summary, self._error, self.fields):
            layout.addWidget(widget)
        self.header.grip.move_requested.connect(self.move_requested)
        for button in (self.header.on, self.header.duplicate, self.header.remove, self.header.fold):
            button.installEventFilter(self)

    @property
    def error_text(self) -> str:
        """What is said in the card, or empty."""
        return self._error.text()

    def show_value(self, card: Card, index: int, around: Surroundings, *, is_folded: bool) -> None:
        """Show ``card``, which is ``around.params.chain[index]``."""
        title = kind_text(kind_of(card))
        number = number_cards(around.params, around.info)[index]
        text = self.tr("%1 · off").replace("%1", title) if number is None else f"{number} · {title}"
        self.header.show_value(number, text, is_folded=is_folded)
        self.setAccessibleName(text)
        self.summary.setText(summary_text(card, around))
        self.summary.setToolTip(card.checkpoint)
        self.summary.setVisible(is_folded)
        self.fields.setVisible(not is_folded)
        if not is_folded:
            self.fields.show_value(card, index, around)

    def show_error(self, error: RequestError | None) -> None:
        """Say why the stage cannot be run; None takes it back."""
        self._error.show_error(error)
        is_wrong = error is not None
        if bool(self.property("invalid")) != is_wrong:
            self.setProperty("invalid", is_wrong)
            self.style().polish(self)

    def focus_control(self) -> None:
        """Give the keyboard to the card."""
        self.reveal_requested.emit()
        self.header.grip.setFocus(Qt.FocusReason.OtherFocusReason)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Buttons would take any arrow as a wish to go to the next one: with Alt it moves the card."""
        delta = moves_by(event) if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress else 0
        if delta:
            self.move_requested.emit(delta)
        return bool(delta)


class FirstStageCard(QFrame):
    """The stage that the controls above set, to be left out or not."""

    toggled = Signal(bool)
    reveal_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("stageCard")
        self.on = QCheckBox()
        self.on.setObjectName("firstStageCheck")
        self.on.setAccessibleName(self.tr("The first stage is on"))
        self.on.clicked.connect(self.toggled)
        self.title = QElidingLabel()
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._error = _ErrorLabel()
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.on)
        row.addWidget(self.title, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID // 2 + 2, GRID, GRID // 2 + 2)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self._error)
        set_role(self.title, "heading")

    @property
    def error_text(self) -> str:
        """What is said in the card, or empty."""
        return self._error.text()

    def show_value(self, kind: str, checkpoint: str, *, count: int, why_not: str) -> None:
        """Show what the stage does, on which checkpoint. ``count`` is 2 with a refiner, which runs as a stage too, and
        0 while it is off; ``why_not`` says why it cannot be switched off.
        """
        is_on = count > 0
        number = "1" if count == 1 else f"1–{count}"
        text = f"{number} · {kind} – {checkpoint}" if is_on else self.tr("%1 · off").replace("%1", kind)
        self.title.setText(text)
        self.title.setToolTip(self.tr("What the controls above say"))
        role = "heading" if is_on else "caption"
        if self.title.property("role") != role:
            set_role(self.title, role)
            self.title.style().polish(self.title)
        self.on.setChecked(is_on)
        self.on.setEnabled(not is_on or not why_not)
        self.on.setToolTip(why_not or self.tr("Off: the chain begins with its next stage, on the init image as it is"))

    def show_error(self, error: RequestError | None) -> None:
        """Say why it cannot be run so; None takes it back."""
        self._error.show_error(error)

    def focus_control(self) -> None:
        """Give the keyboard to its switch."""
        self.reveal_requested.emit()
        self.on.setFocus(Qt.FocusReason.OtherFocusReason)


class DropLine(QFrame):
    """Where a card that is carried would come to lie."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("chainDropLine")
        self.setFixedHeight(3)
        self.hide()

    def show_at(self, top: int, width: int) -> None:
        """Lie across the panel at ``top``."""
        self.setGeometry(0, top - 1, width, 3)
        self.raise_()
        self.show()
