"""CheckpointStore: finds checkpoints on disk, checks them before anything is loaded, and describes them.

Only folders in diffusers layout, and single files, with safetensors and known classes of diffusers and transformers: no
code of a checkpoint is ever run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.errors import CheckpointError, CheckpointMissing, StoreError
from desktop_app.core.families import Family, family_named
from desktop_app.core.memory import PartSize
from desktop_app.store.checkpoint_files import (
    UNSAFE_SUFFIXES,
    check_weights,
    choose_variant,
    damaged,
    readable,
    unsafe,
)
from desktop_app.store.checkpoint_index import (
    INDEX_NAME,
    WHAT_IS_POSSIBLE,
    find_tokenizer,
    max_tokens,
    multiple,
    named_prior,
    native_size,
    part_sizes,
    read_config,
    read_family,
    read_parts,
)
from desktop_app.store.command_line import typed_download
from desktop_app.store.control_checkpoints import CONFIG_NAME, check_control, describe_control, is_control
from desktop_app.store.hub_cache import find_snapshot, has_pickles, list_snapshots, shared_caches
from desktop_app.store.outside import OutsideCheckpoints
from desktop_app.store.paths import Paths, resources_dir
from desktop_app.store.pixel_upscalers import describe_pixel_upscaler, is_pixel_upscaler
from desktop_app.store.single_file import read_layout

STARTER_LABEL = "Starter (offline, small pictures)"
SINGLE_FILE = ".safetensors"
HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*(?:@[\w./-]+)?")
"""What may be the name of a repository on a hub, perhaps with a revision; `read_ref` looks closer."""


class CheckpointStore:
    """Reads the disk anew each time, so it can be used from any thread.

    A REF is ``starter``, a name in our own folder, a path, or a hub id ("org/name", "org/name@revision"). That is
    looked for in our own cache and then, read only, in those of other programs.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._folder = paths.checkpoints
        self._outside = OutsideCheckpoints(paths)

    def resolve(self, ref: str) -> Path:
        """The folder or the single file of the checkpoint ``ref``, checked file by file. Raises `CheckpointError`."""
        with readable(ref):
            found = self._find(ref)
            if found.is_file():
                _describe_file(ref, found)
            else:
                _check_folder(found)
            return found

    def describe(self, ref: str) -> CheckpointInfo:
        """What is known of ``ref`` from its JSON files and the headers of its weights. Raises `CheckpointError`."""
        with readable(ref):
            found = self._find(ref)
            return _describe_file(ref, found) if found.is_file() else _describe_folder(ref, found)

    def is_here(self, ref: str) -> bool:
        """Whether all that ``ref`` needs is on this machine, be it damaged or not."""
        try:
            self.describe(ref)
        except CheckpointMissing:
            return False
        except CheckpointError:
            return True
        return True

    def list(self) -> list[CheckpointInfo]:
        """What `survey` finds and can be used."""
        return [found for found in self.survey().values() if isinstance(found, CheckpointInfo)]

    def survey(self) -> dict[str, CheckpointInfo | CheckpointError]:
        """By REF: the starter, what lies in our own folder, what is used elsewhere, what other programs have fetched;
        and of those that cannot be described, why.
        """
        found: dict[str, CheckpointInfo | CheckpointError] = {}
        for ref in (STARTER, *self._own(), *map(str, self._outside.all()), *self._fetched()):
            try:
                found[ref] = self.describe(ref)
            except CheckpointError as e:
                found[ref] = e
        return found

    def bring_in(self, path: Path) -> str:
        """Offer the folder or the file ``path`` from now on, where it is; its REF. Raises `StudioError`."""
        place = Path(os.path.abspath(path))
        self.describe(str(place))
        if not place.is_relative_to(self._folder):
            self._outside.remember(place)
        return str(place)

    def forget(self, ref: str) -> bool:
        """Offer the checkpoint that is used elsewhere no more; whether it was. Raises `StoreError`."""
        return self._outside.forget(Path(ref))

    def _own(self) -> Sequence[str]:
        folders = [index.parent for index in self._folder.glob(f"[!.]*/{INDEX_NAME}")]  # hidden ones are half written
        parts = [config.parent for config in self._folder.glob(f"[!.]*/{CONFIG_NAME}") if is_control(config.parent)]
        files = [path for path in self._folder.glob("*") if is_single_file(path)]
        return [str(path) for path in sorted((*folders, *parts, *files))]

    def _fetched(self) -> Sequence[str]:
        folders = sorted(folder for folder in self._paths.all_converted.glob("[!.]*") if folder.is_dir())
        converted = [unquote(folder.name) for folder in folders]
        return [*converted, *(ref for ref, _folder in list_snapshots(self._caches()) if ref not in converted)]

    def _caches(self) -> Sequence[Path]:
        return [self._folder, *shared_caches()]

    def _find(self, ref: str) -> Path:
        if ref == STARTER:
            return _starter()
        try:
            path = Path(ref).expanduser()
            for place in (path, self._folder / ref) if not path.is_absolute() else (path,):
                if ref and "\0" not in ref and (place.is_dir() or is_single_file(place)):
                    return place.resolve() if place.is_dir() else place.absolute()
        except (OSError, ValueError, RuntimeError) as e:
            raise CheckpointError("The checkpoint cannot be found", f"{ref[:200]!r}: {e}", WHAT_IS_POSSIBLE) from e
        if HUB_ID.fullmatch(ref) and path.suffix.lower() not in (SINGLE_FILE, *UNSAFE_SUFFIXES):
            return self._find_fetched(ref)
        raise _not_here(ref, path)

    def _find_fetched(self, ref: str) -> Path:
        """What was fetched from the hub; where its pickles were converted, what became of them."""
        converted = self._paths.converted(ref)
        if (converted / INDEX_NAME).is_file():
            return converted
        snapshot = find_snapshot(self._caches(), ref)
        if snapshot is None:
            hint = f"Download it in the Checkpoints window, or by: {typed_download(ref)}"
            raise CheckpointMissing("The checkpoint is not on this machine", ref, hint, ref)
        if has_pickles(snapshot):
            hint = f"They are converted in the Checkpoints window, if you agree, or by: {typed_download(ref)}"
            raise CheckpointMissing("The weights of the checkpoint are pickled", ref, hint, ref)
        if not (snapshot / INDEX_NAME).is_file() and not is_control(snapshot):
            return next(path for path in snapshot.glob(f"*{SINGLE_FILE}") if path.is_file())
        return snapshot


def is_single_file(path: Path) -> bool:
    """Whether ``path`` is a file that may be a checkpoint in one, by its name."""
    return path.suffix.lower() == SINGLE_FILE and path.is_file()


def _starter() -> Path:
    try:
        folder = resources_dir() / STARTER
    except StoreError as e:
        raise CheckpointError("The starter checkpoint is missing", e.detail, e.hint) from e
    if not folder.is_dir():
        raise CheckpointError("The starter checkpoint is missing", str(folder), "Install Underpaint again.")
    return folder


def _not_here(ref: str, path: Path) -> CheckpointError:
    if path.suffix.lower() in UNSAFE_SUFFIXES:
        return unsafe(path.name)
    if path.is_file():
        detail = f"{path.name} is no .safetensors file"
        return CheckpointError("The file is not a checkpoint", detail, WHAT_IS_POSSIBLE)
    if path.suffix.lower() == SINGLE_FILE:  # a checkpoint's, or a pixel upscaler's
        hint = "Put the file there again, or choose another one."
        return CheckpointError("The file cannot be found", repr(ref[:200]), hint)
    return CheckpointError("The checkpoint cannot be found", repr(ref[:200]), WHAT_IS_POSSIBLE)


# Folders -----------------------------------------------------------------------------------------


def _check_folder(folder: Path) -> None:
    if is_control(folder):
        check_control(folder)
        return
    family = read_family(folder)
    variant = choose_variant(folder, family.weighted)
    for part in family.weighted:
        check_weights(folder, part, variant)
    for part in ("scheduler", *family.extra_schedulers):
        read_config(folder, part)
    read_parts(folder, family)
    for part in family.tokenizers:
        if find_tokenizer(folder, part) is None:
            raise damaged(folder / part, "it has neither tokenizer.json nor vocab.json and merges.txt")


def _describe_folder(ref: str, folder: Path) -> CheckpointInfo:
    if is_control(folder):
        return describe_control(ref, _label(ref, folder), folder)
    family = read_family(folder)
    tokenizer = find_tokenizer(folder, family.tokenizers[0]) if family.tokenizers else None
    return _describe(ref, _label(ref, folder), folder, folder, family, part_sizes(folder, family), tokenizer)


def _label(ref: str, folder: Path) -> str:
    if ref == STARTER:
        return STARTER_LABEL
    return ref.rpartition("/")[2] if folder.parent.name in ("snapshots", "converted") else folder.name


# Single files ------------------------------------------------------------------------------------


def _describe_file(ref: str, path: Path) -> CheckpointInfo:
    if is_pixel_upscaler(path):
        return describe_pixel_upscaler(ref, path)
    layout = read_layout(path)
    family = family_named(layout.family)
    assert family is not None, layout.family
    return _describe(ref, path.stem, path, layout.folder, family, layout.parts, layout.tokenizer, layout.note)


def _describe(
    ref: str,
    label: str,
    path: Path,
    configs_folder: Path,
    family: Family,
    sizes: tuple[PartSize, ...],
    tokenizer: Path | None,
    note: str = "",
) -> CheckpointInfo:
    configs = read_parts(configs_folder, family)
    return CheckpointInfo(
        ref=ref,
        label=label,
        path=path,
        family=family.label,
        native_size=native_size(configs_folder, family, configs),
        multiple=multiple(configs_folder, family, configs),
        max_tokens=max_tokens(configs_folder, family, configs),
        tokenizer=tokenizer,
        size_bytes=sum(size.bytes for size in sizes),
        kinds=family.kinds,
        parts=sizes,
        prior=named_prior(configs_folder, family),
        text_width=_text_width(configs.get(family.denoiser or "", {})),
        note=note,
    )


def _text_width(config: Mapping[str, Any]) -> int:
    width = config.get("cross_attention_dim")
    return width if isinstance(width, int) else 0
