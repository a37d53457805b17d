"""From an empty data folder: a recipe is picked and downloaded, the program is killed meanwhile, goes on and paints."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading

import pytest
from hub_server import HubServer
from PIL import Image
from support import PROJECT
from tiny import write_stable_diffusion

PROBE = PROJECT / "tests" / "e2e" / "hub_probe.py"
REF = "stable-diffusion-v1-5/stable-diffusion-v1-5"
LONGEST_S = 120
"""Then a program that waits for ever is ended."""

KILL_AT = 0.3
"""Share of the download that is here when the program is killed."""


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    """What the hub has."""
    root = tmp_path_factory.mktemp("hub")
    write_stable_diffusion(root / REF)
    return root


@pytest.fixture
def hub(repositories):
    with HubServer(repositories) as server:
        yield server


@pytest.fixture
def start(hub, data_dir):
    """Starts the program, and gives its process."""
    variables = {**os.environ, "PYTHONPATH": str(PROJECT), "HF_ENDPOINT": hub.url, "HF_HOME": str(data_dir / "none")}
    variables.pop("HF_HUB_OFFLINE")
    made = []

    def start():
        command = [sys.executable, PROBE, data_dir, "stable-diffusion-1.5", "2"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
        made.append((process, threading.Timer(LONGEST_S, process.kill)))
        made[-1][1].start()
        return process

    yield start
    for process, timer in made:
        timer.cancel()
        timer.join()
        process.kill()
        process.wait()
        process.stdout.close()


def lines(process):
    return (json.loads(line) for line in process.stdout if line.startswith("{"))


@pytest.mark.timeout(300)
def test_a_download_that_was_killed_goes_on_and_its_checkpoint_paints(hub, start):
    hub.rate = 1_000_000
    first = start()
    told = next(fact for fact in lines(first) if fact.get("done", 0) > KILL_AT * fact.get("total", 1e12))
    first.send_signal(signal.SIGKILL)
    first.wait()
    sent = hub.total_sent()

    hub.rate = 0
    facts = list(lines(start()))
    left = next(fact for fact in facts if fact["step"] == "left")
    assert left["state"] == "paused"
    assert left["done"] > KILL_AT * told["total"] * 0.9
    painted = facts[-1]
    assert painted["step"] == "painted", painted
    assert painted["checkpoint"] == REF
    with Image.open(painted["path"]) as picture:
        assert picture.size == (64, 64)
    assert hub.total_sent() <= 1.2 * told["total"], f"{sent:,} bytes before, {hub.total_sent():,} in all"
