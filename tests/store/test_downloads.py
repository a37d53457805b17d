"""Downloads from a hub on this machine: whole, resumed, cancelled, and through every fault; never wrong."""

from __future__ import annotations

import random
import shutil
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest
from hub_repos import QUICK, connections_tried, go_online, write_files, write_repo
from hub_server import CHUNK, HubServer, git_sha1_of, sha256_of
from tiny import write_stable_diffusion

from desktop_app.core.download import DownloadPlan, DownloadProgress, RemoteFile
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub
from desktop_app.store.hub_cache import find_snapshot
from desktop_app.store.hub_errors import HubUnavailable, Patience

REF = "org/name"
UNET = "unet/diffusion_pytorch_model.safetensors"
SIZE = 100_000


@pytest.fixture
def server(tmp_path, monkeypatch):
    go_online(monkeypatch)
    with HubServer(tmp_path / "hub") as running:
        write_repo(running.root / REF, size=SIZE)
        yield running


@pytest.fixture
def downloads(paths, server) -> CheckpointDownloads:
    return make_downloads(paths, server)


def make_downloads(paths, server, *, patience: Patience = QUICK, **hub) -> CheckpointDownloads:
    return CheckpointDownloads(paths, Hub(endpoint=server.url, patience=QUICK, **hub), patience=patience)


def fetch(downloads: CheckpointDownloads, ref: str = REF, report=lambda _: None, cancel=None) -> Path:
    return downloads.fetch(downloads.plan(ref), report, cancel or threading.Event())


def assert_same(snapshot: Path, folder: Path, plan: DownloadPlan) -> None:
    """All planned files are there, with the bytes of the repository, and no others."""
    names = {path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if not path.is_dir()}
    assert names == {file.path for file in plan.files}
    assert all((snapshot / name).read_bytes() == (folder / name).read_bytes() for name in names)


def parts(paths) -> list[Path]:
    return list(paths.checkpoints.rglob("*.part"))


class CancelAt:
    """A cancel flag that is set as soon as so many bytes are here; its `report` is for `fetch`."""

    def __init__(self, done: int) -> None:
        self._done = done
        self._flag = threading.Event()

    def report(self, progress: DownloadProgress) -> None:
        if progress.done >= self._done:
            self._flag.set()

    def is_set(self) -> bool:
        return self._flag.is_set()


# As it should be ---------------------------------------------------------------------------------


def test_a_checkpoint_is_fetched_and_found(downloads, server, paths):
    plan = downloads.plan(REF)
    snapshot = downloads.fetch(plan, lambda _: None, threading.Event())
    assert_same(snapshot, server.root / REF, plan)
    assert find_snapshot([paths.checkpoints], REF) == snapshot
    assert (snapshot / UNET).resolve().name == sha256_of(server.root / REF / UNET)
    assert (snapshot / "unet/config.json").resolve().name == git_sha1_of(server.root / REF / "unet/config.json")
    assert not parts(paths)
    assert not downloads.unfinished()


def test_what_is_here_is_not_fetched_again(downloads, server):
    snapshot, sent = fetch(downloads), server.total_sent()
    plan = downloads.plan(REF)
    assert plan.present_bytes == plan.total_bytes
    assert downloads.fetch(plan, lambda _: None, threading.Event()) == snapshot
    assert server.total_sent() - sent == (server.root / REF / "model_index.json").stat().st_size


def test_progress_goes_up_to_the_whole(downloads, server):
    server.rate = 400_000
    seen: list[DownloadProgress] = []
    plan = downloads.plan(REF)
    downloads.fetch(plan, seen.append, threading.Event())
    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert (seen[-1].done, {progress.total for progress in seen}) == (plan.total_bytes, {plan.total_bytes})


def test_files_with_the_same_contents_are_fetched_once(downloads, server):
    write_files(server.root / REF, {"vae/config.json": '{"sample_size": 64}'})
    assert_same(fetch(downloads), server.root / REF, downloads.plan(REF))
    assert ("unet/config.json" in server.sent) != ("vae/config.json" in server.sent)


def test_a_new_commit_replaces_the_old_one_and_shares_what_is_the_same(downloads, server, paths, tmp_path):
    old = fetch(downloads)
    other = shutil.copytree(server.root / REF, tmp_path / "other")
    write_files(other, {UNET: b"new"})
    server.add_revision(REF, "main", other)
    server.sent.clear()
    new = fetch(downloads)
    assert {path for path in server.sent if path.endswith(".safetensors")} == {UNET}
    assert not old.exists()
    assert find_snapshot([paths.checkpoints], REF) == new


def test_a_download_is_whole_even_if_what_was_before_cannot_be_swept(downloads, server, paths):
    in_the_way = paths.checkpoints / "models--org--name" / "blobs" / ("f" * 40)
    in_the_way.mkdir(parents=True)
    assert_same(fetch(downloads), server.root / REF, downloads.plan(REF))
    assert in_the_way.is_dir()


def test_empty_and_odd_sizes_come_right(downloads, server):
    for size in (0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1):
        write_files(server.root / REF, {UNET: random.Random(size).randbytes(size)})
        server.add_revision(REF, "main", server.root / REF)
        assert (fetch(downloads) / UNET).read_bytes() == (server.root / REF / UNET).read_bytes()


def test_a_disk_without_links_gets_the_files_themselves(downloads, server, paths, monkeypatch):
    def refuse(*_arguments):
        raise OSError(1, "not here")

    monkeypatch.setattr("os.symlink", refuse)
    monkeypatch.setattr("desktop_app.store.hub_cache.os.link", refuse)
    snapshot, plan = fetch(downloads), downloads.plan(REF)
    assert_same(snapshot, server.root / REF, plan)
    assert plan.present_bytes == plan.total_bytes
    assert sum(p.stat().st_size for p in paths.checkpoints.rglob("*.safetensors")) == 3 * SIZE
    assert not [path for path in (snapshot.parent.parent / "blobs").iterdir() if path.stat().st_size == SIZE]


def test_a_real_checkpoint_comes_without_its_safety_checker_and_is_accepted(downloads, server, paths):
    write_stable_diffusion(server.root / "org/real")
    snapshot = fetch(downloads, "org/real")
    assert not (snapshot / "safety_checker").exists()
    assert CheckpointStore(paths).resolve(str(snapshot)) == snapshot


# Faults ------------------------------------------------------------------------------------------

FAULTS = [
    {"cut_after": 40_000},
    {"cut_after": 0, "times": 3},
    {"short_by": 1000},
    {"status": 503, "times": 3},
    {"status": 429, "retry_after": "1"},
    {"has_wrong_bytes": True},
    {"content": b"another file"},
    {"redirect_to": "/org/name/resolve/main/" + UNET},
    {"is_range_ignored": True, "cut_after": 40_000},
    {"has_length": False, "cut_after": 40_000},
    {"has_length": False},
    {"status": 403},
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: "-".join(fault))
def test_a_fault_that_passes_does_no_harm(downloads, server, fault):
    server.fail(f"files/.*{UNET}", **fault)
    assert_same(fetch(downloads), server.root / REF, downloads.plan(REF))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"cut_after": 0}, "connection was cut"),
        ({"is_range_ignored": True, "cut_after": 40_000}, "connection was cut"),
        ({"status": 503}, "answers 503"),
        ({"status": 429}, "too many requests"),
        ({"has_wrong_bytes": True}, "thrown away"),
        ({"content": b"another file"}, "thrown away"),
        ({"redirect_to": "ftp://127.0.0.1/x"}, "no web address"),
        ({"redirect_to": "http://[::1"}, "no web address"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_fault_that_stays_is_told_and_what_is_right_is_kept(downloads, server, fault, words):
    server.fail(f"files/.*{UNET}", times=-1, **fault)
    with pytest.raises(CheckpointError, match=words):
        fetch(downloads)
    assert REF in [unfinished.ref for unfinished in downloads.unfinished()]
    server.heal()
    assert_same(fetch(downloads), server.root / REF, downloads.plan(REF))


def test_an_endless_redirect_is_told(downloads, server):
    server.fail(f"files/.*{UNET}", redirect_to=f"{server.files_url}/files/{UNET}", times=-1)
    with pytest.raises(CheckpointError, match="without end"):
        fetch(downloads)


def test_a_cut_connection_goes_on_at_the_byte(downloads, server):
    server.fail(f"files/.*{UNET}", cut_after=40_000)
    fetch(downloads)
    ranges = [seen.headers.get("range") for seen in server.requests if seen.path.endswith(UNET)]
    assert "bytes=40000-" in ranges
    assert server.sent[UNET] == SIZE


def test_a_stalled_server_is_left_and_asked_again(paths, server):
    server.fail(f"files/.*{UNET}", stall_after=40_000)
    impatient = Patience(tries=8, first_s=0.0, longest_s=0.0, stall_s=0.5)
    fetch(make_downloads(paths, server, patience=impatient))
    assert server.sent[UNET] == SIZE


def test_a_file_that_changed_meanwhile_is_begun_anew(downloads, server):
    server.fail(f"files/.*{UNET}", cut_after=40_000, content=bytes(SIZE))
    assert_same(fetch(downloads), server.root / REF, downloads.plan(REF))
    second = [seen for seen in server.requests if seen.path.startswith("/files/") and seen.path.endswith(UNET)][1]
    assert second.headers["if-range"].startswith('"')
    assert server.sent[UNET] == 40_000 + SIZE


def test_sixty_downloads_with_mixed_faults_end_right_or_with_an_error(paths, server):
    outcomes = {"right": 0, "error": 0}
    for seed in range(60):
        chance, ref = random.Random(seed), f"org/mixed-{seed}"
        folder = write_repo(server.root / ref, size=chance.choice((0, 1, 20_000, 70_000)), seed=seed)
        server.heal()
        for file in folder.rglob("*.*"):
            if chance.random() < 0.5:
                pattern = f"{ref}/.*{file.relative_to(folder).as_posix()}"
                server.fail(pattern, **{**chance.choice(FAULTS), "times": chance.choice((1, 2, 3, 3, 9))})
        downloads = make_downloads(paths, server)
        try:
            assert_same(fetch(downloads, ref), folder, downloads.plan(ref))
            outcomes["right"] += 1
        except CheckpointError:
            outcomes["error"] += 1
        for blob in paths.checkpoints.glob("*/blobs/*"):
            assert blob.suffix or blob.name in (sha256_of(blob), git_sha1_of(blob))
    assert min(outcomes.values()) >= 5


# Cancel, and going on ----------------------------------------------------------------------------


def test_a_cancelled_download_keeps_its_parts_and_goes_on(downloads, server, paths):
    server.rate = 100_000
    flag = CancelAt(50_000)
    with pytest.raises(Cancelled):
        fetch(downloads, report=flag.report, cancel=flag)
    (unfinished,) = downloads.unfinished()
    assert unfinished.ref == REF
    assert 50_000 <= unfinished.done < unfinished.total
    assert find_snapshot([paths.checkpoints], REF) is None
    server.rate = 0
    assert_same(fetch(make_downloads(paths, server)), server.root / REF, downloads.plan(REF))
    assert server.sent[UNET] <= SIZE + 3 * CHUNK


@pytest.mark.timeout(10)
@pytest.mark.parametrize("place", ["resolve", "files"])
def test_a_cancel_ends_the_wait_for_a_server_that_stalls(paths, server, place):
    server.fail(f"/{place}/.*(config|{UNET})", stall_after=0, times=-1)
    flag = CancelAt(1)
    with pytest.raises(Cancelled):
        fetch(make_downloads(paths, server, patience=Patience(stall_s=60)), report=flag.report, cancel=flag)


@pytest.mark.timeout(10)
def test_a_cancel_ends_the_wait_before_the_next_try(paths, server):
    server.fail(f"files/.*{UNET}", status=429, retry_after="60", times=-1)
    flag = CancelAt(2 * SIZE)
    with pytest.raises(Cancelled):
        fetch(make_downloads(paths, server, patience=Patience()), report=flag.report, cancel=flag)


def test_an_unfinished_download_can_be_discarded(downloads, server, paths):
    flag = CancelAt(50_000)
    server.rate = 100_000
    with pytest.raises(Cancelled):
        fetch(downloads, report=flag.report, cancel=flag)
    downloads.discard(REF)
    assert not downloads.unfinished()
    assert not list(paths.checkpoints.glob("models--*"))
    downloads.discard("org/never")


def test_discarding_leaves_what_is_finished_and_sweeps_stray_parts(downloads, server, paths):
    snapshot = fetch(downloads)
    stray = snapshot.parent.parent / "blobs" / f"{'0' * 64}.part"
    stray.touch()
    downloads.discard(REF)
    assert not stray.exists()
    assert_same(snapshot, server.root / REF, downloads.plan(REF))


def test_a_download_goes_on_while_the_hub_does_not_list(downloads, server):
    server.fail(f"files/.*{UNET}", status=503, times=5)
    with pytest.raises(HubUnavailable):
        fetch(downloads)
    server.fail("/api/", status=503, times=-1)
    assert (fetch(downloads) / UNET).stat().st_size == SIZE
    with pytest.raises(HubUnavailable):
        downloads.plan("org/other")


def test_of_two_downloads_of_one_checkpoint_the_second_is_told(downloads, server, paths):
    server.fail(f"files/.*{UNET}", stall_after=1000)
    plan, other = downloads.plan(REF), make_downloads(paths, server)
    errors: list[CheckpointError] = []
    flag = threading.Event()

    def fetch_again(progress: DownloadProgress) -> None:
        if progress.done > SIZE and not flag.is_set():
            flag.set()
            for attempt in (lambda: other.fetch(plan, lambda _: None, threading.Event()), lambda: other.discard(REF)):
                with pytest.raises(CheckpointError, match="already") as caught:
                    attempt()
                errors.append(caught.value)

    with pytest.raises(Cancelled):
        downloads.fetch(plan, fetch_again, flag)
    assert len(errors) == 2
    assert_same(fetch(other), server.root / REF, plan)


# Refused before anything is fetched --------------------------------------------------------------


def test_too_little_space_is_told_before_anything_is_fetched(downloads, server, monkeypatch):
    plan, sent = downloads.plan(REF), server.total_sent()
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(200_000_000))
    with pytest.raises(CheckpointError, match=r"268\.\d MB are needed|0\.3 GB are needed.* 0\.2 GB are free"):
        downloads.fetch(plan, lambda _: None, threading.Event())
    assert server.total_sent() == sent


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of a process")
def test_a_disk_that_gets_full_meanwhile_is_told_and_what_is_here_is_kept(downloads, server, paths):
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    plan = downloads.plan(REF)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SIZE // 2, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="The disk is full"):
            downloads.fetch(plan, lambda _: None, threading.Event())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert max(part.stat().st_size for part in parts(paths)) == SIZE // 2
    assert_same(fetch(downloads), server.root / REF, plan)


def test_offline_means_that_no_connection_is_tried(downloads, paths, server):
    plan = downloads.plan(REF)
    offline = make_downloads(paths, server, is_online=lambda: False)
    with connections_tried() as tried:
        for attempt in (lambda: offline.plan(REF), lambda: offline.fetch(plan, lambda _: None, threading.Event())):
            with pytest.raises(HubUnavailable, match="switched off"):
                attempt()
    assert not tried


def test_switching_the_network_off_ends_a_download(paths, server):
    server.fail(f"files/.*{UNET}", stall_after=1000)
    flag = CancelAt(2 * SIZE)
    downloads = make_downloads(paths, server, is_online=lambda: not flag.is_set())
    with pytest.raises(HubUnavailable, match="switched off"):
        fetch(downloads, report=flag.report)


@pytest.mark.parametrize(
    "file",
    [
        RemoteFile("../out", 1, "0" * 40),
        RemoteFile("/out", 1, "0" * 40),
        RemoteFile("out", 1, "../../out"),
        RemoteFile("out", 1, "", "../../out"),
        RemoteFile("out", -1, "0" * 40),
    ],
)
def test_a_plan_that_leads_out_is_refused_wherever_it_comes_from(downloads, paths, file):
    with pytest.raises(CheckpointError, match="refused"):
        downloads.fetch(DownloadPlan(REF, "0" * 40, (file,)), lambda _: None, threading.Event())
    assert not list(paths.checkpoints.iterdir())


def test_a_commit_that_leads_out_is_refused(downloads, paths):
    with pytest.raises(CheckpointError, match="refused"):
        downloads.fetch(
            DownloadPlan(REF, "../../out", (RemoteFile("out", 1, "0" * 40),)), lambda _: None, threading.Event()
        )
    assert not list(paths.checkpoints.iterdir())
