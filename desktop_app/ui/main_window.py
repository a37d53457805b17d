"""MainWindow: the docks, the menus and the message banner around the canvas. It holds no state of the work."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QByteArray, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDragLeaveEvent, QDropEvent, QIcon, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QDockWidget, QFrame, QMainWindow, QMenu, QStatusBar, QVBoxLayout, QWidget

from desktop_app.core.errors import ImageError, RequestError, StudioError
from desktop_app.ui.actions import ACTIONS, MENUS, make_actions, translate
from desktop_app.ui.adapter_panel import AdapterPanel
from desktop_app.ui.banner import MessageBanner
from desktop_app.ui.canvas import Canvas
from desktop_app.ui.canvas_drop import DropZone
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.canvas_sources import offers_picture
from desktop_app.ui.chain_panel import ChainPanel
from desktop_app.ui.checkpoint_desk import CheckpointDesk
from desktop_app.ui.checkpoint_drop import DropHint, checkpoint_paths
from desktop_app.ui.column_area import ColumnArea
from desktop_app.ui.commands import Commands
from desktop_app.ui.control_panel import ControlPanel, PanelSources
from desktop_app.ui.dialogs import DetailsDialog, ask_lose, ask_quit
from desktop_app.ui.family_panel import FamilyPanel
from desktop_app.ui.field import Field
from desktop_app.ui.gallery_view import GalleryPanel
from desktop_app.ui.icons import Icons
from desktop_app.ui.job_bar import JobBar
from desktop_app.ui.lineage_view import LineagePanel
from desktop_app.ui.mask_commands import MaskCommands
from desktop_app.ui.mask_panel import MaskPanel
from desktop_app.ui.params_panel import GeneratePanel, ParamsPanel
from desktop_app.ui.parts import Parts
from desktop_app.ui.prompt_panel import PromptPanel
from desktop_app.ui.queue_view import QueuePanel
from desktop_app.ui.recipe_commands import RecipeCommands
from desktop_app.ui.setting_commands import SettingCommands
from desktop_app.ui.shortcuts import Shortcuts
from desktop_app.ui.stage_card import FirstStageCard, StageCard
from desktop_app.ui.sweep_commands import SweepCommands
from desktop_app.ui.theme import GRID, Theme
from desktop_app.ui.variation_strip import VariationStrip
from desktop_app.ui.view_commands import ViewCommands

LAYOUT_VERSION = 1
PARAMS_WIDTH = 320
GALLERY_WIDTH = 260
RIGHT_HEIGHTS = (400, 260)
"""Of the gallery and the lineage, by which they share what height there is."""

FONT_HEIGHT = 16
"""The font that these widths are for."""

FIRST_PAINT_MS = 50
TRIVIAL_SECONDS = 10
"""A running job that needs no longer is stopped without asking: it stays in the queue."""


class MainWindow(QMainWindow):
    """Lives in the GUI thread. `desktop_app.app.create_window` makes it."""

    first_painted = Signal()
    """Once, after the window is on the screen: time for what may take long."""
    engine_wanted = Signal(object)
    """The checkpoint that the engine shall get ready for."""

    def __init__(self, parts: Parts, theme: Theme) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.setWindowTitle(self.tr("Underpaint"))
        self.setWindowIcon(QIcon(str(parts.folders.resources / "icons" / "underpaint.svg")))
        self.setAcceptDrops(True)
        self.resize(1280, 800)
        self.parts = parts
        self.document = parts.document
        self.jobs = parts.jobs
        self.settings = parts.settings
        self.theme = theme
        self.icons = Icons(parts.folders.resources / "icons")
        self._is_closed = False
        self._is_forced = False
        self._is_shown = False
        self._make_center()
        self.shortcuts = Shortcuts(self.actions_by_id, self.settings, self)
        self._make_docks()
        self._make_menus()
        self.commands = Commands(self)
        self.checkpoint_desk = CheckpointDesk(self)
        self.mask_commands = MaskCommands(self)
        self.recipe_commands = RecipeCommands(self)
        self.sweep_commands = SweepCommands(self)
        self.view_commands = ViewCommands(self)
        self.setting_commands = SettingCommands(self)
        self._default_layout = self.saveState(LAYOUT_VERSION)
        self._checkpoint_hint = DropHint(self)
        self._restore_layout()
        self.prompt_panel.prompt.setFocus()

    def _make_center(self) -> None:
        self.canvas = Canvas(self.parts.folders.resources / "samples")
        self.actions_by_id = make_actions(self, self.canvas, self.icons)
        self.canvas.attach_mask(self.document, self.actions_by_id)
        self.canvas.tell_keys(self.actions_by_id)
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
        self.setCentralWidget(center)
        bar = QStatusBar()
        bar.setSizeGripEnabled(False)
        bar.addPermanentWidget(self.job_bar, 1)
        self.setStatusBar(bar)

    def _make_docks(self) -> None:
        self.prompt_panel = PromptPanel(self.document)
        self.params_panel = ParamsPanel(self.document, self.settings, self.icons)
        self.mask_panel = MaskPanel(self.document, self.canvas.mask_tools, self.actions_by_id)
        self.family_panel = FamilyPanel(self.document)
        self.chain_panel = ChainPanel(self.document, self.settings, self.icons)
        sources = PanelSources(self.parts.gallery.find, self.parts.checkpoints.model.size_of)
        self.control_panel = ControlPanel(
            self.document, self.jobs, self.settings, self.parts.controls, sources, self.icons
        )
        self.adapter_panel = AdapterPanel(
            self.document, self.settings, self.parts.adapters, self.parts.gallery.find, self.icons
        )
        self.generate_panel = GeneratePanel(self.document, self.actions_by_id["generate"])
        self.gallery_panel = GalleryPanel(self.parts.gallery, self.icons)
        self.lineage_panel = LineagePanel(self.parts.lineage, self.document, self.jobs, self.presenter, self.icons)
        self.queue_panel = QueuePanel(self.jobs, self.actions_by_id, self.icons)
        areas = Qt.DockWidgetArea
        left, right = areas.LeftDockWidgetArea, areas.RightDockWidgetArea
        self.params_dock = self._add_dock("paramsDock", self.tr("Prompt and values"), self._make_params_page(), left)
        self.gallery_dock = self._add_dock("galleryDock", self.tr("Gallery"), self.gallery_panel, right)
        self.lineage_dock = self._add_dock("lineageDock", self.tr("Lineage"), self.lineage_panel, right)
        self.queue_dock = self._add_dock("queueDock", self.tr("Queue"), self.queue_panel, right)
        self.queue_dock.hide()
        self.queue_dock.visibilityChanged.connect(self.job_bar.queue.setChecked)
        self.job_bar.queue_toggled.connect(self.queue_dock.setVisible)
        docks = [self.params_dock, self.gallery_dock]
        scale = max(self.fontMetrics().height() / FONT_HEIGHT, 1.0)
        widths = [round(width * scale) for width in (PARAMS_WIDTH, GALLERY_WIDTH)]
        self.resizeDocks(docks, widths, Qt.Orientation.Horizontal)
        self.resizeDocks([self.gallery_dock, self.lineage_dock], list(RIGHT_HEIGHTS), Qt.Orientation.Vertical)

    def _make_params_page(self) -> QWidget:
        """The controls in a column that scrolls, and the Generate button that never scrolls away."""
        column = QWidget()
        layout = QVBoxLayout(column)
        layout.setContentsMargins(GRID + 4, GRID, GRID + 4, GRID)
        layout.setSpacing(GRID + 2)
        layout.addWidget(self.prompt_panel)
        layout.addWidget(self.params_panel)
        layout.addWidget(self.mask_panel)
        layout.addWidget(self.family_panel)
        layout.addWidget(self.chain_panel)
        layout.addWidget(self.control_panel)
        layout.addWidget(self.adapter_panel)
        layout.addStretch()
        area = ColumnArea()
        self._params_area = area
        area.setObjectName("paramsScroll")
        area.setWidget(column)
        area.setWidgetResizable(True)
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        page = QWidget()
        whole = QVBoxLayout(page)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addWidget(area, 1)
        whole.addWidget(self.generate_panel)
        return page

    def _add_dock(self, name: str, title: str, page: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(page)
        self.addDockWidget(area, dock)
        return dock

    def _make_menus(self) -> None:
        menus = {menu: self.menuBar().addMenu(translate(text)) for menu, text in MENUS}
        menus["theme"] = QMenu(self.tr("&Theme"), self)
        menus["memory"] = QMenu(self.tr("&Memory"), self)
        menus["attention"] = QMenu(self.tr("A&ttention"), self)
        menus["recipe"] = QMenu(self.tr("Rec&ipe"), self)
        self.menus = menus
        for spec in ACTIONS:
            menus[spec.menu].addAction(self.actions_by_id[spec.id])
        for dock in self.docks():
            menus["view"].addAction(dock.toggleViewAction())
        menus["view"].addSeparator()
        menus["view"].addMenu(menus["theme"])
        menus["generate"].addSeparator()
        for name in ("recipe", "memory", "attention"):
            menus["generate"].addMenu(menus[name])

    def docks(self) -> tuple[QDockWidget, ...]:
        """All docks, left to right."""
        return (self.params_dock, self.gallery_dock, self.lineage_dock, self.queue_dock)

    def show_details(self, error: StudioError) -> None:
        """Show ``error`` in full."""
        dialog = DetailsDialog(error, self)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def show_error(self, error: StudioError) -> None:
        """Tell the user beside the control at fault and bring him there, or in the banner where there is none."""
        field = self._field_of(error.param) if isinstance(error, RequestError) else None
        if not isinstance(error, RequestError) or field is None or field.isHidden():
            self.banner.show_error(error)
            return
        field.show_error(error)
        self.params_dock.show()
        self.params_dock.raise_()
        field.focus_control()
        QTimer.singleShot(0, field, lambda: self._params_area.ensureWidgetVisible(field))

    def _field_of(self, param: str) -> Field | StageCard | FirstStageCard | None:
        if card := self.chain_panel.field_of(param):
            return card
        panels = (self.params_panel, self.mask_panel, self.family_panel, self.control_panel, self.adapter_panel)
        found = (panel.field_of(param) for panel in panels)
        return self.prompt_panel.fields.get(param) or next((field for field in found if field), None)

    def close_now(self) -> None:
        """Close without asking: the session ends, or the program was told to."""
        self._is_forced = True
        self.close()

    def begin(self) -> None:
        """Do what had to wait for the first paint."""
        self.engine_wanted.emit(self.document.params.checkpoint)

    def come_forward(self, images: list[Path]) -> None:
        """Show the window to the user, with the first of ``images``."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()
        self.open_pictures(images)

    def open_pictures(self, images: list[Path]) -> None:
        """Open the first of ``images``, and say so when there are more."""
        if images:
            self.document.open_image(images[0])
        if len(images) > 1:
            self.tell_left_out([path.name for path in images[1:]])

    def tell_left_out(self, names: list[str]) -> None:
        """Say that only the first of several pictures was taken."""
        hint = self.tr("Bring the others one after the other.")
        self.banner.show_error(ImageError(self.tr("Only the first picture was taken"), ", ".join(names), hint))

    def reset_layout(self) -> None:
        """Put the docks where they were at the very first start."""
        self.restoreState(self._default_layout, LAYOUT_VERSION)

    def showEvent(self, event: QShowEvent) -> None:
        """Say once that the window stands."""
        super().showEvent(event)
        if not self._is_shown:
            self._is_shown = True
            QTimer.singleShot(FIRST_PAINT_MS, self, self._on_shown)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the layout and end everything, unless the user would rather wait for the running picture."""
        if self._is_closed:
            return
        if not self._may_close():
            event.ignore()
            return
        self._is_closed = True
        self._keep_layout()
        self.hide()
        self.presenter.close()
        self.strip.model.close()
        self.commands.close()
        self.sweep_commands.close()
        self.checkpoint_desk.close()
        self.parts.close()

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """A picture may be dropped anywhere; beside the canvas, with its zones, it becomes the init image. So may a
        checkpoint.
        """
        checkpoints = checkpoint_paths(event.mimeData())
        can_copy = bool(event.possibleActions() & Qt.DropAction.CopyAction)
        if can_copy and (checkpoints or offers_picture(event.mimeData())):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        if can_copy and checkpoints:
            self._checkpoint_hint.light(checkpoints)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing hovers any more."""
        self._checkpoint_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open what was dropped beside the canvas."""
        self._checkpoint_hint.hide()
        checkpoints = checkpoint_paths(event.mimeData())
        if not checkpoints:
            self.canvas.take_drop(event, DropZone.INIT)
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.checkpoint_desk.bring_in(checkpoints)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Space shows the init image while it is held (unless the control with the keyboard needs it)."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.canvas.hold_init(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """The result is back."""
        if event.key() == Qt.Key.Key_Space and not event.isAutoRepeat():
            self.canvas.hold_init(False)
        else:
            super().keyReleaseEvent(event)

    def _on_shown(self) -> None:
        if not self._is_closed:
            self.first_painted.emit()

    def _may_close(self) -> bool:
        if self._is_forced:
            return True
        if self.jobs.unsaved and not ask_lose(self, self.jobs.unsaved):
            return False
        job = self.jobs.current
        if job is None:
            return True
        left = job.seconds_left if job.is_in_last_stage else None
        is_trivial = left is not None and left < TRIVIAL_SECONDS
        return is_trivial or ask_quit(self, self.jobs.waiting)

    def _keep_layout(self) -> None:
        if self.actions_by_id["hide_panels"].isChecked():
            self.actions_by_id["hide_panels"].trigger()
        parts = (self.saveGeometry(), self.saveState(LAYOUT_VERSION))
        self.settings.set("layout", " ".join(bytes(part.toBase64().data()).decode() for part in parts))

    def _restore_layout(self) -> None:
        parts = self.settings.get("layout").split(" ")
        if len(parts) == 2:
            geometry, state = (QByteArray.fromBase64(part.encode()) for part in parts)
            self.restoreGeometry(geometry)
            self.restoreState(state, LAYOUT_VERSION)
