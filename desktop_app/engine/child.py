"""The engine's process: a `DiffusersEngine` at the end of a pipe. Ends when its owner does."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import os
import queue
import signal
import sys
import threading
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TextIO

from desktop_app.core.engine import Engine, Progress
from desktop_app.core.errors import Cancelled, InternalError, StudioError
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.environment import prepare_environment
from desktop_app.engine.messages import (
    Answer,
    Call,
    Cancel,
    Close,
    Configure,
    Derive,
    Done,
    Failed,
    Order,
    Reported,
    Run,
    WarmUp,
)
from desktop_app.store.adapters import AdapterStore
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import user_paths

LOG_BYTES = 1_000_000
OWNER_IS_GONE = 3
"""Exit status of the process when its pipe breaks."""

log = logging.getLogger("desktop_app.engine")


def main(connection: Connection, data_dir: Path, threads: int | None) -> None:
    """Serve until told to close. Runs in the child's main thread."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the owner's to act on
    prepare_environment()
    _set_up_log(data_dir)
    _Server(connection, data_dir, threads).serve()


def _set_up_log(data_dir: Path) -> None:
    """The child's own log file; its bare output goes nowhere, since a desktop start has none."""
    folder = user_paths(data_dir).logs
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "engine.log"
        handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        root.addHandler(handler)
        faulthandler.enable(_open_crash_log(folder / "engine-crash.log"))
    except OSError:
        root.addHandler(logging.NullHandler())  # a full disk is no reason not to paint
    if sys.stderr is None or not sys.stderr.isatty():
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115


def _open_crash_log(path: Path) -> TextIO:
    """What is in it stays until it is long: the process that comes after a crash must not wipe what tells of it."""
    is_long = path.exists() and path.stat().st_size > LOG_BYTES
    return path.open("w" if is_long else "a", encoding="utf-8")


class _Server:
    """One thread reads the pipe, so that a cancel arrives in the middle of a run; the main thread does the work."""

    def __init__(self, connection: Connection, data_dir: Path, threads: int | None) -> None:
        self._connection = connection
        self._orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._call = 0
        self._cancel = threading.Event()
        self._cancelled_before: set[int] = set()
        self._paths = user_paths(data_dir)
        self._threads = threads

    def serve(self) -> None:
        """Work off the orders, one after the other."""
        threading.Thread(target=self._read, name="orders", daemon=True).start()
        offload_dir = self._paths.session / "offload"
        engine: Engine = DiffusersEngine(
            CheckpointStore(self._paths).resolve,
            threads=self._threads,
            offload_dir=offload_dir,
            find_adapter=AdapterStore(self._paths).find,
        )
        while not isinstance(order := self._orders.get(), Close):
            assert not isinstance(order, Cancel)
            if isinstance(order, Configure):
                engine.configure(order.options)
                continue
            self._begin(order.call)
            self.send(self._answer(engine, order))

    def _answer(self, engine: Engine, order: Call) -> Answer:
        try:
            return self._work(engine, order)
        except Cancelled:
            return Failed(order.call, None)
        except StudioError as e:
            return Failed(order.call, e)
        except Exception as e:
            return Failed(order.call, _internal_error(e))

    def _work(self, engine: Engine, order: Call) -> Done:
        report = _Report(self, order.call)
        if isinstance(order, Run):
            return Done(order.call, engine.run(order.request, report, self._cancel))
        if isinstance(order, Derive):
            wish = (order.control, order.picture, report, self._cancel)
            return Done(order.call, derived=engine.derive(*wish, placement=order.placement))
        if isinstance(order, WarmUp):
            engine.warm_up(order.checkpoint)
            return Done(order.call)
        return Done(order.call, status=engine.status())

    def _begin(self, call: int) -> None:
        with self._lock:
            self._call = call
            self._cancel.clear()
            if call in self._cancelled_before:
                self._cancel.set()
            self._cancelled_before.clear()

    def _read(self) -> None:
        try:
            while True:
                order: Order = self._connection.recv()
                if isinstance(order, Cancel):
                    self._stop(order.call)
                else:
                    self._orders.put(order)
        finally:
            # In the middle of whatever it is doing: nobody waits for it any more, or what they ask is not understood.
            os._exit(OWNER_IS_GONE)

    def _stop(self, call: int) -> None:
        with self._lock:
            if call == self._call:
                self._cancel.set()
            elif call > self._call:
                self._cancelled_before.add(call)

    def send(self, answer: Answer) -> None:
        """Tell the owner; without one there is nothing left to do."""
        try:
            self._connection.send(answer)
        except OSError:
            os._exit(OWNER_IS_GONE)


class _Report:
    """Sends each progress of one call with its number."""

    def __init__(self, server: _Server, call: int) -> None:
        self._server = server
        self._call = call
        self._sequence = 0

    def __call__(self, progress: Progress) -> None:
        self._sequence += 1
        self._server.send(Reported(self._call, self._sequence, progress))


def _internal_error(e: Exception) -> InternalError:
    text = "".join(traceback.format_exception(e))
    log.error("Unexpected error\n%s", text)
    return InternalError(f"Something went wrong inside the engine ({type(e).__name__})", text, "Please report it.")
