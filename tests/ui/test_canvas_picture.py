"""Pictures that draw themselves: the right copy, the right part, the right sharpness."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from desktop_app.ui.canvas_picture import LARGE, SOFT_SIDE, Picture, checkerboard, halved, softened

pytestmark = pytest.mark.usefixtures("qapp")


def make_stripes(width: int, height: int) -> QImage:
    """Black and white columns, one pixel each."""
    image = QImage(width, height, QImage.Format.Format_RGB888)
    for x in range(width):
        for y in range(height):
            image.setPixelColor(x, y, QColor("white" if x % 2 else "black"))
    return image


def draw(picture: Picture, target: QRectF, *, is_smooth: bool = True, size: int = 64) -> QImage:
    paper = QImage(size, size, QImage.Format.Format_RGB32)
    paper.fill(QColor("red"))
    painter = QPainter(paper)
    picture.draw(painter, target, QRectF(paper.rect()), ratio=1.0, is_smooth=is_smooth)
    painter.end()
    return paper


def test_at_actual_size_pixels_are_copied() -> None:
    stripes = make_stripes(64, 64)
    paper = draw(Picture(stripes), QRectF(0, 0, 64, 64))
    assert paper.convertToFormat(stripes.format()) == stripes


def test_a_much_reduced_picture_does_not_shimmer() -> None:
    paper = draw(Picture(make_stripes(256, 256)), QRectF(0, 0, 60, 60))
    greys = {paper.pixelColor(x, 30).red() for x in range(2, 58)}
    assert min(greys) > 110
    assert max(greys) < 145


def test_enlarged_pixels_are_squares_when_asked() -> None:
    paper = draw(Picture(make_stripes(8, 8)), QRectF(0, 0, 64, 64), is_smooth=False)
    assert {paper.pixelColor(x, 5).red() for x in range(64)} == {0, 255}
    assert paper.pixelColor(7, 5) == QColor("black")
    assert paper.pixelColor(8, 5) == QColor("white")


def test_enlarged_pixels_flow_together_when_smooth() -> None:
    paper = draw(Picture(make_stripes(8, 8)), QRectF(0, 0, 64, 64))
    assert len({paper.pixelColor(x, 5).red() for x in range(64)}) > 4


def test_nothing_is_drawn_beside_the_target() -> None:
    paper = draw(Picture(make_stripes(8, 8)), QRectF(16, 16, 32, 32))
    assert paper.pixelColor(15, 30) == paper.pixelColor(48, 30) == QColor("red")
    assert paper.pixelColor(16, 30) != QColor("red")


def test_a_part_of_a_hugely_enlarged_picture_is_in_its_place() -> None:
    image = QImage(4000, 2, QImage.Format.Format_RGB888)
    image.fill(QColor("blue"))
    image.setPixelColor(3000, 0, QColor("yellow"))
    paper = draw(Picture(image), QRectF(-3000 * 32, 0, 4000 * 32, 64), is_smooth=False)
    assert paper.pixelColor(16, 16) == QColor("yellow")
    assert paper.pixelColor(40, 16) == paper.pixelColor(16, 40) == QColor("blue")


def test_alpha_lives_on_in_reduced_copies() -> None:
    clear = QImage(256, 256, QImage.Format.Format_RGBA8888)
    clear.fill(0)
    paper = draw(Picture(clear), QRectF(0, 0, 32, 32))
    assert paper.pixelColor(16, 16) == QColor("red")


def test_a_preview_is_enlarged_until_it_is_no_longer_small() -> None:
    assert softened(make_stripes(64, 32)).size().toTuple() == (SOFT_SIDE, SOFT_SIDE // 2)


@pytest.mark.parametrize("is_dark", [False, True])
def test_the_checkerboard_has_two_tones(is_dark: bool) -> None:
    tile = checkerboard(is_dark=is_dark).texture().toImage()
    assert tile.pixelColor(0, 0) == tile.pixelColor(8, 8) != tile.pixelColor(8, 0)


def test_a_large_picture_waits_for_its_copies_and_is_drawn_meanwhile() -> None:
    image = QImage(2000, 1001, QImage.Format.Format_RGB888)
    assert image.width() * image.height() > LARGE
    image.fill(QColor("blue"))
    picture = Picture(image)
    assert draw(picture, QRectF(0, 0, 64, 32)).pixelColor(30, 15) == QColor("blue")
    copies = halved(image)
    assert [copy.width() for copy in copies] == [1000, 500, 250]
    copies[-1].fill(QColor("green"))
    copies[-2].fill(QColor("green"))
    picture.take(image, copies)
    assert draw(picture, QRectF(0, 0, 64, 32)).pixelColor(30, 15) == QColor("green")


def test_copies_of_another_picture_are_not_taken() -> None:
    image, other = (QImage(2000, 1001, QImage.Format.Format_RGB888) for _ in range(2))
    image.fill(QColor("blue"))
    other.fill(QColor("green"))
    picture = Picture(image)
    picture.take(other, halved(other))
    assert draw(picture, QRectF(0, 0, 64, 32)).pixelColor(30, 15) == QColor("blue")


def test_a_small_picture_needs_no_copies_from_elsewhere() -> None:
    assert halved(QImage(600, 400, QImage.Format.Format_RGB888)) == []
