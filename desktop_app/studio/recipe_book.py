"""RecipeBook: the recipes that the document offers, and the user's own among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.recipe import LAST, Recipe, make_recipe
from desktop_app.store.recipes import RecipeStore
from desktop_app.studio.document import Document
from desktop_app.studio.pool import PoolRunner


class RecipeBook(QObject):
    """Lives in the GUI thread; the disk is written on the pool, one thing after the other."""

    error_raised = Signal(object)
    _SAVED, _REMOVED, _EXPORTED = "saved", "removed", "exported"

    def __init__(self, store: RecipeStore, document: Document, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._document = document
        self._own = self._own_names(document.recipes)
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)

    def is_own(self, name: str) -> bool:
        """Whether the recipe ``name`` is the user's, to be changed and removed."""
        return name in self._own

    def damaged(self) -> list[RequestError]:
        """Why some of the user's own cannot be read."""
        return [found for found in self._store.survey().values() if isinstance(found, RequestError)]

    def own_name(self, label: str) -> str:
        """The name of the user's own recipe called ``label``, or empty."""
        wanted = " ".join(label.split()).casefold()
        own = (recipe for recipe in self._document.recipes if self.is_own(recipe.name))
        return next((recipe.name for recipe in own if recipe.label.casefold() == wanted), "")

    def save(self, label: str) -> None:
        """Keep what the controls show as a recipe called ``label``, and go on with that one. It takes the place of the
        user's own that is called so.
        """
        params, name = self._document.params, self.own_name(label)

        def keep() -> Recipe:
            recipe = make_recipe(label, params)
            if not name:
                return self._store.save(recipe)
            kept = replace(recipe, name=name, order=LAST)
            self._store.replace(kept)
            return kept

        self._start(self._SAVED, keep)

    def bring_in(self, path: Path) -> None:
        """Copy a recipe's file, and offer it."""
        self._start(self._SAVED, partial(self._store.bring_in, path))

    def export(self, name: str, target: Path) -> None:
        """Write the recipe ``name`` to the file ``target``."""
        self._start(self._EXPORTED, partial(self._store.export, name, target))

    def remove(self, name: str) -> None:
        """Delete the user's own recipe ``name``; the values in the controls stay."""
        self._start(self._REMOVED, partial(self._store.remove, name))

    def close(self) -> None:
        """Let the thread end."""
        self._runner.wait()

    def _own_names(self, recipes: list[Recipe]) -> set[str]:
        return {recipe.name for recipe in recipes if self._store.is_own(recipe.name)}

    def _start(self, kind: str, work: Callable[[], object]) -> None:
        def do() -> tuple[object, list[Recipe], set[str]]:
            outcome, recipes = work(), self._store.list()
            return outcome, recipes, self._own_names(recipes)

        self._runner.start(kind, do)

    def _on_finished(self, kind: str, outcome: tuple[object, list[Recipe], set[str]]) -> None:
        done, recipes, self._own = outcome
        self._document.set_recipes(recipes)
        if kind == self._SAVED and isinstance(done, Recipe):
            self._document.set_param("recipe", done.name)

    def _on_failed(self, _kind: str, error: StudioError) -> None:
        self.error_raised.emit(error)
