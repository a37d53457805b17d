"""A gallery, a session and a document in an empty data folder; engines that need no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtGui import QUndoStack
from support import make_request, make_result

from desktop_app.core.recipe import read_recipes
from desktop_app.core.variation import Variation
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import resources_dir
from desktop_app.studio.document import Document
from desktop_app.studio.gallery_model import GalleryModel


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


PROMPTS = ("a red lemon", "a green lemon", "a blue plum", "a white plum", "a black cat")


@pytest.fixture
def save(gallery: GalleryStore) -> Callable[..., Variation]:
    def save(prompt: str = "a lemon", seed: int = 1, **changes) -> Variation:
        request = make_request(prompt=prompt, seed=seed, **changes)
        return gallery.save(request, make_result(request))

    return save


@pytest.fixture
def saved(save) -> list[Variation]:
    """The newest first, as the rows are."""
    return [save(prompt, seed) for seed, prompt in enumerate(PROMPTS)][::-1]


@pytest.fixture
def stack(qapp) -> QUndoStack:
    return QUndoStack()


@pytest.fixture
def make_model(qtbot, gallery, stack) -> Iterator[Callable[[], GalleryModel]]:
    """Makes models that have read their ids."""
    made: list[GalleryModel] = []

    def make() -> GalleryModel:
        made.append(GalleryModel(gallery, stack))
        with qtbot.waitSignal(made[-1].modelReset):
            pass
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture
def model(saved, make_model) -> GalleryModel:
    return make_model()
