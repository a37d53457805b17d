"""CheckpointModel: the rows of the Checkpoints window, kept up to date with the disk and with what is on its way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal

from desktop_app.core.catalog import CatalogEntry, find_entry
from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import StudioError
from desktop_app.studio.checkpoint_judge import Judge, judge_by, most_free
from desktop_app.studio.checkpoint_rows import (
    CheckpointAccess,
    CheckpointRow,
    RowFilter,
    Section,
    Survey,
    families_of,
    make_rows,
    read_survey,
)
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.tips import plain_tip

Index = QModelIndex | QPersistentModelIndex


class CheckpointModel(QAbstractListModel):
    """Lives in the GUI thread; a thread of its own looks at the disk. ``describe`` says a row in one sentence."""

    RowRole = Qt.ItemDataRole.UserRole + 1

    settled = Signal()
    """The rows are as they should be, after one or more changes."""
    surveyed = Signal()
    """The disk was looked at anew."""
    error_raised = Signal(object)

    def __init__(
        self,
        access: CheckpointAccess,
        catalog: Sequence[CatalogEntry],
        downloads: Downloads,
        describe: Callable[[CheckpointRow], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._access = access
        self._catalog = tuple(catalog)
        self._downloads = downloads
        self._describe = describe
        self._filter = RowFilter()
        self._engine: EngineStatus | None = None
        self._judge: Judge | None = None
        self._survey: Survey | None = None
        self._is_stale = False
        self._rows: list[CheckpointRow] = []
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_surveyed)
        self._runner.failed.connect(self._on_failed)
        downloads.changed.connect(self._on_download_changed)
        downloads.finished.connect(self.refresh)
        self._show_rows()

    @property
    def survey(self) -> Survey:
        """What was found on this machine; nothing before the first look."""
        return self._survey or Survey()

    @property
    def is_surveyed(self) -> bool:
        """Whether the disk was looked at."""
        return self._survey is not None

    @property
    def families(self) -> list[str]:
        """The families that there are to filter by."""
        return families_of(self.survey, self._catalog)

    # Rows -----------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """Checkpoints and headings."""
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The `CheckpointRow` under `RowRole`, its label, and for screen readers a sentence."""
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        row = self._rows[index.row()]
        if role == self.RowRole:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return row.label or self._describe(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return self._describe(row)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(row.ref) if row.ref else None
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Headings cannot be selected."""
        row = self.row_at(index.row()) if index.isValid() else None
        if row is None or row.is_heading:
            return Qt.ItemFlag.NoItemFlags
        return super().flags(index) | Qt.ItemFlag.ItemNeverHasChildren

    def row_of(self, ref: str) -> int:
        """Where ``ref`` stands in the list, -1 where it does not; on its way comes before installed."""
        return next((number for number, row in enumerate(self._rows) if ref and row.ref == ref), -1)

    def row_at(self, number: int) -> CheckpointRow | None:
        """The row of that number."""
        return self._rows[number] if 0 <= number < len(self._rows) else None

    def size_of(self, ref: str) -> int:
        """Bytes that the download of ``ref`` takes by the catalog, 0 where that does not know it."""
        entry = find_entry(self._catalog, ref)
        return entry.size_bytes if entry else 0

    def needs(self, row: CheckpointRow) -> list[CheckpointRow]:
        """What ``row`` cannot paint without, here or not, as rows of its own."""
        if row.entry is None or not row.entry.needs:
            return []
        every = make_rows(self.survey, self._catalog, self._downloads.all, RowFilter(), self._judge)
        known = {each.ref: each for each in every if each.ref}
        return [known.get(ref) or CheckpointRow(Section.AVAILABLE, ref, ref) for ref in row.entry.needs]

    # Changes --------------------------------------------------------------------------------------

    def filter_by(self, wanted: RowFilter) -> None:
        """Show only what ``wanted`` lets pass."""
        if wanted != self._filter:
            self._filter = wanted
            self._show_rows()

    def show_engine(self, status: EngineStatus) -> None:
        """Judge by what the engine says of its memory."""
        engine = most_free(self._engine, status)
        if engine != self._engine:
            self._engine = engine
            self._judge = judge_by(engine)
            self._show_rows()

    def refresh(self) -> None:
        """Look at the disk anew; `surveyed` follows."""
        if self._runner.running:
            self._is_stale = True
            return
        self._is_stale = False
        self._runner.start("survey", partial(read_survey, self._access))

    def close(self) -> None:
        """Let the thread end."""
        self._is_stale = False
        self._runner.wait()

    def _show_rows(self) -> None:
        """Bring the rows to what there is now, step by step, so that views keep their place."""
        catalog = self._catalog if self._survey is not None else ()
        rows = make_rows(self.survey, catalog, self._downloads.all, self._filter, self._judge)
        before, after = [row.key for row in self._rows], [row.key for row in rows]
        for kind, first, end, new_first, new_end in reversed(SequenceMatcher(None, before, after, False).get_opcodes()):
            if kind in ("delete", "replace"):
                self.beginRemoveRows(QModelIndex(), first, end - 1)
                del self._rows[first:end]
                self.endRemoveRows()
            if kind in ("insert", "replace"):
                self.beginInsertRows(QModelIndex(), first, first + new_end - new_first - 1)
                self._rows[first:first] = rows[new_first:new_end]
                self.endInsertRows()
        for number, row in enumerate(rows):
            if self._rows[number] != row or row.download is not None:
                self._rows[number] = row
                self.dataChanged.emit(self.index(number), self.index(number))
        self.settled.emit()

    def _on_download_changed(self, ref: str) -> None:
        number = self.row_of(ref)
        row = self.row_at(number)
        download = self._downloads.find(ref)
        is_in_place = row is not None and row.download is not None and row.download is download
        if is_in_place and row is not None and row.size_bytes == (download.total if download else 0):
            self.dataChanged.emit(self.index(number), self.index(number))
        else:
            self._show_rows()

    def _on_surveyed(self, _key: object, survey: Survey) -> None:
        self._survey = survey
        self._show_rows()
        if not self._is_stale:
            self._downloads.forget_done()
        self.surveyed.emit()
        if self._is_stale:
            self.refresh()

    def _on_failed(self, _key: object, error: StudioError) -> None:
        self._survey = self.survey
        self._show_rows()
        self.error_raised.emit(error)
        self.surveyed.emit()
