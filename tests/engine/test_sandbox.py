"""The sandbox, closed in real processes that then try what it should refuse."""

from __future__ import annotations

import socket
import subprocess
import sys

import pytest
from hostile import payload, write_pickle
from support import PROJECT

from desktop_app.engine.sandbox import Protection, has_no_network

BEFORE = """
import os, socket, subprocess, sys
from pathlib import Path
from desktop_app.engine import sandbox

allowed, folder = Path(sys.argv[1]), Path(sys.argv[2])
limits = sandbox.Limits(memory_bytes=200_000_000, file_bytes=1_000_000, time_s=60)
"""
CLOSE = "sandbox.close_sandbox(limits, [allowed], folder)"
ATTEMPTS = {
    "socket": "socket.create_connection(('127.0.0.1', int(sys.argv[3])))",
    "unix socket": "socket.socket(socket.AF_UNIX)",
    "program": "subprocess.run(['true'])",
    "fork": "os._exit(0) if os.fork() == 0 else os.wait()",
    "signal": "os.kill(os.getppid(), 0)",
    "read elsewhere": "open(sys.executable, 'rb')",
    "list elsewhere": "os.listdir('/')",
    "write elsewhere": "open(folder.parent / 'elsewhere', 'wb')",
    "write what may be read": "open(allowed, 'ab')",
    "memory": "bytearray(400_000_000)",
    "large file": "(folder / 'large').write_bytes(bytes(2_000_000))",
    "its own file": "(folder / 'small').write_bytes(b'small')",
    "what it works on": "allowed.read_bytes()",
}
ALLOWED = {"its own file", "what it works on"}
ONLY_LANDLOCK = {"read elsewhere", "list elsewhere", "write elsewhere", "write what may be read"}


@pytest.fixture
def run_closed(tmp_path):
    """Runs a script behind `BEFORE` in a process that may close its sandbox."""
    (tmp_path / "allowed").write_text("allowed")
    (tmp_path / "folder").mkdir()

    def run(script: str, port: int = 9) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", BEFORE + script, tmp_path / "allowed", tmp_path / "folder", str(port)]
        return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux alone is asked for so much")
def test_the_kernel_refuses_everything_but_the_work_itself(run_closed):
    tries = "".join(
        f"\ntry:\n    {code}\n    print({name!r})\nexcept (OSError, MemoryError):\n    pass\n"
        for name, code in ATTEMPTS.items()
    )
    script = f"sandbox._watch_events = lambda folder: False\nprint({CLOSE})"
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = run_closed(script + tries, server.getsockname()[1])
    assert done.returncode == 0, done.stderr
    protections, *succeeded = done.stdout.splitlines()
    assert "FEWER_CALLS" in protections
    assert set(succeeded) == (ALLOWED if "FEW_FILES" in protections else ALLOWED | ONLY_LANDLOCK)


@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
def test_a_namespace_of_its_own_reaches_not_even_this_machine(run_closed):
    with socket.create_server(("127.0.0.1", 0)) as server:
        script = f"print(sandbox._leave_network(), flush=True)\n{ATTEMPTS['socket']}\nprint('reached')"
        done = run_closed(script, server.getsockname()[1])
    if done.stdout.startswith("False"):
        pytest.skip("this system gives no namespace to usual users")
    assert done.stdout == "True\n"
    assert "unreachable" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="capabilities are Linux's")
def test_no_privilege_is_left_and_none_can_be_gained(run_closed):
    done = run_closed("sandbox._leave_network(), sandbox._drop_privileges()\nprint(open('/proc/self/status').read())")
    lines = dict(line.split(":\t", 1) for line in done.stdout.splitlines() if ":\t" in line)
    assert (int(lines["CapEff"], 16), int(lines["CapPrm"], 16), lines["NoNewPrivs"]) == (0, 0, "1")


@pytest.mark.parametrize("name", ["socket", "program", "write elsewhere", "write what may be read"])
def test_pythons_own_events_end_the_process(run_closed, name):
    done = run_closed(f"sandbox._watch_events(folder)\n{ATTEMPTS[name]}")
    assert (done.returncode, done.stderr[:8]) == (7, "refused:")


@pytest.mark.parametrize("name", sorted(ALLOWED))
def test_pythons_own_events_let_the_work_pass(run_closed, name):
    done = run_closed(f"sandbox._watch_events(folder)\n{ATTEMPTS[name]}")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("has_events", [True, False])
def test_even_a_pickle_that_is_opened_carelessly_gets_nothing_done(run_closed, tmp_path, has_events):
    """The next fault of the loader: whatever it lets through meets the sandbox."""
    write_pickle(tmp_path / "allowed", payload(tmp_path / "canary"), is_zip=False)
    hook = "" if has_events else "sandbox._watch_events = lambda folder: False"
    done = run_closed(f"{hook}\nimport pickle\n{CLOSE}\nprint('closed', pickle.loads(allowed.read_bytes()))")
    if has_events:
        assert (done.returncode, done.stderr) == (7, "refused: os.system\n")
    elif sys.platform == "linux":
        assert int(done.stdout.split()[-1]) != 0
        assert not (tmp_path / "canary").exists()


def test_only_what_really_closes_the_network_counts():
    assert has_no_network([Protection.LIMITS, Protection.FEWER_CALLS], "linux")
    assert not has_no_network([Protection.LIMITS, Protection.FEW_FILES, Protection.EVENTS], "linux")
    assert has_no_network([Protection.LIMITS, Protection.EVENTS], "darwin")
    assert not has_no_network([], "win32")
