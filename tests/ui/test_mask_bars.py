"""The bars of the mask, its part of the panel and its commands, on the real window."""

from __future__ import annotations

import pytest
from PIL import Image
from PySide6.QtCore import QRect, Qt

from desktop_app.core.chain import Card
from desktop_app.studio import mask_keeper
from desktop_app.studio.jobs import JobQueue
from desktop_app.ui.compare_view import CompareView, ViewMode
from desktop_app.ui.mask_bars import MaskOptionsBar, MaskToolBar, coverage_text
from desktop_app.ui.mask_panel import MaskPanel


@pytest.fixture
def masked(qtbot, window, picture):
    """With a picture of 400 x 300 and a quarter of it marked."""
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("cat.png", (400, 300)))
    window.document.mask.paint(QRect(0, 0, 200, 150), lambda painter: painter.fillRect(0, 0, 200, 150, Qt.white))
    window.document.mask.commit("Brush")
    return window


def trigger(qtbot, window, name: str):
    window.actions_by_id[name].trigger()
    qtbot.waitUntil(lambda: not window.document.mask_work.is_working)
    return window.document.mask.copy()


def test_the_options_follow_the_tool(masked):
    bar = masked.findChild(MaskOptionsBar)
    assert (bar.isVisible(), bar.brush.isVisible(), bar.status.text()) == (True, False, "25 % marked")
    masked.actions_by_id["tool_brush"].trigger()
    assert (bar.brush.isVisible(), bar.tolerance.isVisible(), bar.status.text()) == (True, False, "25 %")
    masked.actions_by_id["tool_fill"].trigger()
    assert (bar.brush.isVisible(), bar.tolerance.isVisible()) == (False, True)
    masked.actions_by_id["tool_extend"].trigger()
    assert (bar.tolerance.isVisible(), bar.hint.isVisible()) == (False, True)


def test_bars_are_one_line_and_do_not_lie_on_each_other(masked):
    masked.actions_by_id["tool_brush"].trigger()
    tools, options = masked.findChild(MaskToolBar), masked.findChild(MaskOptionsBar)
    modes, zoom = masked.canvas.findChild(object, "modeBar"), masked.canvas.findChild(object, "zoomBar")
    assert (tools.y(), tools.height()) == (modes.y(), modes.height())
    assert (options.y(), options.height()) == (zoom.y(), zoom.height())
    assert not options.geometry().intersects(zoom.geometry())
    assert not tools.geometry().intersects(modes.geometry())


@pytest.mark.parametrize("tool", ["brush", "fill", "extend"])
def test_in_a_narrow_window_nothing_of_the_bars_is_cut(masked, tool):
    masked.actions_by_id[f"tool_{tool}"].trigger()
    bar = masked.findChild(MaskOptionsBar)
    masked.resize(900, 700)
    for each in (masked.findChild(MaskToolBar), bar):
        assert masked.canvas.rect().contains(each.geometry())
        assert each.width() >= each.sizeHint().width()
    masked.resize(1600, 900)
    assert bar.brush.slider.isVisible() is (tool == "brush")


def test_the_bar_sets_the_brush_and_follows_it(masked):
    masked.actions_by_id["tool_brush"].trigger()
    bar, tools = masked.findChild(MaskOptionsBar), masked.canvas.mask_tools
    bar.brush.spin.setValue(77)
    assert tools.brush == 77
    bar.brush.slider.setValue(bar.brush.slider.maximum())
    assert tools.brush == bar.brush.spin.value() == bar.brush.spin.maximum()
    tools.brush = 12
    assert bar.brush.spin.value() == 12


def test_the_panel_is_there_with_a_mask_only_and_sets_what_runs(masked):
    panel, document = masked.findChild(MaskPanel), masked.document
    assert not panel.isHidden()
    panel.feather.setValue(14)
    panel.only.click()
    panel.padding.setValue(48)
    request = document.make_requests()[0]
    assert (request.mask_feather, request.masked_only, request.mask_padding) == (14, True, 48)
    document.mask.clear("Clear")
    assert panel.isHidden()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "Only the marked part changes: 25 % of the picture."),
        ({"chain": (Card(),)}, "25 % of the picture is marked. Some stages of the chain change the rest too."),
        ({"chain": (Card(),), "first_stage": False}, "The mask is not used: no stage paints inside it."),
    ],
)
def test_the_panel_says_what_becomes_of_the_rest_of_the_picture(qtbot, masked, changes, text):
    masked.document.set_params("Chain", **changes)
    qtbot.waitUntil(lambda: masked.findChild(MaskPanel).status.text() == text)


def test_a_picture_that_is_asked_for_as_the_window_closes_is_in_the_queue(masked, monkeypatch):
    monkeypatch.setattr(mask_keeper, "SMALL", 0)
    masked.commands.generate()
    assert masked.jobs.rowCount() == 0
    masked.close()
    assert masked.jobs.rowCount() == 1
    assert masked.jobs.index(0).data(JobQueue.JobRole).request.mask is not None


def test_a_soft_edge_that_is_being_typed_counts_when_the_picture_is_asked_for(qtbot, masked):
    box = masked.findChild(MaskPanel).feather.box
    box.setFocus()
    box.selectAll()
    qtbot.keyClicks(box, "25")
    masked.commands.commit_typing()
    assert masked.document.params.mask_feather == 25


def test_commands_change_all_of_the_mask_by_the_pixels_of_the_panel(qtbot, masked):
    masked.findChild(MaskPanel).growth.setValue(10)
    assert trigger(qtbot, masked, "mask_grow").getbbox() == (0, 0, 210, 160)
    assert trigger(qtbot, masked, "mask_shrink").getbbox() == (0, 0, 200, 150)
    assert trigger(qtbot, masked, "mask_invert").getpixel((10, 10)) == 0
    assert trigger(qtbot, masked, "mask_clear").getbbox() is None
    assert not masked.actions_by_id["mask_grow"].isEnabled()


def test_a_picture_without_transparency_has_no_mask_of_it_and_that_is_said(qtbot, masked):
    with qtbot.waitSignal(masked.document.error_raised) as raised:
        masked.actions_by_id["mask_alpha"].trigger()
    assert raised.args[0].title == "Nothing of the init image is transparent"
    assert not masked.document.mask.is_empty


@pytest.mark.parametrize("mode", list(ViewMode))
@pytest.mark.parametrize("is_faint", [False, True])
def test_an_active_mask_is_seen_in_every_view(qtbot, masked, mode, is_faint):
    masked.actions_by_id["mask_faint"].setChecked(is_faint)
    masked.canvas.mode = mode
    view = masked.findChild(CompareView)
    with_mask = view.grab().toImage()
    masked.document.mask.clear("Clear")
    assert view.grab().toImage() != with_mask


def test_a_soft_edge_is_seen(masked):
    masked.document.set_param("mask_feather", 0)
    view = masked.findChild(CompareView)
    hard = view.grab().toImage()
    masked.document.set_param("mask_feather", 30)
    assert view.grab().toImage() != hard


def test_the_mask_is_saved_where_the_user_says_and_loaded_again(qtbot, masked, tmp_path, monkeypatch):
    asked = "desktop_app.ui.mask_commands.QFileDialog"
    monkeypatch.setattr(f"{asked}.getSaveFileName", lambda *_: (str(tmp_path / "kept"), ""))
    monkeypatch.setattr(f"{asked}.getOpenFileName", lambda *_: (str(tmp_path / "kept.png"), ""))
    before = masked.document.mask.copy()
    with qtbot.waitSignal(masked.document.mask_work.saved):
        masked.actions_by_id["mask_save"].trigger()
    with Image.open(tmp_path / "kept.png") as saved:
        assert (saved.mode, saved.tobytes()) == ("L", before.tobytes())
    masked.document.mask.clear("Clear")
    assert trigger(qtbot, masked, "mask_load").tobytes() == before.tobytes()


def test_a_little_is_not_nothing():
    assert [coverage_text(share) for share in (0.0001, 0.01, 0.999, 1.0)] == ["< 1 %", "1 %", "100 %", "100 %"]
