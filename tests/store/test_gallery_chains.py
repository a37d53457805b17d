"""Pictures of a chain's stages: kept with the final one, out of the way, and with it wherever it goes."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from chain_cases import make_chain, make_chain_result, ref_of
from support import make_picture, make_ref, make_request, make_result

from desktop_app.core.conditions import Adapter, AdapterKind, Control, ControlMode
from desktop_app.core.errors import StoreError
from desktop_app.core.image import load_image, read_texts
from desktop_app.core.kinds import StageKind
from desktop_app.core.request import ImageRef
from desktop_app.core.variation import PROGRAM_KEY, Variation, read_request, until_stage
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.gallery_schema import MIGRATIONS, open_database


@pytest.fixture
def save_chain(gallery):
    def save(init_image: ImageRef | None = None, seed: int = 1) -> Variation:
        request = make_chain(init_image, seed)
        return gallery.save(request, make_chain_result(request))

    return save


@pytest.fixture
def discard(monkeypatch):
    """The system's trash deletes at once."""
    monkeypatch.setattr("desktop_app.store.gallery.send2trash", lambda path: path.unlink())


def files_of(gallery: GalleryStore) -> set:
    return set(gallery._paths.gallery.rglob("*.png"))


def test_the_picture_of_each_stage_is_kept_with_the_request_that_makes_it(gallery, save_chain):
    final = save_chain()
    first, second, last = gallery.stages_of(final.id)
    assert last == final
    assert [each.chain_id for each in (first, second, last)] == [final.id, final.id, None]
    assert [each.stage for each in (first, second)] == [0, 1]
    for stage in (first, second):
        assert read_request(read_texts(stage.path)) == stage.request == until_stage(final.request, stage.stage)
        assert load_image(stage.path).tobytes() == make_picture((64, 64), seed=100 + stage.stage).tobytes()
        assert stage.thumbnail is not None
    assert (final.intermediates, final.reused, first.reused) == (2, 1, 0)
    assert first.steps_run == final.steps_run[:1]


def test_the_chain_is_found_from_any_of_its_pictures(gallery, save_chain):
    stages = gallery.stages_of(save_chain().id)
    save_chain(seed=2)
    assert [gallery.stages_of(stage.id) for stage in stages] == [stages] * 3
    assert gallery.stages_of("nobody") == []


def test_a_result_of_one_stage_is_a_chain_of_itself(gallery):
    request = make_request()
    variation = gallery.save(request, make_result(request))
    assert gallery.stages_of(variation.id) == [variation]
    assert variation.intermediates == 0


def test_pictures_of_stages_do_not_clutter_the_gallery(gallery, save_chain, tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    final = save_chain(ref)
    assert [each.id for each in gallery.page(search="lemon")] == gallery.ids() == [final.id]
    assert gallery.count() == gallery.count(search="oil") == 1
    assert [each.id for each in gallery.made_from(ref.sha256)] == [final.id]
    assert gallery.count(with_stages=True) == len(gallery.ids(with_stages=True)) == 3


def test_the_next_page_of_what_was_made_from_a_picture_goes_on_where_the_last_ended(gallery, save_chain, tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    saved = [save_chain(ref, seed).id for seed in range(1, 6)]
    first = gallery.made_from(ref.sha256, 2)
    rest = gallery.made_from(ref.sha256, 9, (first[-1].created, first[-1].id))
    assert [each.id for each in first + rest] == saved[::-1]


def test_the_trash_takes_a_chain_whole_and_gives_it_back_whole(gallery, save_chain):
    stages = gallery.stages_of(save_chain().id)
    gallery.trash([stages[-1].id])
    assert gallery.ids(with_stages=True) == []
    assert gallery.ids(trashed=True) == [stages[-1].id]
    assert not any(stage.path.exists() for stage in stages)
    gallery.restore([stages[-1].id])
    assert gallery.stages_of(stages[0].id) == stages
    assert all(stage.path.is_file() for stage in stages)


def test_a_stage_that_is_trashed_alone_is_seen_in_the_trash(gallery, save_chain):
    first, second, final = gallery.stages_of(save_chain().id)
    gallery.trash([first.id])
    assert gallery.ids(trashed=True) == [first.id]
    assert [each.id for each in gallery.stages_of(final.id)] == [second.id, final.id]
    gallery.trash([final.id])
    gallery.restore([final.id])
    assert gallery.stages_of(final.id) == [first, second, final]


def test_deleting_the_final_picture_deletes_those_of_its_stages(gallery, save_chain, discard):
    kept, gone = save_chain(), save_chain(seed=2)
    gallery.trash([gone.id])
    assert gallery.empty_trash() == 3
    assert files_of(gallery) == {stage.path for stage in gallery.stages_of(kept.id)}
    assert gallery.count(with_stages=True) == 3


def test_a_stage_that_somebody_starts_from_is_kept_when_its_chain_is_deleted(gallery, save_chain, discard):
    first, _, final = gallery.stages_of(save_chain().id)
    child = save_chain(ref_of(first), seed=2)
    assert child.parent_id == first.id
    assert gallery.with_children([first.id, final.id, child.id]) == {first.id}
    assert [each.id for each in gallery.children(first.id)] == [child.id]
    gallery.trash([final.id])
    gallery.empty_trash()
    assert gallery.load_ref(child.request.init_image).size == first.size


def test_what_is_deleted_with_its_children_is_not_kept_for_them(gallery, save_chain, discard):
    final = save_chain()
    child = save_chain(ref_of(final), seed=2)
    gallery.trash([final.id, child.id])
    gallery.empty_trash()
    assert gallery.find_image(final.pixels_sha256) is None


def test_a_disk_that_fills_up_between_two_pictures_leaves_neither_file_nor_row(gallery, save_chain, monkeypatch):
    save_chain()
    before, real, written = files_of(gallery), os.fsync, []

    def fill_up(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) > 5:
            raise OSError(28, "No space left on device")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", fill_up)
        with pytest.raises(StoreError, match="full"):
            save_chain(seed=2)
    assert files_of(gallery) == before
    assert gallery.count(with_stages=True) == 3


def test_a_database_that_refuses_leaves_no_file(gallery, save_chain, monkeypatch):
    refuse = sqlite3.OperationalError("disk I/O error")
    with monkeypatch.context() as patch:
        patch.setattr("desktop_app.store.gallery_rows.link_chains", lambda *_: (_ for _ in ()).throw(refuse))
        with pytest.raises(StoreError):
            save_chain()
    assert files_of(gallery) == set()
    assert gallery.count(with_stages=True) == 0


def test_a_trash_that_fails_on_one_picture_moves_none(gallery, save_chain, monkeypatch):
    stages = gallery.stages_of(save_chain().id)
    taken = gallery._paths.trash / stages[1].path.relative_to(gallery._paths.gallery)
    taken.parent.mkdir(parents=True)
    taken.write_bytes(b"another file of that name")
    with pytest.raises(StoreError, match="moved"):
        gallery.trash([stages[-1].id])
    assert gallery.stages_of(stages[0].id) == stages
    assert all(stage.path.is_file() for stage in stages)


@pytest.mark.parametrize("lose", ["unlink", "damage"])
def test_the_links_are_made_again_from_the_pictures_alone(gallery, save_chain, paths, lose):
    stages = gallery.stages_of(save_chain().id)
    gallery.close()
    if lose == "unlink":
        paths.database.unlink()
    else:
        paths.database.write_bytes(b"not a database" * 999)
    gallery.open()
    assert gallery.stages_of(stages[1].id) == stages
    assert gallery.ids() == [stages[-1].id]


def test_stages_whose_final_picture_is_gone_are_pictures_like_others_until_it_is_back(gallery, save_chain, paths):
    stages = gallery.stages_of(save_chain().id)
    gallery.close()
    aside = paths.data_dir / "aside.png"
    stages[-1].path.rename(aside)
    paths.database.unlink()
    gallery.open()
    assert set(gallery.ids()) == {stages[0].id, stages[1].id}
    assert [each.id for each in gallery.stages_of(stages[0].id)] == [stages[0].id]
    gallery.close()
    aside.rename(stages[-1].path)
    gallery.open()
    assert gallery.ids() == [stages[-1].id]
    assert [each.id for each in gallery.stages_of(stages[0].id)] == [each.id for each in stages]


def test_a_record_that_is_its_own_final_picture_is_not_hidden(gallery, save_chain, paths):
    stage = gallery.stages_of(save_chain().id)[0]
    gallery._connection.execute("UPDATE variations SET chain_id = id WHERE id = ?", (stage.id,))
    gallery.close()
    gallery.open()
    assert stage.id in gallery.ids()


def test_a_gallery_of_the_first_version_is_brought_up_to_date(gallery, save_chain, paths):
    request = make_request()
    saved = gallery.save(request, make_result(request))
    gallery.set_stars(saved.id, 3)
    gallery.close()
    make_first_version(paths.database)
    gallery.open()
    assert gallery.page() == [replace(saved, stars=3)]
    assert len(list(paths.gallery.glob("gallery.version-1-*.db"))) == 1
    assert "updated" in gallery.recovery.sentences[0]
    assert len(gallery.stages_of(save_chain(ref_of(saved)).id)) == 3


def make_first_version(database) -> None:
    """The database as the first version of the program wrote it, with the same rows."""
    old = database.with_name("old.db")
    with closing(open_database(old, MIGRATIONS[:1]).connection) as connection:
        columns = "key, id, file, created, width, height, pixels_sha256, init_sha256, record, checksum, stars, trashed"
        connection.execute("ATTACH ? AS newer", (str(database),))
        connection.execute(f"INSERT INTO variations ({columns}) SELECT {columns} FROM newer.variations")
        connection.execute("INSERT INTO words (rowid, text) SELECT rowid, text FROM newer.words")
    for path in database.parent.glob("gallery.db*"):
        path.unlink()
    old.rename(database)


def test_every_picture_that_a_request_refers_to_is_kept_and_found_again(gallery, tmp_path):
    refs = [make_ref(tmp_path / f"{number}.png", make_picture((48, 32), seed=number)) for number in range(4)]
    request = make_request(
        refs[0],
        mask=refs[1],
        kind=StageKind.INPAINT,
        controls=(Control(ControlMode.CANNY, image=refs[2]),),
        adapters=(Adapter(AdapterKind.IP_ADAPTER, "/faces.safetensors", image=refs[3]),),
    )
    saved = gallery.save(request, make_result(request))
    for ref in refs:
        ref.path.unlink()
    found = gallery.get(saved.id).request
    assert found == request
    assert [gallery.load_ref(ref).size for ref in found.images] == [(48, 32)] * 4
    assert all(ref.path.is_file() for ref in found.images)


def test_a_variation_that_served_as_control_image_may_be_deleted(gallery, save_chain, discard):
    served = save_chain()
    request = make_request(seed=5, controls=(Control(ControlMode.DEPTH, image=ref_of(served), derive=False),))
    saved = gallery.save(request, make_result(request))
    gallery.trash([served.id])
    gallery.empty_trash()
    (control,) = gallery.get(saved.id).request.stages[0].controls
    assert gallery.load_ref(control.image).size == served.size


@pytest.mark.parametrize("change", [{"stage": 2}, {"id": "../x"}, {"id": ""}, {"stage": "0"}])
def test_a_record_with_an_impossible_place_in_a_chain_is_left_alone(gallery, save_chain, change):
    stage = gallery.stages_of(save_chain().id)[0]
    record = json.loads(read_texts(stage.path)[PROGRAM_KEY])
    record["variation"]["chain"] |= change
    gallery._connection.execute("UPDATE variations SET record = ? WHERE id = ?", (json.dumps(record), stage.id))
    assert gallery.get(stage.id).chain_id == stage.chain_id  # read anew from the picture
