"""RefControl: a choice of checkpoint for a second part of the work, such as the refiner, or of none."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QSizePolicy

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.texts import file_size


class RefControl(QComboBox):
    """Shows the REF in use; reports the one that the user picks. An empty REF has a line of its own."""

    picked = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.activated.connect(self._on_activated)
        self._shown: tuple[str, str, tuple[CheckpointInfo, ...]] | None = None

    def show_value(self, ref: str, none: str, infos: Sequence[CheckpointInfo]) -> None:
        """Offer ``infos`` and, as ``none`` calls it, the empty REF; show that ``ref`` is in use, known or not."""
        if (ref, none, tuple(infos)) == self._shown:
            return
        self._shown = (ref, none, tuple(infos))
        self.clear()
        self.addItem(none, "")
        for info in infos:
            self.addItem(info.label, info.ref)
            tip = f"{info.path}\n{info.family}, {file_size(info.size_bytes)}"
            self.setItemData(self.count() - 1, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        if self.findData(ref) < 0:
            self.addItem(ref, ref)
        self.setCurrentIndex(self.findData(ref))

    def _on_activated(self, index: int) -> None:
        ref = self.itemData(index)
        if self._shown and ref != self._shown[0]:
            self.picked.emit(ref)
