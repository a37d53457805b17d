"""JobBar: what runs now, how far it is, and how to stop it."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QProgressBar, QSizePolicy, QToolButton
from superqt import QElidingLabel

from desktop_app.core.engine import EngineStatus
from desktop_app.core.variation import Variation
from desktop_app.studio.gallery_model import reused_text
from desktop_app.studio.jobs import Job, JobQueue, JobState
from desktop_app.studio.tips import plain_tip
from desktop_app.ui.field import set_role
from desktop_app.ui.icons import Icons
from desktop_app.ui.job_texts import progress_text
from desktop_app.ui.texts import plural
from desktop_app.ui.theme import GRID

GIGABYTE = 1e9
FULL = 1000
"""The progress bar counts in thousandths."""


class JobBar(QFrame):
    """Renders the queue's running job."""

    queue_toggled = Signal(bool)

    def __init__(self, jobs: JobQueue, actions: dict[str, QAction], icons: Icons) -> None:
        super().__init__()
        self.setObjectName("jobBar")
        self._jobs = jobs
        self._actions = actions
        self._text = QElidingLabel()
        self._text.setObjectName("phaseLabel")
        # Its words change at every step, and must not push the others about.
        self._text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._text.setMinimumWidth(120)
        self.progress = QProgressBar()
        self.progress.setObjectName("progressBar")
        self.progress.setRange(0, FULL)
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(6)
        self.progress.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.progress.setMinimumWidth(48)
        self.progress.setAccessibleName(self.tr("Progress of the running picture"))
        self.progress.setToolTip(self.progress.accessibleName())
        self.stop = self._make_stop(actions, icons)
        self.resume = QToolButton()
        self.resume.setObjectName("resumeButton")
        self.resume.setText(self.tr("Resume queue"))
        self.resume.setIcon(icons.get("play"))
        self.resume.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.resume.setToolTip(self.tr("Go on with the jobs that wait"))
        self.resume.clicked.connect(jobs.resume)
        self.queue = QToolButton()
        self.queue.setObjectName("queueButton")
        self.queue.setCheckable(True)
        self.queue.setIcon(icons.get("queue"))
        self.queue.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.queue.setToolTip(self.tr("Show or hide the queue"))
        self.queue.clicked.connect(self.queue_toggled)
        self._engine = QLabel()
        self._engine.setObjectName("engineLabel")
        set_role(self._engine, "caption")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(GRID + 2, 2, GRID + 4, 2)
        layout.setSpacing(GRID + 4)
        for widget in (self._text, self.progress, self.stop, self.resume, self.queue, self._engine):
            layout.addWidget(widget)
        layout.setStretch(0, 3)
        layout.setStretch(1, 2)
        self._note, self._detail = "", ""
        jobs.progressed.connect(self._on_job_progressed)
        jobs.finished.connect(self._on_job_finished)
        jobs.state_changed.connect(self.refresh)
        self.refresh()

    def show_engine(self, status: EngineStatus) -> None:
        """Show the device that paints."""
        text = status.device or self.tr("engine idle")
        if status.memory_total:
            text += f" {status.memory_used / GIGABYTE:.1f}/{status.memory_total / GIGABYTE:.0f} GB"
        self._engine.setText(text)
        self._engine.setToolTip(status.device_name or self.tr("The device that paints"))

    def refresh(self) -> None:
        """Show the queue as it is now."""
        job = self._jobs.current
        waiting = self._jobs.waiting
        self.stop.setEnabled(job is not None)
        self.resume.setVisible(self._jobs.paused)
        self._text.setToolTip(self._jobs.notice or plain_tip(self._detail or self._note))
        self.queue.setText(self.tr("Queue %1").replace("%1", str(waiting)) if waiting else self.tr("Queue"))
        if job is not None:
            self._on_job_progressed(job)
            return
        self.progress.setValue(0)
        if waiting and self._jobs.paused:
            self._text.setText(plural(waiting, self.tr("Paused: one job waits"), self.tr("Paused: %1 jobs wait")))
        else:
            self._text.setText(self._note or self.tr("Ready"))

    def tell(self, text: str, detail: str = "") -> None:
        """Say what was done, until something else is; ``detail`` is seen under the mouse."""
        self._note, self._detail = text, detail
        self.refresh()

    def _make_stop(self, actions: dict[str, QAction], icons: Icons) -> QToolButton:
        button = QToolButton()
        button.setObjectName("stopButton")
        button.setText(self.tr("Stop"))
        button.setIcon(icons.get("stop"))
        button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        button.setToolTip(actions["stop"].toolTip())
        actions["stop"].changed.connect(self._on_stop_changed)
        button.setAccessibleName(self.tr("Stop now"))
        button.clicked.connect(actions["stop"].trigger)
        menu = QMenu(button)
        menu.addActions([actions["stop"], actions["stop_after"]])
        button.setMenu(menu)
        return button

    def _on_stop_changed(self) -> None:
        self.stop.setToolTip(self._actions["stop"].toolTip())

    def _on_job_finished(self, _job: Job, variation: Variation) -> None:
        """What was changed or left out to make the picture is said until the next one is made."""
        self.tell(" ".join(filter(None, (*variation.notes, reused_text(variation)))))

    def _on_job_progressed(self, job: Job) -> None:
        text = progress_text(job)
        if self._jobs.paused and job.state is not JobState.STOPPING:
            text = self.tr("%1 · then the queue pauses").replace("%1", text)
        self._text.setText(text)
        self.progress.setValue(round(FULL * job.share))
