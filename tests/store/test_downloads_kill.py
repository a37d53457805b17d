"""A download whose program is killed goes on in the next one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hub_repos import go_online, write_files
from hub_server import HubServer, sha256_of
from support import PROJECT

from desktop_app.store.paths import user_paths

REF, NAME = "org/single", "name.safetensors"

CHILD = """
import json, sys, threading
from pathlib import Path
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.hub import Hub
from desktop_app.store.paths import user_paths

endpoint, folder, ref = sys.argv[1:]
downloads = CheckpointDownloads(user_paths(Path(folder)), Hub(endpoint=endpoint))
report = lambda progress: print(json.dumps(progress.done), flush=True)
print(json.dumps(str(downloads.fetch(downloads.plan(ref), report, threading.Event()))), flush=True)
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    go_online(monkeypatch)
    with HubServer(tmp_path / "hub") as running:
        yield running


def run(server: HubServer, folder: Path, kill_at: int) -> str:
    """What the program said last; it is killed as soon as so many bytes are here."""
    command = [sys.executable, "-c", CHILD, server.url, str(folder), REF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=PROJECT) as child:
        last = ""
        for line in child.stdout:
            last = json.loads(line)
            if isinstance(last, int) and last >= kill_at:
                os.kill(child.pid, signal.SIGKILL)
                break
        return str(last)


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("size", "kills"), [(4_000_000, 6), pytest.param(64 * 2**20, 100, marks=pytest.mark.soak)], ids=["short", "long"]
)
def test_a_killed_download_goes_on_where_it_stopped(server, paths, size, kills):
    write_files(server.root / REF, {NAME: random.Random(0).randbytes(size)})
    server.rate = 4_000_000
    for number in range(kills):
        run(server, paths.data_dir, kill_at=size * (number + 1) // (kills + 2))
    server.rate = 0
    snapshot = Path(run(server, paths.data_dir, kill_at=10 * size))
    resumed = {seen.headers["range"] for seen in server.requests if "range" in seen.headers}
    assert sha256_of(snapshot / NAME) == sha256_of(server.root / REF / NAME)
    assert len(resumed) >= 0.9 * kills
    assert server.sent[NAME] <= 1.2 * size
    assert not list(user_paths(paths.data_dir).checkpoints.rglob("*.part"))
