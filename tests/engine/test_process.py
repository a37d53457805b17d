"""EngineProcess: what only a child process can do, and what can only happen to one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import closing

import psutil
import pytest
from engine_runs import NEVER, Recorder, lose_device, paint
from support import PROJECT, make_request

from desktop_app.core.engine import EngineOptions
from desktop_app.core.errors import Cancelled, DeviceLost, EngineCrashed
from desktop_app.core.request import hash_pixels
from desktop_app.engine.process import EngineProcess

OWNER = """
import sys, threading
from pathlib import Path
from support import make_request
from desktop_app.engine.process import EngineProcess

if __name__ == "__main__":
    engine = EngineProcess(Path(sys.argv[1]), threads=1)
    engine.warm_up("starter")
    print(engine.pid, flush=True)
    engine.run(make_request(steps=1000), lambda progress: print(progress.phase.value, flush=True), threading.Event())
"""


def test_pixels_are_those_of_an_engine_in_this_process(diffusers_engine, engine_process, init_ref):
    request = make_request(init_ref())
    assert hash_pixels(paint(engine_process, request)) == hash_pixels(paint(diffusers_engine, request))


def test_a_child_that_is_killed_in_a_run_is_told_and_the_next_run_succeeds(engine_process):
    request = make_request(steps=4)
    expected = hash_pixels(paint(engine_process, request))
    pid = engine_process.pid
    recorder = Recorder(at_step=lambda step: os.kill(engine_process.pid, signal.SIGKILL) if step == 2 else None)
    with pytest.raises(EngineCrashed, match="SIGKILL"):
        engine_process.run(make_request(steps=500), recorder, NEVER)
    assert engine_process.pid is None
    assert hash_pixels(paint(engine_process, request)) == expected
    assert engine_process.pid != pid


def test_a_child_that_died_between_two_runs_is_started_again(engine_process):
    request = make_request(steps=4)
    expected = hash_pixels(paint(engine_process, request))
    engine_process.abort()
    engine_process._process.join(10)
    assert hash_pixels(paint(engine_process, request)) == expected


def test_a_child_that_is_started_anew_is_told_the_options_again(engine_process):
    request = make_request()
    paint(engine_process, request)
    engine_process.configure(EngineOptions(attention="xformers"))
    engine_process.abort()
    engine_process._process.join(10)
    for _ in range(2):
        assert any("xFormers" in note for note in engine_process.run(request, Recorder(), NEVER).notes)
    engine_process.configure(EngineOptions())
    assert engine_process.run(request, Recorder(), NEVER).notes == ()


def test_options_start_no_child(engine_data_dir):
    engine = EngineProcess(engine_data_dir, threads=1)
    engine.configure(EngineOptions(attention="xformers"))
    assert engine.pid is None


def test_a_child_that_does_not_stop_is_ended(engine_data_dir):
    cancel = threading.Event()

    def freeze(step: int) -> None:
        os.kill(engine.pid, signal.SIGSTOP)
        cancel.set()

    with closing(EngineProcess(engine_data_dir, threads=1, grace_s=0.3)) as engine:
        with pytest.raises(Cancelled):
            engine.run(make_request(steps=500), Recorder(at_step=freeze), cancel)
        assert engine.pid is None


def test_a_child_whose_device_is_lost_is_ended(engine_data_dir, monkeypatch):
    monkeypatch.setattr("desktop_app.engine.process.main", lose_device)
    with closing(EngineProcess(engine_data_dir)) as engine:
        with pytest.raises(DeviceLost):
            paint(engine, make_request())
        assert engine.pid is None


def test_a_child_that_cannot_be_started_is_told(engine_data_dir, monkeypatch):
    refuse = OSError(24, "Too many open files")
    monkeypatch.setattr("multiprocessing.connection.Pipe", lambda *_, **__: (_ for _ in ()).throw(refuse))
    with pytest.raises(EngineCrashed, match="cannot be started"):
        paint(EngineProcess(engine_data_dir), make_request())


def test_what_a_crash_has_left_in_the_log_stays_there(engine_data_dir):
    log = engine_data_dir / "logs" / "engine-crash.log"
    log.write_text("Fatal Python error: Segmentation fault\n")
    with closing(EngineProcess(engine_data_dir, threads=1)) as engine:
        engine.warm_up()
    assert log.read_text() == "Fatal Python error: Segmentation fault\n"


def test_a_child_that_does_not_understand_ends_instead_of_waiting_for_ever(engine_data_dir):
    with closing(EngineProcess(engine_data_dir, threads=1)) as engine:
        engine.warm_up()
        child, connection = psutil.Process(engine.pid), engine._connection
        connection.send_bytes(b"no order")
        assert not psutil.wait_procs([child], timeout=10)[1]


def test_another_thread_can_end_the_child_at_once(engine_process):
    recorder = Recorder(at_step=lambda step: engine_process.abort())
    with pytest.raises(EngineCrashed):
        engine_process.run(make_request(steps=500), recorder, NEVER)


def test_a_bug_in_the_childs_work_is_told_with_its_traceback(engine_process):
    from desktop_app.core.errors import InternalError

    with pytest.raises(InternalError, match="Traceback"):
        engine_process.run(make_request(seed="seven"), Recorder(), NEVER)


def test_a_closed_engine_leaves_no_child(engine_data_dir):
    engine = EngineProcess(engine_data_dir, threads=1)
    engine.warm_up()
    child = psutil.Process(engine.pid)
    engine.close()
    assert engine.pid is None
    assert not child.is_running()


def test_the_child_ends_when_its_owner_is_killed_in_the_middle_of_a_run(engine_data_dir, tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER, encoding="utf-8")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT / "tests"), str(PROJECT)])}
    owner = subprocess.Popen(
        [sys.executable, script, engine_data_dir], stdout=subprocess.PIPE, text=True, env=variables
    )
    assert owner.stdout is not None
    with owner:
        child = psutil.Process(int(owner.stdout.readline()))
        while owner.stdout.readline().strip() != "denoising":
            pass
        owner.kill()
    assert not psutil.wait_procs([child], timeout=20)[1]


def test_the_owner_never_imports_torch(engine_data_dir):
    code = (
        "import sys, threading\n"
        "from pathlib import Path\n"
        "from desktop_app.engine.process import EngineProcess\n"
        "engine = EngineProcess(Path(sys.argv[1]), threads=1)\n"
        "if __name__ == '__main__':\n"
        "    engine.warm_up('starter')\n"
        "    print(engine.status().device)\n"
        "    engine.close()\n"
        "    assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, engine_data_dir], capture_output=True, text=True, cwd=PROJECT, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "cpu"
