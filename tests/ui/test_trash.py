"""The trash in the gallery panel: look into it, put pictures back, empty it."""

from __future__ import annotations

import pytest
from PySide6.QtWidgets import QMessageBox
from support import make_request, make_result

from desktop_app.core.variation import Variation
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.ui.gallery_view import GalleryPanel
from desktop_app.ui.trash_bar import ask_empty_trash


@pytest.fixture
def panel(qtbot, gallery, icons):
    """A panel on three pictures, the first of them in the trash."""
    saved = [gallery.save(make_request(seed=seed), make_result(make_request(seed=seed))) for seed in range(3)]
    gallery.trash([saved[0].id])
    model = GalleryModel(gallery)
    panel = GalleryPanel(model, icons)
    qtbot.addWidget(panel)
    panel.resize(300, 400)
    panel.show()
    qtbot.waitUntil(lambda: model.rowCount() == 2)
    yield panel
    model.close()


def open_trash(qtbot, panel: GalleryPanel) -> GalleryModel:
    panel.trash_button.click()
    qtbot.waitUntil(lambda: panel.view.model().rowCount() == 1)
    return panel.view.model()


def select_first(qtbot, panel: GalleryPanel) -> Variation:
    index = panel.view.model().index(0, 0)
    qtbot.waitUntil(lambda: index.data(GalleryModel.VariationRole) is not None)
    panel.view.setCurrentIndex(index)
    return index.data(GalleryModel.VariationRole)


def test_the_button_shows_the_trash_and_the_gallery_again(qtbot, panel):
    open_trash(qtbot, panel)
    assert panel.trash_bar.isVisible()
    assert not panel.trash_bar.restore.isEnabled()
    panel.trash_button.click()
    qtbot.waitUntil(lambda: panel.view.model().rowCount() == 2)
    assert not panel.trash_bar.isVisible()


def test_selected_pictures_are_put_back(qtbot, panel, gallery):
    model = open_trash(qtbot, panel)
    chosen = select_first(qtbot, panel)
    panel.trash_bar.restore.click()
    qtbot.waitUntil(lambda: model.rowCount() == 0)
    qtbot.waitUntil(lambda: not gallery.get(chosen.id).trashed)
    assert panel.empty.sentence == "The trash is empty."


def test_delete_in_the_trash_does_nothing(qtbot, panel, gallery):
    open_trash(qtbot, panel)
    chosen = select_first(qtbot, panel)
    panel.view.trash_requested.emit()
    assert gallery.get(chosen.id).trashed


def test_emptying_asks_first(qtbot, panel, gallery, monkeypatch, tmp_path):
    model = open_trash(qtbot, panel)
    taken = []
    monkeypatch.setattr("desktop_app.store.gallery.send2trash", lambda path: (taken.append(path), path.unlink()))
    monkeypatch.setattr("desktop_app.ui.gallery_view.ask_empty_trash", lambda *_: False)
    panel.trash_bar.empty.click()
    assert model.rowCount() == 1
    monkeypatch.setattr("desktop_app.ui.gallery_view.ask_empty_trash", lambda *_: True)
    panel.trash_bar.empty.click()
    qtbot.waitUntil(lambda: model.rowCount() == 0)
    assert len(taken) == 1
    assert gallery.count(trashed=True) == 0


def test_the_safe_answer_is_the_default(qtbot, panel, monkeypatch):
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.defaultButton().text()))
    assert not ask_empty_trash(panel, 2)
    assert "Cancel" in asked[0]
