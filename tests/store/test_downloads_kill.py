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
SIZE = 4_000_000
KILLS = 6

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
        write_files(running.root / REF, {NAME: random.Random(0).randbytes(SIZE)})
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
def test_a_killed_download_goes_on_where_it_stopped(server, paths):
    server.rate = 4_000_000
    for number in range(KILLS):
        run(server, paths.data_dir, kill_at=SIZE * (number + 1) // (KILLS + 2))
    server.rate = 0
    snapshot = Path(run(server, paths.data_dir, kill_at=10 * SIZE))
    assert sha256_of(snapshot / NAME) == sha256_of(server.root / REF / NAME)
    resumed = {seen.headers["range"] for seen in server.requests if "range" in seen.headers}
    assert len(resumed) == KILLS
    assert SIZE <= server.sent[NAME] <= 1.2 * SIZE
    assert not list(user_paths(paths.data_dir).checkpoints.rglob("*.part"))
