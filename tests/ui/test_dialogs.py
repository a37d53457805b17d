"""The dialogs: an address, the parts to restore, an error in full, and crashes."""

from __future__ import annotations

import sys
from dataclasses import replace

from PySide6.QtWidgets import QCheckBox, QLabel, QLineEdit, QPlainTextEdit, QPushButton, QTabWidget
from support import make_picture, make_ref, make_request

from desktop_app.core.errors import StudioError
from desktop_app.core.request import StageKind
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.crash import CrashReporter
from desktop_app.ui.dialogs import DetailsDialog, RestoreDialog, UrlDialog


def test_an_address_on_the_clipboard_is_offered(qtbot, qapp):
    qapp.clipboard().setText(" https://example.org/cat.png ")
    dialog = UrlDialog()
    qtbot.addWidget(dialog)
    assert dialog.url() == "https://example.org/cat.png"
    dialog.findChild(QLineEdit, "urlEdit").clear()
    assert not dialog._open.isEnabled()
    qapp.clipboard().clear()


def test_the_parts_that_are_checked_are_restored(qtbot, tmp_path):
    request = make_request(make_ref(tmp_path / "cat.png", make_picture()))
    dialog = RestoreDialog(request)
    qtbot.addWidget(dialog)
    assert dialog.parts() == {"prompt", "params", "seed", "size", "init image", "mask"}
    dialog.findChild(QCheckBox, "restore_seed").setChecked(False)
    assert "seed" not in dialog.parts()


def test_it_is_said_that_an_init_image_or_a_mask_goes_away_where_the_result_was_made_without_one(qtbot, tmp_path):
    request = make_request(make_ref(tmp_path / "cat.png", make_picture()))
    for each, texts in ((request, ["&Init image", "No &mask"]), (make_request(), ["No &init image", "No &mask"])):
        dialog = RestoreDialog(each)
        qtbot.addWidget(dialog)
        boxes = [dialog.findChild(QCheckBox, name) for name in ("restore_init_image", "restore_mask")]
        assert [box.text() for box in boxes] == texts
        assert all("without one" in box.toolTip() for box in boxes if box.text().startswith("No "))
        assert {"init image", "mask"} <= dialog.parts()


def test_the_parts_are_named_by_what_they_bring_back(qtbot):
    dialog = RestoreDialog(make_request())
    qtbot.addWidget(dialog)
    texts = {part: dialog.findChild(QCheckBox, f"restore_{part}").text() for part in ("prompt", "params", "size")}
    assert "style" in texts["prompt"]
    assert all(word in texts["params"] for word in ("chain", "control images", "adapters"))
    assert "fit" not in texts["size"]  # it comes back with the values


def test_the_buttons_of_dialogs_are_words_alone(qtbot, window):
    dialog = UrlDialog(window)
    dialog.show()
    icons = [button.text() for button in dialog.findChildren(QPushButton) if not button.icon().isNull()]
    dialog.close()
    assert icons == []


def test_all_checkpoints_of_what_is_restored_are_named(qtbot):
    base = make_request(checkpoint="org/base", steps=30, end=0.8)
    refiner = replace(base.stages[0], kind=StageKind.IMAGE_TO_IMAGE, checkpoint="org/refiner", begin=0.8, end=1.0)
    dialog = RestoreDialog(replace(base, stages=(*base.stages, refiner)))
    qtbot.addWidget(dialog)
    summary = dialog.findChild(QLabel, "restoreSummary")
    facts, checkpoints = summary.text().splitlines()[1:]
    assert facts == "guidance 4, 30 steps, seed 7"
    assert checkpoints == "base · then refiner refiner from 80 %"
    assert summary.toolTip() == plain_tip("org/base\norg/refiner")


def test_the_whole_error_can_be_copied(qtbot, qapp):
    dialog = DetailsDialog(StudioError("Title", "a long\ndetail", "What to do."))
    qtbot.addWidget(dialog)
    dialog.copy_report()
    text = qapp.clipboard().text()
    assert all(words in text for words in ("Title", "a long\ndetail", "What to do.", "Underpaint"))
    qapp.clipboard().clear()


def test_what_nobody_caught_is_logged_and_shown(qtbot, qapp, expect_log):
    reporter = CrashReporter()
    expect_log("Unexpected error")
    try:
        raise ZeroDivisionError("by zero")
    except ZeroDivisionError:
        reporter.report(*sys.exc_info())
    qtbot.waitUntil(lambda: reporter._dialog is not None and reporter._dialog.isVisible())
    report = reporter._dialog.findChild(QPlainTextEdit, "reportText").toPlainText()
    assert "ZeroDivisionError: by zero" in report
    reporter._dialog.close()
    reporter._dialog.deleteLater()


def test_the_licences_of_all_that_came_along_are_shown(qtbot, window):
    window.actions_by_id["about"].trigger()
    tabs = window.findChild(QTabWidget)
    names = [tabs.tabText(index) for index in range(tabs.count())]
    assert {"CLIP-MIT", "Noto-Emoji-Apache-2.0"} <= set(names)
