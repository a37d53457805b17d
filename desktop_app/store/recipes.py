"""RecipeStore: the recipes that the program brought along, and the user's own beside them, one TOML file each."""

from __future__ import annotations

import dataclasses
import os
import re
import unicodedata
from pathlib import Path

from desktop_app.core.errors import RequestError, StoreError
from desktop_app.core.recipe import LAST, Recipe, in_order, read_recipe, write_recipe
from desktop_app.store.files import make_folder, store_error, write_atomic, write_new

SUFFIX = ".toml"
MAX_NAME = 60
MAX_SAME = 1000
"""So many own recipes may have the same label."""

_RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{number}" for name in ("com", "lpt") for number in range(1, 10))}


class RecipeStore:
    """Reads two folders at each call and keeps nothing, so it can be used from any thread. ``shipped`` is never
    written; ``own`` is made when the first recipe is saved.
    """

    def __init__(self, own: Path, shipped: Path) -> None:
        self._own = own
        self._shipped = shipped

    def list(self) -> list[Recipe]:
        """All that can be read: those of the program in their order, then the user's own by label."""
        return [found for found in self.survey().values() if isinstance(found, Recipe)]

    def survey(self) -> dict[str, Recipe | RequestError]:
        """By name, what `list` goes through; and of the user's own that cannot be read, why.

        Raises `RequestError` when one of the program's own is damaged.
        """
        shipped = in_order(read_recipe(path) for path in _files(self._shipped))
        found: dict[str, Recipe | RequestError] = {recipe.name: recipe for recipe in shipped}
        own: list[Recipe] = []
        for path in _files(self._own):
            if path.stem in found:
                found[f"{path.stem} (own)"] = _name_taken(path)
                continue
            try:
                own.append(read_recipe(path))
            except RequestError as e:
                found[path.stem] = e
        return found | {recipe.name: recipe for recipe in in_order(own)}

    def find(self, name: str) -> Recipe:
        """The recipe ``name``; a name that ends in .toml is a file anywhere. Raises `RequestError`."""
        if name.endswith(SUFFIX):
            return read_recipe(Path(os.path.expanduser(name)))
        survey = self.survey()
        found = survey.get(name)
        if isinstance(found, RequestError):
            raise found
        if found is None:
            known = ", ".join(name for name, recipe in survey.items() if isinstance(recipe, Recipe))
            hint = f"Known are: {known}. A file must end in .toml, and a hub id has a /."
            raise RequestError("There is no such recipe", name, hint, "recipe")
        return found

    def is_own(self, name: str) -> bool:
        """Whether the user can change and remove the recipe ``name``."""
        return name in (path.stem for path in _files(self._own)) and name not in (p.stem for p in _files(self._shipped))

    def save(self, recipe: Recipe) -> Recipe:
        """Keep ``recipe`` under a new name made of its label; the recipe with that name. Raises `StoreError`."""
        make_folder(self._own)
        taken = {path.stem for folder in (self._own, self._shipped) for path in _files(folder)}
        stem = slug(recipe.label)
        names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, MAX_SAME))
        for name in names:
            path = self._own / f"{name}{SUFFIX}"
            if name not in taken and not path.exists():
                kept = dataclasses.replace(recipe, name=name, order=LAST)
                write_new(path, write_recipe(kept).encode())
                return kept
        raise StoreError("The recipe cannot be saved", f"There are {MAX_SAME} with this name", "Choose another name.")

    def replace(self, recipe: Recipe) -> None:
        """Write ``recipe`` over the user's own of the same name. Raises `StoreError`, `RequestError`."""
        write_atomic(self._own_file(recipe.name), write_recipe(recipe).encode())

    def bring_in(self, path: Path) -> Recipe:
        """Copy a recipe's file from anywhere; one that is there already, word for word, is not kept twice.

        Raises `RequestError` when it cannot be read, `StoreError` when it cannot be kept.
        """
        recipe = dataclasses.replace(read_recipe(path), name="", order=LAST)
        for found in self.list():
            if self.is_own(found.name) and dataclasses.replace(found, name="", order=LAST) == recipe:
                return found
        return self.save(recipe)

    def export(self, name: str, target: Path) -> None:
        """Write the recipe ``name`` to the file ``target``, for others. Raises `RequestError`, `StoreError`."""
        write_atomic(target, write_recipe(self.find(name)).encode(), is_private=False)

    def remove(self, name: str) -> None:
        """Delete the user's own recipe ``name``, readable or not. Raises `RequestError`, `StoreError`."""
        path = self._own_file(name)
        try:
            path.unlink()
        except OSError as e:
            raise store_error("The recipe cannot be removed", path, e) from e

    def _own_file(self, name: str) -> Path:
        if self.is_own(name):
            return self._own / f"{name}{SUFFIX}"
        hint = "Only your own recipes can be changed: save a copy of this one under another name."
        raise RequestError("The recipe is not your own", name, hint, "recipe")


def slug(label: str) -> str:
    """A file name, without its ending, that every system takes: ``Soft ink!`` becomes ``soft-ink``."""
    plain = unicodedata.normalize("NFKC", label).casefold()
    name = re.sub(r"[^\w.+]+", "-", plain).strip("-._+")
    short = name.encode()[:MAX_NAME].decode(errors="ignore").strip("-._+")
    return f"recipe-{short}".rstrip("-") if not short or short.partition(".")[0] in _RESERVED else short


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob(f"*{SUFFIX}") if not path.name.startswith("."))


def _name_taken(path: Path) -> RequestError:
    detail = f"{path.name} has the name of a recipe that the program brought along"
    return RequestError("The recipe cannot be used", detail, "Give the file another name.", "recipe")
