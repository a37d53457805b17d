"""CheckpointStore: finds checkpoints on disk, checks them before anything is loaded, and describes them.

Only folders in diffusers layout, with safetensors and known classes of diffusers and transformers: no code of a
checkpoint is ever run.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from desktop_app.core.checkpoint import STARTER, CheckpointInfo
from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.store.checkpoint_files import (
    UNSAFE_SUFFIXES,
    check_weights,
    choose_variant,
    damaged,
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
from desktop_app.store.paths import Paths, resources_dir

STARTER_LABEL = "Starter (offline, small pictures)"
_HUB_ID = re.compile(r"[\w][\w.-]*/[\w][\w.-]*")


class CheckpointStore:
    """Reads folders; keeps nothing, so it can be used from any thread."""

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.checkpoints

    def resolve(self, ref: str) -> Path:
        """The folder of the checkpoint ``ref``, checked file by file. Raises `CheckpointError`."""
        with _readable(ref):
            folder = self._find(ref)
            family = read_family(folder)
            variant = choose_variant(folder, family.weighted)
            for part in family.weighted:
                check_weights(folder, part, variant)
            read_config(folder, "scheduler")
            read_parts(folder, family)
            for part in family.tokenizers:
                if find_tokenizer(folder, part) is None:
                    raise damaged(folder / part, "it has neither tokenizer.json nor vocab.json and merges.txt")
            return folder

    def describe(self, ref: str) -> CheckpointInfo:
        """What is known of ``ref`` from its JSON files. Raises `CheckpointError`."""
        with _readable(ref):
            return self._describe(ref, self._find(ref))

    def _describe(self, ref: str, folder: Path) -> CheckpointInfo:
        family = read_family(folder)
        configs = read_parts(folder, family)
        sizes = part_sizes(folder, family)
        return CheckpointInfo(
            ref=ref,
            label=STARTER_LABEL if ref == STARTER else folder.name,
            path=folder,
            family=family.label,
            native_size=native_size(folder, family, configs),
            multiple=multiple(folder, family, configs),
            max_tokens=max_tokens(folder, family, configs),
            tokenizer=find_tokenizer(folder, family.tokenizers[0]) if family.tokenizers else None,
            size_bytes=sum(size.bytes for size in sizes),
            kinds=family.kinds,
            parts=sizes,
            prior=named_prior(folder, family),
        )

    def list(self) -> list[CheckpointInfo]:
        """The starter, then the folders in diffusers layout in the checkpoints folder; those that can be described."""
        return [found for found in self.survey().values() if isinstance(found, CheckpointInfo)]

    def survey(self) -> dict[str, CheckpointInfo | CheckpointError]:
        """By REF, what `list` goes through; and of those that cannot be described, why."""
        found: dict[str, CheckpointInfo | CheckpointError] = {}
        for ref in (STARTER, *sorted(str(index.parent) for index in self._folder.glob(f"*/{INDEX_NAME}"))):
            try:
                found[ref] = self.describe(ref)
            except CheckpointError as e:
                found[ref] = e
        return found

    def _find(self, ref: str) -> Path:
        if ref == STARTER:
            return _starter()
        try:
            path = Path(ref).expanduser()
            own = self._folder / ref
            for folder in (path, own) if not path.is_absolute() else (path,):
                if ref and folder.is_dir() and "\0" not in ref:
                    return folder.resolve()
            is_file = path.is_file()
        except (OSError, ValueError, RuntimeError) as e:
            raise CheckpointError("The checkpoint cannot be found", f"{ref[:200]!r}: {e}", WHAT_IS_POSSIBLE) from e
        raise _not_a_folder(ref, path, is_file=is_file)


@contextlib.contextmanager
def _readable(ref: str) -> Iterator[None]:
    try:
        yield
    except OSError as e:
        detail = f"{ref[:200]}: {e.strerror or e}"
        hint = "Make the folder and all in it readable for you, and check its disk."
        raise CheckpointError("The checkpoint cannot be read", detail, hint) from e


def _starter() -> Path:
    try:
        folder = resources_dir() / STARTER
    except StoreError as e:
        raise CheckpointError("The starter checkpoint is missing", e.detail, e.hint) from e
    if not folder.is_dir():
        raise CheckpointError("The starter checkpoint is missing", str(folder), "Install Underpaint again.")
    return folder


def _not_a_folder(ref: str, path: Path, *, is_file: bool) -> CheckpointError:
    if path.suffix.lower() in UNSAFE_SUFFIXES:
        return unsafe(path.name)
    if is_file or path.suffix.lower() == ".safetensors":
        return CheckpointError("Single-file checkpoints cannot be opened by this version", ref, WHAT_IS_POSSIBLE)
    if _HUB_ID.fullmatch(ref):
        detail = f"{ref} is no folder here, and looks like a name on the Hugging Face hub"
        hint = f"Download it with another program first. {WHAT_IS_POSSIBLE}"
        return CheckpointError("Downloading is not possible in this version", detail, hint)
    return CheckpointError("The checkpoint cannot be found", repr(ref[:200]), WHAT_IS_POSSIBLE)
