"""LoRAs that a generation text names, found among the files on this machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from desktop_app.core.adapter import AdapterInfo
from desktop_app.core.conditions import Adapter, AdapterKind
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import CheckpointError
from desktop_app.core.parameters import LoraTag, plain_name
from desktop_app.store.adapters import AdapterStore

_ADD = "Add its file under Adapters."


@dataclass(frozen=True)
class FoundTags:
    """``adapters`` are those of which there is exactly one file of the name, with what is known of each; ``left_out``
    has a sentence for each of the others.
    """

    adapters: tuple[tuple[Adapter, AdapterInfo], ...]
    left_out: tuple[str, ...]


def find_tags(store: AdapterStore, tags: Iterable[LoraTag], cancel: CancelFlag) -> FoundTags:
    """Look for ``tags``; reads files, so call it on the pool. Raises `Cancelled`."""
    survey = store.survey()
    found, left_out = [], []
    for tag in tags:
        refs = _named(survey, tag.name)
        if len(refs) != 1:
            why = f"{len(refs)} adapters have this name, {', '.join(refs)}" if refs else "no adapter has this name"
            left_out.append(f"{tag.text} is left out: {why}. {_ADD}")
            continue
        try:
            info = store.describe(refs[0])
            sha256 = store.hash_of(refs[0], cancel)
        except CheckpointError as e:
            left_out.append(f"{tag.text} is left out: {e.title.lower()}, {e.detail}.")
            continue
        if info.kind is not AdapterKind.LORA:
            left_out.append(f"{tag.text} is left out: {info.label} is a {info.kind.value}.")
            continue
        adapter = Adapter(AdapterKind.LORA, refs[0], tag.weight, sha256=sha256)
        found.append((adapter, replace(info, sha256=sha256)))
    return FoundTags(tuple(found), tuple(left_out))


def with_found(adapters: Sequence[Adapter], found: Iterable[Adapter]) -> tuple[Adapter, ...]:
    """``adapters`` and those that were ``found``; of one that is there already the weight, and it is on."""
    made = {adapter.ref: adapter for adapter in adapters}
    for adapter in found:
        same = made.get(adapter.ref, adapter)
        made[adapter.ref] = replace(same, weight=adapter.weight, is_on=True, sha256=adapter.sha256)
    return tuple(made.values())


def _named(refs: Iterable[str], name: str) -> list[str]:
    """Those of ``refs`` whose file is called ``name``; if need be, but for capitals."""
    names = {ref: plain_name(ref) for ref in refs}
    exact = [ref for ref, each in names.items() if each == name]
    return exact or [ref for ref, each in names.items() if each.casefold() == name.casefold()]
