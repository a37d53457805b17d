"""VariationStrip: what was made from this init image, newest first, with the running picture before them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QListView, QVBoxLayout, QWidget

from desktop_app.core.errors import StudioError
from desktop_app.core.variation import Variation
from desktop_app.studio.document import Document
from desktop_app.studio.gallery_model import GalleryModel, describe, describe_in_full, mime_of
from desktop_app.studio.jobs import Job, JobQueue
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.job_texts import progress_text
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import CellFacts, Index, ThumbnailDelegate

SIDE = 96
SLIM = 48
"""Height while there is nothing to show."""

MAX_SHOWN = 200


class StripModel(QAbstractListModel):
    """The running job, if it belongs to the document, then the variations of the document's init image."""

    JobRole = Qt.ItemDataRole.UserRole + 2

    def __init__(
        self, document: Document, jobs: JobQueue, gallery: GalleryModel, presenter: CanvasPresenter, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._gallery = gallery
        self._presenter = presenter
        self._job: Job | None = None
        self._variations: list[Variation] = []
        self._asking = 0
        self._is_answered = True
        self._is_closed = False
        self._reader = PoolRunner(self, serial=True)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_failed)
        document.init_image_changed.connect(self._on_init_image_changed)
        jobs.state_changed.connect(self._on_jobs_changed)
        jobs.progressed.connect(self._on_job_progressed)
        jobs.finished.connect(self._on_job_finished)
        gallery.thumbnail_ready.connect(self._on_thumbnail_ready)
        gallery.contents_changed.connect(self._ask)
        presenter.shown_changed.connect(self._tell_all_changed)
        self._ask()
        self._on_jobs_changed()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """The job and the variations."""
        return 0 if parent.isValid() else (self._job is not None) + len(self._variations)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Preview or thumbnail, the `Variation` or the `Job`, and what is said of them."""
        if not self.checkIndex(index, QAbstractListModel.CheckIndexOption.IndexIsValid):
            return None
        if self._job is not None and index.row() == 0:
            return self._job_data(self._job, role)
        variation = self._variations[index.row() - (self._job is not None)]
        if role == Qt.ItemDataRole.DecorationRole:
            return self._gallery.thumbnail(variation)
        if role == GalleryModel.VariationRole:
            return variation
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(describe_in_full(variation))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return describe(variation)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Finished pictures can be dragged out."""
        flags = super().flags(index)
        is_finished = index.isValid() and index.data(GalleryModel.VariationRole) is not None
        return flags | Qt.ItemFlag.ItemIsDragEnabled if is_finished else flags

    def mimeTypes(self) -> list[str]:
        """As the gallery's."""
        return self._gallery.mimeTypes()

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """As the gallery's."""
        found = [index.data(GalleryModel.VariationRole) for index in indexes]
        return mime_of([variation for variation in found if variation])

    def supportedDragActions(self) -> Qt.DropAction:
        """The strip keeps what is dragged out of it."""
        return Qt.DropAction.CopyAction

    def close(self) -> None:
        """Ask for no more, and return when the thread has ended."""
        self._is_closed = True
        self._reader.wait()

    def facts(self, index: Index) -> CellFacts:
        """What is drawn over the picture of ``index``."""
        job = index.data(self.JobRole)
        if isinstance(job, Job):
            return CellFacts(progress=job.share)
        variation = index.data(GalleryModel.VariationRole)
        if variation is None:
            return CellFacts()
        shown = self._presenter.shown
        is_shown = shown is not None and shown.id == variation.id
        return CellFacts(variation.stars, is_missing=variation.missing, is_shown=is_shown)

    def _job_data(self, job: Job, role: int) -> Any:
        if role == Qt.ItemDataRole.DecorationRole:
            return job.preview
        if role == self.JobRole:
            return job
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return progress_text(job)
        return None

    @property
    def has_variations(self) -> bool:
        """Whether there is a finished one."""
        return bool(self._variations)

    def row_of(self, variation: Variation | None) -> int | None:
        """Where ``variation`` is."""
        ids = [each.id for each in self._variations]
        is_here = variation is not None and variation.id in ids
        return ids.index(variation.id) + (self._job is not None) if variation and is_here else None

    def _ask(self) -> None:
        if self._is_closed:
            return
        init_image = self._document.init_image
        ref = init_image.ref if init_image else None
        self._asking += 1
        self._is_answered = False
        self._reader.start(self._asking, partial(self._gallery.made_from, ref, MAX_SHOWN))

    def _on_init_image_changed(self) -> None:
        self._on_jobs_changed()
        self._ask()

    def _on_read(self, asked: int, found: list[Variation]) -> None:
        if asked != self._asking:
            return
        self._is_answered = True
        if found != self._variations:
            self._show(found)

    def _show(self, found: list[Variation]) -> None:
        """Row by row where only some go, so that the view keeps its place."""
        ids = [variation.id for variation in found]
        kept = [variation.id for variation in self._variations if variation.id in set(ids)]
        if not kept or kept != ids:
            self.beginResetModel()
            self._variations = found
            self.endResetModel()
            return
        for place in reversed(range(len(self._variations))):
            if self._variations[place].id not in kept:
                self._remove(place)
        self._variations = found
        self._tell_all_changed()

    def _remove(self, place: int) -> None:
        row = place + (self._job is not None)
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._variations[place]
        self.endRemoveRows()

    def _on_failed(self, asked: int, error: StudioError) -> None:
        self._is_answered = self._is_answered or asked == self._asking
        self._gallery.error_raised.emit(error)

    def _on_jobs_changed(self) -> None:
        current = self._jobs.current
        job = current if current is not None and self._presenter.belongs(current.request) else None
        if job is self._job:
            return
        if self._job is not None:
            self.beginRemoveRows(QModelIndex(), 0, 0)
            self._job = None
            self.endRemoveRows()
        if job is not None:
            self.beginInsertRows(QModelIndex(), 0, 0)
            self._job = job
            self.endInsertRows()

    def _on_job_progressed(self, job: Job) -> None:
        if job is self._job:
            self.dataChanged.emit(self.index(0, 0), self.index(0, 0))

    def _on_job_finished(self, _job: Job, variation: Variation) -> None:
        if not self._presenter.belongs(variation.request) or self.row_of(variation) is not None:
            return
        row = int(self._job is not None)
        self.beginInsertRows(QModelIndex(), row, row)
        self._variations.insert(0, variation)
        self.endInsertRows()
        if len(self._variations) > MAX_SHOWN:
            self._remove(MAX_SHOWN)
        if not self._is_answered:  # the answer on its way may be from before
            self._ask()

    def _on_thumbnail_ready(self, variation_id: str) -> None:
        for row, variation in enumerate(self._variations, start=int(self._job is not None)):
            if variation.id == variation_id:
                self.dataChanged.emit(self.index(row, 0), self.index(row, 0))

    def _tell_all_changed(self) -> None:
        if self.rowCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, 0))


class StripList(QListView):
    """The row of pictures. Space is left to the window, which shows the init image: here one compares."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from picture to picture."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)


class VariationStrip(QWidget):
    """One row of pictures under the canvas; low or away while there are none."""

    shown = Signal(object)
    """The `Variation` the user picked to look at."""

    def __init__(self, document: Document, jobs: JobQueue, gallery: GalleryModel, presenter: CanvasPresenter) -> None:
        super().__init__()
        self._document = document
        self._presenter = presenter
        self.model = StripModel(document, jobs, gallery, presenter, self)
        self.view = self._make_view()
        self.empty = EmptyState(self.view, self.model, self._empty_sentence)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        self._connect()
        self._fit_height()

    def _make_view(self) -> QListView:
        view = StripList()
        view.setObjectName("variationStrip")
        view.setAccessibleName(self.tr("Variations of this init image"))
        view.setFlow(QListView.Flow.LeftToRight)
        view.setWrapping(False)
        view.setUniformItemSizes(True)
        view.setMouseTracking(True)
        view.setDragEnabled(True)
        view.setDragDropMode(QListView.DragDropMode.DragOnly)
        view.setHorizontalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setItemDelegate(ThumbnailDelegate(self.model.facts, SIDE, view))
        view.setModel(self.model)
        return view

    def _connect(self) -> None:
        self.view.clicked.connect(self._on_activated)
        self.view.activated.connect(self._on_activated)
        for signal in (self.model.rowsInserted, self.model.rowsRemoved, self.model.modelReset):
            signal.connect(self._fit_height)
            signal.connect(self._tell_results)
        rows = (self.model.rowsInserted, self.model.rowsRemoved, self.model.modelReset)
        for signal in (*rows, self._presenter.shown_changed):
            signal.connect(self._select_shown)
        self._document.init_image_changed.connect(self.empty.refresh)
        self._document.init_image_changed.connect(self._fit_height)

    def _fit_height(self) -> None:
        if self.model.rowCount():
            self.setFixedHeight(SIDE + self.view.horizontalScrollBar().sizeHint().height() + 2 * self.view.frameWidth())
        else:
            line = self.fontMetrics().height() + 4 * GRID
            self.setFixedHeight(line if self._document.init_image else 0)

    def _tell_results(self) -> None:
        self._presenter.set_has_results(self.model.has_variations)

    def _select_shown(self) -> None:
        """The picture on the canvas is the selected one, so that no other has a frame."""
        row = self.model.row_of(self._presenter.shown)
        if row is None:
            self.view.clearSelection()
        else:
            self.view.setCurrentIndex(self.model.index(row, 0))

    def _empty_sentence(self) -> str:
        return self.tr("Variations of this picture line up here.")

    def _on_activated(self, index: QModelIndex) -> None:
        if variation := index.data(GalleryModel.VariationRole):
            self.shown.emit(variation)
