"""Masks and chains as a user makes them, on the real window, with the starter in the engine's own process."""

from __future__ import annotations

import pytest
from PIL import ExifTags, Image, ImageChops
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton
from support import PROJECT

from desktop_app.core.chain import Card
from desktop_app.core.image import load_image
from desktop_app.core.masking import soften
from desktop_app.core.outpaint import Margins
from desktop_app.studio.restoring import PARTS
from desktop_app.ui.compare_view import CompareView
from desktop_app.ui.mask_stage import MaskStage

SAMPLES = PROJECT / "resources" / "samples"
LOADING_S = 60_000
LEFT, PLAIN = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier


def open_picture(qtbot, window, path) -> None:
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(path)
    window.document.set_params("Quick", prompt="lemon, purple background", steps=4, seed=3, mask_feather=9)


def paint(window, start: tuple[int, int], end: tuple[int, int]) -> None:
    """With the brush, from one point of the picture to another."""
    window.actions_by_id["tool_brush"].trigger()
    stage, view = window.findChild(MaskStage), window.findChild(CompareView)
    first, last = (view.from_picture(QRectF(*at, 0, 0), QPointF()).topLeft().toPoint() for at in (start, end))
    QTest.mousePress(stage, LEFT, PLAIN, first)
    QTest.mouseMove(stage, last)
    QTest.mouseRelease(stage, LEFT, PLAIN, last)


def generate(qtbot, window):
    with qtbot.waitSignal(window.jobs.finished, timeout=LOADING_S) as finished:
        window.findChild(QPushButton, "generateButton").click()
    return finished.args[1]


def changed_outside(window, variation) -> tuple[int, int, int, int] | None:
    """The box of what differs from the init image where the softened mask marks nothing."""
    document = window.document
    soft = soften(document.mask.copy(), document.params.mask_feather)
    outside = soft.point([255] + [0] * 255)
    before, after = (picture.convert("RGB") for picture in (document.init_image.picture, load_image(variation.path)))
    assert before.size == after.size
    difference = ImageChops.difference(before, after)
    assert difference.getbbox() is not None, "nothing was painted"
    return ImageChops.multiply(difference, Image.merge("RGB", (outside, outside, outside))).getbbox()


@pytest.mark.timeout(300)
def test_outside_the_painted_mask_every_pixel_stays_and_the_mask_comes_back_with_the_picture(qtbot, open_window):
    window = open_window()
    open_picture(qtbot, window, SAMPLES / "astronaut.jpg")
    paint(window, (150, 150), (320, 220))
    mask = window.document.mask.copy().tobytes()
    variation = generate(qtbot, window)
    assert changed_outside(window, variation) is None
    window.close_now()

    again = open_window()
    qtbot.waitUntil(lambda: again.document.init_image is not None)
    assert again.document.mask.copy().tobytes() == mask
    again.document.clear_init_image()
    with qtbot.waitSignal(again.document.init_image_changed):
        again.document.restore(variation.request, set(PARTS))
    assert again.document.mask.copy().tobytes() == mask
    assert generate(qtbot, again).pixels_sha256 == variation.pixels_sha256


@pytest.mark.timeout(300)
def test_a_photo_is_changed_where_it_was_painted_whatever_way_the_camera_was_held(qtbot, open_window, tmp_path):
    window = open_window()
    with Image.open(SAMPLES / "coffee.jpg") as opened:
        picture = opened.convert("RGB").resize((160, 104))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        path = tmp_path / f"photo-{orientation}.png"
        picture.save(path, exif=exif)
        open_picture(qtbot, window, path)
        paint(window, (50, 40), (80, 60))
        assert changed_outside(window, generate(qtbot, window)) is None, orientation


@pytest.mark.timeout(300)
def test_a_picture_that_was_extended_is_painted_in_its_new_room_only(qtbot, open_window):
    window = open_window()
    open_picture(qtbot, window, SAMPLES / "astronaut.jpg")
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.extend_init_image(Margins(right=128))
    variation = generate(qtbot, window)
    assert variation.size == (640, 512)
    assert changed_outside(window, variation) is None


@pytest.mark.timeout(300)
def test_another_last_card_runs_alone_and_the_button_says_so_before(qtbot, open_window):
    window = open_window()
    open_picture(qtbot, window, SAMPLES / "coffee.jpg")
    window.document.set_params("Chain", chain=(Card(steps=4), Card(steps=4, strength=0.5)))
    first = generate(qtbot, window)
    assert (first.intermediates, first.reused) == (2, 0)
    window.document.set_params("Chain", chain=(Card(steps=4), Card(steps=4, strength=0.8)))
    button = window.findChild(QPushButton, "generateButton")
    qtbot.waitUntil(lambda: "re-uses 2 of 3 stages" in button.text())
    second = generate(qtbot, window)
    assert (second.intermediates, second.reused) == (2, 2)
    assert second.pixels_sha256 != first.pixels_sha256
    window.actions_by_id["attention_sdpa"].trigger()  # in another way nothing comes out the same to the last bit
    qtbot.waitUntil(lambda: button.text() == "Generate")
