"""What can be dropped onto the Checkpoints window, and the overlay that says so."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from PySide6.QtWidgets import QWidget

from desktop_app.ui.theme import GRID

SUFFIX = ".safetensors"
UNSAFE_SUFFIXES = (".ckpt", ".pt", ".pth")
"""These are taken too, so that the import can say why they are refused."""
INDEX_NAME = "model_index.json"
GROUND_OPACITY = 0.95
WORDS_SHARE = 1.4


def checkpoint_paths(mime: QMimeData) -> list[Path]:
    """The single files and the folders in diffusers layout that ``mime`` brings."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    return [path for path in paths if is_checkpoint(path)]


def is_checkpoint(path: Path) -> bool:
    """Whether ``path`` looks like a checkpoint from outside."""
    if path.suffix.lower() in (SUFFIX, *UNSAFE_SUFFIXES):
        return path.is_file()
    return (path / INDEX_NAME).is_file()


class DropHint(QWidget):
    """Covers the window while a checkpoint hovers over it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("checkpointDropHint")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._words = ""
        self._covered = parent
        self.hide()

    def light(self, paths: list[Path]) -> None:
        """Say what becomes of ``paths``."""
        names = ", ".join(path.name for path in paths)
        is_folder = paths[0].is_dir()
        words = self.tr("Drop to use %1 where it is") if is_folder else self.tr("Drop to import %1")
        self._words = words.replace("%1", names)
        self.setGeometry(self._covered.rect())
        self.raise_()
        self.show()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The words in a dashed frame."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QColor(self.palette().color(QPalette.ColorRole.Window))
        ground.setAlphaF(GROUND_OPACITY)
        painter.fillRect(self.rect(), ground)
        frame = QRectF(self.rect()).adjusted(2 * GRID, 2 * GRID, -2 * GRID, -2 * GRID)
        painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Accent), 2, Qt.PenStyle.DashLine))
        painter.drawRoundedRect(frame, GRID, GRID)
        font = painter.font()
        font.setPointSizeF(max(font.pointSizeF(), 1.0) * WORDS_SHARE)
        painter.setFont(font)
        painter.setPen(self.palette().color(QPalette.ColorRole.WindowText))
        flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
        painter.drawText(frame.adjusted(GRID, GRID, -GRID, -GRID), flags, self._words)
