"""How soon the window stands, and whether it ever stalls. Prints figures (``-s`` shows them), asserts no speed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import PROJECT

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

PROBE = Path(__file__).with_name("window_probe.py")
SAMPLE = PROJECT / "resources" / "samples" / "drawing.png"


def probe(data_dir: Path, *image: Path) -> dict:
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, PROBE, data_dir, *image], capture_output=True, text=True, env=variables, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_first_paint_of_the_second_start(data_dir, capsys):
    probe(data_dir)
    times = [probe(data_dir) for _ in range(3)]
    with capsys.disabled():
        print("\nfirst paint, second start:", [facts["first_paint_s"] for facts in times], "s")
    assert not any(facts["torch_in_window"] for facts in times)


def test_stalls_of_the_window_while_the_engine_starts_loads_and_paints(data_dir, capsys):
    facts = probe(data_dir, SAMPLE)
    with capsys.disabled():
        print("\nlongest stall:", facts["longest_stall_ms"], "ms; by phase:", facts["stalls_by_phase_ms"])
    assert facts["beats"] > 100
