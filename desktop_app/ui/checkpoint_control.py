"""CheckpointControl: which checkpoint paints, with a last entry that opens a folder."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.studio.request_texts import checkpoint_name
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.field import set_role
from desktop_app.ui.texts import file_size


class CheckpointControl(QWidget):
    """Shows the checkpoints on disk and the one in use; reports the REF that the user picks."""

    picked = Signal(str)
    open_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._infos: tuple[CheckpointInfo, ...] = ()
        self._ref = ""
        self.combo = QComboBox()
        self.combo.setObjectName("checkpointCombo")
        self.combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.combo.activated.connect(self._on_combo_activated)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.combo)
        self._note = QLabel()
        self._note.setObjectName("checkpointNote")
        self._note.setTextFormat(Qt.TextFormat.PlainText)
        self._note.setWordWrap(True)
        self._note.hide()
        set_role(self._note, "caption")
        layout.addWidget(self._note)
        self._fill()

    def set_checkpoints(self, infos: Sequence[CheckpointInfo]) -> None:
        """Offer those of ``infos`` that paint; a prior or an upscaler does not."""
        painting = tuple(info for info in infos if info.can_paint)
        if painting != self._infos:
            self._infos = painting
            self._fill()

    def show_value(self, ref: str) -> None:
        """Show that ``ref`` is in use, known or not."""
        if ref != self._ref:
            self._ref = ref
            self._fill()

    def show_note(self, note: str) -> None:
        """Say ``note`` of the checkpoint in use; nothing where it is empty."""
        self._note.setText(note)
        self._note.setVisible(bool(note))

    def _fill(self) -> None:
        self.combo.clear()
        for info in self._infos:
            self.combo.addItem(info.label, info.ref)
            tip = f"{info.path}\n{info.family}, {file_size(info.size_bytes)}"
            self.combo.setItemData(self.combo.count() - 1, plain_tip(tip), Qt.ItemDataRole.ToolTipRole)
        if self._ref and self.combo.findData(self._ref) < 0:
            self.combo.addItem(checkpoint_name(self._ref), self._ref)
            self.combo.setItemData(self.combo.count() - 1, plain_tip(self._ref), Qt.ItemDataRole.ToolTipRole)
        self.combo.insertSeparator(self.combo.count())
        self.combo.addItem(self.tr("Open checkpoint folder…"))
        self.combo.setCurrentIndex(self.combo.findData(self._ref) if self._ref else -1)

    def _on_combo_activated(self, index: int) -> None:
        ref = self.combo.itemData(index)
        self.combo.setCurrentIndex(self.combo.findData(self._ref))
        if ref is None:
            self.open_requested.emit()
        elif ref != self._ref:
            self.picked.emit(ref)
