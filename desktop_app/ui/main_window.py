"""MainWindow: the docks, the menus and the message banner around the canvas. It holds no state of the work."""

from __future__ import annotations

import base64

from PySide6.QtCore import QByteArray, QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QIcon, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QMenu, QScrollArea, QVBoxLayout, QWidget

from desktop_app.core.errors import StudioError
from desktop_app.ui.actions import ACTIONS, MENUS, make_actions, translate
from desktop_app.ui.banner import MessageBanner
from desktop_app.ui.canvas import Canvas
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.commands import Commands
from desktop_app.ui.dialogs import DetailsDialog, ask_quit
from desktop_app.ui.gallery_view import GalleryPanel
from desktop_app.ui.icons import Icons
from desktop_app.ui.job_bar import JobBar
from desktop_app.ui.params_panel import GeneratePanel, ParamsPanel
from desktop_app.ui.parts import Parts
from desktop_app.ui.prompt_panel import PromptPanel
from desktop_app.ui.queue_view import QueuePanel
from desktop_app.ui.theme import GRID, Theme
from desktop_app.ui.variation_strip import VariationStrip

LAYOUT_VERSION = 1
TRIVIAL_SECONDS = 10
"""A running job that needs no longer is stopped without asking: it stays in the queue."""


class MainWindow(QMainWindow):
    """Lives in the GUI thread. `desktop_app.app.create_window` makes it."""

    first_painted = Signal()
    """Once, after the window is on the screen: time for what may take long."""

    def __init__(self, parts: Parts, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle(self.tr("Underpaint"))
        self.setWindowIcon(QIcon(str(parts.folders.resources / "icons" / "underpaint.svg")))
        self.setDockOptions(QMainWindow.DockOption.AllowTabbedDocks | QMainWindow.DockOption.AnimatedDocks)
        self.resize(1280, 800)
        self.parts = parts
        self.document = parts.document
        self.jobs = parts.jobs
        self.settings = parts.settings
        self.theme = theme
        self.icons = Icons(parts.folders.resources / "icons")
        self._is_closed = False
        self._is_shown = False
        self._make_parts()
        self._make_docks()
        self._make_menus()
        self.commands = Commands(self)
        self._default_layout = self.saveState(LAYOUT_VERSION)
        self._restore_layout()

    # The parts of the window -----------------------------------------------------------------------------------
    def _make_parts(self) -> None:
        self.canvas = Canvas(self.parts.folders.resources / "samples")
        self.actions_by_id = make_actions(self, self.canvas, self.icons)
        self.presenter = CanvasPresenter(self.canvas, self.document, self.jobs, self)
        self.banner = MessageBanner(self.icons)
        self.banner.details_requested.connect(self.show_details)
        self.strip = VariationStrip(self.document, self.jobs, self.parts.gallery, self.presenter)
        self.job_bar = JobBar(self.jobs, self.actions_by_id, self.icons)
        center = QWidget()
        layout = QVBoxLayout(center)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.canvas, 1)
        layout.addWidget(self.strip)
        layout.addWidget(self.job_bar)
        self.setCentralWidget(center)
