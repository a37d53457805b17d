"""CanvasPresenter: decides which pictures the canvas shows, and says which variation that is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.core.errors import ImageError, StudioError
from desktop_app.core.request import Request
from desktop_app.core.variation import Variation
from desktop_app.studio.document import Document
from desktop_app.studio.jobs import Job, JobQueue
from desktop_app.studio.pool import PoolRunner
from desktop_app.ui.canvas import Canvas
from desktop_app.ui.canvas_picture import halved, is_large


def read_picture(path: Path) -> QImage:
    """The picture of a variation. Runs on a pool thread."""
    image = QImage(str(path))
    if image.isNull():
        raise ImageError("The picture cannot be shown", f"{path.name} is missing or damaged", "It may have been moved.")
    return image


def _read_with_copies(path: Path) -> tuple[QImage, list[QImage]]:
    """Runs on a pool thread."""
    image = read_picture(path)
    return image, halved(image)


class CanvasPresenter(QObject):
    """Feeds the canvas from the document, the running job and the variation the user chose."""

    shown_changed = Signal()
    error_raised = Signal(object)

    def __init__(self, canvas: Canvas, document: Document, jobs: JobQueue, parent: QObject) -> None:
        super().__init__(parent)
        self._canvas = canvas
        self._document = document
        self._shown: Variation | None = None
        self._reader = PoolRunner(self)
        self._reader.finished.connect(self._on_picture_read)
        self._reader.failed.connect(self._on_picture_failed)
        self._halver = PoolRunner(self)
        self._halver.finished.connect(canvas.take_copies)
        document.init_image_changed.connect(self._on_init_image_changed)
        document.opening_changed.connect(canvas.set_busy)
        jobs.progressed.connect(self._on_job_progressed)
        jobs.finished.connect(self._on_job_finished)
        jobs.failed.connect(self._on_job_ended)
        jobs.cancelled.connect(self._on_job_ended)
        self._on_init_image_changed()

    @property
    def shown(self) -> Variation | None:
        """The variation on the canvas."""
        return self._shown

    def show_variation(self, variation: Variation | None) -> None:
        """Put ``variation`` on the canvas, or none."""
        if variation == self._shown:
            return
        self._shown = variation
        if variation is None:
            self._canvas.set_result(None)
        else:
            self._reader.start(variation.id, partial(_read_with_copies, variation.path))
        self.shown_changed.emit()

    def belongs(self, request: Request) -> bool:
        """Whether ``request`` starts from the document's init image."""
        init_image = self._document.init_image
        return request.init_image == (init_image.ref if init_image else None)

    def set_has_results(self, has_results: bool) -> None:
        """Whether the init image has variations to choose from."""
        self._canvas.set_has_results(has_results)

    def close(self) -> None:
        """Let the reading threads end."""
        self._reader.wait()
        self._halver.wait()

    def _on_picture_read(self, variation_id: str, read: tuple[QImage, list[QImage]]) -> None:
        if self._shown is not None and self._shown.id == variation_id:
            self._canvas.set_result(*read)

    def _on_picture_failed(self, variation_id: str, error: StudioError) -> None:
        if self._shown is not None and self._shown.id == variation_id:
            self._canvas.set_result(None)
            self.error_raised.emit(error)

    def _on_init_image_changed(self) -> None:
        init_image = self._document.init_image
        self._canvas.set_init(init_image.qimage if init_image else None)
        if init_image is not None and is_large(init_image.qimage):
            self._halver.start(init_image.qimage, partial(halved, init_image.qimage))
        if self._shown is not None and not self.belongs(self._shown.request):
            self.show_variation(None)

    def _on_job_progressed(self, job: Job) -> None:
        if job.preview is not None and self.belongs(job.request):
            self._canvas.set_preview(job.preview)

    def _on_job_finished(self, job: Job, variation: Variation) -> None:
        self._canvas.set_preview(None)
        if self.belongs(job.request):
            self.show_variation(variation)

    def _on_job_ended(self, _job: Job) -> None:
        self._canvas.set_preview(None)
