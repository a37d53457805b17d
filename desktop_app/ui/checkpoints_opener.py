"""CheckpointsOpener: makes the Checkpoints window when it is first wanted, and keeps it in step with the work."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from desktop_app.core.download import DownloadPlan
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.document import Document
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.settings import Settings
from desktop_app.ui.checkpoint_actions import TokenStore
from desktop_app.ui.checkpoints_window import CheckpointsWindow
from desktop_app.ui.icons import Icons

NETWORK = "network"
"""The setting."""


class CheckpointsOpener(QObject):
    """Lives in the GUI thread; the window is a child of ``parent``. ``layout`` is what `layout_text` said last time."""

    def __init__(
        self,
        model: CheckpointModel,
        downloads: Downloads,
        work: CheckpointWork,
        token: TokenStore,
        document: Document,
        settings: Settings,
        icons: Icons,
        parent: QWidget,
        layout: str = "",
    ) -> None:
        super().__init__(parent)
        self._model = model
        self._downloads = downloads
        self._work = work
        self._token = token
        self._document = document
        self._settings = settings
        self._icons = icons
        self._parent = parent
        self._layout = layout
        self._window: CheckpointsWindow | None = None
        settings.changed.connect(self._on_setting_changed)
        document.params_changed.connect(self._on_params_changed)
        downloads.consent_needed.connect(self._on_consent_needed)
        downloads.set_online(settings.get(NETWORK))

    @property
    def window(self) -> CheckpointsWindow:
        """The window, made if there is none yet."""
        if self._window is None:
            self._window = self._make_window()
        return self._window

    def open(self, ref: str = "") -> None:
        """Show the window to the user, with the row of ``ref`` selected."""
        self.window.come_forward(ref)

    def bring_in(self, paths: list[Path]) -> None:
        """Import files, or use folders where they are, before the user's eyes."""
        self.open()
        self.window.bring_in(paths)

    def import_file(self) -> None:
        """Ask for a file and import it."""
        self.open()
        self.window.filter_bar.file_requested.emit()

    def layout_text(self) -> str:
        """Size and place of the window, for the next start."""
        return self._window.layout_text() if self._window is not None else self._layout

    def close(self) -> None:
        """Close the window for good."""
        if self._window is not None:
            self._window.close_all()

    def _make_window(self) -> CheckpointsWindow:
        window = CheckpointsWindow(self._model, self._downloads, self._work, self._token, self._icons, self._parent)
        window.use_requested.connect(self._on_use_requested)
        window.network_toggled.connect(self._on_network_toggled)
        window.show_used(self._document.params.checkpoint)
        if self._layout:
            window.restore_layout(self._layout)
        return window

    def _on_use_requested(self, ref: str) -> None:
        self._document.set_param("checkpoint", ref)

    def _on_network_toggled(self, is_online: bool) -> None:
        self._settings.set(NETWORK, is_online)

    def _on_setting_changed(self, key: str) -> None:
        if key == NETWORK:
            self._downloads.set_online(self._settings.get(NETWORK))
            if self._window is not None:
                self._window.show_online(self._settings.get(NETWORK))

    def _on_params_changed(self) -> None:
        if self._window is not None:
            self._window.show_used(self._document.params.checkpoint)

    def _on_consent_needed(self, ref: str, plan: DownloadPlan) -> None:
        """A question before there was a window has to be asked in one; a window that is there asks by itself."""
        if self._window is None:
            self.open(ref)
            self.window.wishes.ask_consent(ref, plan)
