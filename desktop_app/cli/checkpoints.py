"""``underpaint checkpoints``: what is installed and what could be; download, import, remove, verify."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from desktop_app.cli.arguments import is_offline
from desktop_app.cli.checkpoint_console import ByteBar, ask, ask_conversion, print_table, tell_plan
from desktop_app.cli.interrupt import cancel_on_interrupt
from desktop_app.core.catalog import CATALOG_NAME, CatalogEntry, find_entry, read_catalog
from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.download import DownloadPlan
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, CheckpointError, StudioError
from desktop_app.store.checkpoint_care import (
    Form,
    Whereabouts,
    bring_in,
    converted_from,
    discard,
    home_of,
    keep_converted,
    locate,
    remove,
    verify,
)
from desktop_app.store.checkpoint_files import HALF
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.command_line import typed_download
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub, read_ref
from desktop_app.store.hub_cache import has_pickles
from desktop_app.store.hub_errors import size_text
from desktop_app.store.hub_token import HubToken
from desktop_app.store.paths import Paths, resources_dir, user_paths
from desktop_app.store.recipes import RecipeStore

KEPT = "Stopped. What is here is kept: the same command goes on from there."


def checkpoints(options: argparse.Namespace) -> int:
    """Do what ``options.action`` names; the exit status. Raises `StudioError`, `Cancelled`."""
    paths = user_paths(options.data_dir)
    actions = {"list": _list, "download": _download, "import": _import, "remove": _remove, "verify": _verify}
    return actions[options.action](_Command(options, paths))


@dataclass(frozen=True)
class _Command:
    """What the user asked for, and the stores that do it."""

    options: argparse.Namespace
    paths: Paths

    @cached_property
    def catalog(self) -> tuple[CatalogEntry, ...]:
        return read_catalog(resources_dir() / CATALOG_NAME)

    @cached_property
    def downloads(self) -> CheckpointDownloads:
        is_online = not is_offline(self.options)
        return CheckpointDownloads(self.paths, Hub(token=HubToken().get, is_online=lambda: is_online))

    def tell(self, facts: dict[str, Any], text: str) -> None:
        """One result on stdout."""
        print(json.dumps(facts, ensure_ascii=False) if self.options.json else text, flush=True)


# List --------------------------------------------------------------------------------------------


def _list(command: _Command) -> int:
    rows = _tell_available(command) if command.options.available else _tell_installed(command)
    if command.options.json:
        for row in rows:
            print(json.dumps({key: value for key, value in row.items() if key != "size"}, ensure_ascii=False))
        return 0
    columns = ("ref", "family", "size", "state")
    print_table([[column.upper() for column in columns], *([str(row[column]) for column in columns] for row in rows)])
    return 0


def _tell_installed(command: _Command) -> list[dict[str, Any]]:
    survey = CheckpointStore(command.paths).survey()
    rows = [_installed(command.paths, ref, found) for ref, found in survey.items()]
    for left in command.downloads.unfinished():
        state = f"unfinished: {size_text(left.done)} of {size_text(left.total)} are here"
        rows.append({"ref": left.ref, "state": state, "family": "", "done_bytes": left.done, **_size(left.total)})
    return rows


def _installed(paths: Paths, ref: str, found: CheckpointInfo | StudioError) -> dict[str, Any]:
    if isinstance(found, StudioError):
        return {"ref": ref, "family": "", "size_bytes": None, "size": "", "state": str(found), "error": found.to_json()}
    home = home_of(paths, found.path)
    facts = {"ref": ref, "label": found.label, "family": found.family, **_size(found.size_bytes)}
    return {**facts, "state": home.value, "home": home.name.lower(), "path": str(found.path)}


def _tell_available(command: _Command) -> list[dict[str, Any]]:
    here = CheckpointStore(command.paths).survey()
    return [_available(entry) for entry in command.catalog if entry.ref not in here]


def _available(entry: CatalogEntry) -> dict[str, Any]:
    marks = [entry.role.value] if not entry.can_paint else []
    marks += [mark for mark, has in (("gated", entry.is_gated), ("pickled", entry.is_pickled)) if has]
    facts = {"ref": entry.ref, "label": entry.label, "family": entry.family, **_size(entry.size_bytes)}
    facts |= {"licence": entry.licence, "is_gated": entry.is_gated, "is_pickled": entry.is_pickled}
    facts |= {"role": entry.role.value, "needs": entry.needs, "trigger_words": entry.trigger_words, "note": entry.note}
    return {**facts, "state": ", ".join([*marks, entry.licence])}


def _size(count: int) -> dict[str, Any]:
    return {"size_bytes": count, "size": size_text(count)}


# Download ----------------------------------------------------------------------------------------


def _download(command: _Command) -> int:
    wanted = _expand(command, command.options.ref)
    command.paths.ensure()
    is_asked = command.options.update or command.options.full_precision
    found = {ref: None if is_asked else _find_here(command.paths, ref) for ref in wanted}
    plans = {ref: _plan(command, ref) for ref, place in found.items() if place is None}
    for ref, plan in plans.items():
        tell_plan(plan, find_entry(command.catalog, ref))
    _ask(command, plans, [ref for ref, place in found.items() if place is not None and has_pickles(place.path)])
    with _interruptible(KEPT) as (bar, cancel):
        for ref, place in found.items():
            path = _fetch(command, plans[ref], bar, cancel) if place is None else place.path
            converted = has_pickles(path)
            if converted:
                bar.title = f"Converting {ref}"
                path = _convert(command.paths, ref, path, bar, cancel)
            bar.clear()
            facts = {"ref": ref, "path": str(path), "is_converted": converted, "was_here": place is not None}
            command.tell(facts, f"{ref}: {'is here already, in' if place and not converted else 'is in'} {path}")
    return 0


def _expand(command: _Command, ref: str) -> list[str]:
    """REFs of all that is wanted: of a recipe what it takes, of a checkpoint also what it cannot paint without."""
    if ref == STARTER:
        hint = "It can be used at once."
        raise CheckpointError("There is nothing to download", "The starter checkpoint ships with the program", hint)
    named = [ref]
    if "/" not in ref or ref.endswith(".toml"):
        named = list(RecipeStore(command.paths.recipes, resources_dir() / "recipes").find(ref).refs)
        if not named:
            detail = f"The recipe {ref} takes the starter checkpoint, which ships with the program"
            raise CheckpointError("There is nothing to download", detail, "It can be used at once.")
    needs = [need for each in named if (entry := find_entry(command.catalog, each)) for need in entry.needs]
    return list(dict.fromkeys([*named, *needs]))


def _find_here(paths: Paths, ref: str) -> Whereabouts | None:
    """Where ``ref`` is whole on this machine, so that nothing needs to be fetched."""
    try:
        found = locate(paths, ref)
        if not (found.form is Form.SNAPSHOT and has_pickles(found.path)):
            CheckpointStore(paths).describe(ref)
    except CheckpointError:
        read_ref(ref)  # says so where it is no name on the hub either
        return None
    return found


def _plan(command: _Command, ref: str) -> DownloadPlan:
    variant = "" if command.options.full_precision else HALF
    return command.downloads.plan(ref, variant=variant)


def _ask(command: _Command, plans: dict[str, DownloadPlan], pickled_here: list[str]) -> None:
    options = command.options
    gated = [ref for ref in plans if (entry := find_entry(command.catalog, ref)) and entry.is_gated]
    if gated:
        question = f"Have you read and accepted the licence of {', '.join(gated)}?"
        ask(question, "Nothing was downloaded", is_agreed=options.yes)
    fresh = [
        ref for ref, plan in plans.items() if plan.is_pickled and converted_from(command.paths, ref) != plan.commit
    ]
    if fresh or pickled_here:
        ask_conversion([*fresh, *pickled_here], is_agreed=options.yes)


def _fetch(command: _Command, plan: DownloadPlan, bar: ByteBar, cancel: CancelFlag) -> Path:
    if plan.is_pickled and converted_from(command.paths, plan.ref) == plan.commit:
        return command.paths.converted(plan.ref)
    bar.title = f"Downloading {plan.ref}"
    return command.downloads.fetch(plan, bar, cancel)


def _convert(paths: Paths, ref: str, snapshot: Path, bar: ByteBar, cancel: CancelFlag) -> Path:
    from desktop_app.engine.conversion import convert_pickles

    return keep_converted(paths, ref, snapshot, convert_pickles, bar, cancel)


# Import, remove, verify --------------------------------------------------------------------------


def _import(command: _Command) -> int:
    path = Path(command.options.file).expanduser()
    command.paths.ensure()
    with _interruptible() as (bar, cancel):
        bar.title = f"Copying {path.name}"
        ref = bring_in(command.paths, path, bar, cancel)
        bar.clear()
    facts = _installed(command.paths, ref, CheckpointStore(command.paths).describe(ref))
    command.tell(facts, f"{ref}: {facts['family']}, {facts['size']}")
    return 0


def _remove(command: _Command) -> int:
    ref = command.options.ref
    place = locate(command.paths, ref)
    if sys.stdin.isatty():
        ask(f"Remove {ref} from {place.path}?", "Nothing was removed", is_agreed=command.options.yes)
    freed = remove(command.paths, ref)
    command.tell({"ref": ref, "freed_bytes": freed}, f"{ref}: removed, {size_text(freed)} are free again")
    return 0


def _verify(command: _Command) -> int:
    ref = command.options.ref
    place = locate(command.paths, ref)
    with _interruptible() as (bar, cancel):
        bar.title = f"Reading {ref}"
        damaged = verify(command.paths, ref, bar, cancel)
        bar.clear()
    if damaged:
        command.tell({"ref": ref, "is_whole": False, "damaged": damaged}, f"{ref}: damaged")
        raise CheckpointError("The checkpoint is damaged", f"{ref}: {', '.join(damaged)}", _mend(command, damaged))
    text = "every byte is as it was" if place.has_hashes else "whole, as far as can be seen: there are no hashes of it"
    command.tell({"ref": ref, "is_whole": True, "is_compared": place.has_hashes, "damaged": []}, f"{ref}: {text}")
    return 0


def _mend(command: _Command, damaged: list[str]) -> str:
    """What the user can do about it. With ``--discard`` the damaged files are thrown away."""
    ref = command.options.ref
    if not command.options.discard:
        return f"With --discard these files are thrown away; then they are fetched again by: {typed_download(ref)}"
    discard(command.paths, ref, damaged)
    return f"They are thrown away. They are fetched again by: {typed_download(ref)}"


@contextmanager
def _interruptible(message: str = "Stopped.") -> Iterator[tuple[ByteBar, CancelFlag]]:
    """A bar, and the flag that Ctrl+C sets; then ``message`` is told."""
    bar = ByteBar()
    with cancel_on_interrupt() as cancel:
        try:
            yield bar, cancel
        except Cancelled:
            bar.clear()
            print(message, file=sys.stderr)
            raise
        finally:
            bar.clear()
