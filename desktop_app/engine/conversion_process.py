"""ConversionProcess: the throw-away process seen from outside. It is started, watched and ended; what it says is read
as lines of JSON, and never believed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from desktop_app.core.conversion import CHILD_WORD
from desktop_app.core.engine import CancelFlag
from desktop_app.core.errors import Cancelled, CheckpointError
from desktop_app.engine.conversion_child import FAILURES
from desktop_app.engine.conversion_plan import Taken
from desktop_app.engine.environment import ENVIRONMENT
from desktop_app.engine.sandbox import BREACH, Limits, Protection, has_no_network

LOOK_S = 0.05
"""How often cancel, time and memory are looked at."""

LINE_BYTES = 16 * 1024
TORCH_BYTES = 2 * 1024**3
"""Memory of torch itself, before any file is opened."""

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from desktop_app.engine.conversion_child import main; main()"
)
_KEPT = ("SYSTEMROOT", "WINDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")
"""Variables without which Python or torch may not start. No other is handed on: they hold tokens and addresses."""

_ELSEWHERE = "Look for the same checkpoint as .safetensors."

log = logging.getLogger(__name__)


class ConversionProcess:
    """A context: inside it there is a child with its sandbox closed, at work on ``pickles``; afterwards there is none.

    ``place`` has two folders: ``work``, where the files appear, and ``empty``. One thread. Entering and `wait_for`
    raise `Cancelled` at ``cancel``, and `CheckpointError`.
    """

    def __init__(self, place: Path, pickles: Sequence[Taken], limits: Limits, cancel: CancelFlag) -> None:
        self._place = place
        self._pickles = pickles
        self._limits = limits
        self._cancel = cancel
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._ends_at = time.monotonic() + limits.time_s

    def __enter__(self) -> ConversionProcess:
        self._process = self._spawn()
        self._reader = threading.Thread(target=self._read, name="conversion", daemon=True)
        self._reader.start()
        try:
            self._begin()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, trace: TracebackType | None) -> None:
        self._end()

    def wait_for(self, number: int, look: Callable[[], None]) -> None:
        """Return when the pickle ``number`` is converted; meanwhile ``look`` is called again and again."""
        answer = self._receive(look)
        if answer.get("done") == number:
            return
        raise self._failure(self._pickles[number], answer)

    # The child ------------------------------------------------------------------------------------

    def _spawn(self) -> subprocess.Popen[bytes]:
        is_windows = sys.platform == "win32"
        try:
            with (self._place / "errors").open("wb") as errors:
                return subprocess.Popen(
                    _command(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    cwd=self._place / "empty",
                    env=_environment(self._place / "empty"),
                    start_new_session=not is_windows,
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as e:
            raise CheckpointError(
                "The conversion cannot be started", str(e), "Close other programs, then try again."
            ) from e

    def _begin(self) -> None:
        order = {
            "folder": str(self._place / "work"),
            "pickles": [str(pickled.source) for pickled in self._pickles],
            "memory_bytes": self._limits.memory_bytes,
            "file_bytes": self._limits.file_bytes,
            "time_s": self._limits.time_s,
        }
        self._send(order)
        names = self._receive().get("protections")
        taken = [protection for protection in Protection if isinstance(names, list) and protection.name in names]
        log.info("Protections of the conversion: %s", "; ".join(protection.value for protection in taken))
        if not has_no_network(taken):
            detail = "This system lets no program give up the network"
            raise CheckpointError("The checkpoint cannot be converted safely here", detail, _ELSEWHERE)
        self._send({"go": True})

    def _send(self, order: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has gone: the next look at its answers says so
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while line := self._process.stdout.readline(LINE_BYTES):
            self._answers.put(line)
        self._answers.put(None)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    # What it says ---------------------------------------------------------------------------------

    def _receive(self, look: Callable[[], None] = lambda: None) -> dict[str, Any]:
        while True:
            self._check()
            look()
            with contextlib.suppress(queue.Empty):
                return self._parse(self._answers.get(timeout=LOOK_S))

    def _parse(self, line: bytes | None) -> dict[str, Any]:
        if line is None:
            raise self._crash()
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise _unsafe("its process said what it should not")
        return answer

    def _check(self) -> None:
        if self._cancel.is_set():
            raise Cancelled
        if time.monotonic() > self._ends_at:
            raise self._too_slow()
        with contextlib.suppress(psutil.Error):
            if psutil.Process(self._process.pid).memory_info().rss > self._limits.memory_bytes + TORCH_BYTES:
                raise self._too_large()

    def _failure(self, pickled: Taken, answer: dict[str, Any]) -> CheckpointError:
        kind, reason = answer.get("failed"), _plain(answer.get("reason"))
        if kind not in FAILURES:
            return _unsafe("its process said what it should not")
        where = pickled.label.as_posix()
        log.info("%s is not converted: %s %s", where, kind, reason)
        if kind == "unsafe":
            return _unsafe(f"{where}: {reason}")
        if kind == "memory":
            return self._too_large(where)
        return CheckpointError("The checkpoint is damaged", f"{where}: {reason}", "Fetch this file again.")

    def _crash(self) -> CheckpointError:
        """It has gone without having been told to."""
        status = self._process.wait()
        with contextlib.suppress(OSError):
            log.info("The conversion ended with %s: %r", status, (self._place / "errors").read_bytes()[-2000:])
        if status == BREACH:
            return _unsafe("it tried what weights have no reason for, and was stopped")
        if -status in (getattr(signal, "SIGXCPU", None), getattr(signal, "SIGALRM", None)):
            return self._too_slow()
        return CheckpointError(
            "The conversion stopped in the middle",
            _describe(status),
            f"Close other programs and try again. {_ELSEWHERE}",
        )

    def _too_slow(self) -> CheckpointError:
        detail = f"It was ended after {self._limits.time_s:.0f} seconds"
        return CheckpointError("The conversion takes too long", detail, f"Try again. {_ELSEWHERE}")

    def _too_large(self, where: str = "") -> CheckpointError:
        detail = f"{where}: " if where else ""
        detail += f"more than {self._limits.memory_bytes / 1e9:.1f} GB would have been needed"
        return CheckpointError("The conversion takes too much memory", detail, _ELSEWHERE)


def _command() -> list[str]:
    if getattr(sys, "frozen", False):
        return [sys.executable, CHILD_WORD]
    folders = [os.path.abspath(folder) for folder in sys.path if folder]
    return [sys.executable, "-I", "-c", _START, json.dumps(folders)]


def _environment(empty: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    homes = {name: str(empty) for name in ("HOME", "USERPROFILE", "TMPDIR", "TEMP", "TMP")}
    return {**kept, **one_thread, **homes, **ENVIRONMENT, "CUDA_VISIBLE_DEVICES": "", "PYTHONUTF8": "1"}


def _unsafe(detail: str) -> CheckpointError:
    return CheckpointError("The checkpoint is unsafe", detail, f"Do not use it. {_ELSEWHERE}")


def _plain(text: Any) -> str:
    """What the child says, fit to be shown."""
    return "".join(letter for letter in str(text)[:200] if letter.isprintable())


def _describe(status: int) -> str:
    if status >= 0:
        return f"It ended with exit status {status}"
    with contextlib.suppress(ValueError):
        name = signal.Signals(-status).name
        hint = ", which the system also does when memory is full" if name == "SIGKILL" else ""
        return f"It was ended by signal {name}{hint}"
    return f"It was ended by signal {-status}"
