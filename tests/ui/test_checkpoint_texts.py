"""What is said of checkpoints and their downloads."""

from __future__ import annotations

from dataclasses import replace

import pytest
from checkpoint_cases import CATALOG

from desktop_app.core.catalog import Role
from desktop_app.core.download import DownloadProgress
from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import CheckpointError
from desktop_app.core.memory import PartSize
from desktop_app.studio.checkpoint_judge import judge_by
from desktop_app.studio.checkpoint_rows import CheckpointRow, Installed, Section
from desktop_app.studio.checkpoint_work import Task, WorkKind
from desktop_app.studio.downloads import Download, DownloadState
from desktop_app.ui.checkpoint_commands import hub_page
from desktop_app.ui.checkpoint_texts import (
    amount,
    download_text,
    memory_text,
    needs_token,
    row_text,
    share_done,
    task_text,
    use_text,
)

GB = 2**30


@pytest.mark.parametrize(
    ("done", "total", "text"),
    [
        (int(1.2 * GB), int(6.9 * GB), "1.3 of 7.4 GB"),
        (300 * 2**20, int(6.9 * GB), "0.3 of 7.4 GB"),
        (0, 20 * 2**20, "0.0 of 21.0 MB"),
        (7, 12, "7 of 12 bytes"),
        (7, 0, "7 bytes"),
    ],
)
def test_both_numbers_are_in_one_unit(done, total, text):
    assert amount(done, total) == text


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (DownloadState.RUNNING, "1.3 of 7.4 GB · 14.7 MB/s · 6:40 left"),
        (DownloadState.PAUSED, "Paused · 1.3 of 7.4 GB"),
        (DownloadState.WAITING, "Waits for its turn · 1.3 of 7.4 GB"),
        (DownloadState.PLANNING, "Asking the hub…"),
        (DownloadState.ASKING, "Waits for your answer"),
        (DownloadState.CONVERTING, "Converting 17 %"),
        (DownloadState.CANCELLING, "Cancelling…"),
    ],
)
def test_where_a_download_stands(state, text):
    progress = DownloadProgress(int(1.2 * GB), int(6.9 * GB), 14 * 2**20, 400)
    assert download_text(Download("org/one", state, progress=progress)) == text


def test_what_stops_a_download_is_said():
    assert download_text(Download("a/b", DownloadState.FAILED, error=CheckpointError("No space"))) == "No space"
    held = Download("a/b", DownloadState.PAUSED, is_held=True)
    assert download_text(held) == "Paused: the network is off"


def test_a_download_that_gets_nothing_says_so():
    waiting = DownloadProgress(50, 100, 0.0)
    assert (
        download_text(Download("a/b", DownloadState.RUNNING, progress=waiting))
        == "50 of 100 bytes · waiting for the hub"
    )
    done = DownloadProgress(100, 100, 0.0)
    assert download_text(Download("a/b", DownloadState.RUNNING, progress=done)) == "100 of 100 bytes"


@pytest.mark.parametrize(("done", "total", "share"), [(0, 0, 0), (5, 10, 0.5), (12, 10, 1), (-1, 10, 0)])
def test_the_share_is_within_its_range(done, total, share):
    assert share_done(DownloadProgress(done, total)) == share


def test_a_row_is_one_sentence_for_a_screen_reader():
    entry = CATALOG[3]
    row = CheckpointRow(Section.AVAILABLE, entry.ref, entry.label, entry.family, entry.size_bytes, entry=entry)
    assert row_text(row) == "Gated, Flux, Available, 30.0 GB, licence to accept, Non-commercial"
    download = Download("a/b", DownloadState.RUNNING, progress=DownloadProgress(50, 100))
    running = CheckpointRow(Section.DOWNLOADING, "a/b", "One", download=download)
    assert row_text(running) == "One, 50 %, 50 of 100 bytes"
    assert row_text(CheckpointRow(Section.INSTALLED, count=3)) == "Installed (3)"


def test_what_does_not_paint_says_what_it_is():
    entry = replace(CATALOG[1], role=Role.UPSCALER)
    row = CheckpointRow(Section.AVAILABLE, entry.ref, entry.label, entry.family, entry=entry)
    assert row_text(row) == "Refiner, Stable Diffusion XL refiner, Available, upscaler, OpenRAIL"
    assert not row.can_paint


def test_a_pixel_upscaler_says_how_much_larger_it_makes():
    installed = Installed("4x-Sharp", "4x-Sharp", "Pixel upscaler", role=Role.UPSCALER, scale=4)
    row = CheckpointRow(Section.INSTALLED, "4x-Sharp", "4x-Sharp", "Pixel upscaler", installed=installed)
    assert row_text(row) == "4x-Sharp, Pixel upscaler, Installed, upscaler ×4"
    assert use_text(row) == "makes a picture larger, as a card of the chain"


def test_what_paints_needs_no_word_on_its_use():
    assert use_text(CheckpointRow(Section.INSTALLED, "a/b", "One")) == ""


def test_what_would_run_where_is_a_sentence_with_numbers():
    status = EngineStatus("cuda", "Some card", 0, 12 * GB, {}, 10 * GB, 16 * GB, "float16")
    small, large, huge = (
        memory_text(CheckpointRow(Section.AVAILABLE, "a/b", judgement=judge_by(status)((part,), 512)))
        for part in (PartSize("unet", count * 10**9, 2 * count * 10**9) for count in (1, 6, 40))
    )
    assert small.startswith("Runs on Some card (cuda), all in memory.")
    assert "About 2.1 GB for a picture of 512 × 512 pixels." in small
    assert "The weights wait in main memory: about 12.0 GB." in large
    assert huge.startswith("Too large for this computer (Some card (cuda)), even one layer at a time.")
    assert memory_text(CheckpointRow(Section.AVAILABLE, "a/b")) == ""


def test_who_is_told_of_the_token():
    gated = CheckpointRow(Section.AVAILABLE, CATALOG[3].ref, entry=CATALOG[3])
    assert needs_token(gated)
    private = Download("a/b", DownloadState.FAILED, error=CheckpointError("No", "", "It needs your access token."))
    assert needs_token(CheckpointRow(Section.DOWNLOADING, "a/b", download=private))
    full = Download("a/b", DownloadState.FAILED, error=CheckpointError("The disk is full"))
    assert not needs_token(CheckpointRow(Section.DOWNLOADING, "a/b", download=full))


@pytest.mark.parametrize(
    ("task", "text"),
    [
        (Task(WorkKind.VERIFY, "a/b"), "Verifying…"),
        (Task(WorkKind.VERIFY, "a/b", outcome=[], is_running=False), "Verified: no damage was found."),
        (Task(WorkKind.VERIFY, "a/b", outcome=["x", "y"], is_running=False), "2 files are damaged: x, y"),
        (Task(WorkKind.BRING_IN, "/art/dream.safetensors"), "Importing dream.safetensors…"),
        (Task(WorkKind.REMOVE, "a/b"), "Removing…"),
        (Task(WorkKind.REMOVE, "a/b", is_running=False), ""),
    ],
)
def test_what_is_said_of_work_on_a_checkpoint(task, text):
    assert task_text(task) == text


@pytest.mark.parametrize(
    ("ref", "page"),
    [("org/name", "https://huggingface.co/org/name"), ("org/name@v1", "https://huggingface.co/org/name"), ("/x/y", "")],
)
def test_only_what_is_from_the_hub_has_a_page_there(ref, page):
    assert hub_page(ref) == page
