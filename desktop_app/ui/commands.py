"""Commands: what the actions of the table do to the work, and what the widgets' wishes lead to."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QObject, Qt, QUrl
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtWidgets import QDialog, QFileDialog

from desktop_app.core.errors import StoreError, StudioError
from desktop_app.core.image import SUFFIXES
from desktop_app.core.parameters import parameters_text
from desktop_app.core.request import Request
from desktop_app.core.variation import Variation
from desktop_app.studio.chain_animation import AnimationOrder
from desktop_app.studio.opener import Source
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.restoring import PARTS
from desktop_app.ui.animation_dialog import AnimationChoice, AnimationDialog
from desktop_app.ui.canvas import DropZone, read_paste
from desktop_app.ui.canvas_presenter import read_picture
from desktop_app.ui.dialogs import AboutDialog, RestoreDialog, UrlDialog, show_folder
from desktop_app.ui.save_place import ask_where
from desktop_app.ui.shortcuts_dialog import ShortcutsDialog

if TYPE_CHECKING:
    from desktop_app.studio.jobs import Job
    from desktop_app.ui.main_window import MainWindow

NEEDS_RESULT = ("export", "reveal", "copy", "copy_settings", "use_as_init", "restore", "trash")


class Commands(QObject):
    """Connects the window's actions to the studio. Lives in the GUI thread."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        self._document = window.document
        self._jobs = window.jobs
        self._gallery = window.parts.gallery
        self._presenter = window.presenter
        self._pool = PoolRunner(self)
        self._pool.finished.connect(self._on_pool_finished)
        self._pool.failed.connect(self._on_pool_failed)
        self._connect_actions(window)
        self._connect_widgets(window)
        self._connect_studio(window)
        self._refresh_plan()
        self._refresh_actions()

    def close(self) -> None:
        """Let the pool's threads end."""
        self._pool.wait()

    def _connect_actions(self, window: MainWindow) -> None:
        folders = window.parts.folders
        slots: dict[str, Callable[[], object]] = {
            "open": self.open_picture,
            "open_url": self.open_url,
            "paste": self.paste,
            "export": self._with_shown(self.export),
            "export_chain": self._with_shown(self.export_chain),
            "reveal": self._with_shown(self.reveal),
            "quit": window.close,
            "undo": self._document.undo_stack.undo,
            "redo": self._document.undo_stack.redo,
            "copy": self._with_shown(self.copy),
            "copy_settings": self._with_shown(self.copy_settings),
            "use_as_init": self._with_shown(self._document.use_as_init_image),
            "restore": self._with_shown(self.restore),
            "clear_init": self._document.clear_init_image,
            "trash": self._with_shown(self.trash),
            "generate": self.generate,
            "stop": self._jobs.stop_now,
            "stop_after": self._jobs.stop_after_this,
            "pause": self._toggle_pause,
            "clear_finished": self._jobs.clear_finished,
            "random_seed": window.params_panel.seed.roll,
            "reuse_seed": window.params_panel.seed.reuse,
            "open_checkpoint": self.open_checkpoint,
            "refresh_checkpoints": self.refresh_checkpoints,
            "show_checkpoints": partial(self._show_folder, folders.checkpoints),
            "shortcuts": self.show_shortcuts,
            "show_data": partial(self._show_folder, folders.data),
            "show_logs": partial(self._show_folder, folders.logs),
            "about": self.show_about,
        }
        for name, slot in slots.items():
            window.actions_by_id[name].triggered.connect(lambda _checked=False, slot=slot: slot())

    def _connect_widgets(self, window: MainWindow) -> None:
        canvas = window.canvas
        canvas.image_dropped.connect(self._on_image_dropped)
        canvas.variation_dropped.connect(self._on_variation_dropped)
        canvas.left_out.connect(window.tell_left_out)
        canvas.sample_requested.connect(self._document.open_image)
        canvas.paste_requested.connect(self.paste)
        canvas.open_requested.connect(self.open_picture)
        canvas.url_requested.connect(self.open_url)
        window.generate_panel.generate_requested.connect(self.generate)
        window.prompt_panel.open_checkpoint_requested.connect(self.open_checkpoint)
        window.first_painted.connect(self.refresh_checkpoints)
        window.adapter_panel.folder_requested.connect(partial(self._show_folder, window.parts.adapters.folder))
        gallery, lineage = window.gallery_panel, window.lineage_panel
        for source in (gallery, lineage, window.strip):
            source.shown.connect(self.show_variation)
        for panel in (gallery, lineage):
            panel.use_requested.connect(self._document.use_as_init_image)
            panel.restore_requested.connect(self.restore)
            panel.reveal_requested.connect(self.reveal)
            panel.copy_requested.connect(self.copy)
            panel.export_requested.connect(self.export)
        gallery.trashed.connect(self._on_trashed)
        gallery.trash_notice.undo_requested.connect(self._document.undo_stack.undo)
        lineage.init_shown.connect(self._show_init_image)
        lineage.photo_requested.connect(self._document.open_image)
        lineage.branch_requested.connect(self.branch)
        lineage.trash_requested.connect(self.trash)

    def _connect_studio(self, window: MainWindow) -> None:
        for signal in (
            self._document.params_changed,
            self._document.init_image_changed,
            self._document.checkpoint_changed,
            self._document.mask.state_changed,
            window.parts.chain.changed,
        ):
            signal.connect(self._refresh_plan)
        for signal in (self._jobs.state_changed, self._presenter.shown_changed, self._document.init_image_changed):
            signal.connect(self._refresh_actions)
        stack = self._document.undo_stack
        for signal in (stack.canUndoChanged, stack.canRedoChanged, stack.indexChanged):
            signal.connect(self._refresh_undo)
        stack.indexChanged.connect(window.gallery_panel.trash_notice.hide)
        for signal in (
            self._document.error_raised,
            self._jobs.error_raised,
            self._gallery.error_raised,
            window.settings.error_raised,
            self._presenter.error_raised,
            window.control_panel.error_raised,
            window.adapter_panel.error_raised,
        ):
            signal.connect(window.show_error)
        self._jobs.failed.connect(self._on_job_failed)
        self._jobs.finished.connect(self._on_job_finished)
        self._refresh_undo()

    def _with_shown(self, slot: Callable[[Variation], object]) -> Callable[[], None]:
        """``slot`` called with the variation on the canvas, if there is one."""

        def call() -> None:
            if self._presenter.shown is not None:
                slot(self._presenter.shown)

        return call

    def commit_typing(self) -> None:
        """Take what is typed in a control and not yet confirmed."""
        self._window.params_panel.commit_typing()
        self._window.mask_panel.commit_typing()
        self._window.family_panel.commit_typing()
        self._window.chain_panel.commit_typing()
        self._window.control_panel.commit_typing()
        self._window.adapter_panel.commit_typing()

    def generate(self) -> None:
        """Queue what the controls say, or say why it cannot be run."""
        self.commit_typing()
        self._document.make_requests_soon(self._queue)

    def _queue(self, made: list[Request] | StudioError) -> None:
        if isinstance(made, StudioError):
            self._window.show_error(made)
        else:
            self._jobs.add(made)

    def open_picture(self) -> None:
        """Ask for a file and open it."""
        patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        folder = self._window.settings.get("last_folder")
        title, kinds = self.tr("Open picture"), self.tr("Pictures (%1)").replace("%1", patterns)
        name, _kind = QFileDialog.getOpenFileName(self._window, title, folder, kinds)
        if name:
            self._window.settings.set("last_folder", str(Path(name).parent))
            self._document.open_image(Path(name))

    def open_url(self) -> None:
        """Ask for a web address and fetch it."""
        dialog = UrlDialog(self._window)
        dialog.accepted.connect(lambda: self._document.open_image(dialog.url()))
        _open(dialog)

    def paste(self) -> None:
        """Start from what the clipboard holds: a picture, an address, or generation text."""
        source = read_paste(QGuiApplication.clipboard().mimeData())
        if source is not None:
            self._on_image_dropped(source, DropZone.INIT)
            return
        self._paste_text(QGuiApplication.clipboard().text())

    def _paste_text(self, text: str) -> None:
        try:
            self._document.paste_generation_text(text)
        except StudioError as e:
            self._window.show_error(e)

    def show_variation(self, variation: Variation) -> None:
        """Look at ``variation``."""
        self._presenter.show_variation(variation)

    def _show_init_image(self) -> None:
        self._presenter.show_variation(None)

    def restore(self, variation: Variation) -> None:
        """Ask which parts of ``variation`` to take over."""
        self._restore_request(variation.request)

    def branch(self, variation: Variation) -> None:
        """Take over all that made ``variation``, a stage of a chain, so as to go on from there in another way."""
        self._document.restore(variation.request, set(PARTS))

    def export(self, variation: Variation) -> None:
        """Copy the file of ``variation`` to where the user says."""
        folder = Path(self._window.settings.get("last_folder") or Path.home())
        proposal = folder / variation.path.name
        target = ask_where(self._window, self.tr("Export result"), proposal, self.tr("PNG picture (*.png)"))
        if target is not None:
            self._write(target, partial(_copy_file, variation.path, target))

    def export_chain(self, variation: Variation) -> None:
        """Ask how the stages of ``variation`` shall be shown one after the other, and where that shall be written."""
        dialog = AnimationDialog(variation, self._window)
        dialog.accepted.connect(lambda: self._write_animation(variation, dialog.choice()))
        _open(dialog)

    def _write_animation(self, variation: Variation, choice: AnimationChoice) -> None:
        folder = Path(self._window.settings.get("last_folder") or Path.home())
        kind = self.tr("Animation (%1)").replace("%1", f"*{choice.suffix}")
        proposal = folder / f"{variation.path.stem}{choice.suffix}"
        target = ask_where(self._window, self.tr("Export chain as animation"), proposal, kind)
        if target is not None:
            order = AnimationOrder(
                variation, target, choice.format, choice.seconds_each, choice.longest_side, choice.with_init
            )
            self._write(target, self._gallery.animation_writer(order))

    def _write(self, target: Path, work: Callable[[], object]) -> None:
        """Let a thread write ``target``; it is said when it is there."""
        self._window.job_bar.tell(self.tr("Writing %1…").replace("%1", target.name), str(target))
        self._pool.start(target, work)

    def copy(self, variation: Variation) -> None:
        """Put the picture and its file on the clipboard."""
        self._pool.start(variation, partial(read_picture, variation.path))

    def copy_settings(self, variation: Variation) -> None:
        """Put the generation text on the clipboard."""
        QGuiApplication.clipboard().setText(parameters_text(variation.request, variation.size))

    def reveal(self, variation: Variation) -> None:
        """Open the folder of ``variation``."""
        self._show_folder(variation.path.parent)

    def trash(self, variation: Variation) -> None:
        """Move ``variation`` to the trash; undo brings it back."""
        self._gallery.trash([variation.id])
        self._on_trashed([variation.id])

    def open_checkpoint(self) -> None:
        """Ask for a folder in diffusers layout and use it."""
        title = self.tr("Open checkpoint folder")
        folder = QFileDialog.getExistingDirectory(self._window, title, str(self._window.parts.folders.checkpoints))
        if folder:
            self._document.choose_checkpoint(folder)

    def refresh_checkpoints(self) -> None:
        """Look for checkpoints on the disk."""
        self._pool.start("checkpoints", self._window.parts.list_checkpoints)

    def show_shortcuts(self) -> None:
        """List the keys, and let them be changed."""
        _open(ShortcutsDialog(self._window.shortcuts, self._window))

    def show_about(self) -> None:
        """Say what this is and what it is made of."""
        _open(AboutDialog(self._window.windowIcon(), _licences(self._window.parts.folders.resources), self._window))

    def _show_folder(self, folder: Path) -> None:
        if not show_folder(folder):
            hint = self.tr("Open it by hand; its name is in the details.")
            self._window.show_error(StudioError(self.tr("No file manager took the folder"), str(folder), hint))

    def _restore_request(self, request: Request) -> None:
        dialog = RestoreDialog(request, self._window)
        dialog.accepted.connect(lambda: self._document.restore(request, dialog.parts()))
        _open(dialog)

    def _toggle_pause(self) -> None:
        if self._jobs.paused:
            self._jobs.resume()
        else:
            self._jobs.pause()

    def _on_image_dropped(self, source: Source, zone: DropZone) -> None:
        if zone is DropZone.RESTORE:
            self._pool.start("restore", partial(self._document.read_settings, source))
        elif zone is DropZone.MASK:
            self._document.open_mask(source)
        elif zone is DropZone.CONTROL:
            self._window.control_panel.take_picture(source)
        else:
            self._document.open_image(source)

    def _on_variation_dropped(self, variation_id: str, zone: DropZone) -> None:
        variation = self._gallery.find(variation_id)
        if variation is None:
            return
        if zone is DropZone.RESTORE:
            self.restore(variation)
        elif zone is DropZone.MASK:
            self._document.open_mask(variation.path, variation.path.name)
        elif zone is DropZone.CONTROL:
            self._window.control_panel.take_picture(variation.path, variation.path.name)
        else:
            self._document.use_as_init_image(variation)

    def _on_trashed(self, ids: list[str]) -> None:
        """What is in the trash is not on the canvas; as long as nothing else was done, Undo is at hand."""
        self._window.gallery_panel.trash_notice.tell(len(ids))
        shown = self._presenter.shown
        if shown is not None and (shown.id in ids or shown.chain_id in ids):
            self._presenter.show_variation(None)

    def _on_pool_finished(self, key: object, outcome: object) -> None:
        if key == "checkpoints":
            self._window.prompt_panel.checkpoint.set_checkpoints(outcome)  # type: ignore[arg-type]
            self._window.family_panel.set_checkpoints(outcome)  # type: ignore[arg-type]
            self._window.chain_panel.set_checkpoints(outcome)  # type: ignore[arg-type]
            self._window.control_panel.set_checkpoints(outcome)  # type: ignore[arg-type]
        elif isinstance(key, Path):
            self._window.job_bar.tell(self.tr("Saved as %1").replace("%1", key.name), str(key))
        elif isinstance(outcome, Request):
            self._restore_request(outcome)
        elif isinstance(outcome, str):
            self._paste_text(outcome)
        elif isinstance(key, Variation) and isinstance(outcome, QImage):
            QGuiApplication.clipboard().setMimeData(_clipboard_data(key, outcome))

    def _on_pool_failed(self, key: object, error: StudioError) -> None:
        if isinstance(key, Path):
            self._window.job_bar.tell("")
        self._window.show_error(error)

    def _on_job_failed(self, job: Job, error: StudioError) -> None:
        self._window.banner.show_error(error)
        if any(stage.adapters for stage in job.request.stages):
            self._window.parts.adapters.look()  # one may be gone, or another: its row says so then

    def _on_job_finished(self, _job: object, variation: Variation) -> None:
        self._window.params_panel.seed.set_last(variation.request.seed)
        self._refresh_actions()

    def _refresh_plan(self) -> None:
        chain = self._window.parts.chain
        plan = chain.look(self._document.plan())
        self._window.prompt_panel.refresh(plan)
        self._window.params_panel.refresh(plan)
        self._window.mask_panel.refresh(plan)
        self._window.family_panel.show_error(plan.error)
        self._window.chain_panel.refresh(plan, chain.handovers)
        self._window.control_panel.show_error(plan.error)
        self._window.adapter_panel.show_error(plan.error)
        self._window.generate_panel.refresh(plan)

    def _refresh_actions(self) -> None:
        actions, shown = self._window.actions_by_id, self._presenter.shown
        for name in NEEDS_RESULT:
            actions[name].setEnabled(shown is not None)
        actions["export_chain"].setEnabled(shown is not None and bool(shown.chain or shown.intermediates))
        actions["clear_init"].setEnabled(self._document.init_image is not None)
        for name in ("stop", "stop_after"):
            actions[name].setEnabled(self._jobs.current is not None)
        if self._presenter.shown is not None:
            self._window.params_panel.seed.set_last(self._presenter.shown.request.seed)
        actions["reuse_seed"].setEnabled(self._window.params_panel.seed.can_reuse)
        actions["pause"].setChecked(self._jobs.paused)
        init_image = self._document.init_image
        name = init_image.name if init_image else ""
        self._window.setWindowTitle(f"{name} - Underpaint" if name else "Underpaint")

    def _refresh_undo(self) -> None:
        stack, actions = self._document.undo_stack, self._window.actions_by_id
        actions["undo"].setEnabled(stack.canUndo())
        actions["redo"].setEnabled(stack.canRedo())
        actions["undo"].setText(self.tr("&Undo %1").replace("%1", stack.undoText()).rstrip())
        actions["redo"].setText(self.tr("&Redo %1").replace("%1", stack.redoText()).rstrip())


def _open(dialog: QDialog) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def _copy_file(source: Path, target: Path) -> None:
    """Runs on a pool thread."""
    try:
        shutil.copyfile(source, target)
    except (OSError, shutil.Error) as e:
        raise StoreError("The result cannot be exported", f"{target}: {e}", "Choose another folder.") from e


def _clipboard_data(variation: Variation, image: QImage) -> QMimeData:
    data = QMimeData()
    data.setImageData(image)
    data.setUrls([QUrl.fromLocalFile(str(variation.path))])
    return data


def _licences(resources: Path) -> dict[str, str]:
    """Texts of licences that came with the program, by file name."""
    files = sorted(resources.glob("*/LICENSES/*"))
    return {file.stem: file.read_text(encoding="utf-8", errors="replace") for file in files if file.is_file()}
