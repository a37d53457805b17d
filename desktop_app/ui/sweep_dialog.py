"""SweepDialog: which values shall be varied. SheetDialog: the grid that came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QImage, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.errors import RequestError
from desktop_app.core.params import PARAM_SPECS, Params
from desktop_app.core.sweep import SWEPT, TEXTS, Axis, read_axis
from desktop_app.ui.field import set_role
from desktop_app.ui.texts import param_text, plural
from desktop_app.ui.theme import GRID

EXAMPLES = {
    "strength": "0.4, 0.6, 1.0",
    "guidance_scale": "0.1, 5, 10",
    "steps": "10, 20, 40",
    "seed": "1..9 step 1",
    "scheduler": "default, euler, dpmpp_2m",
}
"""What is proposed when a value is chosen; the first two are the guide's own comparisons."""

WIDTH = 520

Look = Callable[[Sequence[Axis]], tuple[int, int]]
"""How many pictures a sweep makes, and in how many steps, 0 where that is not known. Raises `RequestError`."""


class SweepDialog(QDialog):
    """Asks for one or two values and what they shall be; says how many pictures that is, or what is wrong."""

    def __init__(self, params: Params, names: tuple[str, ...], look: Look, parent: QWidget | None = None) -> None:
        """``names`` are the fields of `Params` that the checkpoint takes; ``look`` says what a sweep would run."""
        super().__init__(parent)
        self.setObjectName("sweepDialog")
        self.setWindowTitle(self.tr("Sweep"))
        self.setMinimumWidth(WIDTH)
        self._params = params
        self._look = look
        heading = QLabel(self.tr("The same picture with other values, side by side"))
        set_role(heading, "heading")
        note = QLabel(
            self.tr("Values with commas between them, or 0.2..0.8 step 0.2, or 0.2..0.8 in 4.")
            + " "
            + self.tr("In a prompt the first text is replaced by the others; texts with commas stand in quotes.")
        )
        note.setWordWrap(True)
        set_role(note, "caption")
        self.choices = [self._make_choice(names, f"sweepParam{number}", is_optional=number > 0) for number in range(2)]
        names_of_values = (self.tr("Values of the columns"), self.tr("Values of the rows"))
        self.values = [self._make_values(f"sweepValues{number}", text) for number, text in enumerate(names_of_values)]
        self.words = QLabel()
        self.words.setWordWrap(True)
        self.words.setObjectName("sweepWords")
        self._buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        self.queue = self._buttons.addButton(self.tr("Queue"), QDialogButtonBox.ButtonRole.AcceptRole)
        self._buttons.accepted.connect(self.accept)
        self._buttons.rejected.connect(self.reject)
        self._lay_out(heading, note)
        for number, choice in enumerate(self.choices):
            choice.currentIndexChanged.connect(lambda _index, number=number: self._on_choice_changed(number))
            self.values[number].textChanged.connect(self._refresh)
        self._on_choice_changed(0)
        self._on_choice_changed(1)

    def axes(self) -> tuple[Axis, ...]:
        """What is asked for. Raises `RequestError`."""
        chosen = [(choice.currentData(), edit.text()) for choice, edit in zip(self.choices, self.values, strict=True)]
        return tuple(read_axis(param, text) for param, text in chosen if param)

    def _make_choice(self, names: tuple[str, ...], name: str, *, is_optional: bool) -> QComboBox:
        combo = QComboBox()
        combo.setObjectName(name)
        combo.setAccessibleName(self.tr("Value to vary"))
        if is_optional:
            combo.addItem(self.tr("Nothing else"), "")
        for param in SWEPT:
            if param in names:
                combo.addItem(param_text(PARAM_SPECS[param].label), param)
        return combo

    def _make_values(self, name: str, spoken: str) -> QLineEdit:
        edit = QLineEdit()
        edit.setObjectName(name)
        edit.setAccessibleName(spoken)
        return edit

    def _lay_out(self, heading: QLabel, note: QLabel) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(GRID)
        grid.setVerticalSpacing(GRID)
        grid.setColumnStretch(1, 1)
        texts = (self.tr("Columns"), self.tr("Rows"))
        for number, (choice, edit) in enumerate(zip(self.choices, self.values, strict=True)):
            label = QLabel(texts[number])
            label.setBuddy(choice)
            grid.addWidget(label, 2 * number, 0)
            grid.addWidget(choice, 2 * number + 1, 0)
            grid.addWidget(edit, 2 * number + 1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * GRID, 2 * GRID, 2 * GRID, 2 * GRID)
        layout.setSpacing(GRID + 4)
        for part in (heading, note):
            layout.addWidget(part)
        layout.addLayout(grid)
        layout.addWidget(self.words)
        layout.addWidget(self._buttons)

    def _on_choice_changed(self, number: int) -> None:
        param = self.choices[number].currentData()
        edit = self.values[number]
        edit.setEnabled(bool(param))
        if param in TEXTS:
            words = getattr(self._params, param).split(",")[0].strip()
            edit.setText(f"{words}, " if words else "")
        else:
            edit.setText(EXAMPLES.get(param, ""))
        self._refresh()

    def _refresh(self, _change: object = None) -> None:
        try:
            pictures, steps = self._look(self.axes())
        except RequestError as e:
            what = ": ".join(filter(None, (e.title, e.detail.rstrip("."))))
            self._show(f"{what}. {e.hint}".strip(), role="error")
            return
        seed = self.tr("all with the same seed") if not any(axis.param == "seed" for axis in self.axes()) else ""
        count = plural(pictures, self.tr("1 picture"), self.tr("%1 pictures"))
        run = plural(steps, self.tr("1 step in all"), self.tr("%1 steps in all")) if steps else ""
        self._show(", ".join(filter(None, (count, run, seed))), role="caption")

    def _show(self, text: str, *, role: str) -> None:
        self.words.setText(text)
        set_role(self.words, role)
        self.words.style().polish(self.words)
        self.queue.setEnabled(role != "error")


class SheetDialog(QDialog):
    """Shows a grid as large as it fits, and offers to keep it."""

    save_requested = Signal()

    def __init__(self, image: QImage, title: str, words: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sheetDialog")
        self.setWindowTitle(self.tr("Sweep"))
        self._image = image
        self.picture = QLabel()
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setMinimumSize(320, 240)
        self.picture.setAccessibleName(title or self.tr("Grid"))
        caption = QLabel(words)
        set_role(caption, "caption")
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.save = buttons.addButton(self.tr("Save grid as…"), QDialogButtonBox.ButtonRole.ActionRole)
        self.save.clicked.connect(self.save_requested)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(GRID, GRID, GRID, GRID)
        layout.addWidget(self.picture, 1)
        layout.addWidget(caption)
        layout.addWidget(buttons)
        self.resize(self._fitting(QSize(960, 720)))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The grid as large as there is room."""
        super().resizeEvent(event)
        ratio = self.devicePixelRatioF()
        room = self.picture.size() * ratio
        smaller = self._image.size().boundedTo(room)
        fitted = self._image.scaled(
            smaller, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        )
        fitted.setDevicePixelRatio(ratio)
        self.picture.setPixmap(QPixmap.fromImage(fitted))

    def _fitting(self, most: QSize) -> QSize:
        wanted = self._image.size().scaled(most, Qt.AspectRatioMode.KeepAspectRatio)
        return wanted.expandedTo(QSize(480, 360)) + QSize(2 * GRID, 80)
