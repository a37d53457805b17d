"""Pictures from Pillow to Qt and back."""

from __future__ import annotations

import pytest
from PySide6.QtGui import QColor, QColorSpace, QImage
from support import make_picture

from desktop_app.core.errors import ImageError
from desktop_app.studio import qimage
from desktop_app.studio.qimage import from_qimage, to_qimage


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("size", [(1, 1), (7, 5), (64, 48)])
def test_pixels_survive_the_way_there_and_back(mode, size):
    picture = make_picture(size, mode)
    again = from_qimage(to_qimage(picture))
    assert (again.mode, again.tobytes()) == (mode, picture.tobytes())


def test_other_modes_are_converted():
    assert to_qimage(make_picture((4, 4), "L")).pixelColor(1, 1).isValid()
    assert to_qimage(make_picture((4, 4), "RGBA").convert("LA")).hasAlphaChannel()


def test_neither_side_can_change_the_others_pixels():
    picture = make_picture((8, 8))
    image = to_qimage(picture)
    before = image.pixelColor(0, 0)
    picture.putpixel((0, 0), (1, 2, 3))
    assert image.pixelColor(0, 0) == before
    again = from_qimage(image)
    image.fill(QColor("white"))
    assert again.getpixel((0, 0)) != (255, 255, 255) or before == QColor("white")


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_large_picture_is_copied_strip_by_strip(mode, monkeypatch):
    monkeypatch.setattr(qimage, "STRIP_BYTES", 100)
    picture = make_picture((7, 65), mode)
    assert from_qimage(to_qimage(picture)).tobytes() == picture.tobytes()


def test_a_foreign_colour_space_becomes_srgb():
    image = QImage(4, 4, QImage.Format.Format_RGB32)
    image.fill(QColor(0, 200, 0))
    image.setColorSpace(QColorSpace(QColorSpace.NamedColorSpace.DisplayP3))
    assert from_qimage(image).getpixel((1, 1)) != (0, 200, 0)


def test_an_empty_image_is_refused():
    with pytest.raises(ImageError, match="empty"):
        from_qimage(QImage())
