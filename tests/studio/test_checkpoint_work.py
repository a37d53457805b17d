"""CheckpointWork: verifying, removing and importing, on threads, with progress and an end."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path

import pytest
from checkpoint_cases import make_access

from desktop_app.core.download import DownloadProgress
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_work import CheckpointWork, WorkKind


class Disk:
    """Does what it is asked when it is let; one checkpoint is damaged, one cannot be removed."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.removed: list[str] = []

    def verify(self, ref, report, cancel):
        report(DownloadProgress(1, 4))
        while not self.may_go_on.wait(0.01):
            if cancel.is_set():
                raise Cancelled
        return ["unet.safetensors"] if "damaged" in ref else []

    def remove(self, ref):
        if "locked" in ref:
            raise CheckpointError("It cannot be removed")
        self.removed.append(ref)
        return 4000

    def discard(self, ref, names):
        self.removed += [f"{ref}/{name}" for name in names]

    def bring_in(self, path, _report, _cancel):
        return f"imported/{path.stem}"


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def work(qapp, disk):
    homes = Homes(Path("/own"), Path("/program"))
    access = make_access(homes, remove=disk.remove, discard=disk.discard, verify=disk.verify, bring_in=disk.bring_in)
    with closing(CheckpointWork(access)) as made:
        yield made


def test_damaged_files_are_named(qtbot, work, disk):
    disk.may_go_on.set()
    with qtbot.waitSignal(work.done) as done:
        work.verify("org/damaged")
    assert done.args[0].outcome == ["unet.safetensors"]
    assert work.find("org/damaged").outcome == ["unet.safetensors"]


def test_progress_is_told_and_work_can_be_stopped(qtbot, work):
    work.verify("org/one")
    qtbot.waitUntil(lambda: work.find("org/one").progress == DownloadProgress(1, 4))
    assert [task.ref for task in work.running] == ["org/one"]
    work.cancel("org/one")
    qtbot.waitUntil(lambda: work.find("org/one") is None)


def test_nothing_is_begun_with_what_is_being_worked_on(qtbot, work, disk):
    work.verify("org/one")
    work.remove("org/one")
    assert work.find("org/one").kind is WorkKind.VERIFY
    disk.may_go_on.set()
    qtbot.waitUntil(lambda: not work.running)
    assert not disk.removed


def test_what_is_removed_says_how_many_bytes_are_free_now(qtbot, work, disk):
    with qtbot.waitSignal(work.done) as done:
        work.remove("org/one")
    assert (done.args[0].outcome, disk.removed) == (4000, ["org/one"])


def test_damaged_files_are_thrown_away(qtbot, work, disk):
    with qtbot.waitSignal(work.done) as done:
        work.discard("org/one", ["unet.safetensors"])
    assert done.args[0].kind is WorkKind.DISCARD
    assert disk.removed == ["org/one/unet.safetensors"]


def test_an_import_ends_with_its_ref(qtbot, work, tmp_path):
    with qtbot.waitSignal(work.done) as done:
        work.bring_in(tmp_path / "dream.safetensors")
    assert done.args[0].outcome == "imported/dream"


def test_what_fails_keeps_its_error(qtbot, work):
    with qtbot.waitSignal(work.failed) as failed:
        work.remove("org/locked")
    assert failed.args[1].title == work.find("org/locked").error.title == "It cannot be removed"


def test_closing_stops_what_runs(work):
    work.verify("org/one")
    assert work.close()
