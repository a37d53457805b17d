"""Shared fixtures, and the checks that every test passes: nothing left running, no stray warning, no network."""

from __future__ import annotations

import gc
import ipaddress
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from support import LASTING_PIDS, make_picture

from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import Paths, user_paths
from desktop_app.store.session import SessionStore

if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = os.path.join(os.sep, "no", "huggingface")  # what this machine's user has fetched is not ours
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is imported; spinning threads starve the others

BY_REQUEST = ("benchmark", "soak")
"""Markers of tests that run only when ``-m`` names them."""

LASTING_THREADS = {"_DummyThread", "TMonitor"}
"""Classes of Python threads that libraries start once and keep: pool threads seen from Python, tqdm's monitor."""

LASTING_WIDGETS = {"QTipLabel", "QLabelLayoutHelper"}
"""Top-level widgets that Qt itself keeps for later use."""

GRACE_S = 2.0
"""How long something that is on its way out may take."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    chosen = config.getoption("-m")
    unasked = {name for name in BY_REQUEST if name not in chosen}
    dropped = [item for item in items if unasked & {mark.name for mark in item.iter_markers()}]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]


# Nothing outside this machine --------------------------------------------------------------------


def _refuse_network(event: str, args: tuple[Any, ...]) -> None:
    host: Any = None
    if event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    elif event == "socket.getaddrinfo":
        host = args[0]
    if host is not None and not _is_local(host):
        raise RuntimeError(f"A test tried to reach {host!r} over the network")


def _is_local(host: str | bytes) -> bool:
    name = host.decode() if isinstance(host, bytes) else host
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in ("", "localhost")


sys.addaudithook(_refuse_network)


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program under test that forgets its data folder finds an empty home, not the user's."""
    monkeypatch.delenv("UNDERPAINT_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home" / "share"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """An empty data folder."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def paths(data_dir: Path) -> Paths:
    """The folders of an empty data folder, made."""
    found = user_paths(data_dir)
    found.ensure()
    return found


@pytest.fixture
def gallery(paths: Paths) -> Iterator[GalleryStore]:
    """An empty gallery, open."""
    store = GalleryStore(paths)
    store.open()
    with closing(store):
        yield store


@pytest.fixture
def session(paths: Paths) -> SessionStore:
    """A session without any file."""
    return SessionStore(paths)


@pytest.fixture
def picture(tmp_path: Path) -> Callable[..., Path]:
    """Makes picture files: ``picture("cat.jpg", (600, 400), "RGB", seed=1)`` returns the path."""

    def save(name: str = "picture.png", size: tuple[int, int] = (48, 32), mode: str = "RGB", seed: int = 0) -> Path:
        path = tmp_path / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        make_picture(size, mode, seed).save(path)
        return path

    return save


# Log records -------------------------------------------------------------------------------------


class _LogCheck(logging.Handler):
    """Collects warnings and worse; called with a text, it expects one record that contains it."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []
        self.expected: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")

    def __call__(self, text: str) -> None:
        self.expected.append(text)

    def problems(self) -> list[str]:
        unexpected = [m for m in self.messages if not any(text in m for text in self.expected)]
        missing = [text for text in self.expected if not any(text in m for m in self.messages)]
        return [f"unexpected log record: {m}" for m in unexpected] + [f"no log record with {t!r}" for t in missing]


@pytest.fixture(autouse=True)
def expect_log() -> Iterator[_LogCheck]:
    """Fails the test on any log record of level WARNING or above, but those announced by ``expect_log("a part")``."""
    check = _LogCheck()
    logging.getLogger().addHandler(check)
    yield check
    logging.getLogger().removeHandler(check)
    assert not check.problems(), "\n".join(check.problems())


# Nothing left behind -----------------------------------------------------------------------------


class _Running:
    """What is alive at one moment. Qt is looked at only when the test itself has imported it."""

    def __init__(self) -> None:
        self.threads = {t for t in threading.enumerate() if type(t).__name__ not in LASTING_THREADS}
        self.children = set(_children())
        self.os_threads = _os_threads()
        self.widgets = {pointer for pointer, _ in _top_level_widgets()}


def _children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if not _is_lasting(child)]


def _is_lasting(child: psutil.Process) -> bool:
    """Python's own tracker of shared memory ends with the session."""
    try:
        return "resource_tracker" in " ".join(child.cmdline()) or child.status() == psutil.STATUS_ZOMBIE
    except psutil.Error:
        return True


def _os_threads() -> set[str]:
    """Ids of the threads of this process; empty where the system does not tell."""
    tasks = Path("/proc/self/task")
    return {task.name for task in tasks.iterdir()} if tasks.is_dir() else set()


def _qt_application() -> Any:
    module = sys.modules.get("PySide6.QtWidgets")
    return module.QApplication.instance() if module else None


def _top_level_widgets() -> list[tuple[int, str]]:
    """Pointer and description, so that looking keeps nothing alive."""
    application = _qt_application()
    if application is None:
        return []
    import shiboken6

    widgets = [w for w in application.topLevelWidgets() if w.metaObject().className() not in LASTING_WIDGETS]
    return [(shiboken6.getCppPointer(w)[0], f"{w.metaObject().className()} {w.objectName()!r}") for w in widgets]


def _left_widgets(before: _Running) -> list[str]:
    if application := _qt_application():
        from PySide6.QtCore import QEvent

        application.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    left = [text for pointer, text in _top_level_widgets() if pointer not in before.widgets]
    return [f"a top-level widget: {text}" for text in left]


def _left_qt_threads(before: _Running) -> list[str]:
    """Looking through all objects is slow, so only when the process has threads that it did not have."""
    qt = sys.modules.get("PySide6.QtCore")
    if qt is None or (before.os_threads and _os_threads() <= before.os_threads):
        return []
    problems = []
    if not qt.QThreadPool.globalInstance().waitForDone(int(GRACE_S * 1000)):
        problems.append("work on the global thread pool")
    main = qt.QThread.currentThread()
    threads = [o for o in gc.get_objects() if issubclass(type(o), qt.QThread) and o is not main]
    import shiboken6

    return problems + [f"a running QThread: {t!r}" for t in threads if shiboken6.isValid(t) and t.isRunning()]


def _left_threads(before: _Running) -> list[str]:
    started = [t for t in threading.enumerate() if t not in before.threads and type(t).__name__ not in LASTING_THREADS]
    for thread in started:
        thread.join(GRACE_S)
    return [f"a running thread: {t!r}" for t in started if t.is_alive()]


def _left_children(before: _Running) -> list[str]:
    lasting = {pid() for pid in LASTING_PIDS}
    started = [child for child in _children() if child not in before.children and child.pid not in lasting]
    _, alive = psutil.wait_procs(started, timeout=GRACE_S)
    for child in alive:
        child.kill()
    return [f"a child process: {child!r}" for child in alive]


@pytest.fixture(autouse=True, scope="module")
def _collect_in_this_thread() -> None:
    """Python collects cycles in whichever thread allocates next; a QObject collected there dies in the wrong thread.

    So cycles are collected after each test, here, as the program itself does it. What was there before is left out.
    """
    gc.disable()
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _leaves_nothing() -> Iterator[None]:
    """Fails a test that leaves a top-level widget, a running thread, a busy pool or a child process.

    What a fixture of a wider scope has started before the test may go on; start such things in the fixture, not at
    their first use.
    """
    before = _Running()
    yield
    gc.collect()
    problems = _left_widgets(before) + _left_qt_threads(before) + _left_threads(before) + _left_children(before)
    assert not problems, "The test left " + "; ".join(problems)
