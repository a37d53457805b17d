"""What tests of the gallery's rows share."""

from __future__ import annotations

from desktop_app.studio.gallery_model import GalleryModel


def read(qtbot, model: GalleryModel, row: int = 0, role: int = GalleryModel.VariationRole):
    """What a view gets that asks until it gets something."""
    qtbot.waitUntil(lambda: model.index(row).data(role) is not None)
    return model.index(row).data(role)
