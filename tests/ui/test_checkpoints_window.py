"""CheckpointsWindow: what is listed, what a row offers, and what its buttons do."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from checkpoint_cases import (
    BASE,
    CATALOG,
    GATED,
    PICKLED,
    REFINER,
    SLICE,
    FolderDownloads,
    convert_by_renaming,
    make_access,
    make_info,
)
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLabel, QLineEdit, QMessageBox, QToolButton, QWidget

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import CheckpointError
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import Homes, Section
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.downloads import Downloads, DownloadState
from desktop_app.ui import checkpoint_actions
from desktop_app.ui.checkpoint_commands import Command
from desktop_app.ui.checkpoint_texts import row_text
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.download_dialogs import ConsentDialog, TokenDialog

MINE = "/art/mine.safetensors"


class Disk:
    """The checkpoints of this machine: one ships, one is our own, one is used where it is; what arrives is found."""

    def __init__(self, tmp_path: Path) -> None:
        self.homes = Homes(tmp_path / "checkpoints", tmp_path / "program", (tmp_path / "shared",))
        self.own = self.homes.own / "org" / "own"
        self.own.mkdir(parents=True)
        self.infos = {
            "starter": make_info("starter", self.homes.program / "starter", "Starter"),
            "org/own": make_info("org/own", self.own, "Own"),
            MINE: make_info(MINE, Path(MINE), "mine"),
        }
        self.damaged: list[str] = []

    def survey(self):
        for path in self.homes.own.glob("*/*"):
            ref = str(path.relative_to(self.homes.own))
            if not path.suffix and ref not in self.infos:
                self.infos[ref] = make_info(ref, path, path.name)
        return dict(self.infos)

    def remove(self, ref):
        info = self.infos.pop(ref)
        shutil.rmtree(info.path, ignore_errors=True)
        return info.size_bytes

    def find(self, ref):
        path = self.homes.shared[0] / ref
        return path if path.exists() else None

    def has_pickles(self, path):
        return bool(list(path.glob("*.bin")))

    def discard(self, ref, names):
        assert names == self.damaged
        self.infos.pop(ref)
        shutil.rmtree(self.own)

    def verify(self, _ref, report, _cancel):
        report(DownloadProgress(2, 2))
        return self.damaged

    def bring_in(self, path, _report, _cancel):
        if path.stem == "bad":
            raise CheckpointError("This file is no checkpoint", path.name)
        self.infos[str(path)] = make_info(str(path), path, path.stem)
        return str(path)


class MemoryToken:
    """A token that is kept for the session only."""

    def __init__(self) -> None:
        self.text = ""

    def set(self, text: str) -> None:
        self.text = text

    def clear(self) -> None:
        self.text = ""

    def where(self) -> str:
        return "memory" if self.text else ""


@pytest.fixture
def disk(tmp_path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def source(tmp_path, disk) -> FolderDownloads:
    made = FolderDownloads(tmp_path / "hub", disk.homes.own)
    for ref in (BASE, REFINER, GATED, "some/one"):
        made.add(ref)
    made.add(PICKLED, ["unet.bin"])
    return made


@pytest.fixture
def downloads(qapp, source):
    with closing(Downloads(source, convert_by_renaming)) as made:
        yield made


@pytest.fixture
def token() -> MemoryToken:
    return MemoryToken()


@pytest.fixture
def shown(qtbot, disk, downloads, token, icons):
    """The window, after its first look at the disk."""
    methods = {name: getattr(disk, name) for name in ("survey", "remove", "discard", "verify", "bring_in")}
    access = make_access(disk.homes, find=disk.find, has_pickles=disk.has_pickles, **methods)
    model, work = CheckpointModel(access, CATALOG, downloads, row_text), CheckpointWork(access)
    window = CheckpointsWindow(model, downloads, work, token, icons)
    qtbot.addWidget(window)
    with qtbot.waitSignal(model.surveyed):
        window.show()
    yield window
    window.close_all()
    work.close()
    model.close()


def offered(window: CheckpointsWindow) -> list[Command]:
    return [command for command, button in window.details.buttons.items() if not button.isHidden()]


def press(window: CheckpointsWindow, command: Command) -> None:
    assert not window.details.buttons[command].isHidden()
    window.details.buttons[command].click()


def row_of(window: CheckpointsWindow, ref: str):
    model = window.view.model()
    return model.row_at(model.row_of(ref))


def dialog_of(window: CheckpointsWindow, kind: type):
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def begin(qtbot, window: CheckpointsWindow, source: FolderDownloads, ref: str = "some/one") -> None:
    """A download of which one slice is here."""
    window.filter_bar.search.setText(ref)
    press(window, Command.DOWNLOAD)
    source.allow(1)
    qtbot.waitUntil(lambda: row_of(window, ref).download.progress is not None)
    qtbot.waitUntil(lambda: row_of(window, ref).download.progress.done == SLICE)


# What is shown ------------------------------------------------------------------------------------


def test_the_first_row_is_selected_and_its_facts_are_shown(shown):
    assert shown.view.row().ref == "starter"
    assert shown.details.fact("ref") == "starter"
    assert shown.details.fact("place") == "Ships with Underpaint"
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
    assert shown.details.fact("size") == "1.9 GB to download"
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
    assert state.text() == "1.0 of 9.8 kB · 976.6 kB/s · 0:03 left"
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
    assert shown.findChild(QLabel, "checkpointState").text() == "Paused · 1.0 of 9.8 kB"
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
    dialog._on_accepted()
    qtbot.waitUntil(lambda: shown.foot.token.text() == "Hub token: only for this session")
    assert token.text == "hf_secret"
    source.accepted.add(GATED)
    source.allow()
    press(shown, Command.RETRY)
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


# What is on the disk ------------------------------------------------------------------------------


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
    assert "frees 4.0 MB" in asked[0][1]
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


# Keys ---------------------------------------------------------------------------------------------


def test_the_arrows_pass_over_headings(shown):
    shown.select(MINE)
    QTest.keyClick(shown.view, Qt.Key.Key_Down)
    assert shown.view.row().ref == BASE
    QTest.keyClick(shown.view, Qt.Key.Key_Up)
    assert shown.view.row().ref == MINE
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
