"""REFs as the user gives them on the command line: what is missing for them, and how a request writes them down."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from desktop_app.core.checkpoint import STARTER
from desktop_app.core.errors import CheckpointMissing
from desktop_app.core.params import Params
from desktop_app.core.recipe import Recipe, refs_used
from desktop_app.store.checkpoint_care import Form, locate
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.command_line import typed_download
from desktop_app.store.paths import Paths
from desktop_app.store.recipes import SUFFIX


def is_path(ref: str, paths: Paths) -> bool:
    """Whether ``ref`` names a folder or a file, and not what was fetched from the hub. Raises `CheckpointError`."""
    place = locate(paths, ref)
    return place.form in (Form.FOLDER, Form.FILE) or place.path == Path(ref).expanduser().absolute()


def lasting_ref(ref: str, paths: Paths) -> str:
    """A path, and a name in the checkpoints folder, as an absolute path; a hub id and the starter as they are. So it
    means the same from any folder. Raises `CheckpointError`.
    """
    if ref == STARTER or not is_path(ref, paths):
        return ref
    path = locate(paths, ref).path
    return str(path.resolve() if ".." in path.parts else path)


def refuse_missing(recipe: Recipe, named: str, params: Params, checkpoints: CheckpointStore) -> None:
    """Raise `CheckpointMissing`, which names them all, when checkpoints that ``recipe`` takes for ``params`` are not
    here. ``named`` is how the user has called it.
    """
    used = (*refs_used(params), *recipe.needs)
    missing = [ref for ref in recipe.refs if ref in used and not checkpoints.is_here(ref)]
    if missing:
        title = f"What the recipe {recipe.label} takes is not on this machine"
        command = download_command(missing if named.endswith(SUFFIX) else [recipe.name])
        hint = f"Download it in the Checkpoints window, or by: {command}"
        raise CheckpointMissing(title, ", ".join(missing), hint, missing[0])


def download_command(names: Sequence[str]) -> str:
    """What to type to have ``names``, REFs or recipes, on this machine."""
    return "; ".join(map(typed_download, names))
