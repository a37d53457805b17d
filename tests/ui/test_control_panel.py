"""ControlPanel: control images are added, changed and seen; edits land in the document."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtWidgets import QAbstractSlider, QApplication
from support import make_picture

from desktop_app.core.conditions import MAX_CONTROLS, Control, ControlMode
from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.request import hash_pixels
from desktop_app.studio.qimage import to_qimage
from desktop_app.ui.column_area import ColumnArea
from desktop_app.ui.control_thumb import ControlImageDialog


@pytest.fixture
def panel(qtbot, window, pretend):
    """Open, with ControlNets for Stable Diffusion 1.5 and for another family."""
    base = pretend("Stable Diffusion", text_width=768)
    net = replace(base, family="ControlNet", kinds=(), fits=("Stable Diffusion",))
    panel = window.control_panel
    qtbot.waitUntil(lambda: bool(panel._infos))  # the window's own list, which would else come after this one
    panel.set_checkpoints(
        [
            base,
            replace(net, ref="/nets/canny", label="my-canny"),
            replace(net, ref="/nets/xl", label="xl-net", text_width=2048, fits=("Stable Diffusion XL",)),
            replace(net, ref="/annotators/depth", label="depth-maker", family="Annotator", mode=ControlMode.DEPTH),
        ]
    )
    panel.fold.setChecked(True)
    return panel


@pytest.fixture
def init_image(qtbot, window, picture):
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture("init.png", (64, 64)))


@pytest.fixture
def row(panel):
    """Of the one control image that there is."""
    panel.add.click()
    return panel.rows[0]


def controls(window):
    return window.document.params.controls


def pick(combo, data):
    index = combo.findData(data)
    combo.setCurrentIndex(index)
    combo.activated.emit(index)


def entries(combo):
    return [combo.itemText(index) for index in range(combo.count())]


def test_it_is_closed_at_first_and_opens_when_some_come_and_says_how_many(window):
    panel = window.control_panel
    assert not panel.field.isVisible()
    window.document.set_param("controls", (Control(ControlMode.DEPTH, is_on=False),) * 2)
    assert panel.fold.text() == "Control images (0 of 2 on)"
    assert panel.field.isVisible()
    assert len(panel.rows) == 2
    panel.fold.click()
    window.document.set_param("controls", (Control(ControlMode.DEPTH, is_on=False, weight=0.5),) * 2)
    assert not panel.field.isVisible()


def test_one_is_added_with_the_control_net_that_fits(window, row):
    assert controls(window) == (Control(ControlMode.CANNY, checkpoint="/nets/canny"),)
    assert row.net.currentText() == "my-canny"
    window.document.undo_stack.undo()
    assert controls(window) == ()
    assert window.control_panel.rows == []


def test_those_of_other_families_are_greyed_out_with_the_reason(row):
    index = row.net.findData("/nets/xl")
    assert not row.net.model().item(index).isEnabled()
    assert "Stable Diffusion XL" in row.net.itemData(index, Qt.ItemDataRole.ToolTipRole)


def is_seen_in(window, widget):
    """Whether all of it, or as much as there is room for, is seen of the column."""
    viewport = window.control_panel.parentWidget().parentWidget()
    top = widget.mapTo(viewport, QPoint()).y()
    return top >= 0 and top + min(widget.height(), viewport.height()) <= viewport.height()


def test_one_that_is_added_is_brought_into_view(qtbot, window, panel):
    window.show()
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: is_seen_in(window, panel.rows[0]))


def test_one_that_was_dropped_on_the_canvas_is_brought_into_view(qtbot, window, panel, picture):
    window.show()
    panel.take_picture(picture("pose.png"), "pose.png")
    qtbot.waitUntil(lambda: bool(panel.rows) and is_seen_in(window, panel.rows[0]))


def test_who_scrolls_is_not_drawn_back(qtbot, window, panel):
    window.show()
    qtbot.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: is_seen_in(window, panel.rows[0]))
    bar = window.findChild(ColumnArea).verticalScrollBar()
    bar.triggerAction(QAbstractSlider.SliderAction.SliderToMinimum)
    panel.rows[0].set_open(False)
    panel.rows[0].set_open(True)
    QApplication.sendPostedEvents()
    assert bar.value() == 0


def test_what_is_opened_by_a_click_is_brought_into_view(qtbot, window, panel):
    panel.fold.setChecked(False)
    window.show()
    qtbot.mouseClick(panel.fold, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: is_seen_in(window, panel.add))


def test_another_kind_takes_its_own_control_net_and_names_the_light_way(window, row):
    pick(row.mode, ControlMode.DEPTH)
    assert controls(window)[0].mode is ControlMode.DEPTH
    assert controls(window)[0].checkpoint == "lllyasviel/control_v11f1p_sd15_depth"
    assert entries(row.annotator)[:2] == ["brightness as depth", "depth-maker"]
    pick(row.annotator, "/annotators/depth")
    assert controls(window)[0].annotator == "/annotators/depth"


def test_thresholds_are_canny_s_alone(row):
    assert not row.sliders["low"].isHidden()
    pick(row.mode, ControlMode.DEPTH)
    assert row.sliders["low"].isHidden()


def test_sliders_edit_and_an_end_gives_way_to_the_other(window, row):
    row.sliders["weight"].setValue(0.4)
    row.sliders["end"].setValue(0.5)
    row.sliders["start"].setValue(0.7)
    row.sliders["low"].setValue(230)
    control = controls(window)[0]
    assert (control.weight, control.start, control.end) == (0.4, 0.7, 0.71)
    assert (control.low, control.high) == (230, 230)


def test_one_can_be_switched_off_and_removed(window, row):
    row.on.click()
    assert not controls(window)[0].is_on
    row.remove.click()
    assert controls(window) == ()


def test_the_others_stay_as_they_are_when_one_is_removed(window, panel):
    for mode in (ControlMode.CANNY, ControlMode.DEPTH, ControlMode.TILE):
        panel.add.click()
        pick(panel.rows[-1].mode, mode)
    assert [row.is_open for row in panel.rows] == [False, False, True]
    panel.rows[0].remove.click()
    assert [control.mode for control in controls(window)] == [ControlMode.DEPTH, ControlMode.TILE]
    assert [row.is_open for row in panel.rows] == [False, True]
    assert [row.mode.currentData() for row in panel.rows] == [ControlMode.DEPTH, ControlMode.TILE]


def test_there_is_an_end_to_adding(window, panel):
    window.document.set_param("controls", (Control(ControlMode.TILE),) * MAX_CONTROLS)
    assert not panel.add.isEnabled()


def test_the_control_image_is_seen_before_it_is_used_and_large_on_a_click(qtbot, window, init_image, row):
    qtbot.waitUntil(lambda: row.thumb.image is not None)
    assert f"{row.thumb.image.width()} × {row.thumb.image.height()}" in row._state.text()
    row.thumb.click()
    dialog = window.findChild(ControlImageDialog)
    assert "Edges (Canny)" in dialog.windowTitle()
    dialog.close()


def test_without_any_picture_it_says_what_is_missing(row):
    assert "no init image" in row._state.text()
    assert row.thumb.image is None


def test_one_that_is_off_is_made_by_its_button(qtbot, init_image, row):
    row.on.click()
    pick(row.mode, ControlMode.TILE)
    qtbot.waitUntil(lambda: not row.make.isHidden())
    row.make.click()
    qtbot.waitUntil(lambda: row.thumb.image is not None)
    assert row.make.isHidden()


def test_a_picture_that_is_dropped_on_one_becomes_its_own(qtbot, window, row, picture):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(picture("own.png", seed=4)))])
    event = QDropEvent(
        QPointF(5, 5),
        Qt.DropAction.CopyAction,
        mime,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(window.document.params_changed):
        row.dropEvent(event)
    assert controls(window)[0].image.sha256 == hash_pixels(make_picture(seed=4))
    assert row.source.currentText() == "own.png"
    pick(row.source, "init")
    assert controls(window)[0].image is None


def test_a_picture_can_be_pasted(qtbot, window, row):
    QGuiApplication.clipboard().setImage(to_qimage(make_picture(seed=5)))
    with qtbot.waitSignal(window.document.params_changed):
        pick(row.source, "paste")
    assert controls(window)[0].image.sha256 == hash_pixels(make_picture(seed=5))


def test_a_clipboard_without_a_picture_is_told(qtbot, window, row):
    QGuiApplication.clipboard().setText("no picture")
    with qtbot.waitSignal(window.control_panel.error_raised) as told:
        pick(row.source, "paste")
    assert "no picture on the clipboard" in told.args[0].title
    assert window.banner.isVisible()


def test_a_picture_that_comes_from_elsewhere_makes_one_more(qtbot, window, panel, picture):
    panel.fold.setChecked(False)
    with qtbot.waitSignal(window.document.params_changed):
        panel.take_picture(picture("pose.png"))
    assert [control.image.name for control in controls(window)] == ["pose.png"]
    assert panel.rows[0].is_open


def test_a_picture_that_is_one_already_needs_no_annotator(window, row):
    row.ready.click()
    assert not controls(window)[0].derive
    assert row.annotator.isHidden()
    assert row.sliders["low"].isHidden()


def test_what_is_not_here_can_be_downloaded(qtbot, window, row):
    assert row.download.isHidden()
    pick(row.mode, ControlMode.DEPTH)
    assert not row.download.isHidden()
    with qtbot.waitSignal(window.control_panel.download_requested) as asked:
        row.download_requested.emit(row._missing)
    assert asked.args[0] == ("lllyasviel/control_v11f1p_sd15_depth",)


def test_a_family_without_control_images_says_so_and_lets_them_only_be_switched_off(pretend, window, row):
    pretend("Flux Kontext")
    panel = window.control_panel
    assert "family" in panel._about.text()
    assert not any(part.isEnabled() for part in (panel.add, row.mode, row.net))
    assert "no effect" in panel.field.error_text
    row.on.click()
    assert panel.field.error_text == ""
    row.remove.click()
    assert controls(window) == ()


def test_a_family_that_reads_one_itself_is_asked_for_nothing_else(pretend, window, panel):
    pretend("Kandinsky 2.2 depth", text_width=0)
    panel.add.click()
    row = panel.rows[0]
    assert controls(window) == (Control(ControlMode.DEPTH),)
    assert row.net.isHidden()
    assert row.sliders["weight"].isHidden()
    assert not panel.add.isEnabled()
    assert "one control image only" in panel.add.toolTip()


def test_an_error_opens_it_and_stands_below(panel):
    panel.fold.setChecked(False)
    panel.show_error(RequestError("No ControlNet", "", "Choose one.", param="controls"))
    assert panel.fold.isChecked()
    assert "No ControlNet" in panel.field_of("controls").error_text
    panel.fold.setChecked(False)
    panel.show_error(RequestError("No ControlNet", "", "Choose one.", param="controls"))
    assert not panel.fold.isChecked()
    panel.show_error(RequestError("Other", "", "", param="prompt"))
    assert panel.field.error_text == ""


def test_a_failure_of_the_engine_is_shown_with_a_way_to_try_again(qtbot, window, init_image, row):
    path = window.document.init_image.ref.path
    path.unlink()
    row.sliders["low"].setValue(3)
    qtbot.waitUntil(lambda: row._state.property("role") == "error")
    assert row.make.text() == "Try again"
    assert isinstance(window.parts.controls.deriver.view(row.control).error, ImageError)


@pytest.mark.parametrize(
    ("direction", "arrow"),
    [
        (Qt.LayoutDirection.LeftToRight, Qt.ArrowType.RightArrow),
        (Qt.LayoutDirection.RightToLeft, Qt.ArrowType.LeftArrow),
    ],
)
def test_arrows_point_the_way_that_is_read(panel, row, direction, arrow):
    panel.fold.setChecked(False)
    row.set_open(False)
    panel.setLayoutDirection(direction)
    assert panel.fold.arrowType() is arrow
    assert row._fold.arrowType() is arrow
