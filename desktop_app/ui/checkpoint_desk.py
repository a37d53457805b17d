"""CheckpointDesk: opens the Checkpoints window, and carries over what it and the main window ask of each other."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QFileDialog

from desktop_app.core.download import DownloadPlan
from desktop_app.studio.checkpoint_work import Task, WorkKind
from desktop_app.ui.checkpoints_window import CheckpointsWindow

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow


class CheckpointDesk(QObject):
    """Lives in the GUI thread. The Checkpoints window is made when it is first wanted, and stays until the end."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._parts = window.parts.checkpoints
        self._document = window.document
        self._settings = window.settings
        self._opened: CheckpointsWindow | None = None
        self._used_when_here: set[str] = set()
        self._brought_there: set[Path] = set()
        actions = window.actions_by_id
        actions["checkpoints"].triggered.connect(self.open)
        actions["import_checkpoint"].triggered.connect(self._on_import)
        window.prompt_panel.download_requested.connect(self.download_missing)
        window.control_panel.download_requested.connect(self.download)
        window.first_painted.connect(self._on_first_painted)
        self._settings.changed.connect(self._on_setting_changed)
        self._shown_missing: tuple[str, ...] = ()
        self._document.params_changed.connect(self._show_used)
        self._document.checkpoint_changed.connect(self._show_missing)
        self._document.params_changed.connect(self._on_params_changed)
        self._parts.downloads.finished.connect(self._on_downloaded)
        self._parts.downloads.consent_needed.connect(self._on_consent_needed)
        self._parts.work.done.connect(self._on_work_done)
        window.parts.adapters.told_apart.connect(self._on_told_apart)
        self._show_network()

    @property
    def is_online(self) -> bool:
        """Whether the network may be used."""
        return bool(self._settings.get("network")) and not self._parts.is_offline

    def open(self) -> CheckpointsWindow:
        """Show the Checkpoints window."""
        if self._opened is None:
            parts = self._parts
            self._opened = CheckpointsWindow(parts.model, parts.downloads, parts.work, parts.token, self._window.icons)
            self._opened.brought_in.connect(self._on_brought_there)
            self._opened.use_requested.connect(self._document.choose_checkpoint)
            self._opened.network_toggled.connect(partial(self._settings.set, "network"))
            self._show_used()
            self._opened.show_online(self.is_online)
            if parts.is_offline:
                self._opened.fix_network(self.tr("The program was started with --offline"))
            if layout := self._settings.get("checkpoints_layout"):
                self._opened.restore_layout(layout)
        self._opened.show()
        self._opened.raise_()
        self._opened.activateWindow()
        return self._opened

    def bring_in(self, paths: list[Path]) -> None:
        """Take in what was dropped or chosen here: the last of several checkpoints paints when it is in, and adapters
        are added to those in use.
        """
        self._brought_there -= set(paths)
        self._window.parts.adapters.tell_apart(paths)

    def download_missing(self) -> None:
        """Fetch what the values in the controls need and is not on this machine."""
        self.download(self._missing())

    def download(self, refs: Sequence[str]) -> None:
        """Fetch ``refs`` of the hub, and show how far that is."""
        window = self.open()
        for ref in refs:
            self._parts.downloads.start(ref)
        for ref in refs[:1]:
            window.select(ref)

    def close(self) -> None:
        """End the Checkpoints window."""
        if self._opened is not None:
            self._settings.set("checkpoints_layout", self._opened.layout_text())
            self._opened.close_all()
            self._opened.deleteLater()
            self._opened = None

    def _missing(self) -> list[str]:
        return [ref for ref in self._document.missing if not self._parts.is_here(ref)]

    def _on_params_changed(self) -> None:
        """Another recipe on the same checkpoint may need other ones beside it."""
        if self._document.missing != self._shown_missing:
            self._show_missing()

    def _show_missing(self) -> None:
        self._shown_missing = self._document.missing
        self._window.prompt_panel.show_missing([(ref, self._parts.model.size_of(ref)) for ref in self._missing()])

    def _on_brought_there(self, paths: list[Path]) -> None:
        """In the Checkpoints window, where a checkpoint that comes does not paint at once."""
        self._brought_there |= set(paths)
        self._window.parts.adapters.tell_apart(paths)

    def _on_told_apart(self, adapters: list[Path], checkpoints: list[Path]) -> None:
        there = self._brought_there & {*adapters, *checkpoints}
        self._brought_there -= there
        if adapters:
            self._window.adapter_panel.bring_in(adapters)
        if (told := [path for path in adapters if path in there]) and self._opened:
            self._opened.tell_adapters(told)
        if checkpoints:
            if not there:
                self._used_when_here = {str(path) for path in checkpoints[-1:]}
            self.open().bring_in(checkpoints)

    def _on_import(self) -> None:
        title, kinds = self.tr("Import checkpoint"), self.tr("Checkpoints (*.safetensors)")
        name, _kind = QFileDialog.getOpenFileName(self._window, title, self._settings.get("last_folder"), kinds)
        if name:
            self.bring_in([Path(name)])

    def _on_first_painted(self) -> None:
        self._parts.downloads.restore()

    def _on_setting_changed(self, key: str) -> None:
        if key == "network":
            self._show_network()

    def _show_network(self) -> None:
        action = self._window.actions_by_id["network"]
        action.setEnabled(not self._parts.is_offline)
        if self._parts.is_offline:
            action.setToolTip(self.tr("The program was started with --offline"))
        self._document.is_online = self.is_online
        self._parts.downloads.set_online(self.is_online)
        if self._opened is not None:
            self._opened.show_online(self.is_online)

    def _show_used(self, _params: object = None) -> None:
        if self._opened is not None:
            self._opened.show_used(self._document.params.checkpoint)

    def _on_downloaded(self, _ref: str, _path: object) -> None:
        self._look_again()

    def _on_consent_needed(self, ref: str, plan: DownloadPlan) -> None:
        """The Checkpoints window asks, so it has to be there; one that is new has not heard of it."""
        is_new = self._opened is None
        window = self.open()
        if is_new:
            window.wishes.ask_consent(ref, plan)

    def _on_work_done(self, task: Task) -> None:
        if task.kind is WorkKind.VERIFY:
            return
        if task.kind is WorkKind.BRING_IN and task.ref in self._used_when_here:
            self._used_when_here.clear()
            self._document.choose_checkpoint(str(task.outcome))
        self._look_again()

    def _look_again(self) -> None:
        """There are other checkpoints on the disk now."""
        self._window.commands.refresh_checkpoints()
        self._document.read_checkpoints_again()
