"""CheckpointActions: does what the buttons of the Checkpoints window say, and asks before what cannot be undone."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QWidget

from desktop_app.core.conversion import CONSENT
from desktop_app.core.download import DownloadPlan
from desktop_app.core.errors import StudioError
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow
from desktop_app.studio.checkpoint_work import CheckpointWork, Task, WorkKind
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.pool import PoolRunner
from desktop_app.ui.checkpoint_commands import Circumstances, Command, error_of, has_damage, hub_page, reason_against
from desktop_app.ui.checkpoint_texts import needs_token
from desktop_app.ui.dialogs import DetailsDialog, show_folder
from desktop_app.ui.download_dialogs import ConsentDialog, TokenDialog, ask_discard, ask_remove

WORTH_ASKING = 16 * 2**20
"""Downloads of which less than this many bytes are here are cancelled without a question."""


class TokenStore(Protocol):
    """Keeps the hub token; `desktop_app.store.hub_token.HubToken` is one. Called on a thread."""

    def set(self, text: str) -> None:
        """Keep it. Raises `StudioError`."""

    def clear(self) -> None:
        """Forget it. Raises `StudioError`."""

    def where(self) -> str:
        """Where it is: "keyring", "memory", "environment", or empty where there is none."""


class CheckpointActions(QObject):
    """Lives in the GUI thread; ``window`` is the parent of what it asks. ``used_ref`` is what paints now."""

    use_requested = Signal(str)
    download_begun = Signal(str)
    token_told = Signal(str)
    """Where the token is."""
    error_raised = Signal(object)

    def __init__(
        self,
        model: CheckpointModel,
        downloads: Downloads,
        work: CheckpointWork,
        token: TokenStore,
        window: QWidget,
    ) -> None:
        super().__init__(window)
        self.used_ref = ""
        self._model = model
        self._downloads = downloads
        self._work = work
        self._token = token
        self._token_place = ""
        self._window = window
        work.done.connect(self._on_work_done)
        self._pool = PoolRunner(self, serial=True)
        self._pool.finished.connect(self._on_pool_finished)
        self._pool.failed.connect(self._on_pool_failed)

    def around(self, row: CheckpointRow) -> Circumstances:
        """What decides what can be done with ``row``."""
        is_local = row.download is not None and row.download.is_local
        is_online = self._downloads.is_online or is_local
        return Circumstances(is_online, row.ref == self.used_ref, self._work.find(row.ref))

    def give(self, command: Command, ref: str) -> None:
        """Do ``command`` with the row ``ref``, unless there is a reason against it."""
        row = self._model.row_at(self._model.row_of(ref))
        if row is not None and not reason_against(command, self.around(row)):
            self._slot_of(command)(row)

    def ask_consent(self, ref: str, plan: DownloadPlan) -> None:
        """Ask whether the pickles of ``ref`` shall be converted."""
        row = self._model.row_at(self._model.row_of(ref))
        dialog = ConsentDialog(row.label if row else ref, plan, CONSENT, self._window)
        dialog.accepted.connect(partial(self._downloads.agree, ref))
        dialog.rejected.connect(partial(self._downloads.decline, ref))
        _open(dialog)

    def ask_token(self) -> None:
        """Let the user give or clear the hub token."""
        self._open_token_dialog(TokenDialog(self._token_place, parent=self._window))

    def look_for_token(self) -> None:
        """Find out where the token is; `token_told` follows."""
        self._pool.start("where", self._token.where)

    def open_page(self, address: str) -> None:
        """Open ``address``, an https link, in the web browser."""
        if not QDesktopServices.openUrl(QUrl(address)):
            hint = self.tr("Open it by hand; its address is in the details.")
            self.error_raised.emit(StudioError(self.tr("No web browser took the page"), address, hint))

    def close(self) -> None:
        """Let the thread that keeps the token end."""
        self._pool.wait()

    def _slot_of(self, command: Command) -> Callable[[CheckpointRow], object]:
        return {
            Command.USE: lambda row: self.use_requested.emit(row.ref),
            Command.DOWNLOAD: self._download,
            Command.REPAIR: self._repair,
            Command.CONVERT: lambda row: self._downloads.start(row.ref, is_local=True),
            Command.ANSWER: self._answer,
            Command.PAUSE: lambda row: self._downloads.pause(row.ref),
            Command.RESUME: lambda row: self._downloads.resume(row.ref),
            Command.RETRY: lambda row: self._downloads.retry(row.ref),
            Command.CANCEL: self._cancel,
            Command.TOKEN: self._explain_licence,
            Command.VERIFY: lambda row: self._work.verify(row.ref),
            Command.STOP_WORK: lambda row: self._work.cancel(row.ref),
            Command.DETAILS: self._show_details,
            Command.SHOW_FOLDER: self._show_folder,
            Command.OPEN_PAGE: lambda row: self.open_page(hub_page(row.ref)),
            Command.REMOVE: self._remove,
            Command.FORGET: lambda row: self._work.remove(row.ref),
        }[command]

    def _download(self, row: CheckpointRow) -> None:
        """Fetch it, and what it cannot paint without."""
        needs = [need.ref for need in self._model.needs(row) if need.is_missing]
        for ref in (row.ref, *needs):
            self._downloads.start(ref)
        self.download_begun.emit(row.ref)

    def _repair(self, row: CheckpointRow) -> None:
        """Fetch what is missing, after what is damaged was thrown away."""
        task = self._work.find(row.ref)
        if task is not None and has_damage(task):
            self._work.discard(row.ref, task.outcome)
        else:
            self._downloads.start(row.ref)

    def _on_work_done(self, task: Task) -> None:
        if task.kind is WorkKind.DISCARD:
            self._downloads.start(task.ref)

    def _answer(self, row: CheckpointRow) -> None:
        if row.download is not None and row.download.plan is not None:
            self.ask_consent(row.ref, row.download.plan)

    def _cancel(self, row: CheckpointRow) -> None:
        done = row.download.progress.done if row.download and row.download.progress else 0
        if done < WORTH_ASKING or ask_discard(self._window, row.label, done):
            self._downloads.cancel(row.ref)

    def _remove(self, row: CheckpointRow) -> None:
        if ask_remove(self._window, row.label, row.size_bytes):
            self._work.remove(row.ref)

    def _show_folder(self, row: CheckpointRow) -> None:
        path = row.installed.path if row.installed else None
        if path is not None and not show_folder(path if path.is_dir() else path.parent):
            hint = self.tr("Open it by hand; its name is in the details.")
            self.error_raised.emit(StudioError(self.tr("No file manager took the folder"), str(path), hint))

    def _show_details(self, row: CheckpointRow) -> None:
        error = error_of(row, self._work.find(row.ref))
        if error is not None:
            _open(DetailsDialog(error, self._window))

    def _explain_licence(self, row: CheckpointRow) -> None:
        page = hub_page(row.ref)
        self._open_token_dialog(TokenDialog(self._token_place, label=row.label, page=page, parent=self._window))

    def _open_token_dialog(self, dialog: TokenDialog) -> None:
        dialog.token_set.connect(self._on_token_set)
        dialog.token_cleared.connect(self._on_token_cleared)
        dialog.page_requested.connect(self.open_page)
        _open(dialog)

    def _on_token_set(self, text: str) -> None:
        self._pool.start("set", partial(self._token.set, text))
        self.look_for_token()

    def _on_token_cleared(self) -> None:
        self._pool.start("clear", self._token.clear)
        self.look_for_token()

    def _on_pool_finished(self, key: object, outcome: object) -> None:
        if key == "where":
            self._token_place = str(outcome)
            self.token_told.emit(self._token_place)
        elif key == "set":
            self._retry_refused()

    def _retry_refused(self) -> None:
        """With a new token those are asked for again that were refused for want of one."""
        for download in self._downloads.all:
            row = self._model.row_at(self._model.row_of(download.ref))
            if download.error is not None and row is not None and needs_token(row):
                self.give(Command.RETRY, download.ref)

    def _on_pool_failed(self, _key: object, error: StudioError) -> None:
        self.error_raised.emit(error)


def _open(dialog: QDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()
