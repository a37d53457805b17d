"""The window as a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support import PROJECT

PROBE = PROJECT / "tests" / "benchmarks" / "window_probe.py"
SAMPLE = PROJECT / "resources" / "samples" / "drawing.png"


@pytest.mark.timeout(300)
def test_a_window_that_has_painted_pictures_has_never_imported_torch(data_dir):
    variables = {**os.environ, "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(
        [sys.executable, PROBE, data_dir, SAMPLE], capture_output=True, text=True, env=variables, timeout=280
    )
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert not facts["torch_in_window"]
    assert "denoising" in facts["stalls_by_phase_ms"]
    assert len(list((data_dir / "gallery").glob("*/*.png"))) == 2 + 1  # two results, and the init image they share
