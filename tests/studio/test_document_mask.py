"""The document's mask: in its requests, with its picture, in the session, from a variation."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from PIL import ExifTags, Image
from PySide6.QtCore import QPoint, QRect, Qt
from support import make_picture, make_request, make_result

from desktop_app.core.chain import Card
from desktop_app.core.conditions import Adapter, AdapterKind, Control, ControlMode
from desktop_app.core.kinds import StageKind
from desktop_app.core.outpaint import Margins
from desktop_app.core.request import request_from_json
from desktop_app.studio import mask_keeper
from desktop_app.studio.document import Document
from desktop_app.studio.restoring import PARTS


def open_image(qtbot, document: Document, source, name: str = "") -> None:
    with qtbot.waitSignal(document.init_image_changed):
        document.open_image(source, name)


def paint(document: Document, rect: QRect) -> None:
    document.mask.paint(rect, lambda painter: painter.fillRect(rect, Qt.GlobalColor.white))
    document.mask.commit("Brush")


@pytest.fixture
def masked(qtbot, document, picture) -> Document:
    """With a picture of 96 x 64 and a mask of 20 x 10 at 30, 40."""
    open_image(qtbot, document, picture("cat.png", (96, 64)))
    paint(document, QRect(30, 40, 20, 10))
    return document


def random_mask(number: int) -> Image.Image:
    """Some are hard, some soft, some noise."""
    chance = random.Random(number)
    size = (chance.randint(1, 90), chance.randint(1, 90))
    if number % 3 == 0:
        return Image.frombytes("L", size, chance.randbytes(size[0] * size[1]))
    band = make_picture(size, "RGB", number).getchannel(0)
    return band if number % 3 == 1 else band.point([0] * 128 + [255] * 128)


def test_a_painted_mask_is_in_the_request(masked, gallery):
    request = masked.make_requests()[0]
    assert request.stages[0].kind is StageKind.INPAINT
    mask = gallery.load_ref(request.mask)
    assert (mask.mode, mask.size) == ("RGB", (96, 64))
    assert mask.getbbox() == (30, 40, 50, 50)
    assert sorted(mask.getcolors()) == [(200, (255, 255, 255)), (96 * 64 - 200, (0, 0, 0))]
    assert request.mask.name == "cat mask.png"


def test_an_empty_mask_is_none(masked):
    masked.undo_stack.undo()
    request = masked.make_requests()[0]
    assert request.mask is None
    assert request.stages[0].kind is StageKind.IMAGE_TO_IMAGE


def test_the_values_of_the_mask_are_in_the_request_with_it_only(masked):
    masked.set_params("Values", mask_feather=5, masked_only=True, mask_padding=16)
    request = masked.make_requests()[0]
    assert (request.mask_feather, request.masked_only, request.mask_padding) == (5, True, 16)
    masked.undo_stack.setIndex(1)
    assert not masked.make_requests()[0].masked_only


def test_a_mask_that_is_written_already_is_not_encoded_again(masked, gallery, monkeypatch):
    masked.flush()
    monkeypatch.setattr(mask_keeper, "encode", None)
    ref = masked.make_requests()[0].mask
    assert gallery.load_ref(ref).tobytes() == masked.mask.copy().convert("RGB").tobytes()
    paint(masked, QRect(0, 0, 5, 5))
    with pytest.raises(TypeError):
        masked.make_requests()


def test_the_same_mask_is_kept_once_for_many_requests(masked, paths):
    first = masked.make_requests(2)
    assert first[0].mask == first[1].mask == masked.make_requests()[0].mask
    assert len(list(paths.inits.glob("*.png"))) == 2
    paint(masked, QRect(0, 0, 5, 5))
    assert masked.make_requests()[0].mask != first[0].mask


def test_the_plan_knows_the_mask(qtbot, masked):
    with_mask = masked.plan()
    masked.undo_stack.undo()
    assert with_mask.sentences != masked.plan().sentences


def test_another_picture_takes_the_mask_away_and_undo_brings_both_back(qtbot, masked, picture):
    before = masked.mask.copy().tobytes()
    open_image(qtbot, masked, picture("dog.png", (50, 50), seed=2))
    assert masked.mask.is_empty
    assert masked.mask.size.toTuple() == (50, 50)
    masked.undo_stack.undo()
    assert masked.init_image.name == "cat.png"
    assert masked.mask.copy().tobytes() == before
    masked.undo_stack.redo()
    assert (masked.init_image.name, masked.mask.is_empty) == ("dog.png", True)


def test_strokes_of_before_can_be_undone_after_the_picture_has_come_back(qtbot, masked, picture):
    paint(masked, QRect(0, 0, 9, 9))
    masked.clear_init_image()
    assert masked.mask.size is None
    for _ in range(3):
        masked.undo_stack.undo()
    assert masked.mask.is_empty
    for _ in range(2):
        masked.undo_stack.redo()
    assert masked.mask.copy().getbbox() == (0, 0, 50, 50)


def test_opening_the_same_picture_again_leaves_the_mask(qtbot, masked, picture):
    masked.open_image(picture("cat.png", (96, 64)))
    qtbot.waitUntil(lambda: not masked.is_opening)
    assert not masked.mask.is_empty


def test_a_stroke_under_way_does_not_go_with_the_picture(qtbot, masked, picture):
    masked.mask.paint(QRect(0, 0, 9, 9), lambda painter: painter.fillRect(0, 0, 9, 9, Qt.GlobalColor.white))
    open_image(qtbot, masked, picture("dog.png", (50, 50), seed=2))
    masked.undo_stack.undo()
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_lies_where_it_was_painted_whatever_way_the_camera_was_held(
    qtbot, document, gallery, tmp_path, orientation
):
    """The picture's one bright spot is found upright, painted over, and is what the request's mask marks."""
    picture = Image.new("RGB", (96, 64))
    picture.paste((255, 255, 255), (8, 16, 24, 24))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "photo.png"
    picture.save(path, exif=exif)
    open_image(qtbot, document, path)
    spot = document.init_image.picture.getbbox()
    assert (document.init_image.ref.size == (96, 64)) is (orientation < 5)
    paint(document, QRect(QPoint(*spot[:2]), QPoint(spot[2] - 1, spot[3] - 1)))
    request = document.make_requests()[0]
    shown, mask = gallery.load_ref(request.init_image), gallery.load_ref(request.mask)
    assert mask.tobytes() == shown.tobytes()


# Session ------------------------------------------------------------------------------------------


def test_the_mask_survives_a_restart(qtbot, make_document, picture):
    first = make_document()
    open_image(qtbot, first, picture("cat.png", (96, 64)))
    paint(first, QRect(3, 4, 50, 6))
    first.close()
    second = make_document()
    with qtbot.waitSignal(second.init_image_changed):
        second.restore_session()
    assert second.mask.copy().tobytes() == first.mask.copy().tobytes()
    assert not second.undo_stack.canUndo()


def test_the_mask_is_on_disk_within_two_seconds_without_being_asked(qtbot, masked, session):
    qtbot.waitUntil(lambda: bool((session.load("document") or {}).get("mask")), timeout=2500)
    name = session.load("document")["mask"]
    assert session.load_picture(name).getbbox() == (30, 40, 50, 50)


def test_masks_of_before_do_not_heap_up_on_the_disk(masked, paths):
    for number in range(5):
        paint(masked, QRect(number, 0, 1, 1))
        masked.flush()
    assert len(list(paths.session.glob("mask-*.png"))) <= 2
    masked.mask.clear("Clear")
    masked.flush()
    masked.set_param("steps", 9)
    masked.flush()
    assert masked._session.load("document")["mask"] is None


def test_a_mask_that_is_still_being_opened_is_not_forgotten(qtbot, make_document, picture, session):
    first = make_document()
    open_image(qtbot, first, picture("cat.png", (96, 64)))
    paint(first, QRect(3, 4, 50, 6))
    first.close()
    second = make_document()
    second.restore_session()
    second.set_param("prompt", "typed at once")
    second.flush()
    assert session.load_picture(session.load("document")["mask"]).getbbox() == (3, 4, 53, 10)


def test_a_damaged_mask_is_told_and_kept_and_the_picture_opens(qtbot, make_document, picture, paths, session):
    first = make_document()
    open_image(qtbot, first, picture("cat.png", (96, 64)))
    paint(first, QRect(3, 4, 50, 6))
    first.close()
    (path,) = paths.session.glob("mask-*.png")
    path.write_bytes(b"\x89PNG\r\n\x1a\n nothing more")
    second = make_document()
    with qtbot.waitSignal(second.error_raised):
        second.restore_session()
    assert (second.init_image.name, second.mask.is_empty) == ("cat.png", True)
    assert [kept.suffix for kept in session.moved_aside] == [".png"]


def test_fifty_random_masks_survive_saving_loading_and_the_session(qtbot, make_document, session, tmp_path):
    document = make_document()
    path = tmp_path / "saved.png"
    for number in range(50):
        mask = random_mask(number)
        make_picture(mask.size, seed=number).save(tmp_path / "picture.png")
        open_image(qtbot, document, tmp_path / "picture.png")
        document.mask.replace("Random", mask)
        with qtbot.waitSignal(document.mask_work.saved):
            document.mask_work.save(path)
        document.mask.clear("Clear")
        document.open_mask(path)
        qtbot.waitUntil(lambda: not document.mask_work.is_working)
        assert document.mask.copy().tobytes() == mask.tobytes(), number
        document.flush()
        if mask.getbbox() is not None:
            kept = session.load_picture(session.load("document")["mask"])
            assert kept.tobytes() == mask.convert("RGB").tobytes(), number


# Variations ---------------------------------------------------------------------------------------


def test_restoring_a_variation_brings_its_mask_back(qtbot, masked, gallery):
    masked.set_params("Values", mask_feather=3, masked_only=True, seed=5)
    request = masked.make_requests()[0]
    variation = gallery.save(request, make_result(request, make_picture((96, 64))))
    masked.undo_stack.setIndex(0)
    with qtbot.waitSignal(masked.init_image_changed):
        masked.restore(variation.request, set(PARTS))
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)
    assert masked.make_requests()[0] == request
    assert masked.undo_stack.count() == 1


def test_restoring_only_the_mask_leaves_the_picture(qtbot, masked, gallery, picture):
    request = masked.make_requests()[0]
    open_image(qtbot, masked, picture("dog.png", (96, 64), seed=2))
    masked.restore(request, {"mask"})
    qtbot.waitUntil(lambda: not masked.mask.is_empty)
    assert masked.init_image.name == "dog.png"
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)


def test_restoring_without_the_mask_leaves_the_mask_and_its_values(qtbot, masked):
    request = replace(masked.make_requests()[0], mask=None, mask_feather=0, seed=5)
    for parts in (set(PARTS) - {"init image", "mask"}, set(PARTS) - {"mask"}):
        masked.restore(request, parts)
        qtbot.waitUntil(lambda: not masked.is_opening)
        assert masked.params.mask_feather == 8
        assert not masked.mask.is_empty


@pytest.mark.parametrize("parts", [set(PARTS), set(PARTS) - {"init image"}, {"mask"}])
@pytest.mark.parametrize("seed", [7, 8])
def test_a_request_without_mask_takes_the_mask_away_in_one_step_of_undo(qtbot, masked, parts, seed):
    before = masked.mask.copy()
    masked.set_param("seed", 7)
    masked.mask.clear("Clear")
    request = replace(masked.make_requests()[0], seed=seed)
    masked.undo_stack.undo()
    index = masked.undo_stack.index()
    masked.restore(request, set(parts))
    qtbot.waitUntil(lambda: not masked.is_opening)
    assert masked.mask.is_empty
    assert masked.make_requests()[0] == replace(request, seed=seed if len(parts) > 1 else 7)
    assert (masked.undo_stack.index(), masked.undo_stack.undoText()) == (index + 1, "Restore settings")
    masked.undo_stack.undo()
    assert masked.mask.copy().tobytes() == before.tobytes()


def test_a_request_without_init_image_takes_picture_and_mask_away_in_one_step_of_undo(masked):
    masked.set_param("seed", 7)
    text_to_image = make_request(seed=8)
    index = masked.undo_stack.index()
    masked.restore(text_to_image, set(PARTS))
    assert (masked.init_image, masked.params.seed, masked.undo_stack.index()) == (None, 8, index + 1)
    masked.undo_stack.undo()
    assert (masked.init_image.name, masked.params.seed, masked.mask.is_empty) == ("cat.png", 7, False)
    masked.restore(text_to_image, set(PARTS) - {"init image", "mask"})
    assert (masked.init_image.name, masked.mask.is_empty) == ("cat.png", False)


def test_what_a_restored_request_has_not_is_gone(qtbot, masked):
    plain = replace(masked.make_requests()[0], seed=5)
    adapter = Adapter(AdapterKind.LORA, "some.safetensors")
    control = Control(ControlMode.CANNY)
    chain = (Card(is_on=False),)
    masked.set_params(
        "More", adapters=(adapter,), controls=(control,), chain=chain, style="comic", refiner="org/refiner"
    )
    masked.restore(plain, set(PARTS))
    qtbot.waitUntil(lambda: not masked.is_opening)
    assert masked.make_requests()[0] == plain
    now = masked.params
    assert (now.adapters, now.controls, now.chain, now.style, now.refiner) == ((), (), (), "", "")


def test_restoring_what_is_there_already_is_no_step_of_undo(qtbot, masked):
    masked.set_params("Values", seed=5, mask_feather=3)
    masked.restore(masked.make_requests()[0], set(PARTS))
    qtbot.waitUntil(lambda: not masked.is_opening)
    count = masked.undo_stack.count()
    masked.restore(masked.make_requests()[0], set(PARTS))
    qtbot.waitUntil(lambda: not masked.is_opening)
    assert masked.undo_stack.count() == count


# Extending ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_extending_gives_the_picture_room_and_marks_it_in_one_step_of_undo(qtbot, document, picture, mode):
    open_image(qtbot, document, picture("cat.png", (96, 64), mode))
    before = document.init_image.picture
    with qtbot.waitSignal(document.init_image_changed):
        document.extend_init_image(Margins(left=40, bottom=8))
    now = document.init_image.picture
    assert (now.mode, now.size, document.init_image.name) == (mode, (136, 72), "cat.png")
    assert now.crop((40, 0, 136, 64)).tobytes() == before.tobytes()
    mask = document.mask.copy()
    assert (mask.getpixel((47, 30)), mask.getpixel((48, 30)), mask.getpixel((100, 71))) == (255, 0, 255)
    document.undo_stack.undo()
    assert (document.init_image.picture.tobytes(), document.mask.is_empty) == (before.tobytes(), True)


def test_extending_takes_the_mask_along(qtbot, masked):
    with qtbot.waitSignal(masked.init_image_changed):
        masked.extend_init_image(Margins(top=100, left=7))
    assert masked.mask.copy().crop((37, 140, 57, 150)).getextrema() == (255, 255)
    masked.undo_stack.undo()
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)


def test_what_is_painted_while_the_picture_is_extended_is_not_lost(qtbot, masked):
    masked.extend_init_image(Margins(left=40))
    paint(masked, QRect(80, 0, 5, 5))
    with qtbot.waitSignal(masked.init_image_changed):
        pass
    assert masked.mask.copy().crop((120, 0, 125, 5)).getextrema() == (255, 255)
    assert masked.undo_stack.undoText() == "Extend picture"
    masked.undo_stack.undo()
    assert masked.mask.copy().getbbox() == (30, 0, 85, 50)


def test_a_picture_that_is_gone_before_it_is_extended_does_not_come_back(qtbot, masked):
    masked.extend_init_image(Margins(left=40))
    masked.undo_stack.setIndex(0)
    qtbot.waitUntil(lambda: not masked.is_opening)
    assert (masked.init_image, masked.undo_stack.canRedo()) == (None, True)


def test_an_extended_picture_remembers_its_original_even_after_a_restart(qtbot, make_document, picture, paths):
    document = make_document()
    open_image(qtbot, document, picture("cat.png", (96, 64)))
    original = document.init_image.ref
    for margins in (Margins(right=8), Margins(top=8)):
        with qtbot.waitSignal(document.init_image_changed):
            document.extend_init_image(margins)
    assert document.init_image.ref.origin == original
    document.flush()
    again = make_document()
    with qtbot.waitSignal(again.init_image_changed):
        again.restore_session()
    assert again.init_image.ref.size == (104, 72)
    request = again.make_requests()[0]
    assert request.init_image.origin == original
    assert request_from_json(request.to_json()).init_image.origin == original


def test_too_much_room_is_told(qtbot, masked):
    with qtbot.waitSignal(masked.error_raised) as raised:
        masked.extend_init_image(Margins(right=40_000))
    assert "too large" in raised.args[0].title
    assert masked.init_image.ref.size == (96, 64)


# Changes of the whole mask ------------------------------------------------------------------------


def test_a_mask_of_another_size_is_scaled_and_that_is_said(qtbot, masked, picture):
    with qtbot.waitSignal(masked.error_raised) as raised:
        masked.open_mask(picture("mask.png", (48, 32), "L", seed=4))
    assert raised.args[0].detail == "48 × 32 → 96 × 64"
    assert raised.args[0].hint == ""
    with qtbot.waitSignal(masked.error_raised) as raised:
        masked.open_mask(picture("mask.png", (48, 48), "L", seed=4))
    assert "stretched" in raised.args[0].hint


def test_a_mask_that_cannot_be_opened_is_told_and_the_old_one_stays(qtbot, masked, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with qtbot.waitSignal(masked.error_raised):
        masked.open_mask(tmp_path / "broken.png")
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)
    assert not masked.mask_work.is_working


def test_a_picture_that_marks_nothing_is_no_mask_and_the_old_one_stays(qtbot, masked, tmp_path):
    Image.new("L", (96, 64)).save(tmp_path / "black.png")
    with qtbot.waitSignal(masked.error_raised) as raised:
        masked.open_mask(tmp_path / "black.png")
    assert (raised.args[0].title, raised.args[0].detail) == ("Nothing is marked in this picture", "black.png")
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)


def change(qtbot, document, begin) -> Image.Image:
    """The mask after what ``begin`` begins."""
    begin()
    qtbot.waitUntil(lambda: not document.mask_work.is_working)
    return document.mask.copy()


def test_the_whole_mask_is_changed_in_steps_of_undo(qtbot, masked):
    work = masked.mask_work
    assert change(qtbot, masked, lambda: work.grow(4)).getbbox() == (26, 36, 54, 54)
    assert change(qtbot, masked, lambda: work.shrink(4)).getbbox() == (30, 40, 50, 50)
    assert change(qtbot, masked, work.invert).getpixel((0, 0)) == 255
    assert masked.undo_stack.undoText() == "Invert mask"
    masked.undo_stack.setIndex(2)
    assert masked.mask.copy().getbbox() == (30, 40, 50, 50)


def test_a_region_of_one_colour_is_filled_and_erased(qtbot, document, tmp_path):
    picture = Image.new("RGB", (40, 20), "navy")
    picture.paste("white", (10, 0, 20, 20))
    picture.save(tmp_path / "stripe.png")
    open_image(qtbot, document, tmp_path / "stripe.png")
    work = document.mask_work
    assert change(qtbot, document, lambda: work.fill((12, 3), 20)).getbbox() == (10, 0, 20, 20)
    assert change(qtbot, document, lambda: work.fill((0, 0), 20)).getbbox() == (0, 0, 20, 20)
    assert change(qtbot, document, lambda: work.fill((12, 3), 0, is_taken_away=True)).getbbox() == (0, 0, 10, 20)


def test_holes_are_filled(qtbot, masked):
    masked.mask.paint(QRect(35, 42, 3, 3), lambda painter: painter.fillRect(35, 42, 3, 3, Qt.GlobalColor.black))
    masked.mask.commit("Eraser")
    assert change(qtbot, masked, masked.mask_work.fill_holes).getpixel((36, 43)) == 255


def test_transparent_parts_become_the_mask(qtbot, document, tmp_path):
    picture = Image.new("RGBA", (40, 20), (9, 9, 9, 255))
    picture.paste((0, 0, 0, 0), (5, 6, 15, 16))
    picture.save(tmp_path / "cut.png")
    open_image(qtbot, document, tmp_path / "cut.png")
    assert change(qtbot, document, document.mask_work.from_alpha).getbbox() == (5, 6, 15, 16)


def test_who_undoes_meanwhile_calls_a_change_off(qtbot, masked):
    masked.mask_work.invert()
    masked.undo_stack.undo()
    assert not masked.mask_work.is_working
    qtbot.waitUntil(lambda: masked.mask_work._runner.running == 0)
    assert masked.mask.is_empty


def test_a_mask_that_cannot_be_saved_is_told(qtbot, masked, tmp_path):
    with qtbot.waitSignal(masked.error_raised) as raised:
        masked.mask_work.save(tmp_path / "no" / "such" / "folder.png")
    assert raised.args[0].title == "The mask cannot be saved"


def test_without_a_picture_nothing_is_changed(document):
    document.mask_work.invert()
    document.mask_work.from_alpha()
    document.extend_init_image(Margins(5, 5, 5, 5))
    assert not document.mask_work.is_working
    assert not document.is_opening


def test_the_mask_of_a_saved_variation_is_found_again(masked, gallery):
    request = masked.make_requests()[0]
    variation = gallery.save(request, make_result(request, make_picture((96, 64))))
    found = gallery.get(variation.id).request
    assert found.mask == request.mask
    assert gallery.load_ref(found.mask).getbbox() == (30, 40, 50, 50)
