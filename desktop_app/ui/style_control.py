"""StyleControl: the style in which a prompt is painted."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QSizePolicy

from desktop_app.core.params import Params
from desktop_app.core.styles import Style
from desktop_app.studio.document import Document
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.field import words


class StyleControl(QComboBox):
    """Renders the document's style; what is picked goes straight back to the document."""

    def __init__(self, document: Document) -> None:
        super().__init__()
        self._document = document
        self.setObjectName("styleCombo")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.addItem(self.tr("No style"), "")
        for style in document.styles:
            self.addItem(style.label, style.name)
            self.setItemData(self.count() - 1, self._tip(style), Qt.ItemDataRole.ToolTipRole)
        self.activated.connect(self._on_activated)
        document.params_changed.connect(self._show)
        self._show(document.params)

    def style_of(self, params: Params) -> Style | None:
        """What ``params`` name, None where there is no such style."""
        return next((style for style in self._document.styles if style.name == params.style), None)

    def _show(self, params: Params) -> None:
        """A style that is not there, from another machine or a file that was changed, is shown by its name."""
        self.setPlaceholderText(params.style)
        self.setCurrentIndex(self.findData(params.style))
        style = self.style_of(params)
        self.setToolTip(self._tip(style) if style else words("style")[1])

    def _tip(self, style: Style) -> str:
        lines = [style.prompt]
        if style.negative:
            lines.append(self.tr("Negative prompt: %1").replace("%1", style.negative))
        return plain_tip("\n".join(lines))

    def _on_activated(self, index: int) -> None:
        self._document.set_param("style", self.itemData(index))
