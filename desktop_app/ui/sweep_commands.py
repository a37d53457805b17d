"""SweepCommands: asks for a sweep, queues it, and shows its grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QFileDialog

from desktop_app.core.errors import StudioError
from desktop_app.core.families import family_named
from desktop_app.core.sweep import SWEPT, Axis, sweep
from desktop_app.studio.qimage import to_qimage
from desktop_app.studio.sweeps import Sweeps, SweepSheet
from desktop_app.ui.sweep_dialog import SheetDialog, SweepDialog

if TYPE_CHECKING:
    from desktop_app.ui.main_window import MainWindow

MASK_ONLY = ("mask_feather",)
REFINER_ONLY = ("refiner_share", "refiner_strength")


class SweepCommands(QObject):
    """Lives in the GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._document = window.document
        self.sweeps = Sweeps(window.document, window.jobs, self)
        self.sweeps.sheet_made.connect(self._on_sheet_made)
        self.sweeps.error_raised.connect(window.show_error)
        window.actions_by_id["sweep"].triggered.connect(self.ask)

    def close(self) -> None:
        """Let the pool's threads end."""
        self.sweeps.close()

    def ask(self) -> None:
        """Ask what shall be varied."""
        self._window.commands.commit_typing()
        dialog = SweepDialog(self._document.params, self._names(), self._look, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.accepted.connect(lambda: self._start(dialog))
        dialog.open()

    def _names(self) -> tuple[str, ...]:
        """What the checkpoint takes, and what has an effect as things are."""
        info, params = self._document.checkpoint_info, self._document.params
        family = family_named(info.family) if info else None
        without = set() if params.refiner else set(REFINER_ONLY)
        if self._document.mask.is_empty:
            without |= set(MASK_ONLY)
        if self._document.init_image is None:
            without |= {"strength"}
        return tuple(name for name in SWEPT if name not in without and (family is None or family.takes(name)))

    def _look(self, axes: Sequence[Axis]) -> tuple[int, int]:
        """How many pictures a sweep over ``axes`` makes, and in how many steps; 0 where that is not known yet.

        Raises `RequestError`.
        """
        plans = [self._document.plan(cell.params) for cell in sweep(self._document.params, axes, seed=0)]
        for plan in plans:
            if plan.error:
                raise plan.error
        return len(plans), sum(plan.effective_steps for plan in plans)

    def _start(self, dialog: SweepDialog) -> None:
        try:
            self.sweeps.start(dialog.axes())
        except StudioError as e:
            self._window.show_error(e)

    def _on_sheet_made(self, sheet: SweepSheet) -> None:
        words = self.tr("%1 of %2 pictures").replace("%1", str(sheet.made)).replace("%2", str(sheet.asked))
        dialog = SheetDialog(to_qimage(sheet.image), sheet.title, words, self._window)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setAttribute(Qt.WidgetAttribute.WA_ShowWithoutActivating)
        dialog.save_requested.connect(lambda: self._save(sheet))
        dialog.show()

    def _save(self, sheet: SweepSheet) -> None:
        folder = Path(self._window.settings.get("last_folder") or Path.home())
        title, kind = self.tr("Save grid"), self.tr("PNG picture (*.png)")
        name, _kind = QFileDialog.getSaveFileName(self._window, title, str(folder / "sweep.png"), kind)
        if name:
            self._window.settings.set("last_folder", str(Path(name).parent))
            self.sweeps.save(sheet, Path(name) if Path(name).suffix else Path(f"{name}.png"))
