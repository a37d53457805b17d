"""Composition root of the window: builds stores, engine, studio and window, and ends them in order."""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import FrameType

from PySide6.QtCore import QObject, QSocketNotifier, QThreadPool
from PySide6.QtWidgets import QApplication

from desktop_app import __version__
from desktop_app.core.catalog import CATALOG_NAME, CatalogEntry, read_catalog
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.engine import Engine, EngineOptions
from desktop_app.core.errors import StoreError, StudioError
from desktop_app.core.memory import MemoryPlan
from desktop_app.core.styles import STYLES_NAME
from desktop_app.engine.conversion import convert_pickles
from desktop_app.engine.process import EngineProcess
from desktop_app.store.adapters import AdapterStore
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.downloads import CheckpointDownloads
from desktop_app.store.files import sweep_abandoned
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.hub import Hub
from desktop_app.store.hub_token import HubToken
from desktop_app.store.paths import APP_NAME, Paths, resources_dir, user_paths
from desktop_app.store.recipes import RecipeStore
from desktop_app.store.session import SessionStore
from desktop_app.store.styles import StyleStore
from desktop_app.studio.adapter_shelf import AdapterShelf
from desktop_app.studio.chain_facts import ChainFacts
from desktop_app.studio.checkpoint_access import CheckpointSource, access_to, converter
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.collector import GarbageCollector
from desktop_app.studio.control_deriver import ControlDeriver
from desktop_app.studio.control_pictures import ControlPictures
from desktop_app.studio.document import Document
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.lineage_model import LineageModel
from desktop_app.studio.recipe_book import RecipeBook
from desktop_app.studio.settings import Settings
from desktop_app.studio.worker import WorkerThread
from desktop_app.ui.checkpoint_texts import row_text
from desktop_app.ui.crash import CrashReporter
from desktop_app.ui.main_window import MainWindow
from desktop_app.ui.parts import CheckpointParts, ControlParts, Folders, Parts
from desktop_app.ui.single_instance import SingleInstance
from desktop_app.ui.theme import Theme

LOG_BYTES = 1_000_000
STOP_MS = 1500
"""How long the running job may take to stop when the window closes; then its process is ended."""

log = logging.getLogger(__name__)


def create_window(data_dir: Path, *, engine: Engine | None = None, is_offline: bool = False) -> MainWindow:
    """The window on ``data_dir``, not yet shown, with everything behind it; on the running QApplication.

    ``engine`` is an `EngineProcess` if not given; with ``is_offline`` no connection is tried. Raises `StudioError` when
    the data folder cannot be used.
    """
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    paths = user_paths(data_dir)
    paths.ensure()
    session = SessionStore(paths)
    gallery = GalleryStore(paths)
    gallery.open()
    QThreadPool.globalInstance().start(partial(_sweep, paths))
    try:
        return _Composition(
            app, paths, session, gallery, engine or EngineProcess(paths.data_dir), is_offline=is_offline
        ).window
    except BaseException:
        gallery.close()
        raise


def _list_checkpoints(checkpoints: CheckpointStore, catalog: list[CatalogEntry]) -> list[CheckpointInfo]:
    """What is on the disk, by the names of the catalog where it has one."""
    labels = {entry.ref: entry.label for entry in catalog}
    return [replace(info, label=labels.get(info.ref, info.label)) for info in checkpoints.list()]


def _sweep(paths: Paths) -> None:
    """Remove what killed programs left; it may be large."""
    for folder in (paths.checkpoints, paths.all_converted, paths.adapters, paths.recipes):
        sweep_abandoned(folder)


class _Composition:
    """All parts of one window; the window's ``parts.close`` keeps it alive."""

    def __init__(
        self,
        app: QApplication,
        paths: Paths,
        session: SessionStore,
        gallery: GalleryStore,
        engine: Engine,
        *,
        is_offline: bool,
    ) -> None:
        self._engine = engine
        self._gallery = gallery
        self._settings = Settings(session)
        self._theme = Theme(app, resources_dir() / "icons", self._settings.get("theme"))
        checkpoints = CheckpointStore(paths)
        catalog = list(read_catalog(resources_dir() / CATALOG_NAME))
        recipes = RecipeStore(paths.recipes, resources_dir() / "recipes")
        self._document = Document(gallery, checkpoints, recipes.list(), session)
        self._styles = StyleStore(paths.data_dir / STYLES_NAME, resources_dir() / STYLES_NAME)
        self._document.styles = self._styles.list()
        self._chain = ChainFacts(self._document, checkpoints)
        self._recipes = RecipeBook(recipes, self._document)
        self._jobs = JobQueue(session, gallery)
        self._model = GalleryModel(gallery, self._document.undo_stack)
        self._lineage = LineageModel(gallery, self._model)
        self._thread = WorkerThread(engine, gallery)
        self._controls = ControlParts(
            ControlDeriver(self._document, self._jobs), ControlPictures(self._document, gallery)
        )
        self._adapters = AdapterShelf(self._document, AdapterStore(paths), gallery)
        parts = Parts(
            self._document,
            self._chain,
            self._jobs,
            self._model,
            self._lineage,
            self._settings,
            Folders(paths.data_dir, paths.checkpoints, paths.logs, resources_dir()),
            partial(_list_checkpoints, checkpoints, catalog),
            self._make_checkpoint_parts(paths, catalog, is_offline=is_offline),
            self._controls,
            self._adapters,
            self._recipes,
            self._close,
        )
        self._checkpoints = parts.checkpoints
        self.window = MainWindow(parts, self._theme)
        self._connect()
        self._restore(session)

    def _make_checkpoint_parts(self, paths: Paths, catalog: list[CatalogEntry], *, is_offline: bool) -> CheckpointParts:
        token = HubToken()

        def is_online() -> bool:
            return bool(self._settings.get("network")) and not is_offline

        hub = Hub(token=token.get, is_online=is_online)
        source = CheckpointSource(paths, CheckpointDownloads(paths, hub))
        downloads = Downloads(source, converter(paths, convert_pickles), is_online=is_online())
        access = access_to(paths)
        model = CheckpointModel(access, catalog, downloads, row_text)
        return CheckpointParts(
            model, downloads, CheckpointWork(access), token, CheckpointStore(paths).is_here, is_offline
        )

    def _connect(self) -> None:
        self._jobs.finished.connect(self._model.insert_finished)
        self._adapters.changed.connect(self._document.checkpoint_changed)
        self._thread.worker.status_told.connect(self.window.job_bar.show_engine)
        self._thread.worker.status_told.connect(self._checkpoints.model.show_engine)
        self._thread.worker.status_told.connect(self._chain.show_engine)
        self._chain.status_wanted.connect(self._thread.ask_status)
        self._settings.changed.connect(self._on_setting_changed)
        self.window.first_painted.connect(self.window.begin)
        self.window.engine_wanted.connect(self._thread.warm_up)
        self._thread.start()
        self._on_setting_changed("memory_plan")
        self._jobs.attach(self._thread.worker)
        self._controls.deriver.attach(self._thread.worker)

    def _on_setting_changed(self, key: str) -> None:
        if key in ("memory_plan", "attention"):
            plan = self._settings.get("memory_plan")
            chosen = None if plan == "auto" else MemoryPlan(plan)
            self._thread.configure(EngineOptions(chosen, self._settings.get("attention")))
            self._chain.ask_engine()

    def _restore(self, session: SessionStore) -> None:
        if not self._settings.get("autostart"):
            self._jobs.pause()
        for restore in (self._document.restore_session, self._jobs.restore_session):
            try:
                restore()
            except StudioError as e:
                self.window.show_error(e)
        for error in (*self._recipes.damaged(), self._styles.damaged()):
            if error is not None:
                self.window.show_error(StoreError(error.title, error.detail, error.hint))
        recovery = self._gallery.recovery
        if recovery.rebuilt or recovery.adopted or recovery.relinked or recovery.swept:
            self.window.show_error(StoreError("The gallery was put in order", "\n".join(recovery.sentences), ""))
        if session.moved_aside:
            names = ", ".join(path.name for path in session.moved_aside)
            hint = "What it held begins with the usual values; the old file is kept."
            self.window.show_error(StoreError("A file of the last session was damaged", names, hint))
        for sentence in recovery.sentences:
            log.info("Gallery: %s", sentence)

    def _close(self) -> None:
        """The work first, then what holds it; a disk that refuses one part does not keep the others from being kept."""
        for close in (
            self._checkpoints.downloads.close,
            self._checkpoints.work.close,
            self._checkpoints.model.close,
            self._recipes.close,
            self._controls.deriver.close,
            self._controls.pictures.close,
            self._adapters.close,
            self._chain.close,
            self._document.close,
            self._jobs.close,
            self._stop_engine,
            self._settings.flush,
            self._lineage.close,
            self._model.close,
        ):
            try:
                close()
            except StudioError as e:
                log.error("At closing: %s", e)
        self._gallery.close()
        self._theme.deleteLater()

    def _stop_engine(self) -> None:
        if not self._thread.stop(STOP_MS) and isinstance(self._engine, EngineProcess):
            self._engine.abort()
            self._thread.stop(4 * STOP_MS)


def run(images: list[str], data_dir: Path | None = None, *, is_offline: bool = False) -> int:
    """Open the window and stay until it closes; returns the exit status. Raises `StudioError` before there is one.

    A second start for the same data folder hands its pictures to the first and ends.
    """
    app = _make_application()
    paths = user_paths(data_dir)
    paths.ensure()
    pictures = [Path(image) for image in images]
    instance = SingleInstance(paths.data_dir, app)
    if not instance.claim():
        return _call_other(instance, pictures, paths)
    _set_up_log(paths)
    reporter = CrashReporter(app)
    reporter.install()
    try:
        window = create_window(paths.data_dir, is_offline=is_offline)
        instance.called.connect(window.come_forward)
        signals = _Signals(window.close_now, app)
        window.show()
        window.open_pictures(pictures)
        collector = GarbageCollector(app)
        status = app.exec()
        collector.close()
        signals.close()
        return status
    finally:
        reporter.remove()
        instance.release()


def _make_application() -> QApplication:
    app = QApplication.instance() or QApplication(sys.argv[:1])
    assert isinstance(app, QApplication)
    app.setApplicationName(APP_NAME)
    app.setApplicationDisplayName("Underpaint")
    app.setApplicationVersion(__version__)
    app.setDesktopFileName(APP_NAME)
    return app


def _call_other(instance: SingleInstance, pictures: list[Path], paths: Paths) -> int:
    if instance.call_other(pictures):
        return 0
    raise StoreError(
        "Underpaint is open already, but does not answer",
        str(paths.data_dir),
        "Wait a moment, or end it, then start again. --data-dir opens another data folder.",
    )


def _set_up_log(paths: Paths) -> None:
    path = paths.logs / "underpaint.log"
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    faulthandler.enable((paths.logs / "crash.log").open("a"))
    log.info("Underpaint %s begins", __version__)


class _Signals(QObject):
    """Ctrl+C and a polite kill close the window. Python acts on a signal only when its code runs, so a socket that
    the interpreter writes to wakes the event loop.
    """

    def __init__(self, close: Callable[[], None], parent: QObject) -> None:
        super().__init__(parent)
        self._close = close
        self._ours, self._theirs = socket.socketpair()
        for end in (self._ours, self._theirs):
            end.setblocking(False)
        self._notifier = QSocketNotifier(self._ours.fileno(), QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_activated)
        signal.set_wakeup_fd(self._theirs.fileno())
        self._before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}

    def close(self) -> None:
        """Give the signals back."""
        signal.set_wakeup_fd(-1)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._notifier.setEnabled(False)
        self._ours.close()
        self._theirs.close()

    def _on_activated(self) -> None:
        self._ours.recv(64)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        self._close()
