"""Downloads: at most two at once, paused, resumed and cancelled, kept over a restart, and asked about when unsafe."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from checkpoint_cases import FILE_BYTES, GATED, SLICE, FolderDownloads, convert_by_renaming

from desktop_app.core.errors import CheckpointError
from desktop_app.studio.downloads import AT_ONCE, Downloads, DownloadState


@pytest.fixture
def source(tmp_path) -> FolderDownloads:
    made = FolderDownloads(tmp_path / "hub", tmp_path / "checkpoints")
    for ref in ("org/one", "org/two", "org/three"):
        made.add(ref)
    return made


@pytest.fixture
def make(qapp, source):
    """Makes downloads on the same folders, as after a restart."""
    made: list[Downloads] = []

    def make_one(**changes) -> Downloads:
        made.append(Downloads(source, changes.pop("convert", convert_by_renaming), **changes))
        return made[-1]

    yield make_one
    for downloads in made:
        downloads.close()


@pytest.fixture
def downloads(make) -> Downloads:
    return make()


def wait_for(qtbot, downloads: Downloads, ref: str, state: DownloadState) -> None:
    qtbot.waitUntil(lambda: downloads.find(ref) is not None and downloads.find(ref).state is state)


def done_of(downloads: Downloads, ref: str) -> int:
    progress = downloads.find(ref).progress
    return progress.done if progress else 0


def begin(qtbot, source, downloads: Downloads, ref: str, slices: int = 3) -> None:
    """A download of which some slices are here, and no more come by themselves."""
    downloads.start(ref)
    source.allow(slices)
    qtbot.waitUntil(lambda: len(source.unfinished()) > 0 and source.unfinished()[0].done == slices * SLICE)


def test_what_was_fetched_is_told_with_its_folder(qtbot, source, downloads):
    source.allow()
    with qtbot.waitSignal(downloads.finished) as finished:
        downloads.start("org/one")
    ref, folder = finished.args
    assert ref == "org/one"
    assert source.content_of(folder) == source.content_of(source.source / ref)
    assert downloads.find(ref).state is DownloadState.DONE
    downloads.forget_done()
    assert downloads.find(ref) is None


def test_a_third_waits_for_its_turn(qtbot, source, downloads):
    for ref in ("org/one", "org/two", "org/three"):
        downloads.start(ref)
        qtbot.waitUntil(lambda ref=ref: downloads.find(ref).plan is not None)
    wait_for(qtbot, downloads, "org/three", DownloadState.WAITING)
    assert len(source.fetching) <= AT_ONCE
    assert downloads.find("org/three").progress.total == FILE_BYTES
    downloads.pause("org/one")
    wait_for(qtbot, downloads, "org/three", DownloadState.RUNNING)


def test_progress_is_told_with_rate_and_time(qtbot, source, downloads):
    downloads.start("org/one")
    source.allow(1)
    qtbot.waitUntil(lambda: done_of(downloads, "org/one") == SLICE)
    progress = downloads.find("org/one").progress
    assert (progress.total, progress.rate, progress.seconds_left) == (FILE_BYTES, 1e6, 3.0)


def test_paused_it_keeps_what_is_here_and_goes_on_from_there(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.pause("org/one")
    wait_for(qtbot, downloads, "org/one", DownloadState.PAUSED)
    assert source.unfinished()[0].done == 3 * SLICE
    source.allow(FILE_BYTES // SLICE - 3)
    with qtbot.waitSignal(downloads.finished) as finished:
        downloads.resume("org/one")
    assert source.content_of(finished.args[1]) == source.content_of(source.source / "org/one")


def test_cancelled_it_leaves_nothing(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.cancel("org/one")
    qtbot.waitUntil(lambda: downloads.find("org/one") is None)
    assert not source.unfinished()


def test_a_paused_one_can_be_cancelled(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.pause("org/one")
    wait_for(qtbot, downloads, "org/one", DownloadState.PAUSED)
    downloads.cancel("org/one")
    qtbot.waitUntil(lambda: downloads.find("org/one") is None)
    assert not source.unfinished()


def test_unfinished_ones_are_there_after_a_restart_and_go_on(qtbot, source, make):
    with closing(make()) as before:
        begin(qtbot, source, before, "org/one")
    after = make()
    after.restore()
    wait_for(qtbot, after, "org/one", DownloadState.PAUSED)
    assert done_of(after, "org/one") == 3 * SLICE
    source.allow(FILE_BYTES // SLICE - 3)
    with qtbot.waitSignal(after.finished) as finished:
        after.resume("org/one")
    assert source.content_of(finished.args[1]) == source.content_of(source.source / "org/one")


def test_closing_stops_all_and_tells_nothing_more(qtbot, qapp, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    heard = []
    downloads.changed.connect(heard.append)
    assert downloads.close()
    qapp.sendPostedEvents()
    assert not heard
    assert source.unfinished()[0].done == 3 * SLICE


def test_a_source_that_does_not_answer_does_not_keep_the_program_open(qtbot, make, source, monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr(source, "plan", lambda _ref: answer.wait(30))
    downloads = make()
    downloads.start("org/one")
    assert not downloads.close()
    answer.set()


def test_a_refused_licence_is_an_error_that_another_try_overcomes(qtbot, source, downloads):
    source.add(GATED)
    with qtbot.waitSignal(downloads.failed) as failed:
        downloads.start(GATED)
    assert failed.args[1].title == downloads.find(GATED).error.title == "The licence is not accepted"
    source.accepted.add(GATED)
    source.allow()
    with qtbot.waitSignal(downloads.finished):
        downloads.retry(GATED)
    assert downloads.find(GATED).error is None


def test_a_failed_one_keeps_no_other_from_running(qtbot, source, downloads):
    for ref in ("org/missing", "org/missing-too", "org/one"):
        downloads.start(ref)
    source.allow()
    qtbot.waitUntil(lambda: downloads.find("org/one").state is DownloadState.DONE)
    assert downloads.find("org/missing").state is DownloadState.FAILED


def test_pickles_are_converted_only_after_the_user_has_agreed(qtbot, source, downloads):
    source.add("org/pickles", ["unet.bin"])
    source.allow()
    with qtbot.waitSignal(downloads.consent_needed) as asked:
        downloads.start("org/pickles")
    assert asked.args[1].is_pickled
    assert not source.fetching
    with qtbot.waitSignal(downloads.finished) as finished:
        downloads.agree("org/pickles")
    assert [path.name for path in finished.args[1].iterdir()] == ["unet.safetensors"]


def test_declined_pickles_are_not_fetched(qtbot, source, downloads):
    source.add("org/pickles", ["unet.bin"])
    with qtbot.waitSignal(downloads.consent_needed):
        downloads.start("org/pickles")
    downloads.decline("org/pickles")
    qtbot.waitUntil(lambda: downloads.find("org/pickles") is None)
    assert not source.fetching


def test_declined_after_a_restart_what_is_here_stays(qtbot, source, make):
    source.add("org/pickles", ["unet.bin"])
    with closing(make()) as before:
        with qtbot.waitSignal(before.consent_needed):
            before.start("org/pickles")
        before.agree("org/pickles")
        source.allow(3)
        qtbot.waitUntil(lambda: bool(source.unfinished()) and source.unfinished()[0].done == 3 * SLICE)
    after = make()
    after.restore()
    wait_for(qtbot, after, "org/pickles", DownloadState.PAUSED)
    with qtbot.waitSignal(after.consent_needed):
        after.resume("org/pickles")
    after.decline("org/pickles")
    assert after.find("org/pickles").state is DownloadState.PAUSED
    assert source.unfinished()[0].done == 3 * SLICE


def test_a_conversion_that_fails_is_told(qtbot, source, make):
    def refuse(*_args):
        raise CheckpointError("The pickle is refused", "it holds a program")

    downloads = make(convert=refuse)
    source.add("org/pickles", ["unet.bin"])
    source.allow()
    with qtbot.waitSignal(downloads.consent_needed):
        downloads.start("org/pickles")
    with qtbot.waitSignal(downloads.failed) as failed:
        downloads.agree("org/pickles")
    assert failed.args[1].title == "The pickle is refused"


def test_without_network_nothing_is_tried_and_with_it_again_all_go_on(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.set_online(False)
    wait_for(qtbot, downloads, "org/one", DownloadState.PAUSED)
    downloads.start("org/two")
    assert downloads.find("org/two").state is DownloadState.PAUSED
    assert source.fetching == ["org/one"]
    source.allow()
    downloads.set_online(True)
    qtbot.waitUntil(lambda: all(each.state is DownloadState.DONE for each in downloads.all))


def test_one_that_the_user_paused_stays_so_when_the_network_comes_back(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.pause("org/one")
    downloads.set_online(False)
    wait_for(qtbot, downloads, "org/one", DownloadState.PAUSED)
    downloads.set_online(True)
    assert downloads.find("org/one").state is DownloadState.PAUSED


def test_resumed_while_it_is_stopping_it_goes_on(qtbot, source, downloads):
    begin(qtbot, source, downloads, "org/one")
    downloads.pause("org/one")
    assert downloads.find("org/one").state is DownloadState.PAUSING
    downloads.resume("org/one")
    source.allow()
    wait_for(qtbot, downloads, "org/one", DownloadState.DONE)


def test_an_answer_of_the_hub_that_comes_too_late_is_dropped(qtbot, source, downloads):
    downloads.start("org/one")
    downloads.cancel("org/one")
    qtbot.waitUntil(lambda: downloads.find("org/one") is None)
    source.allow()
    with qtbot.waitSignal(downloads.finished) as finished:
        downloads.start("org/one")
    assert finished.args[0] == "org/one"
    assert source.fetching == ["org/one"]
