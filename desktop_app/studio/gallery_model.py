"""GalleryModel: the variations of the gallery as rows, newest first; an index with a cache, over 100,000 pictures too."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt, QUrl, Signal
from PySide6.QtGui import QImage, QUndoStack

from desktop_app.core.errors import StudioError
from desktop_app.core.request import StageKind
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.edits import TrashVariations
from desktop_app.studio.jobs import Job
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.thumbnails import Thumbnails

VARIATION_MIME = "application/x-underpaint-variation"
"""Ids of dragged variations, one a line, UTF-8."""

BLOCK = 64
"""Rows whose variations are read together."""

MAX_KNOWN = 4096
"""Variations kept in memory."""

MAX_SMALL_CHANGE = 200
"""With more rows coming and going than this the model is reset."""

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Lineage:
    """``parents`` from the oldest on; ``children`` from the oldest on."""

    parents: tuple[Variation, ...]
    children: tuple[Variation, ...]


class GalleryModel(QAbstractListModel):
    """Lives in the GUI thread. Keeps the ids of all rows, reads the rest on the pool when a view asks for it."""

    VariationRole = Qt.ItemDataRole.UserRole + 1

    error_raised = Signal(object)
    thumbnail_ready = Signal(str)
    contents_changed = Signal()
    """Variations were trashed, restored or rated, whether they are among the rows or not."""
    _LISTED, _READ, _CHANGED = "listed", "read", "changed"

    def __init__(
        self, gallery: GalleryStore, undo_stack: QUndoStack | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._undo_stack = undo_stack
        self._ids: list[str] = []
        self._search = ""
        self._trashed = False
        self._listing = 0
        self._known: OrderedDict[str, Variation] = OrderedDict()
        self._asked: set[str] = set()
        self._gone: set[str] = set()
        self._thumbnails = Thumbnails(gallery, self)
        self._thumbnails.ready.connect(self._on_thumbnail_ready)
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)
        self.refresh()

    # Rows -----------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """All variations that match the search."""
        return 0 if parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """The thumbnail as QImage, the `Variation`, and what is said of it; None for what is still being read."""
        if not self.checkIndex(index, QAbstractListModel.CheckIndexOption.IndexIsValid):
            return None
        variation_id = self._ids[index.row()]
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(variation_id)
        if role == self.VariationRole:
            return self._variation(variation_id, index.row())
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            variation = self._variation(variation_id, index.row())
            return describe(variation) if variation else None
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Pictures can be dragged out."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def mimeTypes(self) -> list[str]:
        """Our ids, and the files for everybody else."""
        return [VARIATION_MIME, "text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """What is dragged out."""
        found = [self.find(self._ids[index.row()]) for index in sorted(indexes, key=lambda index: index.row())]
        return mime_of([variation for variation in found if variation])

    def supportedDragActions(self) -> Qt.DropAction:
        """The gallery keeps what is dragged out of it."""
        return Qt.DropAction.CopyAction

    def index_of(self, variation_id: str) -> QModelIndex:
        """Where a variation is, or an invalid index."""
        try:
            return self.index(self._ids.index(variation_id), 0)
        except ValueError:
            return QModelIndex()

    # Asking ---------------------------------------------------------------------------------------

    def find(self, variation_id: str) -> Variation | None:
        """The variation with that id, read at once if need be."""
        if variation_id in self._known:
            return self._known[variation_id]
        try:
            return self._gallery.get(variation_id)
        except StudioError as e:
            self.error_raised.emit(e)
            return None

    def thumbnail(self, variation: Variation) -> QImage | None:
        """Its thumbnail; None while it is read, then `thumbnail_ready` follows."""
        return self._thumbnails.get(variation.id)

    def lineage(self, variation: Variation) -> Lineage:
        """What ``variation`` came from, and what came from it. Raises `StoreError`."""
        parents = tuple(reversed(self._gallery.ancestors(variation.id)))
        return Lineage(parents, tuple(self._gallery.children(variation.id)))

    def made_from(self, init_sha256: str | None, limit: int) -> list[Variation]:
        """Variations made from an init image with those pixels, newest first. For pool threads. Raises `StoreError`."""
        return self._gallery.made_from(init_sha256, limit)

    # Changing -------------------------------------------------------------------------------------

    def set_search(self, text: str) -> None:
        """Show the variations that ``text`` finds; all for an empty text."""
        if text != self._search:
            self._search = text
            self.refresh()

    def set_trashed(self, is_trashed: bool) -> None:
        """Show the trash instead of the gallery, or the gallery again."""
        if is_trashed != self._trashed:
            self._trashed = is_trashed
            self.refresh()

    def refresh(self) -> None:
        """Look again what there is."""
        self._listing += 1
        work = partial(self._gallery.ids, search=self._search, trashed=self._trashed)
        self._runner.start((self._LISTED, self._listing), work)

    def insert(self, variation: Variation) -> None:
        """Show a variation that was just saved."""
        self._know(variation)
        if self._search or self._trashed or variation.id in self._ids:
            self.refresh()
            return
        self._listing += 1  # a list that is on its way does not have it
        self.beginInsertRows(QModelIndex(), 0, 0)
        self._ids.insert(0, variation.id)
        self.endInsertRows()
        self.refresh()

    def insert_finished(self, _job: Job, variation: Variation) -> None:
        """`insert`, for the queue's signal."""
        self.insert(variation)

    def set_stars(self, variation_id: str, stars: int) -> None:
        """Rate with 0 to 5 stars."""
        if variation_id in self._known:
            self._know(replace(self._known[variation_id], stars=stars))
            self._tell_changed(variation_id)
        self._change([variation_id], partial(self._gallery.set_stars, variation_id, stars))

    def trash(self, ids: list[str]) -> None:
        """Move variations to the trash; one step of undo."""
        if self._undo_stack is None:
            self._trash(ids)
            return
        text = self.tr("Move to trash")
        self._undo_stack.push(TrashVariations(text, list(ids), self._trash, self.restore))

    def restore(self, ids: list[str]) -> None:
        """Bring variations back from the trash."""
        self._change(ids, partial(self._gallery.restore, ids))

    def empty_trash(self) -> None:
        """Hand what is in the trash to the system's trash."""
        self._change([], self._gallery.empty_trash)

    def close(self) -> None:
        """End what goes on in the background."""
        self._thumbnails.close()
        self._runner.wait()

    def _trash(self, ids: list[str]) -> None:
        """The rows go at once; if the disk refuses, the next look brings them back."""
        for variation_id in ids:
            index = self.index_of(variation_id)
            if index.isValid() and not self._trashed:
                self._remove(index.row())
        self._change(ids, partial(self._gallery.trash, ids))

    def _change(self, ids: list[str], work: Callable[[], object]) -> None:
        self._listing += 1
        self._runner.start((self._CHANGED, ids), work)

    # Answers --------------------------------------------------------------------------------------

    def _on_finished(self, key: tuple[str, Any], answer: Any) -> None:
        kind, what = key
        if kind == self._LISTED and what == self._listing:
            self._show(answer)
        elif kind == self._READ:
            self._on_read(what, answer)
        elif kind == self._CHANGED:
            self._forget(what)
            self.refresh()
            self.contents_changed.emit()

    def _on_failed(self, key: tuple[str, Any], error: StudioError) -> None:
        self.error_raised.emit(error)
        if key[0] == self._CHANGED:
            self._forget(key[1])
            self.refresh()

    def _show(self, ids: list[str]) -> None:
        """Bring the rows to ``ids``: row by row for a small change, so that a view keeps its place."""
        wanted, shown = set(ids), set(self._ids)
        gone = [row for row, variation_id in enumerate(self._ids) if variation_id not in wanted]
        new = [row for row, variation_id in enumerate(ids) if variation_id not in shown]
        if len(gone) + len(new) > MAX_SMALL_CHANGE or not shown:
            self.beginResetModel()
            self._ids = ids
            self.endResetModel()
            return
        for row in reversed(gone):
            self._remove(row)
        for row in new:
            self.beginInsertRows(QModelIndex(), row, row)
            self._ids.insert(row, ids[row])
            self.endInsertRows()

    def _remove(self, row: int) -> None:
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._ids[row]
        self.endRemoveRows()

    def _variation(self, variation_id: str, row: int) -> Variation | None:
        if variation_id in self._known:
            self._known.move_to_end(variation_id)
            return self._known[variation_id]
        if variation_id not in self._asked and variation_id not in self._gone:
            first = row // BLOCK * BLOCK
            wanted = [each for each in self._ids[first : first + BLOCK] if each not in self._known]
            self._asked.update(wanted)
            self._runner.start((self._READ, wanted), partial(_read_all, self._gallery, wanted))
        return None

    def _on_read(self, wanted: list[str], found: list[Variation]) -> None:
        self._asked.difference_update(wanted)
        self._gone.update(set(wanted) - {variation.id for variation in found})
        for variation in found:
            self._know(variation)
        rows = [row for row, variation_id in enumerate(self._ids) if variation_id in set(wanted)]
        if rows:
            self.dataChanged.emit(self.index(rows[0], 0), self.index(rows[-1], 0))

    def _know(self, variation: Variation) -> None:
        self._known[variation.id] = variation
        self._known.move_to_end(variation.id)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _forget(self, ids: list[str]) -> None:
        """They have changed on disk: path, stars or both."""
        for variation_id in ids:
            self._known.pop(variation_id, None)
            self._tell_changed(variation_id)

    def _on_thumbnail_ready(self, variation_id: str) -> None:
        self._tell_changed(variation_id)
        self.thumbnail_ready.emit(variation_id)

    def _tell_changed(self, variation_id: str) -> None:
        index = self.index_of(variation_id)
        if index.isValid():
            self.dataChanged.emit(index, index)


def describe(variation: Variation) -> str:
    """What a tool tip says of ``variation``."""
    stage = variation.request.stages[0]
    prompt = stage.prompt if len(stage.prompt) <= 200 else f"{stage.prompt[:200]}…"
    facts = [f"{variation.size[0]} × {variation.size[1]}", f"seed {variation.request.seed}"]
    if stage.kind is StageKind.IMAGE_TO_IMAGE:
        facts.insert(0, f"strength {stage.strength:g}")
    made = variation.created.astimezone().strftime("%Y-%m-%d %H:%M")
    return "\n".join(text for text in (prompt, ", ".join(facts), made) if text)


def mime_of(variations: list[Variation]) -> QMimeData:
    """``variations`` as they are dragged or copied."""
    data = QMimeData()
    data.setData(VARIATION_MIME, "\n".join(variation.id for variation in variations).encode())
    data.setUrls([QUrl.fromLocalFile(str(variation.path)) for variation in variations])
    return data


def _read_all(gallery: GalleryStore, ids: list[str]) -> list[Variation]:
    return [variation for variation_id in ids if (variation := gallery.get(variation_id))]
