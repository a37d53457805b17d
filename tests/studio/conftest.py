"""A gallery, a session and a document in an empty data folder; engines that need no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from desktop_app.core.recipe import read_recipes
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import Paths, resources_dir, user_paths
from desktop_app.store.session import SessionStore
from desktop_app.studio.document import Document


@pytest.fixture
def paths(data_dir: Path) -> Paths:
    found = user_paths(data_dir)
    found.ensure()
    return found


@pytest.fixture
def gallery(paths: Paths) -> Iterator[GalleryStore]:
    store = GalleryStore(paths)
    store.open()
    with closing(store):
        yield store


@pytest.fixture
def session(paths: Paths) -> SessionStore:
    return SessionStore(paths)


@pytest.fixture
def make_document(qtbot, gallery, paths, session) -> Iterator[Callable[[], Document]]:
    """Makes documents on the same data folder, each after its checkpoint has been read."""
    made: list[Document] = []

    def make() -> Document:
        recipes = read_recipes(resources_dir() / "recipes")
        document = Document(gallery, CheckpointStore(paths), recipes, session)
        made.append(document)
        qtbot.waitUntil(lambda: document.checkpoint_info is not None)
        return document

    yield make
    for document in made:
        document.close()


@pytest.fixture
def document(make_document) -> Document:
    return make_document()
