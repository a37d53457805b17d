"""CheckpointDetails: all that is known of one checkpoint, and buttons for all that can be done with it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.download import DownloadProgress
from desktop_app.studio.checkpoint_rows import CheckpointRow
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.checkpoint_commands import (
    COMMANDS,
    PRIMARY,
    Circumstances,
    Command,
    commands_of,
    error_of,
    has_damage,
    hub_page,
    reason_against,
    tip_of,
)
from desktop_app.ui.checkpoint_texts import (
    PLACES,
    SECTIONS,
    STATES,
    UNUSABLE,
    download_text,
    error_text,
    memory_text,
    need_text,
    needs_token,
    share_done,
    task_text,
    translate,
    use_text,
)
from desktop_app.ui.field import set_role
from desktop_app.ui.flow_layout import FlowLayout
from desktop_app.ui.icons import Icons
from desktop_app.ui.texts import file_size
from desktop_app.ui.theme import GRID

BAR_STEPS = 1000
LINES = ("ref", "path")
LINE_MARGINS = (-5, 0, -5, 0)
"""So that its words begin where those of the labels do."""

HEADING_SHARE = 1.3
"""Size of the name's letters."""


class CheckpointDetails(QStackedWidget):
    """Shows one row; says what the user wants with it."""

    wanted = Signal(object, str)
    """A `Command` and a REF."""

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("checkpointDetails")
        self._icons = icons
        self._ref = ""
        self.buttons: dict[Command, QPushButton] = {}
        self._facts: dict[str, tuple[QLabel, QLabel | QLineEdit]] = {}
        self._make_labels()
        self._make_buttons()
        self._empty = self._label("empty")
        self._empty.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._empty.setMargin(2 * GRID)
        self._empty.setText(self.tr("Choose a checkpoint on the list to see what it is and what it needs."))
        self.addWidget(self._lay_out())
        self.addWidget(self._empty)
        self.setCurrentIndex(1)

    @property
    def ref(self) -> str:
        """REF of the row that is shown, or empty."""
        return self._ref

    def fact(self, name: str) -> str:
        """What is said under ``name``: ref, family, licence, size, place, path, memory, needs or trigger."""
        value = self._facts[name][1]
        return "" if value.isHidden() else value.text()

    def show_row(self, row: CheckpointRow | None, around: Circumstances, needs: Sequence[CheckpointRow] = ()) -> None:
        """Show ``row``, which cannot paint without ``needs``; or nothing."""
        is_same = row is not None and row.ref == self._ref
        self._ref = row.ref if row else ""
        self.setCurrentIndex(0 if row else 1)
        if row is None:
            return
        if not is_same:
            self._area.verticalScrollBar().setValue(0)
        self._name.setText(row.label)
        self._state.setText(_state_text(row, around))
        self._note.setText(row.entry.note if row.entry else "")
        self._note.setVisible(bool(self._note.text()))
        self._show_facts(row, needs)
        self._show_trouble(row, around)
        self._show_bar(_progress_of(row, around))
        self._show_buttons(row, around, needs)

    def _make_labels(self) -> None:
        self._name = self._label("heading")
        font = self._name.font()
        font.setPointSizeF(max(font.pointSizeF(), 1.0) * HEADING_SHARE)
        self._name.setFont(font)
        self._state = self._label("caption")
        self._state.setObjectName("checkpointState")
        self._note = self._label("")
        self._error = self._label("error")
        self._error.setObjectName("checkpointError")
        self._licence_note = self._label("")
        self._bar = QProgressBar()
        self._bar.setObjectName("checkpointBar")
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(6)
        self._bar.setMaximum(BAR_STEPS)

    def _label(self, role: str) -> QLabel:
        label = QLabel(self)
        label.setTextFormat(Qt.TextFormat.PlainText)
        label.setWordWrap(True)
        if QGuiApplication.isRightToLeft():  # else a text in Latin letters would be on the other side
            label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute)
        if role:
            set_role(label, role)
        return label

    def _make_buttons(self) -> None:
        for command, spec in COMMANDS.items():
            button = QPushButton(self._icons.get(spec.icon), translate(spec.text), self)
            button.setObjectName(f"checkpoint_{command.name.casefold()}")
            button.clicked.connect(self._on_button_clicked)
            button.hide()
            self.buttons[command] = button

    def _lay_out(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID)
        row = QWidget()
        flow = FlowLayout(row, GRID)
        for button in self.buttons.values():
            flow.addWidget(button)
        for widget in (self._name, self._state, self._bar, self._error, self._licence_note, row, self._note):
            layout.addWidget(widget)
        layout.addSpacing(GRID)
        layout.addLayout(self._make_facts())
        layout.addStretch()
        self._area = QScrollArea()
        self._area.setFrameShape(QFrame.Shape.NoFrame)
        self._area.setWidgetResizable(True)
        self._area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._area.setWidget(page)
        return self._area

    def _make_facts(self) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * GRID)
        grid.setVerticalSpacing(GRID)
        grid.setColumnStretch(1, 1)
        for name, text in (
            ("ref", self.tr("REF")),
            ("family", self.tr("Family")),
            ("licence", self.tr("Licence")),
            ("size", self.tr("Size")),
            ("place", self.tr("Place")),
            ("path", self.tr("Path")),
            ("memory", self.tr("Memory")),
            ("needs", self.tr("Needs")),
            ("trigger", self.tr("Trigger words")),
        ):
            caption, value = self._label("caption"), self._line() if name in LINES else self._words()
            caption.setWordWrap(False)
            caption.setText(text)
            value.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            value.setObjectName(f"checkpointFact_{name}")
            side = Qt.AlignmentFlag.AlignVCenter if name in LINES else Qt.AlignmentFlag.AlignTop
            grid.addWidget(caption, len(self._facts), 0, side)
            grid.addWidget(value, len(self._facts), 1)
            self._facts[name] = (caption, value)
        return grid

    def _words(self) -> QLabel:
        label = self._label("")
        flags = Qt.TextInteractionFlag
        label.setTextInteractionFlags(flags.TextSelectableByMouse | flags.TextSelectableByKeyboard)
        return label

    def _line(self) -> QLineEdit:
        """For what has no spaces to break it at, and is copied."""
        line = QLineEdit(self)
        line.setReadOnly(True)
        line.setFrame(False)
        line.setTextMargins(*LINE_MARGINS)
        if QGuiApplication.isRightToLeft():
            line.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignAbsolute)
        set_role(line, "value")
        return line

    def _show_facts(self, row: CheckpointRow, needs: Sequence[CheckpointRow]) -> None:
        entry = row.entry
        texts = {
            "ref": row.ref,
            "family": row.family,
            "licence": row.licence,
            "size": self._size_text(row),
            "place": translate(PLACES[row.installed.place]) if row.installed else "",
            "path": str(row.installed.path) if row.installed and row.installed.path else "",
            "memory": memory_text(row),
            "needs": "\n".join(map(need_text, needs)),
            "trigger": ", ".join(entry.trigger_words) if entry else "",
        }
        for name, text in texts.items():
            caption, value = self._facts[name]
            value.setAccessibleName(f"{caption.text()}: {text}")
            if value.text() != text:
                value.setText(text)
            if isinstance(value, QLineEdit):
                value.setCursorPosition(0)
                value.setToolTip(plain_tip(text))
            caption.setVisible(bool(text))
            value.setVisible(bool(text))

    def _size_text(self, row: CheckpointRow) -> str:
        text = self.tr("%1 on the disk") if row.installed else self.tr("%1 to download")
        return text.replace("%1", file_size(row.size_bytes)) if row.size_bytes else ""

    def _show_trouble(self, row: CheckpointRow, around: Circumstances) -> None:
        error = error_of(row, around.task)
        text = ""
        if error is not None:
            text = error_text(error)
        elif has_damage(around.task) and around.task is not None:
            text = task_text(around.task)
        self._error.setText(text)
        self._error.setVisible(bool(text))
        note = self.tr("Its licence has to be accepted on its page first. A hub token then lets Underpaint fetch it.")
        self._licence_note.setText(note)
        self._licence_note.setVisible(needs_token(row))

    def _show_bar(self, progress: DownloadProgress | None) -> None:
        self._bar.setVisible(progress is not None)
        self._bar.setValue(round(share_done(progress) * BAR_STEPS))
        self._bar.setAccessibleName(self._state.text())

    def _show_buttons(self, row: CheckpointRow, around: Circumstances, needs: Sequence[CheckpointRow]) -> None:
        offered = commands_of(row, around)
        missing = ", ".join(need.label for need in needs if need.is_missing)
        primary = next((command for command in PRIMARY if command in offered), None)
        focused = next((button for button in self.buttons.values() if button is self.window().focusWidget()), None)
        for command, button in self.buttons.items():
            is_enabled = not reason_against(command, around)
            text, tip = translate(COMMANDS[command].text), tip_of(command, around)
            if command is Command.USE and around.is_used:
                text, tip, is_enabled = self.tr("In use"), self.tr("This checkpoint paints now"), False
            if command is Command.DOWNLOAD and missing and is_enabled:
                tip = self.tr("With it comes what it needs: %1").replace("%1", missing)
            if command is Command.OPEN_PAGE:
                tip = hub_page(row.ref)
            button.setText(text)
            button.setToolTip(tip)
            button.setAccessibleDescription(tip)
            button.setEnabled(is_enabled)
            button.setDefault(command is primary)
            button.setVisible(command in offered)
        if focused is not None and (focused.isHidden() or not focused.isEnabled()):
            self._pass_focus(primary, offered)

    def _pass_focus(self, primary: Command | None, offered: Sequence[Command]) -> None:
        """The button that had the keyboard is gone: the most likely one has it next, not the one beside it."""
        likely = [self.buttons[command] for command in (primary, *offered) if command is not None]
        target = next((button for button in likely if button.isEnabled()), None)
        if target is not None:
            target.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_button_clicked(self) -> None:
        for command, button in self.buttons.items():
            if button is self.sender() and self._ref:
                self.wanted.emit(command, self._ref)


def _state_text(row: CheckpointRow, around: Circumstances) -> str:
    task = around.task
    if task is not None and not has_damage(task) and task_text(task):
        return task_text(task)
    if row.download is not None and row.download.error is not None:
        return translate(STATES[row.download.state])
    if row.download is not None:
        return download_text(row.download)
    state = translate(UNUSABLE if row.error is not None else SECTIONS[row.section])
    return " · ".join(part for part in (state, use_text(row)) if part)


def _progress_of(row: CheckpointRow, around: Circumstances) -> DownloadProgress | None:
    if around.task is not None and around.task.is_running:
        return around.task.progress
    return row.download.progress if row.download is not None else None
