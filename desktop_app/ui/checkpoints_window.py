"""CheckpointsWindow: every checkpoint that is here, on its way, or could be."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QModelIndex, QPoint, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleAnnouncementEvent,
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
    QShowEvent,
)
from PySide6.QtWidgets import QDialog, QFileDialog, QMenu, QSplitter, QVBoxLayout, QWidget

from desktop_app.core.errors import RequestError, StudioError
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import RowFilter, hub_id
from desktop_app.studio.checkpoint_work import CheckpointWork, Task, WorkKind
from desktop_app.studio.downloads import CAN_PAUSE, CAN_RESUME, Downloads
from desktop_app.ui.banner import MessageBanner
from desktop_app.ui.checkpoint_actions import CheckpointActions, TokenStore
from desktop_app.ui.checkpoint_bars import FilterBar, FootBar, ImportBar
from desktop_app.ui.checkpoint_commands import (
    COMMANDS,
    Circumstances,
    Command,
    commands_of,
    reason_against,
)
from desktop_app.ui.checkpoint_delegate import CheckpointDelegate
from desktop_app.ui.checkpoint_details import CheckpointDetails
from desktop_app.ui.checkpoint_drop import DropHint, checkpoint_paths
from desktop_app.ui.checkpoint_list import CheckpointList
from desktop_app.ui.checkpoint_texts import task_text, translate
from desktop_app.ui.dialogs import DetailsDialog
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.icons import Icons

LIST_WIDTH = 520
DETAILS_WIDTH = 420
MIN_LIST_WIDTH = 340
MIN_DETAILS_WIDTH = 280


class CheckpointsWindow(QWidget):
    """Not modal; lives in the GUI thread. It works on the studio's objects, and says what is not theirs."""

    use_requested = Signal(str)
    """The REF of the checkpoint that shall paint."""
    network_toggled = Signal(bool)
    brought_in = Signal(list)
    """Files and folders that were dropped or chosen here; those that are checkpoints come back by `bring_in`."""

    def __init__(
        self,
        model: CheckpointModel,
        downloads: Downloads,
        work: CheckpointWork,
        token: TokenStore,
        icons: Icons,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setObjectName("checkpointsWindow")
        self.setWindowTitle(self.tr("Checkpoints"))
        self.setAcceptDrops(True)
        self.resize(1080, 680)
        self._model = model
        self._downloads = downloads
        self._work = work
        self.wishes = CheckpointActions(model, downloads, work, token, self)
        self._awaited_ref = ""
        self._expected_ref = ""
        self._is_begun = False
        self._wanted = RowFilter()
        self._make_parts(icons)
        self._lay_out()
        self._connect()
        self._make_keys()
        self._show_all()

    # What others tell -----------------------------------------------------------------------------

    def show_used(self, ref: str) -> None:
        """Mark the checkpoint that paints now."""
        self.wishes.used_ref = ref
        self.view_delegate.set_used(ref)
        self.view.viewport().update()
        self._show_current()

    def show_online(self, is_online: bool) -> None:
        """Show whether the network may be used."""
        self.foot.show_online(is_online)
        self._downloads.set_online(is_online)
        self.view.viewport().update()
        self._show_current()

    def fix_network(self, reason: str) -> None:
        """The network cannot be switched here, for ``reason``."""
        self.foot.fix_network(reason)

    def come_forward(self, ref: str = "") -> None:
        """Show the window to the user, with the row of ``ref`` selected."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()
        if ref and not self.select(ref):
            self._expected_ref = ref

    def layout_text(self) -> str:
        """Size and place of the window and of its parts, for `restore_layout`."""
        states = (self.saveGeometry(), self.splitter.saveState())
        return " ".join(bytes(state.toBase64().data()).decode() for state in states)

    def restore_layout(self, text: str) -> None:
        """Take the size and the place that `layout_text` told."""
        states = [QByteArray.fromBase64(part.encode()) for part in text.split(" ")]
        if len(states) == 2:
            self.restoreGeometry(states[0])
            self.splitter.restoreState(states[1])

    def close_all(self) -> None:
        """Close the window for good; the thread that keeps the token ends."""
        self.close()
        self.wishes.close()

    def bring_in(self, paths: list[Path]) -> None:
        """Import files, use folders where they are."""
        for path in paths:
            self._work.bring_in(path)

    def tell_adapters(self, paths: list[Path]) -> None:
        """Say that ``paths`` are no checkpoints, and where they have gone."""
        names = ", ".join(path.name for path in paths)
        title = self.tr("This is an adapter, not a checkpoint") if len(paths) == 1 else self.tr("These are adapters")
        hint = self.tr("It goes to Adapters in the main window.")
        self.banner.show_error(RequestError(title, names, hint))

    def select(self, ref: str) -> bool:
        """Select the row of ``ref``; whether there is one."""
        number = self._model.row_of(ref)
        if number >= 0:
            index = self._model.index(number)
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)
        return number >= 0

    # Making it ------------------------------------------------------------------------------------

    def _make_parts(self, icons: Icons) -> None:
        self.banner = MessageBanner(icons)
        self.filter_bar = FilterBar(icons)
        self.import_bar = ImportBar(icons)
        self.view = CheckpointList()
        self.view_delegate = CheckpointDelegate(icons, self.wishes.around, self.view)
        self.view.setItemDelegate(self.view_delegate)
        self._model.rowsAboutToBeRemoved.connect(self._on_rows_about_to_be_removed)  # before the view moves on
        self.view.setModel(self._model)
        self.empty = EmptyState(self.view, self._model, self._empty_sentence)
        self.details = CheckpointDetails(icons)
        self.foot = FootBar(icons)
        self.drop_hint = DropHint(self)

    def _lay_out(self) -> None:
        left = QWidget()
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.filter_bar)
        column.addWidget(self.import_bar)
        column.addWidget(self.empty, 1)
        left.setMinimumWidth(MIN_LIST_WIDTH)
        self.details.setMinimumWidth(MIN_DETAILS_WIDTH)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.details)
        self.splitter.setSizes([LIST_WIDTH, DETAILS_WIDTH])
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 2)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.banner)
        layout.addWidget(self.splitter, 1)
        layout.addWidget(self.foot)

    def _connect(self) -> None:
        self.filter_bar.changed.connect(self._on_filter_changed)
        self.filter_bar.file_requested.connect(self._on_file_requested)
        self.filter_bar.folder_requested.connect(self._on_folder_requested)
        self.import_bar.stop_requested.connect(self._work.cancel)
        self.banner.details_requested.connect(self._on_details_requested)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.wanted.connect(self.wishes.give)
        self.view.chosen.connect(self._on_row_chosen)
        self.view.toggled.connect(self._on_row_toggled)
        self.view.remove_requested.connect(self._on_remove_requested)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.details.wanted.connect(self.wishes.give)
        self.foot.network_toggled.connect(self._on_network_toggled)
        self.foot.token_requested.connect(self.wishes.ask_token)
        self._model.settled.connect(self._on_settled)
        self._model.dataChanged.connect(self._on_data_changed)
        self._model.surveyed.connect(self._on_surveyed)
        self._model.error_raised.connect(self.banner.show_error)
        self._downloads.consent_needed.connect(self.wishes.ask_consent)
        self._downloads.finished.connect(self._on_download_finished)
        self._downloads.failed.connect(self._on_download_failed)
        self._work.changed.connect(self._on_work_changed)
        self._work.done.connect(self._on_work_done)
        self._work.failed.connect(self._on_work_failed)
        self.wishes.use_requested.connect(self.use_requested)
        self.wishes.download_begun.connect(self._on_download_begun)
        self.wishes.token_told.connect(self.foot.show_token)
        self.wishes.error_raised.connect(self.banner.show_error)

    def _make_keys(self) -> None:
        keys = QKeySequence.StandardKey
        for key, slot in (
            (keys.Find, self._on_find),
            (keys.Refresh, self._model.refresh),
            (keys.Close, self.close),
            (Qt.Key.Key_Escape, self._on_escape),
        ):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.activated.connect(slot)

    # What is shown --------------------------------------------------------------------------------

    def _show_all(self) -> None:
        self.filter_bar.show_families(self._model.families)
        self.foot.show_online(self._downloads.is_online)
        self.foot.show_disk(self._model.survey.disk)
        self.empty.refresh()
        self._show_current()

    def _show_current(self) -> None:
        row = self.view.row()
        if row is None:
            self.details.show_row(None, Circumstances())
        else:
            self.details.show_row(row, self.wishes.around(row), self._model.needs(row))

    def _empty_sentence(self) -> str:
        if not self._model.is_surveyed:
            return self.tr("Looking for checkpoints…")
        if self._wanted.text:
            sentence = self.tr(
                "Nothing here matches “%1”. The whole name of any checkpoint on the hub, such as org/name, "
                "can be downloaded."
            )
            return sentence.replace("%1", self._wanted.text)
        return self.tr("There is no checkpoint of this family yet. Drop a .safetensors file here to import it.")

    # Events ---------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Look at the disk and for the token whenever the window comes."""
        super().showEvent(event)
        self._model.refresh()
        self.wishes.look_for_token()
        self.view.setFocus()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Downloads go on without the window."""
        self.drop_hint.hide()
        super().closeEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The hint covers the whole window."""
        super().resizeEvent(event)
        self.drop_hint.setGeometry(self.rect())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Checkpoints may be dropped anywhere."""
        paths = checkpoint_paths(event.mimeData())
        if paths and event.possibleActions() & Qt.DropAction.CopyAction:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.drop_hint.light(paths)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        """Nothing hovers any more."""
        self.drop_hint.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        """Take in what was dropped."""
        self.drop_hint.hide()
        paths = checkpoint_paths(event.mimeData())
        if paths:
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.brought_in.emit(paths)

    # Slots ----------------------------------------------------------------------------------------

    def _on_find(self) -> None:
        self.filter_bar.search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.filter_bar.search.selectAll()

    def _on_escape(self) -> None:
        if self.filter_bar.search.text():
            self.filter_bar.search.clear()
        else:
            self.close()

    def _on_filter_changed(self, wanted: RowFilter) -> None:
        self._wanted = wanted
        self._model.filter_by(wanted)
        self.empty.refresh()

    def _on_file_requested(self) -> None:
        title, kinds = self.tr("Import checkpoint"), self.tr("Checkpoints (*.safetensors)")
        name, _kind = QFileDialog.getOpenFileName(self, title, str(Path.home()), kinds)
        if name:
            self.brought_in.emit([Path(name)])

    def _on_folder_requested(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, self.tr("Use checkpoint folder"), str(Path.home()))
        if folder:
            self.bring_in([Path(folder)])

    def _on_details_requested(self, error: StudioError) -> None:
        _open(DetailsDialog(error, self))

    def _on_current_changed(self) -> None:
        self._show_current()

    def _on_row_chosen(self) -> None:
        """The first thing that the row offers."""
        row = self.view.row()
        if row is not None:
            offered = commands_of(row, self.wishes.around(row))
            first = next((c for c in offered if c in (Command.USE, Command.DOWNLOAD, Command.ANSWER)), None)
            if first is not None:
                self.wishes.give(first, row.ref)

    def _on_row_toggled(self) -> None:
        row = self.view.row()
        if row is None or row.download is None:
            return
        if row.download.state in CAN_PAUSE:
            self.wishes.give(Command.PAUSE, row.ref)
        elif row.download.state in CAN_RESUME:
            self.wishes.give(Command.RETRY if row.download.error else Command.RESUME, row.ref)

    def _on_remove_requested(self) -> None:
        row = self.view.row()
        if row is not None:
            offered = commands_of(row, self.wishes.around(row))
            for command in (Command.CANCEL, Command.REMOVE, Command.FORGET):
                if command in offered:
                    self.wishes.give(command, row.ref)

    def _on_menu_requested(self, position: QPoint) -> None:
        """The same commands as the buttons of the details."""
        row = self.view.row()
        if row is None:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for command in commands_of(row, self.wishes.around(row)):
            action = menu.addAction(translate(COMMANDS[command].text))
            action.setEnabled(not reason_against(command, self.wishes.around(row)))
            action.triggered.connect(partial(self.wishes.give, command, row.ref))
        menu.popup(self.view.viewport().mapToGlobal(position))

    def _on_network_toggled(self, is_online: bool) -> None:
        """Others hear of it first: what goes on again asks them whether it may."""
        self.network_toggled.emit(is_online)
        self.show_online(is_online)

    def _on_rows_about_to_be_removed(self, _parent: QModelIndex, first: int, last: int) -> None:
        """The selected row may only be moving to another section."""
        row, number = self.view.row(), self.view.currentIndex().row()
        if row is not None and first <= number <= last and not self._awaited_ref:
            self._awaited_ref = row.ref

    def _on_settled(self) -> None:
        ref, self._awaited_ref = self._awaited_ref, ""
        current = self.view.row()
        if ref and (current is None or current.ref != ref):
            self.select(ref)
        first = self._model.row_at(1)
        if self.view.row() is None and first is not None:
            self.select(first.ref)
        self._show_current()

    def _on_data_changed(self, first: QModelIndex, last: QModelIndex) -> None:
        if first.row() <= self.view.currentIndex().row() <= last.row():
            self._show_current()

    def _on_surveyed(self) -> None:
        self._show_all()
        if not self._is_begun:  # before there were rows the list could not have the keyboard
            self._is_begun = True
            self.view.setFocus()
        if self.select(self._expected_ref):
            self._expected_ref = ""

    def _on_download_begun(self, ref: str) -> None:
        """What was typed has become a row of its own."""
        if hub_id(self._wanted.text) == ref:
            self._awaited_ref = ref
            self.filter_bar.search.clear()

    def _on_download_finished(self, ref: str, _path: Path) -> None:
        row = self._model.row_at(self._model.row_of(ref))
        self._announce(self.tr("%1 is downloaded").replace("%1", row.label if row else ref))

    def _on_download_failed(self, ref: str, error: StudioError) -> None:
        """It is said beside the row; what belongs to no row in the banner."""
        if self._model.row_of(ref) < 0:
            self.banner.show_error(error)
        self._announce(error.title)

    def _on_work_changed(self, task: Task) -> None:
        if task.kind is WorkKind.BRING_IN:
            running = [other for other in self._work.running if other.kind is WorkKind.BRING_IN]
            self.import_bar.show_task(running[0] if running else None)
        elif task.ref == self.details.ref:
            self._show_current()

    def _on_work_done(self, task: Task) -> None:
        if task.kind is WorkKind.BRING_IN:
            self._expected_ref = str(task.outcome)
        if task.kind is not WorkKind.VERIFY:
            self._model.refresh()
        elif task.ref == self.details.ref:
            self._announce(task_text(task))

    def _on_work_failed(self, task: Task, error: StudioError) -> None:
        if task.kind is WorkKind.VERIFY and task.ref == self.details.ref:
            self._announce(error.title)
        else:
            self.banner.show_error(error)

    def _announce(self, text: str) -> None:
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))


def _open(dialog: QDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
