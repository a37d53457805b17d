"""The real stores behind the Checkpoints window, with a hub on this machine: fetched, stopped, resumed, converted."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from hub_repos import QUICK, go_online, write_repo
from hub_server import HubServer
from support import STARTER

from desktop_app.core.checkpoint import CheckpointInfo, Home
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub
from desktop_app.studio.checkpoint_access import CheckpointSource, access_to, converter
from desktop_app.studio.checkpoint_rows import CheckpointAccess, read_survey
from desktop_app.studio.downloads import Downloads, DownloadState

REF, PICKLED, GATED, ICONS = "org/weights", "org/pickles", "org/gated", "org/icons"
RATE = 40_000
"""Bytes a second of a connection, so that a download of `SIZE` lasts."""

SIZE = 120_000


@pytest.fixture
def hub(tmp_path, monkeypatch):
    go_online(monkeypatch)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "shared"))
    with HubServer(tmp_path / "hub") as running:
        write_repo(running.root / REF, size=SIZE)
        write_repo(running.root / PICKLED, kinds=("bin",))
        write_repo(running.root / GATED)
        shutil.copytree(STARTER, running.root / ICONS)
        running.gated[GATED] = "hf_right"
        yield running


@pytest.fixture
def access(hub, paths) -> CheckpointAccess:
    return access_to(paths)


@pytest.fixture
def tokens() -> list[str]:
    """The token that the hub is given is the last one."""
    return []


@pytest.fixture
def make(qapp, hub, paths, tokens):
    """Makes downloads on the same data folder, as after a restart."""
    made: list[Downloads] = []

    def make_one() -> Downloads:
        client = Hub(endpoint=hub.url, patience=QUICK, token=lambda: tokens[-1] if tokens else None)
        source = CheckpointSource(paths, CheckpointDownloads(paths, client, patience=QUICK))
        made.append(Downloads(source, converter(paths, convert_by_name)))
        return made[-1]

    yield make_one
    for downloads in made:
        assert downloads.close()


def convert_by_name(source: Path, target: Path, _report, _cancel) -> Path:
    """In place of the process that converts, which has tests of its own."""
    shutil.copytree(source, target)
    for path in target.rglob("*.bin"):
        path.rename(path.with_suffix(".safetensors"))
    return target


def begin(qtbot, hub: HubServer, downloads: Downloads) -> None:
    """A slow download of which something is here."""
    hub.rate = RATE
    downloads.start(REF)
    qtbot.waitUntil(lambda: is_begun(downloads))
    assert downloads.find(REF).state is DownloadState.RUNNING


def is_begun(downloads: Downloads) -> bool:
    progress = downloads.find(REF).progress
    return progress is not None and progress.done > 20_000


def test_what_is_downloaded_is_installed_verified_and_removed(qtbot, hub, make, access, paths):
    downloads = make()
    with qtbot.waitSignal(downloads.finished, timeout=20_000) as finished:
        downloads.start(ICONS)
    found = {each.ref: each for each in read_survey(access).installed}[ICONS]
    assert (found.place, found.path, found.error) == (Home.OWN, finished.args[1], None)
    assert found.size_bytes > 10_000_000
    assert list(access.verify(ICONS, lambda _: None, downloads.find(ICONS).cancel)) == []
    assert access.remove(ICONS) > 10_000_000
    assert ICONS not in access.survey()


def test_a_download_is_paused_and_goes_on_from_there_after_a_restart(qtbot, hub, make):
    with closing(make()) as before:
        begin(qtbot, hub, before)
        before.pause(REF)
        qtbot.waitUntil(lambda: before.find(REF).state is DownloadState.PAUSED)
    sent = hub.total_sent()
    after = make()
    after.restore()
    qtbot.waitUntil(lambda: after.find(REF) is not None)
    assert after.find(REF).progress.done > 20_000
    hub.rate = 0
    with qtbot.waitSignal(after.finished, timeout=20_000):
        after.resume(REF)
    assert hub.total_sent() - sent < after.find(REF).total


def test_closing_in_the_middle_keeps_what_is_here(qtbot, hub, make):
    before = make()
    begin(qtbot, hub, before)
    assert before.close()
    after = make()
    after.restore()
    qtbot.waitUntil(lambda: after.find(REF) is not None)
    assert after.find(REF).state is DownloadState.PAUSED
    assert after.find(REF).progress.done > 0


def test_cancelled_it_leaves_nothing_on_the_disk(qtbot, hub, make, paths):
    downloads = make()
    begin(qtbot, hub, downloads)
    downloads.cancel(REF)
    qtbot.waitUntil(lambda: downloads.find(REF) is None)
    assert not [path for path in paths.checkpoints.rglob("*") if path.is_file() and path.stat().st_size > 1000]


def test_a_gated_one_comes_once_the_token_is_there(qtbot, hub, make, tokens):
    downloads = make()
    with qtbot.waitSignal(downloads.failed) as failed:
        downloads.start(GATED)
    assert "token" in failed.args[1].hint
    tokens.append("hf_right")
    with qtbot.waitSignal(downloads.finished, timeout=20_000):
        downloads.retry(GATED)


def test_pickles_are_converted_under_the_same_ref(qtbot, hub, make, paths):
    downloads = make()
    with qtbot.waitSignal(downloads.consent_needed):
        downloads.start(PICKLED)
    with qtbot.waitSignal(downloads.finished, timeout=20_000) as finished:
        downloads.agree(PICKLED)
    assert finished.args[1] == paths.converted(PICKLED)
    assert not list(paths.checkpoints.rglob("*.bin"))


def test_pickles_of_another_program_are_converted_without_a_connection(qtbot, hub, make, access, paths, tmp_path):
    snapshot = tmp_path / "shared" / "models--org--pickles" / "snapshots" / ("0" * 40)
    shutil.copytree(hub.root / PICKLED, snapshot)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("0" * 40)
    found = {each.ref: each for each in read_survey(access_to(paths)).installed}[PICKLED]
    assert (found.place, found.is_pickled, found.path) == (Home.SHARED, True, snapshot)
    downloads = make()
    downloads.set_online(False)
    with qtbot.waitSignal(downloads.consent_needed):
        downloads.start(PICKLED, is_local=True)
    with qtbot.waitSignal(downloads.finished):
        downloads.agree(PICKLED)
    assert not hub.requests
    assert len(list(snapshot.rglob("*.bin"))) == 4


def test_a_file_is_imported_and_a_folder_used_where_it_is(access, tmp_path, paths):
    folder = shutil.copytree(STARTER, tmp_path / "mix")
    ref = access.bring_in(folder, lambda _: None, None)
    info = access.survey()[ref]
    assert isinstance(info, CheckpointInfo)
    assert access.homes.home_of(info.path) is Home.ELSEWHERE
    assert access.remove(ref) == 0
    assert ref not in access.survey()
    assert folder.is_dir()


def test_damaged_files_are_thrown_away_and_fetched_again(qtbot, hub, make, access):
    downloads = make()
    with qtbot.waitSignal(downloads.finished, timeout=20_000) as finished:
        downloads.start(ICONS)
    weights = next(finished.args[1].rglob("*.safetensors"))
    weights.resolve().chmod(0o644)
    weights.resolve().write_bytes(b"x" * weights.stat().st_size)
    damaged = access.verify(ICONS, lambda _: None, downloads.find(ICONS).cancel)
    assert len(damaged) == 1
    access.discard(ICONS, damaged)
    with qtbot.waitSignal(downloads.finished, timeout=20_000):
        downloads.start(ICONS)
    assert not access.verify(ICONS, lambda _: None, downloads.find(ICONS).cancel)


def test_a_folder_that_is_gone_is_said_to_be_so_and_can_be_forgotten(access, tmp_path):
    folder = shutil.copytree(STARTER, tmp_path / "mix")
    ref = access.bring_in(folder, lambda _: None, None)
    shutil.rmtree(folder)
    found = {each.ref: each for each in read_survey(access).installed}[ref]
    assert (found.label, found.error is not None) == ("mix", True)
    assert access.remove(ref) == 0
    assert ref not in access.survey()
