"""The cache: what is found in it, in our own and in those of others, what is removed, and what is found to be
damaged.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from pathlib import Path

import pytest
from hub_repos import QUICK, go_online, write_files, write_repo
from hub_server import HubServer, git_sha1_of, sha256_of

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub
from desktop_app.store.hub_cache import (
    discard_damaged,
    find_snapshot,
    list_snapshots,
    remove_snapshot,
    shared_caches,
    verify_snapshot,
)

REF = "org/name"
COMMIT = "1" * 40
UNET = "unet/diffusion_pytorch_model.safetensors"


def write_cache(cache: Path, repo: Path, ref: str = REF, commit: str = COMMIT, revision: str = "main") -> Path:
    """``repo`` as huggingface_hub caches it; its snapshot."""
    folder = cache / f"models--{ref.replace('/', '--')}"
    write_files(folder, {f"refs/{revision}": commit})
    for file in [path for path in repo.rglob("*") if path.is_file()]:
        name = sha256_of(file) if file.suffix == ".safetensors" else git_sha1_of(file)
        link = folder / "snapshots" / commit / file.relative_to(repo)
        link.parent.mkdir(parents=True, exist_ok=True)
        write_files(folder, {f"blobs/{name}": file.read_bytes()})
        link.symlink_to(Path(*[".."] * len(link.relative_to(folder).parts[:-1])) / "blobs" / name)
    return folder / "snapshots" / commit


@pytest.fixture
def repo(tmp_path) -> Path:
    return write_repo(tmp_path / "repo")


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "shared"


@pytest.fixture
def server(tmp_path, monkeypatch):
    go_online(monkeypatch)
    with HubServer(tmp_path / "hub") as running:
        write_repo(running.root / REF)
        yield running


def fetch(paths, server, ref: str = REF) -> Path:
    downloads = CheckpointDownloads(paths, Hub(endpoint=server.url, patience=QUICK), patience=QUICK)
    return downloads.fetch(downloads.plan(ref), lambda _: None, threading.Event())


def verify(snapshot: Path) -> list[str]:
    return verify_snapshot(snapshot, lambda _: None, threading.Event())


def state_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in folder.rglob("*")}


# Finding -----------------------------------------------------------------------------------------


def test_a_snapshot_of_another_program_is_found_and_nothing_is_written_there(cache, repo, tmp_path):
    snapshot = write_cache(cache, repo)
    before = state_of(cache)
    assert find_snapshot([tmp_path / "none", cache], REF) == snapshot
    assert list_snapshots([tmp_path / "none", cache]) == [(REF, snapshot)]
    assert verify(snapshot) == []
    assert state_of(cache) == before


def test_a_revision_and_a_commit_are_found(cache, repo):
    snapshot = write_cache(cache, repo, revision="refs/pr/3")
    assert find_snapshot([cache], REF) is None
    assert find_snapshot([cache], f"{REF}@refs/pr/3") == snapshot
    assert find_snapshot([cache], f"{REF}@{COMMIT}") == snapshot
    assert list_snapshots([cache]) == [(f"{REF}@refs/pr/3", snapshot)]


@pytest.mark.parametrize(
    "missing", ["model_index.json", UNET, "tokenizer", "vae/diffusion_pytorch_model.safetensors", "text_encoder"]
)
def test_a_snapshot_that_lacks_something_does_not_count(cache, repo, missing):
    path = write_cache(cache, repo) / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert find_snapshot([cache], REF) is None


def test_a_link_to_a_blob_that_is_gone_does_not_count(cache, repo):
    (write_cache(cache, repo) / UNET).resolve().unlink()
    assert find_snapshot([cache], REF) is None


def test_the_parts_that_are_never_loaded_may_be_missing(cache, repo):
    snapshot = write_cache(cache, repo)
    shutil.rmtree(snapshot / "safety_checker")
    shutil.rmtree(snapshot / "feature_extractor")
    assert find_snapshot([cache], REF) == snapshot


def test_shards_count_when_all_that_the_index_names_are_there(cache, repo):
    (repo / UNET).unlink()
    shards = [f"diffusion_pytorch_model-0000{number}-of-00002.safetensors" for number in (1, 2)]
    index = json.dumps({"weight_map": dict(zip("ab", shards, strict=True))})
    write_files(repo / "unet", {**dict.fromkeys(shards, "x"), "diffusion_pytorch_model.safetensors.index.json": index})
    snapshot = write_cache(cache, repo)
    assert find_snapshot([cache], REF) == snapshot
    (snapshot / "unet" / shards[0]).unlink()
    assert find_snapshot([cache], REF) is None


def test_an_index_that_names_something_else_than_shards_hides_no_other_checkpoint(cache, repo, tmp_path):
    index = json.dumps({"weight_map": {"a": ["a list"]}})
    write_cache(cache, repo)
    names = {"d-00001-of-00001.safetensors": "x", "d.safetensors.index.json": index}
    other = shutil.copytree(repo, tmp_path / "other")
    (other / UNET).unlink()
    write_files(other / "unet", {name.replace("d", "diffusion_pytorch_model", 1): text for name, text in names.items()})
    write_cache(cache, other, ref="org/hostile")
    assert [ref for ref, _ in list_snapshots([cache])] == [REF]


def test_a_single_file_counts_as_a_snapshot(cache, tmp_path):
    snapshot = write_cache(cache, write_files(tmp_path / "single", {"name.safetensors": "x", "README.md": "x"}))
    assert find_snapshot([cache], REF) == snapshot


def test_the_first_cache_that_has_it_is_meant(tmp_path, repo):
    caches = [tmp_path / "one", tmp_path / "two"]
    first, _ = (write_cache(cache, repo) for cache in caches)
    other = write_cache(caches[1], repo, "org/other")
    assert find_snapshot(caches, REF) == first
    assert list_snapshots(caches) == [(REF, first), ("org/other", other)]


@pytest.mark.parametrize("content", ["", "main", "../../..", "x" * 40, "1" * 39 + "\n/", "\xff"])
def test_a_ref_that_is_damaged_does_not_count(cache, repo, content):
    write_cache(cache, repo)
    write_files(cache / "models--org--name", {"refs/main": content.encode("latin-1")})
    assert find_snapshot([cache], REF) is None
    assert list_snapshots([cache]) == []


def test_the_caches_of_others_are_where_the_environment_says(tmp_path, monkeypatch):
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    usual, named = tmp_path / ".cache/huggingface/hub", tmp_path / "named"
    assert shared_caches() == []
    usual.mkdir(parents=True)
    named.mkdir()
    monkeypatch.setenv("HF_HUB_CACHE", str(named))
    assert shared_caches() == [named, usual]
    monkeypatch.setenv("HF_HUB_CACHE", "~/.cache/huggingface/hub")
    assert shared_caches() == [usual]


def test_a_revision_that_was_chosen_for_its_safetensors_is_found_by_the_plain_name(paths, server, tmp_path):
    shutil.rmtree(server.root / REF)
    write_repo(server.root / REF, kinds=("bin",))
    commit = server.add_revision(REF, "refs/pr/1", write_repo(tmp_path / "offer"))
    snapshot = fetch(paths, server)
    assert snapshot.name == commit
    assert find_snapshot([paths.checkpoints], REF) == snapshot


# Removing ----------------------------------------------------------------------------------------


def test_removing_frees_the_disk_and_says_how_much(paths, server):
    snapshot = fetch(paths, server)
    blobs = list((snapshot.parent.parent / "blobs").iterdir())
    size = sum(blob.stat().st_size for blob in blobs)
    assert size <= remove_snapshot(paths.checkpoints, REF) <= size + 10_000
    assert list_snapshots([paths.checkpoints]) == []
    assert not list(paths.checkpoints.glob("models--*"))
    assert remove_snapshot(paths.checkpoints, REF) == 0


def test_removing_keeps_what_another_revision_needs(paths, server, tmp_path):
    other = shutil.copytree(server.root / REF, tmp_path / "other")
    write_files(other, {UNET: b"other"})
    server.add_revision(REF, "fp16", other)
    main, half = fetch(paths, server), fetch(paths, server, f"{REF}@fp16")
    assert remove_snapshot(paths.checkpoints, REF) < 3 * 5000
    assert list_snapshots([paths.checkpoints]) == [(f"{REF}@fp16", half)]
    assert verify(half) == []
    assert not main.exists()


def test_what_was_fetched_by_its_commit_is_listed_and_removed(paths, server):
    server.repo(REF)
    ref = f"{REF}@{server.repo(REF).commit}"
    snapshot = fetch(paths, server, ref)
    assert list_snapshots([paths.checkpoints]) == [(ref, snapshot)]
    assert remove_snapshot(paths.checkpoints, ref) > 3 * 5000
    assert list_snapshots([paths.checkpoints]) == []


# Verifying ---------------------------------------------------------------------------------------


def test_damaged_and_missing_files_are_named_and_fetched_again(paths, server):
    snapshot = fetch(paths, server)
    (snapshot / UNET).resolve().write_bytes(bytes(5000))
    (snapshot / "unet/config.json").resolve().write_bytes(b"{}")
    (snapshot / "tokenizer/vocab.json").unlink()
    names = verify(snapshot)
    assert names == ["tokenizer/vocab.json", "unet/config.json", UNET]
    discard_damaged(paths.checkpoints, REF, names)
    assert verify(fetch(paths, server)) == []


def test_files_on_a_disk_without_links_are_verified_as_well(paths, server, monkeypatch):
    def refuse(*_arguments):
        raise OSError(1, "not here")

    monkeypatch.setattr("os.symlink", refuse)
    snapshot = fetch(paths, server)
    assert verify(snapshot) == []
    (snapshot / UNET).write_bytes(bytes(5000))
    assert verify(snapshot) == [UNET]
    discard_damaged(paths.checkpoints, REF, [UNET])
    assert hashlib.sha256((fetch(paths, server) / UNET).read_bytes()).hexdigest() == sha256_of(server.root / REF / UNET)


def test_verifying_tells_how_far_it_is_and_can_be_cancelled(cache, repo):
    snapshot, seen = write_cache(cache, repo), list[DownloadProgress]()
    verify_snapshot(snapshot, seen.append, threading.Event())
    total = sum(path.stat().st_size for path in repo.rglob("*") if path.is_file())
    assert seen[-1] == DownloadProgress(total, total)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        verify_snapshot(snapshot, seen.append, cancelled)


def test_what_is_no_name_on_a_hub_is_refused(paths):
    for function in (find_snapshot, remove_snapshot):
        with pytest.raises(CheckpointError):
            function(paths.checkpoints if function is remove_snapshot else [paths.checkpoints], "../../x")
