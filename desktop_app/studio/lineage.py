"""Reading the lineage for `LineageModel`, on a pool thread: the way to a picture, and what was made on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from PySide6.QtGui import QImage

from desktop_app.core.request import ImageRef
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import Before, GalleryStore
from desktop_app.studio.thumbnails import read_small

PAGE = 100
"""Variations of one picture that are read together, the newest first."""

PHOTO_KEY = "photo"
"""Of the picture from outside at the root; a variation's key is its id."""


@dataclass(frozen=True)
class Spot:
    """What is on the canvas: ``shown`` if there is one, else ``init_image``."""

    shown: Variation | None = None
    init_image: ImageRef | None = None


@dataclass(frozen=True)
class Offspring:
    """What came of one picture: ``stages`` of its chain before the last, in order, then what was made from it, newest
    first. ``parents`` are the ids of those that have offspring too; ``before`` is where the next page begins, None at
    the end.
    """

    stages: tuple[Variation, ...] = ()
    made: tuple[Variation, ...] = ()
    parents: frozenset[str] = frozenset()
    before: Before | None = None


@dataclass(frozen=True)
class Tree:
    """The way from the root to the picture in question, ``path``; ``photo`` stands before it where the first init
    image is no variation. ``offspring`` by key is that of each picture on the way and of those that were open before.
    """

    path: tuple[Variation, ...] = ()
    photo: ImageRef | None = None
    photo_picture: QImage | None = None
    offspring: Mapping[str, Offspring] = field(default_factory=dict)
    parents: frozenset[str] = frozenset()


def read_tree(gallery: GalleryStore, spot: Spot, is_open: Mapping[str, int]) -> Tree:
    """The tree that leads to ``spot``. ``is_open`` has, by key, how many variations are shown of pictures that were
    read before. Raises `StoreError`.
    """
    path, photo = _find_path(gallery, spot)
    if not path and photo is None:
        return Tree()
    keys: dict[str, Variation | ImageRef] = {PHOTO_KEY: photo} if photo else {}
    keys |= {variation.id: variation for variation in path}
    for key in is_open:
        if key not in keys and (known := gallery.get(key)) and not known.trashed:
            keys[key] = known
    if path and not path[-1].intermediates and path[-1].id not in is_open:
        del keys[path[-1].id]  # nobody has opened it
    offspring = {key: read_offspring(gallery, what, is_open.get(key, 0)) for key, what in keys.items()}
    picture = read_small(gallery.find_image(photo.sha256) or photo.path) if photo else None
    return Tree(tuple(path), photo, picture, offspring, _with_offspring(gallery, path))


def _find_path(gallery: GalleryStore, spot: Spot) -> tuple[list[Variation], ImageRef | None]:
    """Up from ``spot``: from a stage to the final picture of its chain, from any other to its init image."""
    init_image = spot.init_image
    here = gallery.get(spot.shown.id) if spot.shown else None
    if here is None and init_image:
        here = gallery.first_with(init_image.ancestor.sha256)
    path: list[Variation] = []
    while here is not None and here.id not in {each.id for each in path}:
        path.insert(0, here)
        above = here.chain_id or here.parent_id
        here = gallery.get(above) if above else None
    first = path[0].request.init_image if path else init_image
    return path, first.ancestor if first else None


def read_offspring(
    gallery: GalleryStore, what: Variation | ImageRef, count: int = 0, before: Before | None = None
) -> Offspring:
    """What came of a variation or a photo: a page from ``before`` on, or ``count`` if that is more. Raises
    `StoreError`.
    """
    sha256 = what.pixels_sha256 if isinstance(what, Variation) else what.sha256
    parent_id = what.id if isinstance(what, Variation) else None
    stages: list[Variation] = []
    if isinstance(what, Variation) and what.intermediates and before is None:
        stages = gallery.stages_of(what.id)[:-1]
    made: list[Variation] = []
    limit = max(PAGE, count)
    while True:
        page = gallery.made_from(sha256, limit + 1, before)
        # The same pixels may have been made twice: what came of them belongs to the first.
        made += [each for each in page[:limit] if each.parent_id == parent_id]
        before = (page[limit - 1].created, page[limit - 1].id) if len(page) > limit else None
        if made or before is None:
            break
    return Offspring(tuple(stages), tuple(made), _with_offspring(gallery, [*stages, *made]), before)


def _with_offspring(gallery: GalleryStore, variations: list[Variation]) -> frozenset[str]:
    ids = [variation.id for variation in variations]
    found = {variation.id for variation in variations if variation.intermediates}
    for first in range(0, len(ids), PAGE):
        found |= gallery.with_children(ids[first : first + PAGE])
    return frozenset(found)
