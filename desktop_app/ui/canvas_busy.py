"""BusyLabel: says on the canvas that a picture is being opened, when that takes long enough to wonder."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer
from PySide6.QtWidgets import QLabel, QWidget

PATIENCE_MS = 400
"""What is over sooner needs no word."""

STYLE = """
    QLabel { background: palette(window); border: 1px solid palette(mid); border-radius: 8px; padding: 10px 18px; }
"""


class BusyLabel(QLabel):
    """Lies over the middle of its parent, which calls `place` when its own size changes."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._ground = parent
        self.setObjectName("busyLabel")
        self.setText(self.tr("Opening the picture…"))
        self.setStyleSheet(STYLE)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._on_patience_ended)
        self.hide()

    def set_busy(self, is_busy: bool) -> None:
        """Begin to wait, or stop waiting."""
        if is_busy:
            self._timer.start()
        else:
            self._timer.stop()
            self.hide()

    def place(self) -> None:
        """Go to the middle of the parent."""
        self.adjustSize()
        self.move(self._ground.rect().center() - self.rect().center())

    def _on_patience_ended(self) -> None:
        self.place()
        self.raise_()
        self.show()
