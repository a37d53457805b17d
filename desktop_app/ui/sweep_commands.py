"""SweepCommands: asks for a sweep, queues it, and shows its grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt

from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.families import family_named
from desktop_app.core.sweep import MAX_CELLS, SWEPT, Axis, sweep
from desktop_app.studio.qimage import to_qimage
from desktop_app.studio.sweeps import Sweeps, SweepSheet
from desktop_app.ui.save_place import ask_where
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
        window.actions_by_id["export_grid"].triggered.connect(self.export_grid)
        gallery = window.gallery_panel
        gallery.grid_requested.connect(self.export_grid)
        gallery.selection_changed.connect(self._refresh)
        self._refresh()

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

    def export_grid(self) -> None:
        """Ask where the grid of the variations selected in the gallery shall be written."""
        ids = self._window.gallery_panel.selected_ids()[::-1]  # the oldest first
        if not 2 <= len(ids) <= MAX_CELLS:
            detail = self.tr("%1 are selected").replace("%1", str(len(ids)))
            hint = self.tr("Select 2 to %1 pictures in the gallery.").replace("%1", str(MAX_CELLS))
            self._window.show_error(RequestError(self.tr("No grid can be made of these"), detail, hint))
            return
        found = [self._window.parts.gallery.find(variation_id) for variation_id in ids]
        variations = [variation for variation in found if variation]
        path = self._ask_where("grid.png") if variations else None
        if path is not None:
            self.sweeps.export(variations, path)

    def _refresh(self) -> None:
        panel = self._window.gallery_panel
        self._window.actions_by_id["export_grid"].setEnabled(panel.selected_count > 1)

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
        if path := self._ask_where("sweep.png"):
            self.sweeps.save(sheet, path)

    def _ask_where(self, proposal: str) -> Path | None:
        folder = Path(self._window.settings.get("last_folder") or Path.home())
        path = ask_where(self._window, self.tr("Save grid"), folder / proposal, self.tr("PNG picture (*.png)"))
        if path is not None:
            self._window.settings.set("last_folder", str(path.parent))
        return path
