"""ValueSlider: a slider over a range of fractions with its value in a box beside it, by mouse, wheel or keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QLineF, Qt
from PySide6.QtGui import QDoubleValidator, QKeyEvent, QPainter, QPaintEvent, QPalette, QWheelEvent
from PySide6.QtWidgets import QLineEdit, QSlider
from superqt import QDoubleSlider, QLabeledDoubleSlider

from desktop_app.core.params import PARAM_SPECS, ParamSpec
from desktop_app.ui.field import describe_by, set_role
from desktop_app.ui.texts import number_locale

NOTCH = 120
"""Qt's unit for one notch of a wheel."""

STEPS = {Qt.Key.Key_Right: 1, Qt.Key.Key_Up: 1, Qt.Key.Key_Left: -1, Qt.Key.Key_Down: -1}
HANDLE = 16
"""Width of the handle, as the style sheet has it."""

TICK = 3
PAGES = {Qt.Key.Key_PageUp: 1, Qt.Key.Key_PageDown: -1}


class SliderBar(QDoubleSlider):  # type: ignore[misc]  # superqt is not typed here
    """The bar itself. superqt's own does nothing at a key (superqt 0.8), and takes the wheel without the keyboard."""

    def changeEvent(self, event: QEvent) -> None:
        """Another reading direction."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.LayoutDirectionChange:
            self.mark_direction()

    def mark_direction(self) -> None:
        """From right to left the filled part is the right one, which a style sheet cannot know by itself."""
        self.setProperty("mirrored", self.layoutDirection() is Qt.LayoutDirection.RightToLeft)
        self.style().polish(self)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The bar, and its ticks, which Qt leaves out of a slider with a style sheet."""
        super().paintEvent(event)
        if self.tickPosition() == QSlider.TickPosition.NoTicks or not self.tickInterval():
            return
        painter = QPainter(self)
        color = self.palette().color(QPalette.ColorRole.PlaceholderText)
        color.setAlphaF(0.6)
        painter.setPen(color)
        steps = round((self.maximum() - self.minimum()) / self.tickInterval())
        room = (self.width() - HANDLE) / steps
        bottom = self.height() - 0.5
        for number in range(steps + 1):
            x = round(HANDLE / 2 + number * room) + 0.5
            painter.drawLine(QLineF(x, bottom - TICK, x, bottom))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go a step, the page keys ten or so, Home and End to the ends."""
        key = Qt.Key(event.key())
        is_mirrored = self.layoutDirection() is Qt.LayoutDirection.RightToLeft
        sign = -1 if is_mirrored and key in (Qt.Key.Key_Left, Qt.Key.Key_Right) else 1
        if key in STEPS:
            self._go_to(self.value() + sign * STEPS[key] * self.singleStep())
        elif key in PAGES:
            self._go_to(self.value() + PAGES[key] * self.pageStep())
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):
            self._go_to(self.minimum() if key is Qt.Key.Key_Home else self.maximum())
        else:
            event.ignore()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Without the keyboard the wheel scrolls the panel."""
        notches = event.angleDelta().y() / NOTCH
        if not self.hasFocus() or not notches:
            event.ignore()
            return
        self._go_to(self.value() + notches * self.singleStep())
        event.accept()

    def _go_to(self, value: float) -> None:
        """As the mouse does it: the slider is down while it moves, so whoever listens can snap."""
        self.setSliderDown(True)
        self.setValue(value)
        self.setSliderDown(False)


class ValueSlider(QLabeledDoubleSlider):  # type: ignore[misc]
    """Over the range of a field of `Params`. ``bar`` and ``box`` take the keyboard, one after the other."""

    _slider_class = SliderBar

    def __init__(self, param: str, name: str, decimals: int, spec: ParamSpec | None = None) -> None:
        """``spec`` is that of ``param`` where it is no field of `Params` itself."""
        super().__init__(Qt.Orientation.Horizontal)
        spec = spec or PARAM_SPECS[param]
        self.setObjectName(name)
        self.setLocale(number_locale())
        self.setRange(spec.minimum, spec.maximum)
        self.setDecimals(decimals)
        self.setSingleStep(spec.step)
        self.setPageStep((spec.step or 0.1) * 10)
        self.bar = self.findChild(QSlider)
        self.box = self.findChild(QLineEdit)
        for part in (self, self.bar, self.box):
            describe_by(part, spec)
        self._set_up_box()
        self.bar.mark_direction()
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFocusProxy(self.bar)
        self.bar.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def commit(self) -> None:
        """Take what is typed in the box, if it is a number; the bar has the keyboard then."""
        if self.box.hasFocus() and self.box.hasAcceptableInput():
            self.bar.setFocus(Qt.FocusReason.OtherFocusReason)

    def _set_up_box(self) -> None:
        self.box.returnPressed.connect(self.commit)  # superqt would leave the keyboard with nobody
        self.box.setStyleSheet("")  # superqt takes its frame away, even while it has the keyboard
        set_role(self.box, "value")
        self.box.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.box.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        validator = self.box.validator()
        if isinstance(validator, QDoubleValidator):
            validator.setLocale(number_locale())
