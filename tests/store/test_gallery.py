"""GalleryStore: saving, finding, lineage, trash, and what comes back after a crash."""

from __future__ import annotations

import errno
import sqlite3

import pytest
from support import make_picture, make_ref, make_request, make_result

from desktop_app.core.errors import ImageError, StoreError
from desktop_app.core.image import encode_png, load_image, read_texts
from desktop_app.core.request import ImageRef, hash_pixels
from desktop_app.core.variation import PROGRAM_KEY, read_request, write_texts
from desktop_app.store.gallery import GalleryStore


@pytest.fixture
def save(gallery):
    def save(prompt: str = "a lemon", seed: int = 1, init_image: ImageRef | None = None):
        request = make_request(init_image, prompt=prompt, seed=seed)
        return gallery.save(request, make_result(request))

    return save


def reopen(gallery: GalleryStore) -> GalleryStore:
    gallery.close()
    gallery.open()
    return gallery


def test_a_saved_picture_is_a_whole_png_with_its_request(gallery, save):
    variation = save()
    assert hash_pixels(load_image(variation.path)) == variation.pixels_sha256
    assert read_request(read_texts(variation.path)) == variation.request
    assert variation.path.stat().st_mode & 0o077 == 0


def test_other_programs_read_the_generation_text(save):
    from sd_parsers import ParserManager

    found = ParserManager().parse(save("a lemon, cartoon icon", seed=77).path)
    assert found is not None
    assert [prompt.value for prompt in found.prompts] == ["a lemon, cartoon icon"]
    assert found.samplers[0].parameters["cfg_scale"] == "4"
    assert found.samplers[0].parameters["seed"] == "77"
    assert found.samplers[0].parameters["steps"] == "4"
    assert found.metadata["Size"] == "64x64"


def test_a_negative_prompt_is_read_by_other_programs_too(gallery):
    from sd_parsers import ParserManager

    request = make_request(negative_prompt="a dog", prompt="a cat")
    found = ParserManager().parse(gallery.save(request, make_result(request)).path)
    assert found is not None
    assert [prompt.value for prompt in found.negative_prompts] == ["a dog"]


def test_it_is_there_tomorrow(gallery, save):
    variation = save()
    assert reopen(gallery).get(variation.id) == variation
    assert gallery.recovery.sentences == []


def test_the_newest_come_first_page_by_page(gallery, save):
    saved = [save(seed=seed).id for seed in range(7)]
    first = gallery.page(limit=3)
    rest = gallery.page(before=(first[-1].created, first[-1].id), limit=10)
    assert [variation.id for variation in first + rest] == saved[::-1] == gallery.ids()


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("lem", 1),
        ("LEMON", 1),
        ("cafe", 1),
        ("café", 1),
        ("قط", 1),
        ("猫", 1),
        ("a", 2),
        ("lemon cat", 0),
        ('" OR *', 0),
    ],
)
def test_words_are_found_by_their_beginning_in_any_script(gallery, save, search, found):
    for prompt in ("a lemon", "a café", "قطة", "白い猫"):
        save(prompt)
    assert len(gallery.ids(search=search)) == gallery.count(search=search) == found


def test_an_init_image_is_kept_once_and_found_by_its_pixels(gallery, tmp_path):
    picture = make_picture((20, 10))
    first, second = (gallery.keep_init_image(picture, name) for name in ("one.png", "two.png"))
    assert first == second
    assert gallery.find_image(first.sha256) == first.path
    assert gallery.load_ref(first).tobytes() == picture.tobytes()
    assert gallery.find_image("../../etc/passwd") is None


def test_an_init_image_from_elsewhere_is_kept_with_the_picture_made_from_it(gallery, save, tmp_path):
    ref = make_ref(tmp_path / "cat.png")
    save(init_image=ref)
    ref.path.unlink()
    assert gallery.load_ref(ref).size == ref.size


def test_a_picture_that_is_nowhere_is_told(gallery):
    with pytest.raises(ImageError, match="not here"):
        gallery.load_ref(ImageRef("0" * 64, (4, 4), gallery._paths.inits / "none.png", "cat.png"))


def test_lineage_follows_the_pixels(gallery, save):
    parent = save("a lemon")
    ref = ImageRef(parent.pixels_sha256, parent.size, parent.path)
    child = save("a lime", 2, ref)
    grandchild = save("a melon", 3, ImageRef(child.pixels_sha256, child.size, child.path))
    assert child.parent_id == parent.id
    assert [each.id for each in gallery.ancestors(grandchild.id)] == [child.id, parent.id]
    assert [each.id for each in gallery.children(parent.id)] == [child.id]
    assert [each.id for each in gallery.made_from(parent.pixels_sha256)] == [child.id]
    assert [each.id for each in gallery.made_from(None)] == [parent.id]


def test_trashed_pictures_leave_and_come_back(gallery, save):
    variation = save()
    gallery.trash([variation.id])
    assert (gallery.ids(), gallery.ids(trashed=True)) == ([], [variation.id])
    assert not variation.path.exists()
    gallery.restore([variation.id])
    assert gallery.get(variation.id) == variation
    assert variation.path.is_file()


def test_an_emptied_trash_keeps_what_others_were_made_from(gallery, save, monkeypatch):
    monkeypatch.setattr("desktop_app.store.gallery.send2trash", lambda path: path.unlink())
    parent = save()
    child = save("a lime", 2, ImageRef(parent.pixels_sha256, parent.size, parent.path))
    gallery.trash([parent.id])
    assert gallery.empty_trash() == 1
    assert gallery.get(parent.id) is None
    assert gallery.load_ref(child.request.init_image).size == parent.size


def test_stars_are_kept(gallery, save):
    variation = save()
    gallery.set_stars(variation.id, 4)
    assert reopen(gallery).get(variation.id).stars == 4
    with pytest.raises(ValueError, match="stars"):
        gallery.set_stars(variation.id, 6)


def test_a_lost_thumbnail_is_made_again(gallery, save):
    variation = save()
    variation.thumbnail.unlink()
    assert gallery.get(variation.id).thumbnail is None
    assert gallery.thumbnail(variation.id) == variation.thumbnail
    assert variation.thumbnail.is_file()


def test_a_disk_that_refuses_leaves_nothing_behind(gallery, save, monkeypatch):
    save()
    before = sorted(path for path in gallery._paths.gallery.rglob("*.png"))
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(StoreError, match="full"):
            save(seed=2)
    assert sorted(path for path in gallery._paths.gallery.rglob("*.png")) == before
    assert gallery.count() == 1
    assert save(seed=3).path.is_file()


def test_the_database_is_made_again_from_the_pictures(gallery, save, paths):
    saved = [save(seed=seed) for seed in range(3)]
    gallery.close()
    paths.database.unlink()
    gallery.open()
    assert [gallery.get(variation.id) for variation in saved] == saved
    assert gallery.recovery.adopted == 3


def test_a_damaged_database_is_kept_aside_and_made_anew(gallery, save, paths):
    variation = save()
    gallery.close()
    paths.database.write_bytes(b"not a database at all" * 500)
    gallery.open()
    assert gallery.get(variation.id) == variation
    assert gallery.recovery.rebuilt
    assert list(paths.gallery.glob("gallery.damaged-*.db"))


def test_a_picture_that_is_gone_is_told_and_kept_in_the_list(gallery, save):
    variation = save()
    variation.path.unlink()
    assert reopen(gallery).get(variation.id).missing
    assert gallery.recovery.missing == 1


def test_a_newer_programs_gallery_is_left_alone(gallery, save, paths):
    save()
    gallery.close()
    with sqlite3.connect(paths.database) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        gallery.open()


def test_a_gallery_is_open_in_one_program_at_a_time(gallery, paths):
    with pytest.raises(StoreError, match="another window"):
        GalleryStore(paths).open()


def test_rebuilding_gives_the_same_rows(gallery, save):
    saved = [save(seed=seed) for seed in range(3)]
    gallery.set_stars(saved[0].id, 2)
    before = gallery.page()
    gallery.rebuild()
    assert gallery.page() == before


def test_rebuilding_that_fails_halfway_changes_nothing(gallery, save, monkeypatch):
    gallery.set_stars(save().id, 2)
    before = gallery.page()
    with monkeypatch.context() as patch:
        patch.setattr("desktop_app.store.gallery_recovery.insert", lambda *_: (_ for _ in ()).throw(sqlite3.Error()))
        with pytest.raises(StoreError):
            gallery.rebuild()
    assert gallery.page() == before


def put_into(gallery: GalleryStore, name: str, text_changes: tuple[str, str] = ("", ""), seed: int = 1) -> None:
    """Copy a picture made on the command line into the gallery's folder by hand."""
    request = make_request(seed=seed)
    texts = write_texts(request, make_result(request))
    texts[PROGRAM_KEY] = texts[PROGRAM_KEY].replace(*text_changes) if text_changes[0] else texts[PROGRAM_KEY]
    folder = gallery._paths.gallery / "2026"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(encode_png(make_result(request).image, texts))


def test_pictures_of_the_command_line_are_adopted_each_by_itself(gallery):
    for seed in (1, 2):
        put_into(gallery, f"{seed}.png", seed=seed)
    reopen(gallery)
    ids = gallery.ids()
    assert len(set(ids)) == 2
    assert all(gallery.thumbnail(variation_id).name == f"{variation_id}.jpg" for variation_id in ids)
    gallery.rebuild()
    assert gallery.ids() == ids


@pytest.mark.parametrize(
    "text_changes",
    [
        ('"seed": 1', '"seed": 1e400'),
        ('"id": ""', '"id": "../../x"'),
        ('"id": ""', '"id": "\\ud800"'),
        ('"variation": {', '"variation": {"wide": ['),
    ],
)
def test_a_picture_with_a_broken_record_does_not_keep_the_gallery_from_opening(gallery, save, text_changes):
    save()
    put_into(gallery, "broken.png", text_changes)
    assert reopen(gallery).count() == 1
    assert gallery.recovery.left_alone == 1


def test_a_disk_without_locks_is_not_taken_for_another_window(gallery, paths, monkeypatch):
    gallery.close()
    refuse = OSError(errno.ENOLCK, "No locks available")
    monkeypatch.setattr("desktop_app.store.gallery_lock._take", lambda _: (_ for _ in ()).throw(refuse))
    with pytest.raises(StoreError, match="cannot be locked"):
        gallery.open()
