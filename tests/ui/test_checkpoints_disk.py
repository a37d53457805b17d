"""CheckpointsWindow: what is done with checkpoints that are on the disk, or are dropped onto it."""

from __future__ import annotations

import shutil
from pathlib import Path

from checkpoint_cases import (
    PICKLED,
)
from checkpoint_windows import MINE, offered, press, row_of
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QMessageBox, QPlainTextEdit

from desktop_app.core.errors import CheckpointError
from desktop_app.studio.checkpoint_rows import Section
from desktop_app.ui import checkpoint_actions
from desktop_app.ui.checkpoint_commands import Command
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.dialogs import DetailsDialog
from desktop_app.ui.download_dialogs import ConsentDialog


def test_a_checkpoint_is_used_by_button_by_enter_and_by_double_click(qtbot, shown):
    shown.select("org/own")
    with qtbot.waitSignal(shown.use_requested) as used:
        press(shown, Command.USE)
    assert used.args == ["org/own"]
    with qtbot.waitSignal(shown.use_requested):
        QTest.keyClick(shown.view, Qt.Key.Key_Return)
    place = shown.view.visualRect(shown.view.currentIndex()).center()
    with qtbot.waitSignal(shown.use_requested):
        QTest.mouseDClick(shown.view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_removing_asks_and_the_safe_answer_is_the_default(qtbot, shown, disk, monkeypatch):
    shown.select("org/own")
    asked = []
    monkeypatch.setattr(
        QMessageBox, "exec", lambda box: asked.append((box.defaultButton().text(), box.informativeText()))
    )
    press(shown, Command.REMOVE)
    assert asked[0][0] == "Keep"
    assert "frees 4.2 MB" in asked[0][1]
    monkeypatch.setattr(checkpoint_actions, "ask_remove", lambda *_: True)
    press(shown, Command.REMOVE)
    qtbot.waitUntil(lambda: row_of(shown, "org/own") is None)


def test_one_that_is_used_in_place_is_only_taken_off_the_list(qtbot, shown):
    shown.select(MINE)
    press(shown, Command.FORGET)
    qtbot.waitUntil(lambda: row_of(shown, MINE) is None)


def test_verifying_says_that_all_is_well_or_offers_to_repair(qtbot, shown, source, disk):
    shown.select("org/own")
    press(shown, Command.VERIFY)
    state = shown.findChild(QLabel, "checkpointState")
    qtbot.waitUntil(lambda: state.text() == "Verified: no damage was found.")
    disk.damaged = ["unet.safetensors"]
    press(shown, Command.VERIFY)
    error = shown.findChild(QLabel, "checkpointError")
    qtbot.waitUntil(lambda: error.text() == "One file is damaged: unet.safetensors")
    source.add("org/own")
    source.allow()
    assert shown.details.buttons[Command.REPAIR].isDefault()
    assert not shown.details.buttons[Command.USE].isDefault()
    press(shown, Command.REPAIR)
    qtbot.waitUntil(lambda: (disk.own / "unet.safetensors").is_file())
    qtbot.waitUntil(lambda: (row := row_of(shown, "org/own")) is not None and row.section is Section.INSTALLED)


def test_pickles_of_another_program_are_converted_without_a_download(qtbot, shown, source, disk, downloads):
    shown.show_online(False)
    folder = disk.homes.shared[0] / PICKLED
    shutil.copytree(source.source / PICKLED, folder)
    disk.infos[PICKLED] = CheckpointError("The weights are pickles")
    with qtbot.waitSignal(shown.view.model().surveyed):
        shown.view.model().refresh()
    shown.select(PICKLED)
    assert offered(shown) == [Command.CONVERT, Command.SHOW_FOLDER, Command.OPEN_PAGE]
    press(shown, Command.CONVERT)
    qtbot.waitUntil(lambda: shown.findChild(ConsentDialog) is not None)
    assert downloads.find(PICKLED).is_local


def test_its_folder_is_shown(shown, disk, monkeypatch):
    opened = []
    monkeypatch.setattr(checkpoint_actions, "show_folder", lambda path: opened.append(path) or True)
    shown.select("org/own")
    press(shown, Command.SHOW_FOLDER)
    assert opened == [disk.own]


def drag(window: CheckpointsWindow, kind: type, *paths: Path):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    position = QPointF(100, 100) if kind is QDropEvent else QPoint(100, 100)
    no = Qt.KeyboardModifier.NoModifier
    event = kind(position, Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, no)
    event.ignore()
    (window.dropEvent if kind is QDropEvent else window.dragEnterEvent)(event)
    event.kept = mime
    return event


def test_a_dropped_file_is_imported_and_selected(qtbot, shown, tmp_path):
    path = tmp_path / "dream.safetensors"
    path.touch()
    assert drag(shown, QDragEnterEvent, path).isAccepted()
    assert shown.drop_hint.isVisible()
    assert drag(shown, QDropEvent, path).isAccepted()
    assert not shown.drop_hint.isVisible()
    qtbot.waitUntil(lambda: shown.view.row() is not None and shown.view.row().ref == str(path))


def test_a_dropped_folder_is_used_where_it_is(qtbot, shown, tmp_path):
    folder = tmp_path / "mix"
    folder.mkdir()
    assert not drag(shown, QDropEvent, folder).isAccepted()
    (folder / "model_index.json").touch()
    assert drag(shown, QDropEvent, folder).isAccepted()
    qtbot.waitUntil(lambda: row_of(shown, str(folder)) is not None)


def test_other_files_are_not_taken(shown, tmp_path):
    path = tmp_path / "cat.png"
    path.touch()
    assert not drag(shown, QDragEnterEvent, path).isAccepted()
    assert not shown.drop_hint.isVisible()


def test_an_import_that_fails_is_told(qtbot, shown, tmp_path):
    path = tmp_path / "bad.safetensors"
    path.touch()
    shown.bring_in([path])
    qtbot.waitUntil(lambda: shown.banner.isVisible())
    assert shown.banner.error.title == "This file is no checkpoint"
    assert not shown.import_bar.isVisible()


def test_a_long_report_is_read_in_a_dialog_of_its_own(qtbot, shown, disk):
    disk.infos["org/own"] = CheckpointError("Something went wrong", "line\n" * 50, "Report it.")
    with qtbot.waitSignal(shown.view.model().surveyed):
        shown.view.model().refresh()
    shown.select("org/own")
    assert shown.findChild(QLabel, "checkpointError").text() == "Something went wrong\nReport it."
    press(shown, Command.DETAILS)
    report = shown.findChild(QPlainTextEdit, "reportText")
    assert report.toPlainText().count("line") == 50
    shown.findChild(DetailsDialog).reject()
