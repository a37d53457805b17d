"""The lines at the edges of the Checkpoints window: search and filter, imports that run, disk, network and token."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from desktop_app.studio.checkpoint_rows import DiskUse, RowFilter
from desktop_app.studio.checkpoint_work import Task
from desktop_app.ui.checkpoint_texts import TOKEN_PLACES, share_done, task_text, translate
from desktop_app.ui.field import set_role
from desktop_app.ui.icons import Icons
from desktop_app.ui.texts import file_size
from desktop_app.ui.theme import GRID

BAR_STEPS = 1000


class FilterBar(QWidget):
    """Search box and family; a button that imports."""

    changed = Signal(object)
    """The `RowFilter` that is wanted now."""
    file_requested = Signal()
    folder_requested = Signal()

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.search = QLineEdit()
        self.search.setObjectName("checkpointSearch")
        self.search.setPlaceholderText(self.tr("Search, or any hub id: org/name"))
        self.search.setAccessibleName(self.tr("Search checkpoints, or name any of the hub"))
        self.search.setToolTip(self.tr("A hub id such as org/name can be downloaded even if it is not on the list"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(120)
        self.search.addAction(icons.get("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.family = QComboBox()
        self.family.setObjectName("familyCombo")
        self.family.setAccessibleName(self.tr("Family"))
        self.family.setToolTip(self.tr("Show checkpoints of one family only"))
        self.family.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.family.setMinimumContentsLength(12)
        self.show_families([])
        self.bring_in = QToolButton()
        self.bring_in.setObjectName("importButton")
        self.bring_in.setText(self.tr("Import…"))
        self.bring_in.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.bring_in.setIcon(icons.get("open"))
        self.bring_in.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.bring_in.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.bring_in.setToolTip(
            self.tr("Take in a .safetensors file, or use a folder; dropping one here does the same")
        )
        menu = QMenu(self.bring_in)
        menu.addAction(self.tr("A .safetensors &file…")).triggered.connect(self.file_requested)
        menu.addAction(self.tr("A f&older in diffusers layout…")).triggered.connect(self.folder_requested)
        self.bring_in.setMenu(menu)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID, GRID, GRID, GRID)
        row.setSpacing(GRID)
        row.addWidget(self.search, 3)
        row.addWidget(self.family, 2)
        row.addWidget(self.bring_in)
        self.search.textChanged.connect(self._on_changed)
        self.family.currentIndexChanged.connect(self._on_changed)

    def show_families(self, labels: Sequence[str]) -> None:
        """Offer ``labels``; the chosen one stays."""
        chosen = self.family.currentData() or ""
        with QSignalBlocker(self.family):
            self.family.clear()
            self.family.addItem(self.tr("All families"), "")
            for label in labels:
                self.family.addItem(label, label)
            self.family.setCurrentIndex(max(self.family.findData(chosen), 0))
        if (self.family.currentData() or "") != chosen:
            self._on_changed()

    def _on_changed(self) -> None:
        self.changed.emit(RowFilter(self.search.text().strip(), self.family.currentData() or ""))


class ImportBar(QFrame):
    """One import that runs: how far it is, and a button that stops it."""

    stop_requested = Signal(str)
    """What is imported."""

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("importBar")
        self._ref = ""
        self._words = QLabel()
        self._words.setTextFormat(Qt.TextFormat.PlainText)
        self._bar = QProgressBar()
        self._bar.setMaximum(BAR_STEPS)
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(4)
        self.stop = QPushButton(icons.get("stop"), self.tr("Stop"))
        self.stop.setToolTip(self.tr("Stop the import; nothing of it stays"))
        self.stop.clicked.connect(self._on_stop_clicked)
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._words)
        words.addWidget(self._bar)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, 0, GRID, GRID)
        row.setSpacing(GRID)
        row.addLayout(words, 1)
        row.addWidget(self.stop)
        self.hide()

    def show_task(self, task: Task | None) -> None:
        """Show ``task``, or nothing."""
        self._ref = task.ref if task else ""
        self.setVisible(task is not None)
        if task is not None:
            self._words.setText(task_text(task))
            self._bar.setAccessibleName(self._words.text())
            self._bar.setMaximum(BAR_STEPS if task.progress and task.progress.total else 0)
            self._bar.setValue(round(share_done(task.progress) * BAR_STEPS))

    def _on_stop_clicked(self) -> None:
        self.stop_requested.emit(self._ref)


class FootBar(QFrame):
    """Disk use, the network's switch, and where the token is."""

    network_toggled = Signal(bool)
    token_requested = Signal()

    def __init__(self, icons: Icons) -> None:
        super().__init__()
        self.setObjectName("checkpointsFoot")
        self.disk = QLabel()
        self.disk.setObjectName("diskUse")
        self.disk.setTextFormat(Qt.TextFormat.PlainText)
        set_role(self.disk, "caption")
        self.network = QCheckBox()
        self.network.setObjectName("networkSwitch")
        self.network.setToolTip(self.tr("Off: no connection is tried, and what is being downloaded pauses"))
        self.network.toggled.connect(self.network_toggled)
        self.network.toggled.connect(self._show_network)
        self.token = QToolButton()
        self.token.setObjectName("tokenButton")
        self.token.setIcon(icons.get("key"))
        self.token.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.token.setToolTip(self.tr("The hub asks for a token where a licence has to be accepted"))
        self.token.clicked.connect(self.token_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(GRID + 4, GRID // 2, GRID, GRID // 2)
        row.setSpacing(2 * GRID)
        row.addWidget(self.disk, 1)
        row.addWidget(self.network)
        row.addWidget(self.token)
        self._show_network(False)
        self.show_token("")

    def show_disk(self, disk: DiskUse | None) -> None:
        """Say what checkpoints take and what is free."""
        text = self.tr("Checkpoints use %1 · %2 free") if disk else ""
        if disk:
            text = text.replace("%1", file_size(disk.used)).replace("%2", file_size(disk.free))
        self.disk.setText(text)

    def show_online(self, is_online: bool) -> None:
        """Show whether the network may be used."""
        with QSignalBlocker(self.network):
            self.network.setChecked(is_online)
        self._show_network(is_online)

    def fix_network(self, reason: str) -> None:
        """The network stays as it is, for ``reason``."""
        self.network.setEnabled(False)
        self.network.setToolTip(reason)
        self.network.setAccessibleDescription(reason)

    def show_token(self, place: str) -> None:
        """Say where the token is: keyring, memory, environment, or nowhere."""
        where = translate(TOKEN_PLACES.get(place, TOKEN_PLACES[""]))
        self.token.setText(self.tr("Hub token: %1").replace("%1", where))

    def _show_network(self, is_online: bool) -> None:
        self.network.setText(self.tr("Network: on") if is_online else self.tr("Network: off"))
