"""ChoiceCombo: a list of ControlNets or annotators, with those that do not fit and those that are not here yet."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QSizePolicy

from desktop_app.studio.control_choice import Choice
from desktop_app.studio.tips import plain_tip


class ChoiceCombo(QComboBox):
    """Shows the choice in use; reports the REF of the one that the user picks."""

    picked = Signal(str)

    def __init__(self, name: str, placeholder: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self._placeholder = placeholder
        self.setPlaceholderText(placeholder)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.activated.connect(self._on_activated)
        self._shown: tuple[str, tuple[Choice, ...], str] | None = None

    def show_value(self, ref: str, choices: Sequence[Choice], none: str = "") -> None:
        """Offer ``choices`` and show that ``ref`` is in use; the placeholder where it is none of them.

        ``none`` says why there is nothing to choose, where that is so: then the list does not open.
        """
        if (ref, tuple(choices), none) == self._shown:
            return
        self._shown = (ref, tuple(choices), none)
        is_without = bool(none) and not choices
        self.setPlaceholderText(self.tr("None fits") if is_without else self._placeholder)
        self.setEnabled(not is_without)
        self.clear()
        for choice in choices:
            self._add(choice)
        self.setCurrentIndex(self.findData(ref))
        used = next((choice for choice in choices if choice.ref == ref), None)
        tip = plain_tip(used.reason or used.tip) if used else self._placeholder
        self.setToolTip(plain_tip(none) if is_without else tip)

    def _add(self, choice: Choice) -> None:
        label = self.tr("%1 (download)").replace("%1", choice.label) if choice.is_missing else choice.label
        self.addItem(label, choice.ref)
        row = self.count() - 1
        self.setItemData(row, plain_tip(choice.reason or choice.tip), Qt.ItemDataRole.ToolTipRole)
        model = self.model()
        if choice.reason and isinstance(model, QStandardItemModel):
            model.item(row).setEnabled(False)

    def _on_activated(self, index: int) -> None:
        ref = self.itemData(index)
        if self._shown and ref != self._shown[0]:
            self.picked.emit(ref)
