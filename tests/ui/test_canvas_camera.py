"""The camera: fit, zoom at a point, panning, whole screen pixels."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPointF, QRectF, QSize, QSizeF

from desktop_app.ui.canvas_camera import MAX_ZOOM, MIN_ZOOM, Camera

PANE = QRectF(10, 20, 400, 300)


def make_camera(width: int = 800, height: int = 400, ratio: float = 1.0) -> Camera:
    camera = Camera()
    camera.set_picture(QSize(width, height))
    camera.set_pane(PANE.size(), ratio)
    return camera


def point_at(camera: Camera, position: QPointF) -> QPointF:
    """The picture point that lies at ``position``."""
    rect = camera.rect(PANE)
    return QPointF((position.x() - rect.x()) / camera.zoom, (position.y() - rect.y()) / camera.zoom)


def test_a_picture_is_shown_whole_and_in_the_middle() -> None:
    assert make_camera().rect(PANE) == QRectF(10, 70, 400, 200)


def test_a_small_picture_is_enlarged_to_fit() -> None:
    assert make_camera(40, 20).zoom == pytest.approx(10)


def test_a_tiny_picture_is_not_enlarged_beyond_the_largest_zoom() -> None:
    assert make_camera(1, 1).zoom == MAX_ZOOM


def test_actual_size_counts_screen_pixels() -> None:
    camera = make_camera(ratio=2.0)
    camera.zoom_to(1.0, QPointF())
    assert camera.rect(PANE).size() == QSizeF(400, 200)


@pytest.mark.parametrize("factor", [1.25, 2.0, 6.0])
def test_zooming_keeps_the_point_under_the_cursor(factor: float) -> None:
    camera, cursor = make_camera(), QPointF(150, 140)
    before = point_at(camera, cursor)
    camera.zoom_to(camera.zoom * factor, cursor - PANE.center())
    assert (point_at(camera, cursor) - before).manhattanLength() < 2 / camera.zoom


@pytest.mark.parametrize(("wanted", "got"), [(1000, MAX_ZOOM), (0.0001, MIN_ZOOM)])
def test_zoom_has_limits(wanted: float, got: float) -> None:
    camera = make_camera()
    camera.zoom_to(wanted, QPointF())
    assert camera.zoom == got


def test_a_huge_picture_still_fits() -> None:
    camera = make_camera(30_000, 30_000)
    assert camera.rect(PANE).height() == 300


def test_a_whole_picture_stays_whole_in_another_pane() -> None:
    camera = make_camera()
    camera.set_pane(QSizeF(200, 300), 1.0)
    assert camera.zoom == pytest.approx(0.25)


def test_a_chosen_zoom_stays_in_another_pane() -> None:
    camera = make_camera()
    camera.zoom_to(2.0, QPointF())
    camera.set_pane(QSizeF(200, 300), 1.0)
    assert camera.zoom == 2.0


def test_a_picture_of_the_same_size_keeps_the_zoom() -> None:
    camera = make_camera()
    camera.zoom_to(2.0, QPointF())
    camera.set_picture(QSize(800, 400))
    assert camera.zoom == 2.0


def test_a_picture_of_another_size_is_shown_whole() -> None:
    camera = make_camera()
    camera.zoom_to(2.0, QPointF())
    camera.set_picture(QSize(400, 800))
    assert camera.is_fit


def test_panning_moves_the_picture() -> None:
    camera = make_camera()
    camera.zoom_to(2.0, QPointF())
    before = camera.rect(PANE)
    camera.pan(QPointF(30, -12))
    assert camera.rect(PANE) == before.translated(30, -12)


def test_a_picture_cannot_be_panned_out_of_the_pane() -> None:
    camera = make_camera()
    camera.zoom_to(2.0, QPointF())
    camera.pan(QPointF(100_000, 100_000))
    assert camera.rect(PANE).topLeft() == PANE.center()


def test_a_picture_that_is_seen_whole_cannot_be_panned() -> None:
    camera = make_camera()
    before = camera.rect(PANE)
    camera.pan(QPointF(30, 30))
    assert camera.rect(PANE) == before


def test_steps_stop_at_round_zooms() -> None:
    camera = make_camera()
    seen = []
    for direction in (1, 1, 1, -1):
        camera.step(direction, QPointF())
        seen.append(camera.zoom)
    assert seen == [0.67, 1, 1.5, 1]


def test_edges_lie_on_whole_screen_pixels() -> None:
    camera = make_camera(333, 111, ratio=1.5)
    camera.zoom_to(1.37, QPointF(3, 5))
    edges = camera.rect(PANE).getCoords()
    assert [edge * 1.5 for edge in edges] == pytest.approx([round(edge * 1.5) for edge in edges])
