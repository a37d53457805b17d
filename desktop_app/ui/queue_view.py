"""QueuePanel: all jobs in their order; move, stop, repeat or clear them."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QItemSelectionModel, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QDropEvent, QKeyEvent, QPainter, QPalette
from PySide6.QtWidgets import (
    QHBoxLayout,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.studio.jobs import Job, JobQueue, JobState
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.icons import Icons
from desktop_app.ui.job_texts import request_text, state_text, values_text
from desktop_app.ui.save_place import ask_where
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import Index

ROW_PADDING = 6
BAR_HEIGHT = 4
MIN_HEIGHT = 220
"""The buttons and some four jobs."""


class JobDelegate(QStyledItemDelegate):
    """Two lines for a job: what it makes, and where it stands; a bar while it runs."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Two lines and a bar."""
        return QSize(160, 2 * option.fontMetrics.lineSpacing() + 2 * ROW_PADDING + BAR_HEIGHT + 4)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The ground by the style, the words on it."""
        job = index.data(JobQueue.JobRole)
        if not isinstance(job, Job):
            return
        palette = option.palette
        is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        ground_role = QPalette.ColorRole.Highlight if is_selected else QPalette.ColorRole.Window
        painter.fillRect(option.rect, palette.color(ground_role))
        area = QRectF(option.rect).adjusted(GRID, ROW_PADDING, -GRID, -ROW_PADDING)
        line = option.fontMetrics.lineSpacing()
        text_role = QPalette.ColorRole.HighlightedText if is_selected else QPalette.ColorRole.WindowText
        self._line(painter, area, request_text(job), palette.color(text_role), option)
        state_color = palette.color(text_role if is_selected else _state_role(job))
        is_told = job.error is not None or job.state in (JobState.RUNNING, JobState.STOPPING)
        second = state_text(job) if is_told else f"{state_text(job)} · {values_text(job)}"
        self._line(painter, area.adjusted(0, line, 0, 0), second, state_color, option)
        if job.state is JobState.RUNNING:
            bar = QRectF(area.left(), area.bottom() - BAR_HEIGHT, area.width(), BAR_HEIGHT)
            painter.fillRect(bar, palette.color(QPalette.ColorRole.Mid))
            bar.setWidth(bar.width() * job.share)
            painter.fillRect(bar, palette.color(QPalette.ColorRole.Accent))
        painter.restore()

    def _line(self, painter: QPainter, area: QRectF, text: str, color: QColor, option: QStyleOptionViewItem) -> None:
        painter.setPen(color)
        shown = option.fontMetrics.elidedText(text, Qt.TextElideMode.ElideRight, int(area.width()))
        painter.drawText(area, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeading, shown)


def _state_role(job: Job) -> QPalette.ColorRole:
    return QPalette.ColorRole.BrightText if job.state is JobState.FAILED else QPalette.ColorRole.PlaceholderText


class JobList(QListView):
    """The jobs; rows are dragged to another place."""

    moved = Signal(str, int)
    """A job's id and the row where it shall be."""
    remove_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("queueView")
        self.setAccessibleName(self.tr("Queue"))
        self.setUniformItemSizes(True)
        self.setDragEnabled(True)
        self.setDragDropMode(QListView.DragDropMode.InternalMove)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(JobDelegate(self))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete takes a job off the queue."""
        if event.key() == Qt.Key.Key_Delete:
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Say where the job was dropped; the queue itself moves it."""
        job = self.currentIndex().data(JobQueue.JobRole)
        target = self.indexAt(event.position().toPoint())
        row = target.row() if target.isValid() else self.model().rowCount() - 1
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()
        if isinstance(job, Job):
            self.moved.emit(job.id, row)


class QueuePanel(QWidget):
    """The list and its buttons."""

    def __init__(self, jobs: JobQueue, actions: dict[str, QAction], icons: Icons) -> None:
        super().__init__()
        self._jobs = jobs
        self._icons = icons
        self.view = JobList()
        self.view.setModel(jobs)
        self.view.moved.connect(jobs.move)
        self.view.remove_requested.connect(self.remove)
        self.empty = EmptyState(self.view, jobs, self._empty_sentence)
        self.pause = QToolButton()
        self.pause.setDefaultAction(actions["pause"])
        self.up = self._button("up", self.tr("Run earlier"))
        self.down = self._button("down", self.tr("Run later"))
        self.duplicate = self._button("duplicate", self.tr("Queue the same again"))
        self.retry = self._button("retry", self.tr("Try again"))
        self.save = self._button("save", self.tr("Save the finished picture elsewhere…"))
        self.delete = self._button("trash", self.tr("Take off the queue"))
        self.up.clicked.connect(self._on_up_clicked)
        self.down.clicked.connect(self._on_down_clicked)
        self.duplicate.clicked.connect(self._on_duplicate_clicked)
        self.retry.clicked.connect(self._on_retry_clicked)
        self.save.clicked.connect(self._on_save_clicked)
        self.delete.clicked.connect(self.remove)
        clear = QToolButton()
        clear.setDefaultAction(actions["clear_finished"])
        clear.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
        self._lay_out(clear)
        self.setMinimumHeight(MIN_HEIGHT)
        self.view.selectionModel().currentChanged.connect(self.refresh)
        for signal in (jobs.dataChanged, jobs.rowsInserted, jobs.rowsRemoved, jobs.rowsMoved, jobs.modelReset):
            signal.connect(self.refresh)
        self.refresh()

    def current(self) -> Job | None:
        """The job that is selected."""
        job = self.view.currentIndex().data(JobQueue.JobRole)
        return job if isinstance(job, Job) else None

    def remove(self) -> None:
        """Take the selected job off the queue; a running one is stopped first."""
        if job := self.current():
            self._jobs.remove(job.id)

    def refresh(self) -> None:
        """Enable what can be done with the selected job."""
        job = self.current()
        is_waiting = job is not None and job.state is JobState.QUEUED
        self.up.setEnabled(is_waiting)
        self.down.setEnabled(is_waiting)
        self.duplicate.setEnabled(job is not None)
        self.delete.setEnabled(job is not None)
        self.retry.setEnabled(job is not None and job.state in (JobState.FAILED, JobState.CANCELLED))
        is_unsaved = job is not None and self._jobs.can_save(job.id)
        self.retry.setToolTip(self.tr("Save again") if is_unsaved else self.tr("Try again"))
        self.retry.setAccessibleName(self.retry.toolTip())
        self.save.setVisible(is_unsaved)
        self.empty.refresh()

    def _lay_out(self, clear: QToolButton) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(GRID, 0, GRID, 0)
        row.setSpacing(2)
        for button in (self.pause, self.up, self.down, self.duplicate, self.retry, self.save, self.delete):
            button.setAutoRaise(True)
            row.addWidget(button)
        row.addStretch()
        clear.setAutoRaise(True)
        row.addWidget(clear)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.empty, 1)

    def _button(self, icon: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setIcon(self._icons.get(icon))
        button.setToolTip(tip)
        button.setAccessibleName(tip)
        return button

    def _empty_sentence(self) -> str:
        return self.tr("No jobs. Press Generate as often as you like: jobs wait here for their turn.")

    def _move(self, by: int) -> None:
        job = self.current()
        if job is not None:
            kept = QPersistentModelIndex(self.view.currentIndex())
            self._jobs.move(job.id, self.view.currentIndex().row() + by)
            index = self._jobs.index(kept.row(), 0)
            self.view.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)

    def _on_up_clicked(self) -> None:
        self._move(-1)

    def _on_down_clicked(self) -> None:
        self._move(1)

    def _on_duplicate_clicked(self) -> None:
        if job := self.current():
            self._jobs.duplicate(job.id)

    def _on_save_clicked(self) -> None:
        job = self.current()
        if job is None:
            return
        title, kind = self.tr("Save the finished picture"), self.tr("PNG picture (*.png)")
        path = ask_where(self, title, Path.home() / "underpaint.png", kind)
        if path is not None:
            self._jobs.save_result_as(job.id, path)

    def _on_retry_clicked(self) -> None:
        job = self.current()
        if job is not None and self._jobs.can_save(job.id):
            self._jobs.retry_save(job.id)
        elif job is not None:
            self._jobs.duplicate(job.id)
            self._jobs.remove(job.id)
