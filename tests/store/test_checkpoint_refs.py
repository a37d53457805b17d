"""The kinds of REF, and where each is looked for: our own folder, the hub's caches, files and folders elsewhere."""

from __future__ import annotations

import hashlib
import os
import shutil

import pytest
from support import STARTER

from desktop_app.core.errors import CheckpointError
from desktop_app.store.checkpoints import CheckpointStore

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def store(paths):
    return CheckpointStore(paths)


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """The cache of another program."""
    folder = tmp_path / "hub"
    folder.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(folder))
    return folder


def put_into_cache(cache, name="org--icons", source=STARTER):
    """The starter as huggingface_hub would have fetched it; its snapshot."""
    repository = cache / f"models--{name}"
    snapshot = repository / "snapshots" / COMMIT
    for file in (
        path for path in source.rglob("*") if path.is_file() and path.suffix in (".json", ".safetensors", ".txt")
    ):
        blob = repository / "blobs" / hashlib.sha256(file.read_bytes()).hexdigest()
        target = snapshot / file.relative_to(source)
        for folder in (blob.parent, target.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if not blob.exists():
            shutil.copy(file, blob)
        target.symlink_to(os.path.relpath(blob, target.parent))
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    return snapshot


def files_below(folder):
    return {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}


def test_a_hub_id_is_found_in_our_own_cache_and_named_by_its_last_part(store, paths):
    snapshot = put_into_cache(paths.checkpoints)
    assert store.resolve("org/icons") == snapshot
    info = store.describe("org/icons")
    assert (info.ref, info.label, info.native_size) == ("org/icons", "icons", 64)
    assert "org/icons" in store.survey()


def test_what_another_program_fetched_is_used_where_it_is_and_nothing_there_changes(store, shared, paths):
    snapshot = put_into_cache(shared)
    before = files_below(shared)
    assert store.resolve("org/icons") == snapshot
    assert [info.ref for info in store.list()] == ["starter", "org/icons"]
    assert files_below(shared) == before
    assert not any(paths.checkpoints.iterdir())


def test_our_own_copy_goes_before_a_shared_one(store, shared, paths):
    put_into_cache(shared)
    own = put_into_cache(paths.checkpoints)
    assert store.resolve("org/icons") == own
    assert list(store.survey()).count("org/icons") == 1


def test_what_pickles_were_converted_to_goes_before_the_pickles(store, paths):
    put_into_cache(paths.checkpoints)
    shutil.copytree(STARTER, paths.converted("org/icons"))
    assert store.resolve("org/icons") == paths.converted("org/icons")
    assert store.describe("org/icons").label == "icons"
    assert list(store.survey()) == ["starter", "org/icons"]


def test_what_is_half_written_or_half_removed_is_not_offered(store, paths):
    for folder in (paths.checkpoints, paths.all_converted):
        shutil.copytree(STARTER, folder / ".1-0123456789abcdef.underpaint-tmp")
    assert list(store.survey()) == ["starter"]


def test_a_snapshot_that_lacks_weights_is_not_on_this_machine(store, paths):
    snapshot = put_into_cache(paths.checkpoints)
    (snapshot / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="not on this machine") as caught:
        store.resolve("org/icons")
    assert "download org/icons" in caught.value.hint


def test_a_folder_elsewhere_is_offered_again_until_it_is_forgotten(store, paths, tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(STARTER, folder)
    ref = store.bring_in(folder)
    assert list(CheckpointStore(paths).survey()) == ["starter", ref]
    assert store.forget(ref)
    assert not store.forget(ref)
    assert list(store.survey()) == ["starter"]
    assert folder.is_dir()


def test_what_is_no_checkpoint_is_not_remembered(store, paths, tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint"):
        store.bring_in(tmp_path)
    assert list(store.survey()) == ["starter"]


def test_a_list_of_folders_that_is_damaged_is_as_good_as_none(store, paths):
    (paths.checkpoints / "outside.json").write_text('[1, "relative", null, {')
    assert list(store.survey()) == ["starter"]
    (paths.checkpoints / "outside.json").write_text('[1, "relative", null]')
    assert list(store.survey()) == ["starter"]


def test_a_single_file_is_known_by_its_tensors_and_refused_by_its_reason(store, paths):
    file = paths.checkpoints / "mine.safetensors"
    shutil.copy(STARTER / "unet" / "diffusion_pytorch_model.safetensors", file)
    with pytest.raises(CheckpointError) as caught:
        store.resolve(str(file))
    assert caught.value.hint
    assert isinstance(store.survey()[str(file)], CheckpointError)
