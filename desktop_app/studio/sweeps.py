"""Sweeps: queues a job for each picture of a sweep, and makes the labelled grid when the last one has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QObject, Signal

from desktop_app.core.comparison import columns_for, comparison_sheet
from desktop_app.core.contact_sheet import Made, reduce, sweep_sheet
from desktop_app.core.errors import ImageError, StudioError
from desktop_app.core.image import encode_png, load_image
from desktop_app.core.sweep import Axis, title_of
from desktop_app.core.variation import Variation
from desktop_app.store.files import write_atomic
from desktop_app.store.fonts import font_files
from desktop_app.studio.document import Document
from desktop_app.studio.jobs import Job, JobQueue
from desktop_app.studio.pool import PoolRunner


@dataclass
class _Running:
    """A sweep whose jobs are in the queue. ``pictures`` has for each job id its file, or why there is none; None until
    it has ended.
    """

    axes: tuple[Axis, ...]
    title: str
    pictures: dict[str, Path | str | None] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will come."""
        return None not in self.pictures.values()


@dataclass(frozen=True)
class SweepSheet:
    """The grid of a finished sweep, how many of its pictures are there, and why some of its words cannot be read."""

    image: Image.Image
    title: str
    made: int
    asked: int
    problem: ImageError | None = None


class Sweeps(QObject):
    """Lives in the GUI thread; the grid is drawn on the pool. A sweep that the program's end cuts off goes on in the
    queue, and has no grid.
    """

    sheet_made = Signal(object)
    """A `SweepSheet`."""
    written = Signal(object)
    """The path that a grid was written to."""
    error_raised = Signal(object)

    def __init__(self, document: Document, jobs: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._running: list[_Running] = []
        self._pool = PoolRunner(self)
        self._pool.finished.connect(self._on_pool_finished)
        self._pool.failed.connect(self._on_pool_failed)
        jobs.finished.connect(self._on_job_finished)
        jobs.failed.connect(self._on_job_failed)
        jobs.cancelled.connect(self._on_job_cancelled)
        jobs.rowsRemoved.connect(self._on_rows_removed)

    def start(self, axes: Sequence[Axis]) -> int:
        """Queue a job for each picture; how many. Raises `RequestError`, `StoreError`."""
        requests = self._document.make_sweep(axes)
        sweep = _Running(tuple(axes), title_of(requests, self._document.params.prompt))
        self._running.append(sweep)
        for job in self._jobs.add(requests):
            sweep.pictures[job.id] = None
        return len(requests)

    def save(self, sheet: SweepSheet, path: Path) -> None:
        """Write the grid to ``path``, on the pool."""
        self._pool.start(path, partial(_write, sheet.image, path))

    def export(self, variations: Sequence[Variation], path: Path) -> None:
        """Write ``variations``, at least one, as a grid that says in what they differ to ``path``, on the pool."""
        self._pool.start(path, partial(_write_comparison, list(variations), path))

    def close(self) -> None:
        """Let the pool's threads end."""
        self._pool.wait()

    def _on_job_finished(self, job: Job, variation: Variation) -> None:
        self._note(job.id, variation.path)

    def _on_job_failed(self, job: Job, error: StudioError) -> None:
        self._note(job.id, error.title)

    def _on_job_cancelled(self, job: Job) -> None:
        self._note(job.id, self.tr("Stopped"))

    def _on_rows_removed(self) -> None:
        """A job that was taken off the list will never end."""
        for sweep in list(self._running):
            gone = [id_ for id_, made in sweep.pictures.items() if made is None and self._jobs.find(id_) is None]
            for job_id in gone:
                self._note(job_id, self.tr("Taken off the queue"))

    def _note(self, job_id: str, picture: Path | str) -> None:
        sweep = next((each for each in self._running if job_id in each.pictures), None)
        if sweep is None:
            return
        sweep.pictures[job_id] = picture
        if sweep.has_ended:
            self._running.remove(sweep)
            if any(isinstance(made, Path) for made in sweep.pictures.values()):
                self._pool.start(sweep, partial(_draw, sweep))

    def _on_pool_finished(self, key: object, outcome: object) -> None:
        if isinstance(outcome, SweepSheet):
            self.sheet_made.emit(outcome)
        else:
            self.written.emit(key)
        problem = outcome.problem if isinstance(outcome, SweepSheet) else outcome
        if problem:
            self.error_raised.emit(problem)

    def _on_pool_failed(self, _key: object, error: object) -> None:
        self.error_raised.emit(error)


def _draw(sweep: _Running) -> SweepSheet:
    """Runs on a pool thread."""
    count = len(sweep.axes[0].values)
    pictures = [_read(made, count) if isinstance(made, Path) else made for made in sweep.pictures.values()]
    sheet = sweep_sheet(sweep.axes, pictures, sweep.title, font_files())
    made = sum(isinstance(picture, Image.Image) for picture in pictures)
    return SweepSheet(sheet.image, sweep.title, made, len(pictures), sheet.problem)


def _read(path: Path, columns: int) -> Made:
    """The picture, no larger than a grid of so many ``columns`` needs it; why there is none, where it is gone."""
    try:
        return reduce(load_image(path), columns)
    except ImageError as e:
        return e.title


def _write_comparison(variations: list[Variation], path: Path) -> ImageError | None:
    """Runs on a pool thread. Why some of its words cannot be read."""
    columns = columns_for(len(variations))
    pictures = [_read(variation.path, columns) for variation in variations]
    sheet = comparison_sheet(pictures, [variation.request for variation in variations], font_files())
    _write(sheet.image, path)
    return sheet.problem


def _write(image: Image.Image, path: Path) -> None:
    """Runs on a pool thread."""
    write_atomic(path, encode_png(image), is_private=False)
