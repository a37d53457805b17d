"""AdapterPanel: adapters are added, weighed and called; those that do not fit say why; edits land in the document."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace

import pytest
from hostile import payload, write_header, write_pickle
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from support import make_picture

from desktop_app.core.conditions import MAX_ADAPTERS, Adapter, AdapterKind
from desktop_app.core.errors import CheckpointError, ImageError, RequestError
from desktop_app.core.request import hash_pixels
from desktop_app.studio.jobs import Job
from desktop_app.studio.qimage import to_qimage
from desktop_app.ui.control_thumb import ControlImageDialog

LORA, WORD, PICTURE = AdapterKind.LORA, AdapterKind.TEXTUAL_INVERSION, AdapterKind.IP_ADAPTER
WIDTH = 128
"""Of the starter's words."""


def write(path, shapes, **metadata):
    """A safetensors file of zeros, with tensors of these shapes."""
    header, end = {"__metadata__": metadata} if metadata else {}, 0
    for name, shape in shapes.items():
        count = 2
        for side in shape:
            count *= side
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [end, end + count]}
        end += count
    path.parent.mkdir(parents=True, exist_ok=True)
    write_header(path, json.dumps(header).encode(), body=bytes(end))
    return path


def write_lora(path, width=WIDTH, **metadata):
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    return write(path, {f"{layer}.lora_A.weight": [4, width], f"{layer}.lora_B.weight": [8, 4]}, **metadata)


def write_word(path):
    return write(path, {"<sks>": [2, WIDTH]})


def write_look(path):
    parts = {"proj.weight": [4 * WIDTH, 8], "proj.bias": [4 * WIDTH], "norm.weight": [WIDTH], "norm.bias": [WIDTH]}
    layers = {"ip_adapter.1.to_k_ip.weight": [8, WIDTH], "ip_adapter.1.to_v_ip.weight": [8, WIDTH]}
    return write(path, {f"image_proj.{name}": shape for name, shape in parts.items()} | layers)


@pytest.fixture
def folder(window):
    return window.parts.adapters.folder


@pytest.fixture
def panel(qtbot, window, folder):
    """Open, with one of each kind in the folder, and one for Stable Diffusion XL."""
    write_lora(folder / "dog.safetensors", **{"modelspec.trigger_phrase": "sks dog, collar"})
    write_word(folder / "style.safetensors")
    write_look(folder / "look.safetensors")
    write_lora(folder / "xl.safetensors", 2048)
    panel = window.adapter_panel
    with qtbot.waitSignal(window.parts.adapters.changed):
        panel.fold.setChecked(True)
    return panel


@pytest.fixture
def add(qtbot, window, panel):
    """Adds one of the folder, and gives its row."""

    def add(name):
        count = len(adapters(window))
        window.parts.adapters.add(f"{name}.safetensors")
        qtbot.waitUntil(lambda: len(adapters(window)) == count + 1)
        return panel.rows[-1]

    return add


def adapters(window):
    return window.document.params.adapters


def entries(menu):
    return {action.text().partition("\t")[0]: action for action in menu.actions() if not action.isSeparator()}


def drop(target, mime):
    copy, left = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton
    event = QDropEvent(QPointF(9, 9), copy, mime, left, Qt.KeyboardModifier.NoModifier)
    target.dropEvent(event)
    return event


def of_files(*paths):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return mime


def test_it_is_closed_at_first_and_says_how_many_there_are(window):
    panel = window.adapter_panel
    window.document.set_param("adapters", (Adapter(LORA, "a"), Adapter(LORA, "b", is_on=False)))
    assert panel.fold.text() == "Adapters (1 of 2 on)"
    assert not panel.field.isVisible()
    assert panel.rows == []


def test_the_menu_offers_the_fitting_ones_first_and_says_of_others_why_not(panel):
    panel._fill_menu()
    offered = entries(panel.menu)
    assert list(offered)[:4] == ["dog", "look", "style", "xl"]
    assert [action.isEnabled() for action in list(offered.values())[:4]] == [True, True, True, False]
    assert "for Stable Diffusion XL" in offered["xl"].text()
    assert "Starter" in offered["xl"].toolTip()


def test_one_is_added_with_its_hash_and_gone_with_undo(window, panel, add):
    row = add("dog")
    (adapter,) = adapters(window)
    assert (adapter.kind, adapter.ref, adapter.weight) == (LORA, "dog.safetensors", 1.0)
    assert adapter.sha256 == window.parts.adapters._store.hash_of("dog.safetensors")
    assert row.facts.words.startswith("LoRA · Stable Diffusion")
    window.document.undo_stack.undo()
    assert panel.rows == []


def test_what_is_used_is_not_offered_again(panel, add):
    add("dog")
    panel._fill_menu()
    assert "dog" not in entries(panel.menu)


def test_the_weight_of_a_lora_goes_below_zero_and_is_one_step_of_undo(window, panel, add):
    row = add("dog")
    assert (row.weight.minimum(), row.weight.maximum()) == (-2.0, 2.0)
    for value in (0.5, -0.3):
        row.weight.setValue(value)
    assert adapters(window)[0].weight == -0.3
    window.document.undo_stack.undo()
    assert adapters(window)[0].weight == 1.0


def test_a_weight_from_elsewhere_is_shown_as_it_is(window, panel, add):
    row = add("dog")
    window.document.set_params("x", adapters=(replace(adapters(window)[0], weight=3.5),))
    assert row.weight.value() == 3.5
    assert adapters(window)[0].weight == 3.5


def test_the_weights_of_other_kinds_begin_at_zero(add):
    assert add("style").weight.minimum() == 0.0
    assert add("look").weight.minimum() == 0.0


def test_one_is_switched_off_and_on(window, add):
    row = add("dog")
    row.on.click()
    assert not adapters(window)[0].is_on
    row.on.click()
    assert adapters(window)[0].is_on


def test_one_is_removed_and_the_rows_of_other_kinds_stay_theirs(window, panel, add):
    add("dog")
    add("style")
    panel.rows[0].remove.click()
    assert [adapter.kind for adapter in adapters(window)] == [WORD]
    assert [row.kind for row in panel.rows] == [WORD]
    assert panel.rows[0].name.words == "style"


def test_trigger_words_are_added_to_the_prompt_at_a_click(window, add):
    row = add("dog")
    assert [chip.words for chip in row.chips] == ["sks dog", "collar"]
    window.document.set_param("prompt", "a garden, ")
    row.chips[0].click()
    assert window.document.params.prompt == "a garden, sks dog"
    assert [chip.isEnabled() for chip in row.chips] == [False, True]


def test_a_textual_inversion_has_its_word_as_a_chip_and_the_word_can_be_another(window, add):
    row = add("style")
    assert [chip.words for chip in row.chips] == ["<sks>"]
    row.token.setText("my style")
    row.token.editingFinished.emit()
    assert adapters(window)[0].token == "my_style"
    assert [chip.words for chip in row.chips] == ["my_style"]
    row.token.clear()
    row.token.editingFinished.emit()
    assert row.token.text() == "my_style"


def test_the_counter_knows_the_vectors_of_a_word(window, add):
    before = window.document.count_tokens("<sks>").used
    add("style")
    assert window.document.count_tokens("<sks>").used == 4 != before


def test_a_word_that_is_not_in_the_prompt_is_said_to_be_unused(window, add):
    add("style")
    assert any("<sks>, is not in the prompt" in sentence for sentence in window.document.plan().unused)


def test_a_misfit_is_shown_in_its_row_and_keeps_from_generating(qtbot, window, panel):
    window.document.set_params("x", adapters=(Adapter(LORA, "xl.safetensors"),))
    row = panel.rows[0]
    qtbot.waitUntil(lambda: "Stable Diffusion XL" in row.problem.text())
    assert window.document.plan().error.param == "adapters"
    assert "does not fit" in panel.field.error_text
    row.on.click()
    assert window.document.plan().error is None
    assert panel.field.error_text == ""


def test_a_misfit_opens_the_panel_when_generating(qtbot, window, folder):
    write_lora(folder / "xl.safetensors", 2048)
    window.document.set_params("x", adapters=(Adapter(LORA, "xl.safetensors"),))
    with pytest.raises(RequestError, match="does not fit"):
        window.document.make_requests()
    window.commands.generate()
    assert window.adapter_panel.fold.isChecked()


def test_rows_get_the_room_that_they_need(qtbot, window, panel, add, folder):
    trigger = "one long trigger phrase with many words that goes on and on for quite a while, b, c, d, e, f"
    write_lora(folder / "long.safetensors", 2048, **{"modelspec.trigger_phrase": trigger})
    rows = [add("look"), add("dog"), add("long")]
    qtbot.waitUntil(lambda: rows[-1].problem.isVisible() and panel.field.error_text != "")
    needed = [max(row.minimumSizeHint().height(), row.heightForWidth(row.width())) for row in rows]
    qtbot.waitUntil(lambda: all(row.height() >= height for row, height in zip(rows, needed, strict=True)))
    assert rows[-1].chips[0].text().endswith("…")
    assert rows[-1].chips[0].geometry().right() < rows[-1]._chip_box.width()


def test_one_that_is_dropped_is_brought_into_view(qtbot, window, tmp_path):
    drop(window, of_files(write_lora(tmp_path / "outside" / "cat.safetensors")))
    qtbot.waitUntil(lambda: len(window.adapter_panel.rows) == 1)
    name = window.adapter_panel.rows[0].name
    qtbot.waitUntil(lambda: name.visibleRegion().boundingRect() == name.rect())


def test_a_file_that_is_gone_is_told_in_its_row(qtbot, window, panel):
    window.document.set_params("x", adapters=(Adapter(LORA, "gone.safetensors"),))
    qtbot.waitUntil(lambda: "cannot be found" in panel.rows[0].problem.text())


def replace_file(path, **metadata):
    write_lora(path, **metadata)
    os.utime(path, (1, 1))


def test_a_file_that_was_replaced_or_removed_is_told_in_its_row_when_the_disk_is_looked_at(
    qtbot, window, panel, add, folder
):
    row = add("dog")
    replace_file(folder / "dog.safetensors", title="other")
    window.parts.adapters.look()
    qtbot.waitUntil(lambda: "has changed" in row.problem.text())
    assert window.document.plan().error.param == "adapters"
    (folder / "dog.safetensors").unlink()
    window.parts.adapters.look()
    qtbot.waitUntil(lambda: "cannot be found" in row.problem.text())


def test_when_a_job_fails_its_adapters_are_looked_at(qtbot, window, panel, add, folder):
    row = add("dog")
    (folder / "dog.safetensors").unlink()
    window.parts.jobs.failed.emit(Job(window.document.make_requests()[0]), ImageError("Why"))
    qtbot.waitUntil(lambda: "cannot be found" in row.problem.text())


def test_a_file_that_was_replaced_is_offered_and_added_again_with_its_weight(qtbot, window, panel, add, folder):
    add("dog").weight.setValue(0.4)
    (before,) = adapters(window)
    replace_file(folder / "dog.safetensors", title="other")
    window.parts.adapters.look()
    qtbot.waitUntil(lambda: panel.rows[0].problem.text() != "")
    panel._fill_menu()
    entries(panel.menu)["dog"].trigger()
    qtbot.waitUntil(lambda: adapters(window)[0].sha256 != before.sha256)
    assert adapters(window) == (replace(before, sha256=adapters(window)[0].sha256),)
    assert panel.rows[0].problem.text() == ""
    window.document.undo_stack.undo()
    assert adapters(window) == (before,)


def test_a_file_that_comes_while_the_menu_is_open_is_in_it(qtbot, window, panel, folder):
    panel.menu.popup(panel.mapToGlobal(panel.rect().center()))
    qtbot.waitUntil(lambda: "dog" in entries(panel.menu))
    write_lora(folder / "late.safetensors")
    assert "late" not in entries(panel.menu)
    panel.menu.close()
    panel.menu.popup(panel.mapToGlobal(panel.rect().center()))
    qtbot.waitUntil(lambda: "late" in entries(panel.menu))
    panel.menu.close()


def test_where_the_family_takes_none_they_can_be_switched_off_and_removed(panel, add, pretend):
    row = add("dog")
    pretend("Kandinsky 2.2")
    assert not panel.add.isEnabled()
    assert "Adapters for this family" in panel.add.toolTip()
    assert row.on.isEnabled()
    row.remove.click()
    assert panel.rows == []


def test_the_button_says_when_there_are_too_many(window, panel):
    window.document.set_params("x", adapters=(Adapter(LORA, "dog.safetensors", is_on=False),) * MAX_ADAPTERS)
    assert not panel.add.isEnabled()
    assert "too many" in panel.add.toolTip()


# Pictures ----------------------------------------------------------------------------------------


def test_the_picture_of_an_ip_adapter_is_opened_kept_and_shown(qtbot, window, add, picture):
    row = add("look")
    window.parts.adapters.open_picture(0, picture("look.png", (40, 30), seed=3))
    qtbot.waitUntil(lambda: row.thumb.image is not None)
    ref = adapters(window)[0].image
    assert ref.sha256 == hash_pixels(make_picture((40, 30), seed=3))
    assert (ref.name, row.thumb.image.width()) == ("look.png", 40)
    assert ref.path.is_file()


def test_a_picture_is_pasted(qtbot, window, add):
    row = add("look")
    QGuiApplication.clipboard().setImage(to_qimage(make_picture((24, 24))))
    row.paste.click()
    qtbot.waitUntil(lambda: adapters(window)[0].image is not None)


def test_a_clipboard_without_a_picture_is_told(qtbot, panel, add):
    row = add("look")
    QGuiApplication.clipboard().setText("two words")
    with qtbot.waitSignal(panel.error_raised) as told:
        row.paste.click()
    assert isinstance(told.args[0], ImageError)


def test_a_picture_is_dropped_on_its_row(qtbot, window, add, picture):
    row = add("look")
    assert drop(row, of_files(picture("dropped.png"))).isAccepted()
    qtbot.waitUntil(lambda: adapters(window)[0].image is not None)
    assert window.document.init_image is None


def test_a_file_that_is_no_picture_is_told(qtbot, window, panel, add, tmp_path):
    add("look")
    (tmp_path / "no.png").write_text("no")
    with qtbot.waitSignal(panel.error_raised) as told:
        window.parts.adapters.open_picture(0, tmp_path / "no.png")
    assert isinstance(told.args[0], ImageError)
    assert not window.parts.adapters.is_opening(0)


def test_the_picture_is_shown_large(qtbot, window, add, picture):
    row = add("look")
    window.parts.adapters.open_picture(0, picture("look.png"))
    qtbot.waitUntil(lambda: row.thumb.image is not None)
    row.thumb.click()
    dialog = window.findChild(ControlImageDialog)
    assert dialog.isVisible()
    dialog.close()


# Files from elsewhere ------------------------------------------------------------------------------


def test_an_adapter_that_is_dropped_on_the_window_is_imported_and_added(qtbot, window, tmp_path, folder):
    path = write_lora(tmp_path / "outside" / "cat.safetensors")
    drop(window, of_files(path))
    qtbot.waitUntil(lambda: len(adapters(window)) == 1)
    assert (folder / "cat.safetensors").is_file()
    assert window.adapter_panel.fold.isChecked()
    assert window.checkpoint_desk._opened is None


def test_a_checkpoint_that_is_dropped_goes_to_the_checkpoints(qtbot, window, tmp_path):
    path = write(tmp_path / "c.safetensors", {"model.diffusion_model.input_blocks.0.0.weight": [4, 4]})
    drop(window, of_files(path))
    qtbot.waitUntil(lambda: window.checkpoint_desk._opened is not None)
    assert adapters(window) == ()


def test_a_file_that_is_used_in_place_stays_where_it_is(qtbot, window, panel, tmp_path, folder):
    path = write_lora(tmp_path / "outside" / "cat.safetensors")
    window.parts.adapters.bring_in([path], in_place=True)
    qtbot.waitUntil(lambda: len(adapters(window)) == 1)
    assert adapters(window)[0].ref == str(path)
    assert not (folder / "cat.safetensors").exists()


def test_a_pickle_is_refused(qtbot, window, panel, tmp_path):
    path = write_pickle(tmp_path / "evil.pt", payload(tmp_path / "canary"))
    with qtbot.waitSignal(panel.error_raised) as told:
        window.parts.adapters.bring_in([path])
    assert isinstance(told.args[0], CheckpointError)
    assert window.parts.adapters.coming == ()
    assert not (tmp_path / "canary").exists()


def test_the_same_adapter_is_not_added_twice(qtbot, window, panel, add):
    add("dog")
    with qtbot.waitSignal(panel.error_raised) as told:
        window.parts.adapters.add("dog.safetensors")
    assert "there already" in told.args[0].title
    assert len(adapters(window)) == 1


def test_what_moved_is_found_by_its_contents_when_a_request_is_restored(qtbot, window, panel, add, folder):
    add("dog")
    (chosen,) = adapters(window)
    window.document.set_params("x", adapters=())
    shutil.move(folder / "dog.safetensors", folder / "hound.safetensors")
    window.parts.adapters._known.clear()
    window.document.set_params("x", adapters=(chosen,))
    qtbot.waitUntil(lambda: panel.rows[0].name.words == "hound")
    assert window.document.plan().error is None


# Generation text -----------------------------------------------------------------------------------


def pasted(prompt):
    return f"{prompt}\nNegative prompt: blurry\nSteps: 5, Sampler: DDIM, CFG scale: 4, Seed: 3"


def test_loras_of_pasted_text_are_found_by_the_names_of_their_files(qtbot, window, panel, add):
    add("dog").on.click()
    window.document.paste_generation_text(pasted("a cat <lora:Dog:0.6>"))
    qtbot.waitUntil(lambda: adapters(window)[0].is_on)
    ((kind, ref, weight, sha256),) = [(each.kind, each.ref, each.weight, each.sha256) for each in adapters(window)]
    assert (kind, ref, weight, len(sha256)) == (LORA, "dog.safetensors", 0.6, 64)
    assert window.document.params.prompt == "a cat"
    assert window.parts.adapters.coming == ()


def test_loras_of_pasted_text_that_are_not_here_or_not_clear_are_named(qtbot, window, panel, folder):
    write_lora(folder / "other" / "dog.safetensors")
    text = pasted("a <lora:dog:1> <lora:nowhere:0.5> <lora:style:1> <lora:xl:0.3>")
    with qtbot.waitSignal(panel.error_raised) as told:
        window.document.paste_generation_text(text)
    said = told.args[0].detail
    assert "<lora:dog:1> is left out: 2 adapters have this name, dog.safetensors, other" in said
    assert "<lora:nowhere:0.5> is left out: no adapter has this name" in said
    assert "style is a textual inversion" in said
    assert [(each.ref, each.weight) for each in adapters(window)] == [("xl.safetensors", 0.3)]
