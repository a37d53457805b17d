"""CheckpointsOpener: the window comes when it is wanted, and agrees with settings and document."""

from __future__ import annotations

from contextlib import closing

import pytest
from checkpoint_cases import PICKLED, FolderDownloads, convert_by_renaming, make_access
from checkpoint_windows import Disk, MemoryToken, make_hub
from PySide6.QtWidgets import QWidget

from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.settings import Settings
from desktop_app.ui.checkpoint_texts import row_text
from desktop_app.ui.checkpoints_opener import CheckpointsOpener
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.download_dialogs import ConsentDialog


@pytest.fixture
def disk(tmp_path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def downloads(qapp, tmp_path, disk):
    source: FolderDownloads = make_hub(tmp_path, disk)
    with closing(Downloads(source, convert_by_renaming)) as made:
        yield made


@pytest.fixture
def settings(session) -> Settings:
    return Settings(session)


@pytest.fixture
def opener(qtbot, disk, downloads, document, settings, icons):
    parent = QWidget()
    qtbot.addWidget(parent)
    access = make_access(disk.homes, survey=disk.survey, bring_in=disk.bring_in)
    with closing(CheckpointModel(access, (), downloads, row_text)) as model, closing(CheckpointWork(access)) as work:
        made = CheckpointsOpener(model, downloads, work, MemoryToken(), document, settings, icons, parent)
        yield made
        made.close()


def test_there_is_no_window_before_it_is_wanted(opener):
    assert opener.parent().findChild(CheckpointsWindow) is None
    opener.open()
    assert opener.parent().findChild(CheckpointsWindow).isVisible()


def test_what_is_used_there_is_the_documents_checkpoint(qtbot, opener, document):
    opener.open("org/own")
    qtbot.waitUntil(lambda: opener.window.details.ref == "org/own")
    assert opener.window.wishes.used_ref == "starter"
    opener.window.use_requested.emit("org/own")
    assert document.params.checkpoint == "org/own"
    assert opener.window.wishes.used_ref == "org/own"


def test_the_switch_and_the_setting_are_one(opener, settings, downloads):
    settings.set("network", False)
    assert not downloads.is_online
    opener.open()
    assert not opener.window.foot.network.isChecked()
    opener.window.foot.network.click()
    assert settings.get("network")
    assert downloads.is_online


def test_a_question_brings_the_window_and_is_asked_once(qtbot, opener, downloads):
    downloads.start(PICKLED)
    qtbot.waitUntil(lambda: opener.parent().findChild(ConsentDialog) is not None)
    assert opener.window.isVisible()
    assert len(opener.window.findChildren(ConsentDialog)) == 1


def test_a_file_is_imported_before_the_users_eyes(qtbot, opener, tmp_path):
    path = tmp_path / "dream.safetensors"
    path.touch()
    opener.bring_in([path])
    qtbot.waitUntil(lambda: opener.window.details.ref == str(path))


def test_the_layout_is_kept_whether_the_window_was_opened_or_not(opener):
    assert opener.layout_text() == ""
    opener.open()
    assert opener.layout_text()
