"""The checks in conftest.py themselves: each must be able to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import PROJECT

LEFTOVERS = {
    "The test left a top-level widget": """
        from PySide6.QtWidgets import QWidget
        kept = []
        def test_it(qapp):
            kept.append(QWidget())
    """,
    "The test left a running QThread": """
        from PySide6.QtCore import QThread
        kept = []
        def test_it(qapp):
            kept.append(QThread())
            kept[0].start()
    """,
    "The test left a child process": """
        import subprocess, sys
        kept = []
        def test_it():
            kept.append(subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE))
    """,
    "The test left a running thread": """
        import threading
        gate = threading.Event()
        def test_it():
            threading.Thread(target=gate.wait, daemon=True).start()
    """,
    "unexpected log record": """
        import logging
        def test_it():
            logging.getLogger("x").warning("careful")
    """,
    "no log record with": """
        def test_it(expect_log):
            expect_log("never said")
    """,
    "tried to reach": """
        import socket
        def test_it():
            socket.create_connection(("192.0.2.1", 80))
    """,
}
"""What the report says, and a test that must fail with it. Each thing is ended by the module's teardown."""

ENDING = """
def teardown_module():
    for thing in globals().get("kept", []):
        for name in ("quit", "terminate"):
            if hasattr(thing, name):
                getattr(thing, name)()
                break
        if hasattr(thing, "wait"):
            thing.wait()
"""


def run_pytest(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "--tb=line", "-p", "no:cacheprovider", f"--rootdir={PROJECT}"]
    command += ["-c", str(PROJECT / "pyproject.toml"), "-p", "conftest", *options, str(path)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "tests"), "QT_QPA_PLATFORM": "offscreen"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=path.parent, timeout=60)


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("leaving")
    for number, source in enumerate(LEFTOVERS.values()):
        lines = [line[8:] for line in source.strip("\n").splitlines()]
        (folder / f"test_left_{number}.py").write_text("\n".join(lines) + "\n" + ENDING)
    return run_pytest(folder).stdout


@pytest.mark.parametrize("sentence", LEFTOVERS)
def test_what_a_test_leaves_behind_is_reported(report, sentence):
    assert sentence in report


def test_slow_tests_run_only_when_they_are_named(tmp_path):
    source = "import pytest\n@pytest.mark.soak\ndef test_long():\n    pass\ndef test_short():\n    pass\n"
    (tmp_path / "test_both.py").write_text(source)
    assert "1 passed, 1 deselected" in run_pytest(tmp_path).stdout
    assert "1 passed, 1 deselected" in run_pytest(tmp_path, "-m", "soak").stdout


def test_the_network_is_open_to_this_machine(tmp_path):
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as client:
            assert client.getpeername() == server.getsockname()
