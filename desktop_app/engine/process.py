"""EngineProcess: the engine as a child process. A fault of the device, or a full memory, takes the child, never us."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
import time
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from desktop_app.core.conditions import Control
from desktop_app.core.engine import CancelFlag, Derived, EngineOptions, EngineStatus, ReportProgress, Result
from desktop_app.core.errors import Cancelled, DeviceLost, EngineCrashed, StudioError
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request
from desktop_app.engine.child import main
from desktop_app.engine.messages import (
    Answer,
    AskStatus,
    Call,
    Cancel,
    Close,
    Configure,
    Derive,
    Done,
    Failed,
    Reported,
    Run,
    WarmUp,
)

CANCEL_LOOK_S = 0.05
"""How often the caller's cancel flag is looked at while the child works."""

CLOSE_S = 3.0
"""How long a child that was told to end may take."""

TRY_AGAIN = "The next job starts it anew. If it happens again, choose a smaller size; the log folder tells more."


class EngineProcess:
    """An `Engine` whose work is done by a child process, started when first needed and again after it died.

    ``threads`` is torch's number of threads in the child. A child that has not stopped ``grace_s`` seconds after a
    cancel is ended. Calls may come from any thread, one at a time.
    """

    def __init__(self, data_dir: Path, *, threads: int | None = None, grace_s: float = 10.0) -> None:
        self._data_dir = data_dir
        self._threads = threads
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None
        self._call = 0
        self._options = self._told = EngineOptions()

    @property
    def pid(self) -> int | None:
        """The child's process number, None while there is none."""
        return self._process.pid if self._process else None

    def run(self, request: Request, report: ReportProgress, cancel: CancelFlag) -> Result:
        """See `Engine.run`. Raises `EngineCrashed` when the child dies meanwhile."""
        with self._lock:
            if cancel.is_set():
                raise Cancelled
            self._call += 1
            self._send(Run(self._call, request))
            done = self._await(report, cancel)
            assert done.result is not None
            return done.result

    def derive(
        self,
        control: Control,
        picture: ImageRef,
        report: ReportProgress,
        cancel: CancelFlag,
        *,
        placement: Placement | None = None,
    ) -> Derived:
        """See `Engine.derive`. Raises `EngineCrashed` when the child dies meanwhile."""
        with self._lock:
            if cancel.is_set():
                raise Cancelled
            self._call += 1
            self._send(Derive(self._call, control, picture, placement))
            done = self._await(report, cancel)
            assert done.derived is not None
            return done.derived

    def configure(self, options: EngineOptions) -> None:
        """See `Engine.configure`. The child is told before its next call, and so is one that is started later."""
        self._options = options

    def warm_up(self, checkpoint: str | None = None) -> None:
        """See `Engine.warm_up`."""
        with self._lock:
            self._call += 1
            try:
                self._send(WarmUp(self._call, checkpoint))
                self._await()
            except StudioError:
                pass  # the first run will meet the same, and tell it to who asked for that run

    def status(self) -> EngineStatus:
        """See `Engine.status`; nothing is known while there is no child. Raises `EngineCrashed`."""
        with self._lock:
            if self._process is None:
                return EngineStatus()
            self._call += 1
            self._send(AskStatus(self._call))
            return self._await().status

    def close(self) -> None:
        """See `Engine.close`."""
        with self._lock:
            if self._connection and self._process:
                with contextlib.suppress(OSError):  # it has gone by itself
                    self._connection.send(Close())
                self._process.join(CLOSE_S)
            self._end()

    def abort(self) -> None:
        """End the child at once, whatever it does; for another thread than the one that waits for it."""
        if process := self._process:
            process.kill()

    # The child ------------------------------------------------------------------------------------

    def _start(self) -> Connection:
        if self._connection and self._process and self._process.is_alive():
            return self._connection
        self._end()
        try:
            self._process, self._connection = self._spawn()
        except OSError as e:
            raise EngineCrashed("The engine cannot be started", str(e), "Close other programs, then try again.") from e
        self._told = EngineOptions()
        return self._connection

    def _spawn(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(
            target=main, args=(theirs, self._data_dir, self._threads), name="underpaint-engine", daemon=True
        )
        try:
            process.start()
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()  # ours alone is left, so that the child's end is seen as the end of the pipe
        return process, ours

    def _end(self) -> None:
        """Make sure that there is no child."""
        if self._process:
            self._process.kill()
            self._process.join()
        if self._connection:
            self._connection.close()
        self._process = self._connection = None

    # The conversation -----------------------------------------------------------------------------

    def _send(self, order: Call) -> None:
        try:
            self._tell(order)
        except OSError:
            self._end()
            try:
                self._tell(order)  # it died since the last call: that call's job was told, this one may run
            except OSError as e:
                raise self._tell_crash() from e

    def _tell(self, order: Call) -> None:
        connection, options = self._start(), self._options
        if options != self._told:
            connection.send(Configure(options))
            self._told = options
        connection.send(order)

    def _await(self, report: ReportProgress | None = None, cancel: CancelFlag | None = None) -> Done:
        """The answer to the current call. Raises what the child raised, `Cancelled` or `EngineCrashed`."""
        asked_at: float | None = None
        while True:
            if cancel is not None and cancel.is_set():
                asked_at = asked_at or self._ask_to_stop()
                if time.monotonic() - asked_at > self._grace_s:
                    self._end()
                    raise Cancelled
            answer = self._receive(CANCEL_LOOK_S if cancel is not None else None)
            if answer is None or answer.call != self._call:
                continue
            if isinstance(answer, Reported):
                if report is not None and asked_at is None:
                    report(answer.progress)
            elif isinstance(answer, Failed):
                if isinstance(answer.error, DeviceLost):
                    self._end()
                raise answer.error or Cancelled()
            elif asked_at is not None:
                raise Cancelled
            else:
                return answer

    def _ask_to_stop(self) -> float:
        assert self._connection is not None
        with contextlib.suppress(OSError):  # the child has gone: the next look at the pipe says so
            self._connection.send(Cancel(self._call))
        return time.monotonic()

    def _receive(self, timeout: float | None) -> Answer | None:
        """The next message of the child, or None after ``timeout`` seconds. Raises `EngineCrashed`."""
        assert self._connection is not None
        assert self._process is not None
        if not wait([self._connection], timeout):
            return None
        try:
            answer: Answer = self._connection.recv()
        except (EOFError, OSError) as e:
            raise self._tell_crash() from e
        return answer

    def _tell_crash(self) -> EngineCrashed:
        assert self._process is not None
        self._process.join(CLOSE_S)
        status = self._process.exitcode
        self._end()
        return EngineCrashed("The engine stopped in the middle of its work", _describe(status), TRY_AGAIN)


def _describe(status: int | None) -> str:
    if status is None:
        return "It did not answer"
    if status >= 0:
        return f"It ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = str(-status)
    hint = ", which the system also does when memory is full" if -status == 9 else ""
    return f"It was ended by signal {name}{hint}"
