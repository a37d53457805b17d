"""What a cell of the gallery looks like: the picture whole and in its middle, and the marks over it."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPixmap, QStandardItem, QStandardItemModel
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from desktop_app.ui.thumbnail_delegate import MARGIN, STAR_COLOR, CellFacts, ThumbnailDelegate

SIDE = 100
GROUND = QColor("#101010")
PICTURE = QColor("#2060c0")


@pytest.fixture
def paint(qtbot):
    """Paints a cell with ``picture``: a size, or a thing to decorate an item with; returns it as an image."""
    view = QListView()
    qtbot.addWidget(view)

    def paint_cell(picture=None, state=QStyle.StateFlag.State_Enabled, **facts) -> QImage:
        model = QStandardItemModel(1, 1, view)
        item = QStandardItem()
        item.setData(filled(*picture) if isinstance(picture, tuple) else picture, Qt.ItemDataRole.DecorationRole)
        model.setItem(0, item)
        delegate = ThumbnailDelegate(lambda _index: CellFacts(**facts), SIDE, view)
        option = QStyleOptionViewItem()
        option.rect = QRect(0, 0, SIDE, SIDE)
        option.state = state
        image = QImage(SIDE, SIDE, QImage.Format.Format_RGB32)
        image.fill(GROUND)
        painter = QPainter(image)
        delegate.paint(painter, option, model.index(0, 0))
        painter.end()
        return image

    return paint_cell


def filled(width: int, height: int) -> QImage:
    image = QImage(width, height, QImage.Format.Format_RGB32)
    image.fill(PICTURE)
    return image


def color_at(image: QImage, x: int, y: int) -> QColor:
    return image.pixelColor(x, y)


def count(image: QImage, color: QColor) -> int:
    places = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(image.pixelColor(x, y) == color for x, y in places)


def test_a_wide_picture_fills_the_width_and_is_in_the_middle(paint):
    cell = paint((200, 100))
    assert color_at(cell, MARGIN + 1, 50) == color_at(cell, SIDE - MARGIN - 2, 50) == PICTURE
    assert color_at(cell, 50, 20) == color_at(cell, 50, 80) == GROUND


def test_a_tall_picture_fills_the_height_and_is_in_the_middle(paint):
    cell = paint((100, 200))
    assert color_at(cell, 50, MARGIN + 1) == color_at(cell, 50, SIDE - MARGIN - 2) == PICTURE
    assert color_at(cell, 20, 50) == color_at(cell, 80, 50) == GROUND


def test_a_small_picture_is_drawn_as_large_as_the_cell(paint):
    assert color_at(paint((8, 8)), MARGIN + 5, MARGIN + 5) == PICTURE


def test_a_picture_may_be_a_pixmap(paint):
    assert color_at(paint(QPixmap.fromImage(filled(64, 64))), 50, 50) == PICTURE


def test_without_a_picture_there_is_an_empty_place(paint):
    center = color_at(paint(), 50, 50)
    assert center not in (PICTURE, GROUND)


def test_more_stars_are_more_to_see(paint):
    none, one, three = (count(paint((64, 64), stars=stars), STAR_COLOR) for stars in (0, 1, 3))
    assert none == 0
    assert three == pytest.approx(3 * one, rel=0.2)


def test_progress_is_a_bar_as_long_as_the_share(paint):
    def length(progress: float) -> int:
        row = paint((64, 64), progress=progress)
        accent = color_at(row, MARGIN + 8, SIDE - MARGIN - 9)
        return sum(color_at(row, x, SIDE - MARGIN - 9) == accent for x in range(SIDE))

    assert length(0.8) == pytest.approx(2 * length(0.4), abs=4)


@pytest.mark.parametrize("progress", [-1.0, 7.0])
def test_progress_outside_its_range_stays_within_the_cell(paint, progress):
    cell = paint((64, 64), progress=progress)
    assert (
        color_at(cell, MARGIN + 2, SIDE - MARGIN - 9) == color_at(cell, SIDE - MARGIN - 3, SIDE - MARGIN - 9) == PICTURE
    )


def test_a_missing_file_is_said_over_a_darkened_picture(paint):
    cell = paint((64, 64), is_missing=True)
    assert color_at(cell, 50, 20).lightness() < PICTURE.lightness()
    assert count(cell, PICTURE) == 0


@pytest.mark.parametrize("marked", [{"is_shown": True}, {"state": QStyle.StateFlag.State_Selected}])
def test_the_selected_and_the_shown_picture_have_a_frame(paint, marked):
    plain, framed = paint((64, 64)), paint((64, 64), **marked)
    assert color_at(plain, MARGIN - 1, 50) == GROUND
    assert color_at(framed, MARGIN - 1, 50) != GROUND


def test_all_cells_are_squares_of_one_size(qtbot):
    view = QListView()
    qtbot.addWidget(view)
    delegate = ThumbnailDelegate(lambda _index: CellFacts(), SIDE, view)
    assert delegate.sizeHint(QStyleOptionViewItem(), view.rootIndex()) == QSize(SIDE, SIDE)
