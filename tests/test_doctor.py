"""What ``doctor`` says of the device, and of what would run on it."""

from __future__ import annotations

import argparse
import re
from dataclasses import replace
from pathlib import Path

import pytest

from desktop_app.cli import doctor as report
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.engine import EngineStatus
from desktop_app.core.memory import MemoryPlan, PartSize, Verdict

GB = 10**9
SDXL = CheckpointInfo(
    ref="xl",
    label="XL",
    path=Path("xl"),
    family="Stable Diffusion XL",
    native_size=1024,
    multiple=8,
    max_tokens=77,
    tokenizer=None,
    size_bytes=7 * GB,
    parts=tuple(
        PartSize(name, count, 2 * count)
        for name, count in {"unet": 2567 * 10**6, "vae": 84 * 10**6, "text_encoder_2": 695 * 10**6}.items()
    ),
)
CARD = EngineStatus("cuda", "A card", 0, 24 * GB, {}, 24 * GB, 64 * GB, "bfloat16", "PyTorch SDPA")


@pytest.mark.parametrize(
    ("free", "words"),
    [
        (24, "ready; fits in memory (about 8.3 GB)"),
        (8, "ready; with offload: part by part"),
        (3, "ready; with offload: layer by layer"),
        (0.5, "TOO LARGE for the memory that is free now: even one layer at a time, decoded in tiles it needs about"),
    ],
)
def test_what_would_become_of_a_checkpoint_is_told_with_an_estimate(free, words):
    choice = report.what_would_run(SDXL, replace(CARD, memory_free=int(free * GB)))
    assert words in report._fit(choice)
    assert re.search(r"about [\d.]+ [MG]B", report._fit(choice))


def test_a_machine_without_a_card_needs_twice_the_memory_and_has_only_the_disk_beside_it():
    machine = replace(CARD, device="cpu", dtype="float32")
    assert report.what_would_run(SDXL, replace(machine, memory_free=18 * GB)).verdict is Verdict.FITS
    assert report.what_would_run(SDXL, machine).peak_bytes == 2 * report.what_would_run(SDXL, CARD).peak_bytes
    small = report.what_would_run(SDXL, replace(machine, memory_free=5 * GB))
    assert small.plan is MemoryPlan.GROUP_OFFLOAD


def test_a_checkpoint_that_makes_no_picture_is_judged_by_its_weights():
    prior = replace(SDXL, native_size=0, parts=(PartSize("prior", 10**9, 2 * GB),))
    assert report.what_would_run(prior, CARD).peak_bytes == 2 * GB


def test_the_devices_memory_number_format_and_attention_are_told():
    lines = dict(report._tell_devices(CARD))
    assert lines["engine runs on"] == "cuda A card, 24.0 GB of 24.0 GB free"
    assert lines["number format"] == "bfloat16"
    assert lines["attention"] == "PyTorch SDPA"


def test_an_engine_that_does_not_start_is_told_and_the_checkpoints_all_the_same(data_dir, monkeypatch, capsys):
    monkeypatch.setattr(report, "_ask_engine", lambda paths: "torch is not there")
    assert report.doctor(argparse.Namespace(data_dir=data_dir)) == 0
    told = capsys.readouterr().out
    assert "DOES NOT START: torch is not there" in told
    assert "whole, but there is no engine to run it" in told


def test_a_whole_report_tells_what_would_run_where(data_dir, capsys):
    assert report.doctor(argparse.Namespace(data_dir=data_dir)) == 0
    told = capsys.readouterr().out
    assert re.search(r"engine runs on +cpu .*[\d.]+ GB of [\d.]+ GB free", told)
    assert re.search(r"number format +float32", told)
    assert re.search(r"attention +PyTorch SDPA \(xFormers not installed\)", told)
    assert re.search(r"starter .*ready; fits in memory \(about 52 MB\)", told)
