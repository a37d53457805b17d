"""CheckpointsWindow: what is listed, what a row offers, and what its buttons do."""

from __future__ import annotations

from pathlib import Path

import pytest
from checkpoint_cases import (
    BASE,
    GATED,
    PICKLED,
    REFINER,
    SLICE,
    make_info,
)
from checkpoint_windows import MINE, begin, dialog_of, offered, press, row_of
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QMessageBox, QToolButton, QWidget

from desktop_app.studio.checkpoint_rows import Section
from desktop_app.studio.downloads import DownloadState
from desktop_app.ui import checkpoint_actions
from desktop_app.ui.checkpoint_commands import Command
from desktop_app.ui.checkpoint_texts import row_text
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.download_dialogs import ConsentDialog, TokenDialog

# What is shown ------------------------------------------------------------------------------------


def test_the_first_row_is_selected_and_its_facts_are_shown(shown):
    assert shown.view.row().ref == "starter"
    assert shown.details.fact("ref") == "starter"
    assert shown.details.fact("place") == "Ships with Underpaint"
    assert shown.focusWidget() is shown.view
    assert Command.REMOVE not in offered(shown)


@pytest.mark.parametrize(
    ("ref", "commands"),
    [
        ("org/own", [Command.USE, Command.VERIFY, Command.SHOW_FOLDER, Command.OPEN_PAGE, Command.REMOVE]),
        (MINE, [Command.USE, Command.VERIFY, Command.SHOW_FOLDER, Command.FORGET]),
        (BASE, [Command.DOWNLOAD, Command.OPEN_PAGE]),
        (GATED, [Command.DOWNLOAD, Command.TOKEN, Command.OPEN_PAGE]),
    ],
)
def test_each_kind_of_row_offers_what_can_be_done_with_it(shown, ref, commands):
    shown.select(ref)
    assert offered(shown) == commands


def test_details_say_what_is_known_before_the_download(shown):
    shown.select(PICKLED)
    assert shown.details.fact("trigger") == "charliebo artstyle"
    assert shown.details.fact("licence") == "OpenRAIL"
    assert shown.details.fact("size") == "2.0 GB to download"
    assert not shown.details.fact("place")
    shown.select(BASE)
    assert shown.details.fact("needs") == "Refiner (not installed)"


def test_the_search_finds_rows_and_an_empty_list_says_what_else_is_possible(shown):
    shown.filter_bar.search.setText("comic")
    assert shown.view.row().ref == PICKLED
    shown.filter_bar.search.setText("no such thing")
    assert "org/name" in shown.empty.sentence
    assert shown.details.ref == ""


def test_one_family_is_shown_alone_and_stays_chosen(qtbot, shown):
    combo = shown.findChild(QComboBox, "familyCombo")
    combo.setCurrentIndex(combo.findData("Flux"))
    assert shown.view.row().ref == GATED
    with qtbot.waitSignal(shown.view.model().surveyed):
        shown.view.model().refresh()
    assert combo.currentData() == "Flux"


def test_the_one_in_use_says_so_and_cannot_be_removed(shown):
    shown.show_used("org/own")
    shown.select("org/own")
    use, remove = (shown.details.buttons[each] for each in (Command.USE, Command.REMOVE))
    assert (use.text(), use.isEnabled(), remove.isEnabled()) == ("In use", False, False)
    assert remove.toolTip() == "It is in use. Choose another checkpoint first."


def test_disk_use_and_the_place_of_the_token_are_at_the_bottom(qtbot, shown):
    assert "free" in shown.findChild(QLabel, "diskUse").text()
    assert shown.findChild(QToolButton, "tokenButton").text() == "Hub token: none"


def test_every_control_has_a_name_for_screen_readers(shown):
    shown.select(BASE)
    controls = [child for child in shown.findChildren(QWidget) if child.isVisible() and child.focusPolicy()]
    nameless = [child for child in controls if not (child.accessibleName() or getattr(child, "text", str)())]
    assert len(controls) > 8
    assert not nameless


@pytest.mark.parametrize("size", [(900, 600), (1280, 800), (2560, 1600)])
def test_nothing_is_cut_off(qtbot, shown, size):
    shown.select(BASE)
    shown.resize(*size)
    qtbot.waitUntil(lambda: shown.width() == size[0])
    buttons = [button for button in shown.details.buttons.values() if button.isVisible()]
    for widget in (*buttons, shown.foot.network, shown.foot.token, shown.filter_bar.bring_in):
        corner = widget.mapTo(shown, widget.rect().bottomRight())
        assert shown.rect().contains(corner), widget.objectName()
        assert widget.width() >= widget.minimumSizeHint().width(), widget.objectName()


# Downloads ----------------------------------------------------------------------------------------


def test_a_download_is_watched_until_it_is_installed(qtbot, shown, source):
    shown.select(REFINER)
    press(shown, Command.DOWNLOAD)
    assert shown.view.row().section is Section.DOWNLOADING
    source.allow(1)
    state = shown.findChild(QLabel, "checkpointState")
    qtbot.waitUntil(lambda: "left" in state.text())
    assert state.text() == "1.0 of 10.0 kB · 1.0 MB/s · 0:03 left"
    source.allow()
    qtbot.waitUntil(lambda: shown.view.row().section is Section.INSTALLED)
    assert shown.view.row().ref == REFINER
    assert Command.USE in offered(shown)


def test_what_it_needs_comes_with_it(qtbot, shown, downloads):
    shown.select(BASE)
    press(shown, Command.DOWNLOAD)
    assert [download.ref for download in downloads.all] == [BASE, REFINER]


def test_any_hub_id_can_be_downloaded(qtbot, shown, source):
    shown.filter_bar.search.setText("https://huggingface.co/some/one")
    assert row_text(shown.view.row()).startswith("Download some/one from the hub")
    press(shown, Command.DOWNLOAD)
    assert shown.filter_bar.search.text() == ""
    assert shown.view.row().ref == "some/one"
    source.allow()
    qtbot.waitUntil(lambda: row_of(shown, "some/one").section is Section.INSTALLED)


def test_a_download_is_paused_and_resumed_with_its_buttons(qtbot, shown, source):
    begin(qtbot, shown, source)
    press(shown, Command.PAUSE)
    qtbot.waitUntil(lambda: Command.RESUME in offered(shown))
    assert shown.findChild(QLabel, "checkpointState").text() == "Paused · 1.0 of 10.0 kB"
    press(shown, Command.RESUME)
    source.allow()
    qtbot.waitUntil(lambda: row_of(shown, "some/one").section is Section.INSTALLED)


def test_the_buttons_in_a_row_work_without_selecting_it(qtbot, shown, source, downloads):
    begin(qtbot, shown, source)
    shown.select("starter")
    click_in_row(shown, "some/one", Command.PAUSE)
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.PAUSED)
    assert shown.view.row().ref == "starter"
    click_in_row(shown, "some/one", Command.CANCEL)
    qtbot.waitUntil(lambda: downloads.find("some/one") is None)


def click_in_row(window: CheckpointsWindow, ref: str, command: Command) -> None:
    view = window.view
    index = view.model().index(view.model().row_of(ref))
    area = view.visualRect(index)
    points = ((x, y) for y in range(4, 34, 6) for x in range(area.width() - 70, area.width(), 6))
    places = [area.topLeft() + QPoint(x, y) for x, y in points]
    place = next(place for place in places if (view._button_at(QPointF(place)) or (None, None))[1] is command)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


def test_space_pauses_and_delete_cancels(qtbot, shown, source, downloads):
    begin(qtbot, shown, source)
    shown.select("some/one")
    QTest.keyClick(shown.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.PAUSED)
    QTest.keyClick(shown.view, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.RUNNING)
    QTest.keyClick(shown.view, Qt.Key.Key_Delete)
    qtbot.waitUntil(lambda: downloads.find("some/one") is None)


def test_much_that_is_here_is_not_thrown_away_without_a_question(qtbot, shown, source, downloads, monkeypatch):
    begin(qtbot, shown, source)
    monkeypatch.setattr(checkpoint_actions, "WORTH_ASKING", SLICE)
    asked = []
    monkeypatch.setattr(QMessageBox, "exec", lambda box: asked.append(box.defaultButton().text()))
    shown.select("some/one")
    press(shown, Command.CANCEL)
    assert asked == ["Keep it"]
    assert downloads.find("some/one").state is DownloadState.RUNNING


def test_an_error_is_said_beside_the_row_with_a_way_out(qtbot, shown):
    shown.filter_bar.search.setText("some/missing")
    press(shown, Command.DOWNLOAD)
    error = shown.findChild(QLabel, "checkpointError")
    qtbot.waitUntil(lambda: not error.isHidden())
    assert error.text() == "The checkpoint is not on the hub\nsome/missing\nCheck the spelling."
    assert Command.RETRY in offered(shown)


def test_a_gated_one_explains_the_licence_takes_the_token_and_tries_again(qtbot, shown, source, token, monkeypatch):
    shown.select(GATED)
    press(shown, Command.DOWNLOAD)
    qtbot.waitUntil(lambda: Command.RETRY in offered(shown))
    press(shown, Command.TOKEN)
    dialog = dialog_of(shown, TokenDialog)
    opened = []
    monkeypatch.setattr(
        checkpoint_actions.QDesktopServices, "openUrl", lambda url: opened.append(url.toString()) or True
    )
    dialog.findChild(QWidget, "licencePage").click()
    assert opened == ["https://huggingface.co/org/gated"]
    dialog.edit.setText(" hf_secret ")
    source.accepted.add(GATED)
    source.allow()
    dialog._on_accepted()
    qtbot.waitUntil(lambda: shown.foot.token.text() == "Hub token: only for this session")
    assert token.text == "hf_secret"
    qtbot.waitUntil(lambda: row_of(shown, GATED).section is Section.INSTALLED)


def test_pickles_are_converted_after_the_user_has_agreed(qtbot, shown, source):
    shown.select(PICKLED)
    press(shown, Command.DOWNLOAD)
    qtbot.waitUntil(lambda: shown.findChild(ConsentDialog) is not None)
    source.allow()
    dialog_of(shown, ConsentDialog).findChild(QWidget, "consentAgree").click()
    qtbot.waitUntil(lambda: row_of(shown, PICKLED).section is Section.INSTALLED)


def test_a_question_that_was_left_open_leaves_nothing_behind(qtbot, shown, downloads):
    shown.select(PICKLED)
    press(shown, Command.DOWNLOAD)
    qtbot.waitUntil(lambda: shown.findChild(ConsentDialog) is not None)
    dialog_of(shown, ConsentDialog).reject()
    qtbot.waitUntil(lambda: downloads.find(PICKLED) is None)
    assert row_of(shown, PICKLED).section is Section.AVAILABLE


def test_with_the_network_off_nothing_is_tried_and_the_tip_says_why(qtbot, shown, source, downloads):
    begin(qtbot, shown, source)
    shown.select(REFINER)
    with qtbot.waitSignal(shown.network_toggled) as toggled:
        shown.findChild(QCheckBox, "networkSwitch").click()
    assert toggled.args == [False]
    button = shown.details.buttons[Command.DOWNLOAD]
    assert not button.isEnabled()
    assert "network is switched off" in button.toolTip()
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.PAUSED)
    shown.findChild(QCheckBox, "networkSwitch").click()
    assert button.isEnabled()
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.RUNNING)


def test_others_hear_that_the_network_is_on_before_downloads_go_on(qtbot, shown, source, downloads):
    begin(qtbot, shown, source)
    switch = shown.findChild(QCheckBox, "networkSwitch")
    switch.click()
    qtbot.waitUntil(lambda: downloads.find("some/one").state is DownloadState.PAUSED)
    states = []
    shown.network_toggled.connect(lambda _is_online: states.append(downloads.find("some/one").state))
    switch.click()
    assert states == [DownloadState.PAUSED]
    assert downloads.find("some/one").state is DownloadState.WAITING or downloads.find("some/one").has_thread


def test_the_keyboard_goes_on_to_the_likeliest_button_when_its_own_is_gone(qtbot, shown, source):
    shown.select(BASE)
    shown.details.buttons[Command.DOWNLOAD].setFocus()
    press(shown, Command.DOWNLOAD)
    qtbot.waitUntil(lambda: Command.PAUSE in offered(shown))
    assert shown.focusWidget() is shown.details.buttons[Command.PAUSE]
    press(shown, Command.PAUSE)
    qtbot.waitUntil(lambda: Command.RESUME in offered(shown))
    assert shown.focusWidget() is shown.details.buttons[Command.RESUME]


def test_it_comes_forward_with_a_row_that_is_found_only_later(qtbot, shown, disk):
    shown.close()
    disk.infos["/art/late"] = make_info("/art/late", Path("/art/late"), "late")
    shown.come_forward("/art/late")
    assert shown.isVisible()
    qtbot.waitUntil(lambda: shown.view.row().ref == "/art/late")


def test_size_and_parts_are_kept_for_the_next_start(qtbot, shown):
    shown.resize(780, 640)  # the screen of the tests is 800 wide
    shown.splitter.setSizes([360, 400])
    text, sizes = shown.layout_text(), shown.splitter.sizes()
    shown.resize(700, 600)
    shown.splitter.setSizes([340, 300])
    shown.restore_layout("")
    assert shown.width() == 700
    shown.restore_layout(text)
    assert (shown.size().toTuple(), shown.splitter.sizes()) == ((780, 640), sizes)


def test_a_network_that_is_off_for_good_cannot_be_switched_on(shown, downloads):
    shown.show_online(False)
    shown.fix_network("The program was started with --offline")
    switch = shown.findChild(QCheckBox, "networkSwitch")
    switch.click()
    assert not downloads.is_online
    assert switch.toolTip() == "The program was started with --offline"


# Keys ---------------------------------------------------------------------------------------------


def test_the_arrows_pass_over_headings(shown):
    shown.select("org/own")
    QTest.keyClick(shown.view, Qt.Key.Key_Down)
    assert shown.view.row().ref == BASE
    QTest.keyClick(shown.view, Qt.Key.Key_Up)
    assert shown.view.row().ref == "org/own"
    QTest.keyClick(shown.view, Qt.Key.Key_Home)
    assert shown.view.row().ref == "starter"
    QTest.keyClick(shown.view, Qt.Key.Key_End)
    assert shown.view.row().ref == GATED


def test_escape_clears_the_search_and_then_closes(qtbot, shown):
    shown.findChild(QLineEdit, "checkpointSearch").setText("comic")
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    assert shown.filter_bar.search.text() == ""
    assert shown.isVisible()
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    assert not shown.isVisible()


def test_downloads_go_on_while_the_window_is_closed(qtbot, shown, source, downloads):
    begin(qtbot, shown, source)
    shown.close()
    source.allow()
    qtbot.waitUntil(lambda: row_of(shown, "some/one").section is Section.INSTALLED)
