"""Checkpoints that are here: to whom each belongs, verifying, removing, what is kept of a conversion."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from pathlib import Path

import pytest
from support import STARTER

from desktop_app.core.errors import Cancelled, CheckpointError, StudioError
from desktop_app.store.checkpoint_care import (
    Form,
    Home,
    bring_in,
    converted_from,
    discard,
    disk_use,
    keep_converted,
    locate,
    remove,
    verify,
)
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.hub_cache import has_pickles
from desktop_app.store.paths import Paths

COMMIT = "0123456789abcdef0123456789abcdef01234567"
UNET = "unet/diffusion_pytorch_model.safetensors"


def silent(progress: object) -> None:
    """A report that nobody reads."""


def never() -> threading.Event:
    return threading.Event()


def put_into_cache(cache: Path, ref: str = "org/icons") -> Path:
    """The starter in ``cache``, as the hub's libraries lay it out; its snapshot."""
    repository = cache / f"models--{ref.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    for file in (path for path in STARTER.rglob("*") if path.is_file()):
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        target = snapshot / file.relative_to(STARTER)
        for folder in (blob.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, blob)
        target.symlink_to(os.path.relpath(blob, target.parent))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def imported_file(folder: Path, name: str = "mine.safetensors") -> Path:
    """A file as `import_file` leaves it."""
    path = folder / name
    path.write_bytes(b"weights" * 100)
    path.with_suffix(".json").write_text(json.dumps({"sha256": hashlib.sha256(b"weights" * 100).hexdigest()}))
    return path


def copy_starter(source: Path, target: Path, report: object, cancel: threading.Event) -> Path:
    """Converts what is no pickle at all."""
    return shutil.copytree(source, target)


def damage(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache of another program."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


def everything(folder: Path) -> dict[Path, int]:
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


# Where they are ----------------------------------------------------------------------------------


def test_each_kind_of_ref_has_its_place(paths, shared, tmp_path):
    shutil.copytree(STARTER, tmp_path / "elsewhere")
    shutil.copytree(STARTER, paths.checkpoints / "mine")
    put_into_cache(paths.checkpoints, "org/own")
    put_into_cache(shared, "org/theirs")
    imported_file(paths.checkpoints, "file.safetensors")
    refs = ("starter", "mine", str(tmp_path / "elsewhere"), "org/own", "org/theirs", "file.safetensors")
    places = [locate(paths, ref) for ref in refs]
    homes = [Home.PROGRAM, Home.OWN, Home.ELSEWHERE, Home.OWN, Home.SHARED, Home.OWN]
    forms = [Form.FOLDER, Form.FOLDER, Form.FOLDER, Form.SNAPSHOT, Form.SNAPSHOT, Form.FILE]
    assert [(place.home, place.form) for place in places] == list(zip(homes, forms, strict=True))


@pytest.mark.parametrize(
    "ref", ["org/nothing", "nothing", "/no/such", "", "a/b/c", "\0", "org/../etc", f"a/b@{'r' * 280}"]
)
def test_what_is_not_here_is_told(paths, ref):
    paths.all_converted.mkdir()
    with pytest.raises(CheckpointError):
        locate(paths, ref)


def test_disk_use_counts_each_file_once(paths):
    snapshot = put_into_cache(paths.checkpoints)
    size = sum(path.stat().st_size for path in STARTER.rglob("*") if path.is_file())
    assert 0.9 * size < disk_use(paths, "org/icons") <= size
    shutil.copy(snapshot / UNET, snapshot / "unet" / "again.bin")
    assert disk_use(paths, "org/icons") > size


# Verifying ---------------------------------------------------------------------------------------


def test_a_damaged_file_of_a_snapshot_is_named_and_alone_thrown_away(paths):
    snapshot = put_into_cache(paths.checkpoints)
    assert verify(paths, "org/icons", silent, never()) == []
    damage((snapshot / UNET).resolve())
    assert verify(paths, "org/icons", silent, never()) == [UNET]
    discard(paths, "org/icons", [UNET])
    assert not os.path.lexists(snapshot / UNET)
    assert (snapshot / "model_index.json").is_file()


def test_a_damaged_file_of_a_shared_cache_is_named_and_left_alone(paths, shared):
    snapshot = put_into_cache(shared)
    damage((snapshot / UNET).resolve())
    before = everything(shared)
    assert verify(paths, "org/icons", silent, never()) == [UNET]
    with pytest.raises(CheckpointError, match="other programs"):
        discard(paths, "org/icons", [UNET])
    assert everything(shared) == before


def test_an_imported_file_is_compared_with_its_record(paths):
    file = imported_file(paths.checkpoints)
    assert verify(paths, str(file), silent, never()) == []
    damage(file)
    assert verify(paths, "mine.safetensors", silent, never()) == ["mine.safetensors"]


def test_a_folder_without_hashes_is_looked_at_as_far_as_can_be(paths):
    folder = shutil.copytree(STARTER, paths.checkpoints / "mine")
    assert verify(paths, "mine", silent, never()) == []
    assert not locate(paths, "mine").has_hashes
    (folder / UNET).write_bytes(b"cut")
    with pytest.raises(CheckpointError, match="damaged"):
        verify(paths, "mine", silent, never())


def test_verifying_tells_how_far_it_is_and_can_be_stopped(paths):
    put_into_cache(paths.checkpoints)
    told = []
    verify(paths, "org/icons", told.append, never())
    assert told[-1].done == told[-1].total > 1e6
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        verify(paths, "org/icons", silent, cancel)


# Removing ----------------------------------------------------------------------------------------


def test_an_own_snapshot_is_removed_with_its_blobs(paths):
    put_into_cache(paths.checkpoints)
    other = put_into_cache(paths.checkpoints, "org/other")
    size = disk_use(paths, "org/icons")
    assert remove(paths, "org/icons") >= size
    assert not (paths.checkpoints / "models--org--icons").exists()
    assert (other / UNET).is_file()


def test_own_folders_and_files_are_removed(paths):
    shutil.copytree(STARTER, paths.checkpoints / "mine")
    file = imported_file(paths.checkpoints)
    assert remove(paths, "mine") > 1e6
    assert remove(paths, str(file)) == 700
    assert not list(paths.checkpoints.iterdir())


def test_a_link_in_the_checkpoints_folder_is_removed_and_not_what_it_leads_to(paths, tmp_path):
    elsewhere = shutil.copytree(STARTER, tmp_path / "elsewhere")
    (paths.checkpoints / "link").symlink_to(elsewhere)
    assert remove(paths, "link") == 0
    assert (elsewhere / UNET).is_file()


def test_what_is_used_in_place_is_forgotten_and_stays(paths, tmp_path):
    elsewhere = shutil.copytree(STARTER, tmp_path / "elsewhere")
    ref = bring_in(paths, elsewhere, silent, never())
    assert ref in CheckpointStore(paths).survey()
    assert remove(paths, ref) == 0
    assert ref not in CheckpointStore(paths).survey()
    assert (elsewhere / UNET).is_file()


def test_what_is_not_ours_is_never_removed(paths, shared, tmp_path):
    shutil.copytree(STARTER, tmp_path / "elsewhere")
    put_into_cache(shared)
    put_into_cache(paths.checkpoints, "org/own")
    inside = paths.checkpoints / "models--org--own" / "snapshots" / COMMIT
    before = everything(tmp_path)
    for ref in ("starter", "org/icons", str(tmp_path / "elsewhere"), str(inside), str(inside / "unet"), str(STARTER)):
        with pytest.raises(CheckpointError):
            remove(paths, ref)
    assert everything(tmp_path) == before
    assert (STARTER / UNET).is_file()


def test_the_checkpoints_folder_itself_and_what_is_above_it_stay(paths):
    shutil.copytree(STARTER, paths.converted("org/icons"))
    for ref in (str(paths.checkpoints), ".", "..", "converted", str(paths.data_dir)):
        with pytest.raises(StudioError):
            remove(paths, ref)
    assert (paths.converted("org/icons") / UNET).is_file()


def test_a_path_that_leads_back_up_does_not_make_a_folder_ours(paths, tmp_path):
    elsewhere = shutil.copytree(STARTER, tmp_path / "elsewhere")
    assert locate(paths, str(paths.checkpoints / "..")).home is Home.ELSEWHERE
    ref = bring_in(paths, paths.checkpoints / os.path.relpath(elsewhere, paths.checkpoints), silent, never())
    assert ref == str(elsewhere)
    assert remove(paths, ref) == 0
    assert (elsewhere / UNET).is_file()


# Converting --------------------------------------------------------------------------------------


def test_what_was_converted_has_the_same_ref_and_the_pickles_are_gone(paths):
    snapshot = put_into_cache(paths.checkpoints)
    folder = keep_converted(paths, "org/icons", snapshot, copy_starter, silent, never())
    assert CheckpointStore(paths).resolve("org/icons") == folder == paths.converted("org/icons")
    assert not snapshot.exists()
    assert converted_from(paths, "org/icons") == COMMIT
    assert locate(paths, "org/icons").form is Form.CONVERTED


def test_what_was_converted_is_verified_and_removed_as_everything_else(paths):
    folder = keep_converted(paths, "org/icons", put_into_cache(paths.checkpoints), copy_starter, silent, never())
    assert verify(paths, "org/icons", silent, never()) == []
    damage(folder / UNET)
    (folder / "model_index.json").unlink()
    assert sorted(verify(paths, "org/icons", silent, never())) == ["model_index.json", UNET]
    assert remove(paths, "org/icons") > 1e6
    assert not list(paths.all_converted.iterdir())


def test_pickles_of_another_program_stay_where_they_are(paths, shared):
    snapshot = put_into_cache(shared)
    before = everything(shared)
    keep_converted(paths, "org/icons", snapshot, copy_starter, silent, never())
    assert everything(shared) == before
    assert CheckpointStore(paths).resolve("org/icons") == paths.converted("org/icons")


def test_a_conversion_that_is_stopped_leaves_nothing(paths):
    snapshot = put_into_cache(paths.checkpoints)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        keep_converted(paths, "org/icons", snapshot, copy_starter, silent, cancel)
    assert not list(paths.all_converted.iterdir())
    assert (snapshot / UNET).is_file()


def test_a_second_conversion_that_is_stopped_leaves_no_word_of_the_first(paths, shared):
    snapshot = put_into_cache(shared)
    keep_converted(paths, "org/icons", snapshot, copy_starter, silent, never())
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Cancelled):
        keep_converted(paths, "org/icons", snapshot, copy_starter, silent, cancel)
    assert converted_from(paths, "org/icons") == ""


def test_pickled_weights_are_seen(paths):
    snapshot = put_into_cache(paths.checkpoints)
    assert not has_pickles(snapshot)
    (snapshot / UNET).rename(snapshot / UNET.replace(".safetensors", ".bin"))
    assert has_pickles(snapshot)


def test_a_converted_checkpoint_without_its_record_is_not_said_to_be_whole(paths: Paths):
    keep_converted(paths, "org/icons", put_into_cache(paths.checkpoints), copy_starter, silent, never())
    record = paths.converted("org/icons").with_name("org%2Ficons.json")
    record.write_text("{")
    with pytest.raises(CheckpointError, match="cannot be read"):
        verify(paths, "org/icons", silent, never())
