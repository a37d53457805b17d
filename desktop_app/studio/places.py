"""Reading and changing the gallery for `GalleryModel`, on a pool thread: which variations, and where they belong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from desktop_app.core.errors import StudioError
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import GalleryStore


@dataclass(frozen=True)
class Place:
    """Where a variation belongs among the rows: before ``older_id`` or, with None, at the end; or not among them.

    ``variation`` is None when the gallery has it no more.
    """

    id: str
    variation: Variation | None = None
    is_among: bool = False
    older_id: str | None = None


def find_places(gallery: GalleryStore, ids: list[str], search: str, trashed: bool) -> list[Place]:
    """Where ``ids`` belong among the rows of a search, the oldest first. Raises `StoreError`."""
    found = dict(zip(ids, read_variations(gallery, ids), strict=True))
    known = sorted((variation for variation in found.values() if variation), key=lambda each: (each.created, each.id))
    gone = [Place(variation_id) for variation_id, variation in found.items() if variation is None]
    return gone + [_find_place(gallery, variation, search, trashed) for variation in known]


def _find_place(gallery: GalleryStore, variation: Variation, search: str, trashed: bool) -> Place:
    just_before = (variation.created, variation.id + "~")  # "~" sorts behind all that ids are made of
    page = gallery.page(search=search, before=just_before, limit=2, trashed=trashed)
    if not page or page[0].id != variation.id:
        return Place(variation.id, variation)
    return Place(variation.id, variation, True, page[1].id if len(page) > 1 else None)


def read_variations(gallery: GalleryStore, ids: Iterable[str]) -> list[Variation | None]:
    """The variations with those ids, None for each that is not there. Raises `StoreError`."""
    return [gallery.get(variation_id) for variation_id in ids]


def for_each(change: Callable[[list[str]], object], ids: list[str]) -> None:
    """``change`` each of ``ids`` by itself, also after one has failed; then raise the first error."""
    first: StudioError | None = None
    for variation_id in ids:
        try:
            change([variation_id])
        except StudioError as e:
            first = first or e
    if first:
        raise first
