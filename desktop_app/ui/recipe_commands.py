"""RecipeCommands: the actions that keep, share and remove the user's own recipes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog, QInputDialog, QMessageBox

from desktop_app.ui.save_place import ask_where

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow


class RecipeCommands(QObject):
    """Lives in the GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._document = window.document
        self._book = window.parts.recipes
        self._actions = window.actions_by_id
        for name, slot in (
            ("save_recipe", self._on_save),
            ("import_recipe", self._on_import),
            ("export_recipe", self._on_export),
            ("remove_recipe", self._on_remove),
        ):
            self._actions[name].triggered.connect(slot)
        self._book.error_raised.connect(window.show_error)
        self._document.params_changed.connect(self._refresh)
        self._document.recipes_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self, _params: object = None) -> None:
        recipe = self._document.recipe
        self._actions["export_recipe"].setEnabled(recipe is not None)
        self._actions["remove_recipe"].setEnabled(recipe is not None and self._book.is_own(recipe.name))

    def _on_save(self) -> None:
        dialog = QInputDialog(self._window)
        dialog.setObjectName("recipeNameDialog")
        dialog.setWindowTitle(self.tr("Save values as recipe"))
        dialog.setLabelText(self.tr("Its name:"))
        dialog.setOkButtonText(self.tr("Save"))
        recipe = self._document.recipe
        if recipe is not None and self._book.is_own(recipe.name):
            dialog.setTextValue(recipe.label)
        dialog.textValueSelected.connect(self._on_named)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_named(self, label: str) -> None:
        if self._book.own_name(label):
            text = self.tr("Replace your recipe %1?").replace("%1", label.strip())
            more = self.tr("It then has the values that the controls show now.")
            self._ask("replaceRecipeBox", text, more, self.tr("Replace"), partial(self._book.save, label))
        elif label.strip():
            self._book.save(label)

    def _ask(self, name: str, text: str, more: str, yes: str, then: Callable[[], None]) -> None:
        """Ask before a file goes; the safe answer is the default."""
        box = QMessageBox(self._window)
        box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        box.setObjectName(name)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(text)
        box.setInformativeText(more)
        box.addButton(yes, QMessageBox.ButtonRole.AcceptRole)
        box.setDefaultButton(box.addButton(self.tr("Keep it"), QMessageBox.ButtonRole.RejectRole))
        box.accepted.connect(then)
        box.open()

    def _on_import(self) -> None:
        title, kinds = self.tr("Import recipe"), self.tr("Recipes (*.toml)")
        name, _kind = QFileDialog.getOpenFileName(self._window, title, self._folder(), kinds)
        if name:
            self._book.bring_in(Path(name))

    def _on_export(self) -> None:
        recipe = self._document.recipe
        if recipe is None:
            return
        proposal = Path(self._folder()) / f"{recipe.name}.toml"
        path = ask_where(self._window, self.tr("Export recipe"), proposal, self.tr("Recipes (*.toml)"))
        if path is not None:
            self._book.export(recipe.name, path)

    def _on_remove(self) -> None:
        recipe = self._document.recipe
        if recipe is not None:
            text = self.tr("Remove your recipe %1?").replace("%1", recipe.label)
            more = self.tr("Its file is deleted; the values in the controls stay.")
            self._ask("removeRecipeBox", text, more, self.tr("Remove"), partial(self._book.remove, recipe.name))

    def _folder(self) -> str:
        return self._window.settings.get("last_folder") or str(Path.home())
