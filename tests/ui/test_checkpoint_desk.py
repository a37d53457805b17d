"""CheckpointDesk: what the main window and the Checkpoints window ask of each other, on the real stores."""

from __future__ import annotations

import json
import shutil

import pytest
from hostile import write_header
from hub_server import HubServer
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QLabel
from support import STARTER

from desktop_app.app import create_window
from desktop_app.engine.fake import FakeEngine

REF = "stable-diffusion-v1-5/stable-diffusion-v1-5"


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """A hub that has the starter under the name that a recipe asks for."""
    root = tmp_path_factory.mktemp("hub")
    shutil.copytree(STARTER, root / REF)
    return root


@pytest.fixture
def hub(repositories, monkeypatch, tmp_path):
    with HubServer(repositories) as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "none"))
        monkeypatch.delenv("HF_HUB_OFFLINE")
        yield server


@pytest.fixture
def open_window(qtbot, data_dir):
    """Opens the main window: ``open_window(is_offline=True)``."""
    made = []

    def open_one(**options):
        window = create_window(data_dir, engine=FakeEngine(step_s=0.01), **options)
        made.append(window)
        window.show()
        qtbot.waitUntil(lambda: window.document.checkpoint_info is not None)
        return window

    yield open_one
    for window in made:
        window.close_now()
        window.deleteLater()


def test_what_a_recipe_needs_is_downloaded_and_then_it_can_paint(qtbot, hub, open_window):
    window = open_window()
    window.document.apply_recipe("stable-diffusion-1.5")
    qtbot.waitUntil(lambda: window.document.missing == (REF,))
    window.prompt_panel.download.click()
    qtbot.waitUntil(lambda: window.document.checkpoint_info is not None, timeout=20000)
    assert window.document.params.checkpoint == REF
    assert window.prompt_panel.download.isHidden()
    qtbot.waitUntil(lambda: window.prompt_panel.checkpoint.combo.currentText() == "Stable Diffusion 1.5")


def test_a_checkpoint_that_is_here_is_not_fetched_again(qtbot, hub, open_window):
    window = open_window()
    window.parts.checkpoints.downloads.start(REF)
    with qtbot.waitSignal(window.parts.checkpoints.downloads.finished, timeout=20000):
        pass
    before = len(hub.requests)
    window.checkpoint_desk.download_missing()
    window.document.apply_recipe("stable-diffusion-1.5")
    qtbot.waitUntil(lambda: window.document.checkpoint_info is not None)
    window.checkpoint_desk.download_missing()
    assert len(hub.requests) == before


def test_the_network_switch_is_one_for_both_windows(open_window):
    window = open_window()
    opened = window.checkpoint_desk.open()
    window.actions_by_id["network"].trigger()
    assert not window.checkpoint_desk.is_online
    assert not window.parts.checkpoints.downloads.is_online
    opened.network_toggled.emit(True)
    assert window.actions_by_id["network"].isChecked()
    assert window.document.is_online


def test_a_start_without_network_cannot_be_undone_by_the_switch(open_window):
    window = open_window(is_offline=True)
    opened = window.checkpoint_desk.open()
    opened.network_toggled.emit(True)
    assert not window.checkpoint_desk.is_online
    assert not window.actions_by_id["network"].isEnabled()
    assert not window.document.is_online


def test_the_chosen_memory_plan_and_attention_reach_the_engine(qtbot, data_dir):
    engine = FakeEngine()
    window = create_window(data_dir, engine=engine)
    window.actions_by_id["memory_group"].trigger()
    window.actions_by_id["attention_sdpa"].trigger()
    qtbot.waitUntil(lambda: engine.options.attention == "sdpa")
    assert engine.options.plan.value == "group-offload"
    window.close_now()
    window.deleteLater()


def dropped(window, path):
    """A drag of ``path`` over the canvas, and its drop."""
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(600, 300), Qt.DropAction.CopyAction, mime, buttons, keys)
    QApplication.sendEvent(window.canvas, enter)
    if not enter.isAccepted():
        QApplication.sendEvent(window, enter)
    assert enter.isAccepted()
    is_hinted = window._checkpoint_hint.isVisible()
    QApplication.sendEvent(window, QDropEvent(QPointF(600, 300), Qt.DropAction.CopyAction, mime, buttons, keys))
    return is_hinted


def test_a_folder_that_is_dropped_on_the_main_window_is_used_where_it_is(qtbot, open_window, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(STARTER, folder)
    window = open_window()
    assert dropped(window, folder)
    qtbot.waitUntil(lambda: window.document.params.checkpoint == str(folder))
    assert not window._checkpoint_hint.isVisible()
    qtbot.waitUntil(lambda: str(folder) in [info.ref for info in window.prompt_panel.checkpoint._infos])


def test_a_file_that_is_no_checkpoint_is_told_in_the_checkpoints_window(qtbot, open_window, tmp_path):
    file = tmp_path / "part.safetensors"
    shutil.copy(STARTER / "unet" / "diffusion_pytorch_model.safetensors", file)
    window = open_window()
    assert dropped(window, file)
    opened = window.checkpoint_desk.open()
    qtbot.waitUntil(opened.banner.isVisible)
    assert window.document.params.checkpoint == "starter"


@pytest.mark.parametrize("name", ["old.ckpt", "OLD.PT", "old.pth"])
def test_a_pickle_that_is_dropped_is_refused_as_one_and_not_as_a_picture(qtbot, open_window, tmp_path, name):
    file = tmp_path / name
    file.write_bytes(b"\x80\x02}q\x00.")
    window = open_window()
    assert dropped(window, file)
    opened = window.checkpoint_desk.open()
    qtbot.waitUntil(opened.banner.isVisible)
    assert any("can run any program" in label.text() for label in opened.banner.findChildren(QLabel))
    assert not window.banner.isVisible()


def write_lora(path):
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    entries, end = {}, 0
    for name, shape in ((f"{layer}.lora_A.weight", [4, 128]), (f"{layer}.lora_B.weight", [8, 4])):
        begin, end = end, end + 2 * shape[0] * shape[1]
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
    write_header(path, json.dumps(entries).encode(), body=bytes(end))
    return path


def test_an_adapter_that_is_dropped_on_the_checkpoints_window_is_imported_as_one(qtbot, open_window, tmp_path):
    window = open_window()
    opened = window.checkpoint_desk.open()
    folder = tmp_path / "mine"
    shutil.copytree(STARTER, folder)
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in (write_lora(tmp_path / "ink.safetensors"), folder)])
    how = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(opened, QDragEnterEvent(QPoint(60, 60), *how))
    QApplication.sendEvent(opened, QDropEvent(QPointF(60, 60), *how))
    qtbot.waitUntil(lambda: [each.ref for each in window.document.params.adapters] == ["ink.safetensors"])
    assert "ink.safetensors" in opened.banner.error.detail
    assert "Adapters" in opened.banner.error.hint
    qtbot.waitUntil(lambda: opened.view.model().row_of(str(folder)) >= 0)
    assert window.document.params.checkpoint == "starter"  # it was not dropped on the work


def test_use_in_the_checkpoints_window_is_an_edit_of_the_document(open_window):
    window = open_window()
    window.checkpoint_desk.open().use_requested.emit("org/other")
    assert window.document.params.checkpoint == "org/other"
    window.document.undo_stack.undo()
    assert window.document.params.checkpoint == "starter"


def test_the_button_follows_what_the_recipe_at_hand_lacks(qtbot, open_window):
    window = open_window()
    button, document = window.prompt_panel.download, window.document
    document.apply_recipe("upscale-8")
    qtbot.waitUntil(lambda: "upscaler" in button.toolTip())
    document.apply_recipe("three-styles")
    qtbot.waitUntil(lambda: "Comic" in button.toolTip())
    assert "upscaler" not in button.toolTip()
    document.apply_recipe("starter")
    qtbot.waitUntil(lambda: button.isHidden())
