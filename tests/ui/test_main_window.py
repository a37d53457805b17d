"""MainWindow: what is said, what comes back after a restart, and that every control can be named and reached."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QDockWidget,
    QLabel,
    QLineEdit,
    QListView,
    QPlainTextEdit,
    QPushButton,
    QScrollArea,
    QToolButton,
)

from desktop_app.app import create_window
from desktop_app.core.chain import Card
from desktop_app.core.errors import ImageError, RequestError, StudioError
from desktop_app.engine.fake import FakeEngine
from desktop_app.ui import main_window
from desktop_app.ui.actions import ACTIONS
from desktop_app.ui.canvas_empty import SampleButton

NAMES = (
    *("canvas", "promptEdit", "negativePromptEdit", "strengthSlider", "guidanceSlider", "stepsSpin", "seedEdit"),
    *("countSpin", "checkpointCombo", "generateButton", "stopButton", "progressBar", "queueView", "galleryView"),
    *("variationStrip", "compareView"),
)


@pytest.fixture
def reopen(window, data_dir):
    """Closes the window and opens another on the same folder."""
    opened = []

    def open_again():
        window.close_now()
        opened.append(create_window(data_dir, engine=FakeEngine()))
        opened[-1].show()
        return opened[-1]

    yield open_again
    for each in opened:
        each.close_now()
        each.deleteLater()


@pytest.mark.parametrize("name", NAMES)
def test_the_main_controls_have_the_names_that_scripts_rely_on(window, name):
    assert window.findChild(object, name) is not None


def test_the_program_begins_by_removing_what_a_killed_one_left_of_checkpoints(reopen, paths):
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    name = f"{gone.pid}-0123456789abcdef.underpaint-tmp"
    (paths.all_converted / f".convert-{name}" / "work").mkdir(parents=True)
    (paths.checkpoints / f".{name}").write_bytes(b"half")
    reopen()
    assert list(paths.all_converted.iterdir()) == []
    assert not (paths.checkpoints / f".{name}").exists()


def test_every_control_has_a_name_for_a_screen_reader(window):
    kinds = (QAbstractButton, QComboBox, QLineEdit, QAbstractSpinBox, QPlainTextEdit, QListView)
    nameless = [
        f"{type(control).__name__} {control.objectName()!r}"
        for kind in kinds
        for control in window.findChildren(kind)
        if control.isVisible()
        and not (control.accessibleName() or getattr(control, "text", str)())
        and not control.objectName().startswith("qt_")
        and not isinstance(control.parent(), QAbstractSpinBox | QComboBox | QDockWidget | QLineEdit)
        and "superqt" not in type(control).__module__
    ]
    assert nameless == []


def test_buttons_that_add_something_are_called_what_they_say(window):
    for panel in (window.control_panel, window.adapter_panel):
        assert (panel.add.accessibleName() or panel.add.text()) == panel.add.text()


def test_the_key_for_the_next_panel_comes_by_all_of_them(qtbot, window, paint_seeds):
    paint_seeds(1)
    qtbot.waitUntil(window.lineage_panel.view.isVisible)
    qtbot.waitUntil(window.gallery_panel.view.isVisible)
    seen = []
    for _ in range(5):
        window.actions_by_id["next_pane"].trigger()
        seen.append(window.focusWidget().objectName())
    assert {"promptEdit", "galleryView", "lineageView"} <= set(seen)


def test_tab_goes_on_from_the_ways_to_a_picture_to_the_samples(qtbot, window):
    url = window.findChild(QPushButton, "urlButton")
    url.setFocus()
    qtbot.keyClick(url, Qt.Key.Key_Tab)
    assert window.focusWidget() is window.canvas.findChildren(SampleButton)[0]


def test_every_button_without_words_has_a_tip(window):
    silent = [
        button.objectName() or button.accessibleName()
        for button in window.findChildren(QToolButton)
        if button.isVisible()
        and not button.text()
        and not button.toolTip()
        and not button.objectName().startswith("qt_")
        and not isinstance(button.parent(), QLineEdit)
    ]
    assert silent == []


def test_foreign_words_are_never_taken_for_rich_text(window):
    window.banner.show_error(ImageError("<b>title</b>", "<img src=x>", "<i>hint</i>"))
    labels = [label for label in window.banner.findChildren(QLabel) if "<" in label.text()]
    assert len(labels) == 2
    assert all(label.textFormat() == Qt.TextFormat.PlainText for label in labels)


def test_a_prompt_that_looks_like_html_is_shown_as_it_is(qtbot, window):
    window.document.set_params("Quick", steps=2, prompt="<img src=file:///x> & <b>bold</b>")
    with qtbot.waitSignal(window.jobs.finished):
        window.commands.generate()
    gallery = window.parts.gallery
    qtbot.waitUntil(lambda: gallery.index(0, 0).data(gallery.VariationRole) is not None)
    strip = window.strip.model
    qtbot.waitUntil(lambda: strip.rowCount() == 1)
    for model in (gallery, strip, window.jobs):
        tip = model.index(0, 0).data(Qt.ItemDataRole.ToolTipRole)
        assert "<img" not in tip
        assert "&lt;img src=file:///x&gt; &amp; &lt;b&gt;" in tip


def test_every_action_is_in_a_menu_and_no_two_share_a_key(window):
    in_menus = {action for menu in window.menus.values() for action in menu.actions()}
    named = [spec for spec in ACTIONS if spec.text != "-"]
    assert all(window.actions_by_id[spec.id] in in_menus for spec in named)
    assert all(window.actions_by_id[spec.id].toolTip() for spec in named)
    keys = [keys for spec in named for keys in spec.keys]
    assert len(keys) == len(set(keys))


def test_no_two_commands_of_a_menu_share_an_underlined_letter(window):
    for name, menu in window.menus.items():
        letters = [text[text.index("&") + 1].lower() for action in menu.actions() if "&" in (text := action.text())]
        assert len(letters) == len(set(letters)), (name, letters)
    titles = [action.text() for action in window.menuBar().actions()]
    assert len({title[title.index("&") + 1].lower() for title in titles}) == len(titles)


NEED_SOMETHING = (
    "stop",
    "stop_after",
    "export",
    "copy",
    "use_as_init",
    "restore",
    "trash",
    "undo",
    "redo",
    "clear_init",
)


def test_nothing_is_offered_that_cannot_work_yet(window):
    for name in NEED_SOMETHING:
        assert not window.actions_by_id[name].isEnabled(), name
    assert window.prompt_panel.prompt.hasFocus()


def test_an_error_of_a_control_is_told_beside_it_and_any_other_above_the_canvas(window):
    window.show_error(RequestError("Too many", "1001", "Fewer.", param="steps"))
    assert "Too many" in window.params_panel.fields["steps"].error_text
    assert not window.banner.isVisible()
    window.show_error(StudioError("No", "because", "Try."))
    assert window.banner.isVisible()


def test_messages_wait_for_each_other(window):
    for title in ("first", "second", "second"):
        window.banner.show_error(StudioError(title, "detail"))
    assert window.banner.error.title == "first"
    window.banner.dismiss()
    assert window.banner.error.title == "second"
    window.banner.dismiss()
    assert not window.banner.isVisible()


def test_a_queue_that_is_stopped_and_shown_makes_the_window_no_wider(qtbot, window):
    window.document.set_params("Long", steps=900)
    for _ in range(3):
        window.commands.generate()
    window.job_bar.queue.click()
    qtbot.waitUntil(lambda: window.jobs.current is not None and window.jobs.current.progress is not None)
    window.actions_by_id["stop"].trigger()
    qtbot.waitUntil(lambda: window.job_bar.resume.isVisible())
    assert window.minimumSizeHint().width() <= 1024
    assert window.width() == 1280


def test_a_picture_that_takes_long_to_open_is_announced_on_the_canvas(qtbot, window):
    busy = window.findChild(QLabel, "busyLabel")
    window.document.opening_changed.emit(True)
    assert not busy.isVisible()
    qtbot.waitUntil(busy.isVisible)
    window.document.opening_changed.emit(False)
    assert not busy.isVisible()


def test_a_result_that_is_trashed_in_the_gallery_leaves_the_canvas(qtbot, window, paint_seeds):
    made = paint_seeds(1, 2)
    gallery = window.parts.gallery
    qtbot.waitUntil(lambda: gallery.rowCount() == 2 and window.presenter.shown == made[1])
    window.gallery_panel.view.setCurrentIndex(gallery.index(0, 0))
    window.gallery_panel.trash_selected()
    assert window.presenter.shown is None
    qtbot.waitUntil(lambda: window.strip.model.rowCount() == 1)
    assert not window.strip.view.selectionModel().hasSelection()


def test_no_control_is_cut_at_its_side_by_a_larger_font(window, qapp):
    before = qapp.font()
    larger = qapp.font()
    larger.setPointSizeF(before.pointSizeF() * 1.6)
    qapp.setFont(larger)
    area = window.findChild(QScrollArea, "paramsScroll")
    area.updateGeometry()
    assert area.minimumSizeHint().width() >= area.widget().minimumSizeHint().width()
    qapp.setFont(before)


def test_space_shows_the_init_image_while_a_variation_is_picked(qtbot, window, picture):
    with qtbot.waitSignal(window.document.init_image_changed):
        window.document.open_image(picture())
    window.document.set_params("Quick", steps=2)
    with qtbot.waitSignal(window.jobs.finished):
        window.commands.generate()
    held = []
    window.canvas.hold_init = held.append
    for view in (window.strip.view, window.gallery_panel.view):
        view.setFocus()
        qtbot.keyPress(view, Qt.Key.Key_Space)
        qtbot.keyRelease(view, Qt.Key.Key_Space)
    assert held == [True, False, True, False]


def test_panels_that_were_hidden_stay_hidden_after_a_restart(window, reopen):
    window.gallery_dock.hide()
    window.queue_dock.show()
    again = reopen()
    assert again.gallery_dock.isHidden()
    assert not again.queue_dock.isHidden()
    again.reset_layout()
    assert not again.gallery_dock.isHidden()


def test_the_theme_comes_back_after_a_restart(window, reopen):
    window.actions_by_id["theme_dark"].trigger()
    dark = window.palette().window().color()
    assert dark.lightness() < 80
    again = reopen()
    assert again.palette().window().color() == dark
    assert again.actions_by_id["theme_dark"].isChecked()


def test_tab_on_the_canvas_hides_the_panels_and_brings_them_back(qtbot, window):
    window.actions_by_id["hide_panels"].trigger()
    assert window.params_dock.isHidden()
    assert window.gallery_dock.isHidden()
    window.actions_by_id["hide_panels"].trigger()
    assert not window.params_dock.isHidden()
    assert window.queue_dock.isHidden()


def test_closing_in_the_middle_of_a_picture_asks_first(qtbot, window, monkeypatch):
    window.document.set_params("Long", steps=900)
    window.commands.generate()
    qtbot.waitUntil(lambda: window.jobs.current is not None and window.jobs.current.progress is not None)
    asked = []
    monkeypatch.setattr(main_window, "TRIVIAL_SECONDS", 0)
    monkeypatch.setattr(main_window, "ask_quit", lambda *_: asked.append(1))
    window.close()
    assert asked
    assert window.isVisible()


def test_the_end_of_one_stage_is_not_taken_for_that_of_the_chain(qtbot, window, monkeypatch):
    window.document.set_params("Chain", steps=900, chain=(Card(),))
    window.commands.generate()
    qtbot.waitUntil(lambda: window.jobs.current is not None and window.jobs.current.seconds_left is not None)
    asked = []
    monkeypatch.setattr(main_window, "TRIVIAL_SECONDS", 10**6)
    monkeypatch.setattr(main_window, "ask_quit", lambda *_: asked.append(1))
    window.close()
    assert asked
    assert window.isVisible()


def test_several_pictures_at_the_start_are_not_left_out_in_silence(qtbot, window, picture):
    paths = [picture("one.png"), picture("two.png", seed=1)]
    with qtbot.waitSignal(window.document.init_image_changed):
        window.come_forward(paths)
    assert window.document.init_image.name == "one.png"
    assert "two.png" in window.banner.error.detail


def test_generation_text_on_the_clipboard_is_pasted(window, qapp):
    qapp.clipboard().setText("a cat\nSteps: 12, Sampler: Euler a, CFG scale: 5.5, Seed: 3, Size: 64x64")
    window.actions_by_id["paste"].trigger()
    assert (window.document.params.prompt, window.document.params.steps) == ("a cat", 12)


def test_undo_is_at_hand_after_trashing_until_something_else_is_done(qtbot, window):
    with qtbot.waitSignal(window.jobs.finished) as finished:
        window.commands.generate()
    variation, gallery = finished.args[1], window.parts.gallery
    notice = window.gallery_panel.trash_notice
    window.commands.trash(variation)
    assert notice.isVisible()
    qtbot.waitUntil(lambda: gallery.rowCount() == 0)
    notice.undo.click()
    qtbot.waitUntil(lambda: gallery.rowCount() == 1)
    assert notice.isHidden()
    window.commands.trash(variation)
    window.document.set_param("steps", 7)
    assert notice.isHidden()


def test_a_finished_picture_can_be_used_copied_and_trashed(qtbot, window, qapp):
    window.document.set_params("Quick", steps=2, prompt="lemon")
    with qtbot.waitSignal(window.jobs.finished) as finished:
        window.commands.generate()
    variation = finished.args[1]
    qtbot.waitUntil(lambda: window.presenter.shown == variation)
    window.actions_by_id["copy_settings"].trigger()
    assert qapp.clipboard().text().startswith("lemon")
    with qtbot.waitSignal(window.document.init_image_changed):
        window.actions_by_id["use_as_init"].trigger()
    assert window.document.init_image.ref.sha256 == variation.pixels_sha256
    window.commands.trash(variation)
    qtbot.waitUntil(lambda: window.parts.gallery.rowCount() == 0)
    window.document.undo_stack.undo()
    qtbot.waitUntil(lambda: window.parts.gallery.rowCount() == 1)
