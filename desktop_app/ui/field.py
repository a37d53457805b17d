"""Field: a control with its label above and, when its value cannot be run, the reason below."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import RequestError
from desktop_app.core.families import family_named
from desktop_app.core.params import PARAM_SPECS, ParamSpec
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.texts import QT_TRANSLATE_NOOP, param_text
from desktop_app.ui.theme import GRID

SIZE = "size"
"""Width and height of `Params` have one control together."""

ORIGINAL_SIZE = "original_size"
"""So have the two sides of the original size."""

_SIZE_WORDS = {
    SIZE: (
        QT_TRANSLATE_NOOP("Params", "Working size"),
        QT_TRANSLATE_NOOP("Params", "The size in which the checkpoint paints; near its native size it paints best."),
    ),
    ORIGINAL_SIZE: (
        QT_TRANSLATE_NOOP("Params", "Original size"),
        QT_TRANSLATE_NOOP("Params", "What the picture shall seem to come from: a small size gives a blurred picture."),
    ),
    "kind": (
        QT_TRANSLATE_NOOP("Params", "Kind"),
        QT_TRANSLATE_NOOP("Params", "What this stage does with the picture of the one before."),
    ),
    "noise_level": (
        QT_TRANSLATE_NOOP("Params", "Noise first"),
        QT_TRANSLATE_NOOP("Params", "Noise that is added to the picture first, 0 to 350: more of it, more new detail."),
    ),
}


def words(param: str) -> tuple[str, str]:
    """Label and tip of a field of `Params` (or of two together) in the user's language."""
    spec = PARAM_SPECS.get(param)
    label, tip = (spec.label, spec.tip) if spec else _SIZE_WORDS[param]
    return param_text(label), param_text(tip)


def describe(control: QWidget, param: str) -> None:
    """Give ``control`` the accessible name and the tool tip of a field of `Params`."""
    _describe(control, *words(param))


def describe_by(control: QWidget, spec: ParamSpec) -> None:
    """The same by a ``spec`` of something that is no field of `Params` itself."""
    _describe(control, param_text(spec.label), param_text(spec.tip))


def _describe(control: QWidget, label: str, tip: str) -> None:
    control.setAccessibleName(label)
    control.setAccessibleDescription(tip)
    control.setToolTip(tip)


def set_role(label: QWidget, role: str) -> None:
    """Mark ``label`` for the style sheet: caption, heading, error, empty or chip."""
    label.setProperty("role", role)


class Field(QWidget):
    """``content`` under the label of ``param``; ``control`` is what takes the keyboard (``content`` itself if None)."""

    def __init__(
        self, param: str, content: QWidget, control: QWidget | None = None, *, aside: QWidget | None = None
    ) -> None:
        super().__init__()
        self._content = content
        self._control = control or content
        self._reason = ""
        text, self._tip = words(param)
        describe(self._control, param)
        if isinstance(self._control, QPushButton):
            self._control.setAccessibleName("")  # it is called what it says
        self._label = QLabel(text)
        self._label.setBuddy(self._control)
        self._label.setToolTip(self._tip)
        self._error = QLabel()
        self._error.setWordWrap(True)
        self._error.setTextFormat(Qt.TextFormat.PlainText)
        self._error.setVisible(False)
        set_role(self._error, "error")
        head = QHBoxLayout()
        head.addWidget(self._label)
        head.addStretch()
        if aside is not None:
            head.addWidget(aside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(GRID // 2)
        layout.addLayout(head)
        layout.addWidget(content)
        layout.addWidget(self._error)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)

    @property
    def error_text(self) -> str:
        """What is said below the control, or empty."""
        return self._error.text()

    def show_error(self, error: RequestError | None) -> None:
        """Say below the control why its value cannot be run; None takes it back."""
        text = error_text(error)
        if text == self._error.text():
            return
        self._error.setText(text)
        self._error.setVisible(bool(text))
        self._control.setAccessibleDescription(text or self._reason or self._tip)
        self._control.setProperty("invalid", bool(text))
        self._control.style().polish(self._control)

    def set_unused(self, reason: str) -> None:
        """Take the control out of use, and say in its tip why; an empty ``reason`` brings it back."""
        if reason == self._reason:
            return
        self._reason = reason
        for part in (self._label, self._content):
            part.setEnabled(not reason)
        tip = plain_tip(reason) if reason else self._tip
        for part in {self._label, self._content, self._control}:
            part.setToolTip(tip)
        self._control.setAccessibleDescription(reason or self._tip)

    def focus_control(self) -> None:
        """Give the keyboard to the control."""
        self._control.setFocus(Qt.FocusReason.OtherFocusReason)


def error_text(error: RequestError | None) -> str:
    """All that ``error`` says, in sentences; empty for None."""
    if error is None:
        return ""
    first = f"{error.title}: {error.detail}." if error.detail else f"{error.title}."
    return " ".join(part for part in (first.replace("..", "."), error.hint) if part)


def show_unused(fields: Mapping[str, Field], info: CheckpointInfo | None) -> None:
    """Take out of use those of ``fields`` (by field of `Params`) that the family of the checkpoint does not take."""
    family = family_named(info.family) if info else None
    for name, field in fields.items():
        field.set_unused(param_text(reason) if family and (reason := family.reason(name)) else "")


class WheelGuard(QObject):
    """Keeps the wheel, while it scrolls a panel, from turning the values it passes over."""

    def watch(self, *controls: QWidget) -> None:
        """Let ``controls`` take the wheel only while they have the keyboard."""
        for control in controls:
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            control.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Hand the wheel on to the panel."""
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False
