"""GalleryModel: the variations of the gallery as rows, newest first: an index with a cache, fit for 100,000."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QDateTime,
    QLocale,
    QMimeData,
    QModelIndex,
    QObject,
    Qt,
    QUrl,
    Signal,
)
from PySide6.QtGui import QImage, QUndoStack

from desktop_app.core.errors import RequestError, StudioError
from desktop_app.core.request import ImageRef
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import Before, GalleryStore
from desktop_app.studio.chain_animation import AnimationOrder, write_animation
from desktop_app.studio.edits import TrashVariations
from desktop_app.studio.jobs import Index, Job
from desktop_app.studio.places import Place, find_places, for_each, read_variations
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.request_texts import chain_text, checkpoint_name, checkpoints_text, refs_of, strength_text
from desktop_app.studio.thumbnails import Thumbnails
from desktop_app.studio.tips import plain_tip
from desktop_app.studio.variation_ids import VariationIds

VARIATION_MIME = "application/x-underpaint-variation"
"""Ids of dragged variations, one a line, UTF-8."""

PAGE = 64
"""Rows whose variations are read together."""

MAX_WANTED_PAGES = 32
"""More than a screen shows; what was asked for before that has been scrolled away."""

MAX_KNOWN = 4096
"""Variations kept in memory."""

MAX_SMALL_CHANGE = 100
"""With more rows coming or going than this the model is read anew."""

MAX_DRAGGED = 1000

MAX_TOLD = 300
"""Characters of a prompt in a tool tip."""


@dataclass(frozen=True)
class _Task:
    """Who takes the answer of work on the pool, in the GUI thread."""

    done: Callable[[Any], None]
    failed: Callable[[StudioError], None]


class GalleryModel(QAbstractListModel):
    """Lives in the GUI thread. Keeps the ids of all rows; a thread of its own reads and changes the gallery.

    That thread keeps the order, so an answer is as true as the changes asked for before it; the rows follow the
    answers. A change of the search makes the answers of before it late: they are dropped.
    """

    VariationRole = Qt.ItemDataRole.UserRole + 1
    IdRole = Qt.ItemDataRole.UserRole + 3
    """The variation's id, which unlike the variation is there at once. (+ 2 is the strip's.)"""

    error_raised = Signal(object)
    thumbnail_ready = Signal(str)
    contents_changed = Signal()
    """Variations were trashed, restored or rated, whether they are among the rows or not."""

    def __init__(
        self, gallery: GalleryStore, undo_stack: QUndoStack | None = None, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._undo_stack = undo_stack
        self._ids = VariationIds([])
        self._search = ""
        self._trashed = False
        self._listing = 0
        self._is_listed = False
        self._known: OrderedDict[str, Variation | None] = OrderedDict()
        self._wanted: OrderedDict[int, None] = OrderedDict()
        self._is_reading = False
        self._is_closed = False
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
        row = index.row()
        if role == Qt.ItemDataRole.DisplayRole or not index.isValid() or row >= len(self._ids):
            return None
        if role == self.IdRole:
            return self._ids.at(row)
        if role not in _ROLES:
            return None
        variation = self._variation(row)
        if variation is None or role == self.VariationRole:
            return variation
        if role == Qt.ItemDataRole.DecorationRole:
            return self._thumbnails.get(variation)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(describe_in_full(variation))
        return describe(variation)

    def match(
        self, start: Index, role: int, value: Any, hits: int = 1, flags: Qt.MatchFlag = Qt.MatchFlag.MatchExactly
    ) -> list[QModelIndex]:
        """Nothing: a view that looks for typed letters would ask 100,000 rows. The search field is for that."""
        return []

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Pictures can be dragged out."""
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def mimeTypes(self) -> list[str]:
        """Our ids, and the files for everybody else."""
        return [VARIATION_MIME, "text/uri-list"]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData | None:  # type: ignore[override]
        """What is dragged out; None, by which Qt drags nothing, and an error when it is too much."""
        if len(indexes) > MAX_DRAGGED:
            title = self.tr("These are too many pictures to drag at once")
            hint = self.tr("Drag fewer, or copy the gallery's folder in a file manager.")
            self.error_raised.emit(RequestError(title, f"{len(indexes)} > {MAX_DRAGGED}", hint))
            return None
        found = [self.find(self._ids.at(row)) for row in sorted(index.row() for index in indexes)]
        return mime_of([variation for variation in found if variation])

    def supportedDragActions(self) -> Qt.DropAction:
        """The gallery keeps what is dragged out of it."""
        return Qt.DropAction.CopyAction

    def index_of(self, variation_id: str) -> QModelIndex:
        """Where a variation is, or an invalid index."""
        row = self._ids.row_of(variation_id)
        return QModelIndex() if row is None else self.index(row, 0)

    # Asking ---------------------------------------------------------------------------------------

    def find(self, variation_id: str) -> Variation | None:
        """The variation with that id, read at once if need be."""
        if known := self._known.get(variation_id):
            return known
        try:
            return self._gallery.get(variation_id)
        except StudioError as e:
            self.error_raised.emit(e)
            return None

    def thumbnail(self, variation: Variation) -> QImage | None:
        """Its thumbnail; None while it is read, then `thumbnail_ready` follows."""
        return self._thumbnails.get(variation)

    def made_from(self, init_image: ImageRef | None, limit: int) -> list[Variation]:
        """Variations made from ``init_image`` as it is, newest first: not those that the lineage shows with them since
        it was given new room first. For pool threads. Raises `StoreError`.
        """
        made: list[Variation] = []
        before: Before | None = None
        while len(made) < limit:
            page = self._gallery.made_from(init_image.ancestor.sha256 if init_image else None, limit, before)
            made += [each for each in page if each.request.init_image == init_image]
            if len(page) < limit:
                break
            before = (page[-1].created, page[-1].id)
        return made[:limit]

    def animation_writer(self, order: AnimationOrder) -> Callable[[], None]:
        """What writes the animation ``order``, to be called on a pool thread. It raises `ImageError`, `StoreError`."""
        return partial(write_animation, self._gallery, order)

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
        """Read anew what there is. The rows stay until the answer comes."""
        self._listing += 1
        self._is_listed = False
        self._run(partial(self._list, self._listing, self._search, self._trashed), self._on_listed)

    def insert(self, variation: Variation) -> None:
        """Show a variation that was just saved, if it is one that is searched for."""
        self._know(variation.id, variation)
        if self._search or self._trashed or not self._is_listed or not self._is_newest(variation):
            self._start_placing([variation.id])
        elif variation.id not in self._ids:
            self._insert_row(0, variation.id)

    def insert_finished(self, _job: Job, variation: Variation) -> None:
        """`insert`, for the queue's signal."""
        self.insert(variation)

    def set_stars(self, variation_id: str, stars: int) -> None:
        """Rate with 0 to 5 stars."""
        if known := self._known.get(variation_id):
            self._know(variation_id, replace(known, stars=stars))
            self._tell_changed(variation_id)
        self._change([variation_id], partial(self._gallery.set_stars, variation_id, stars))

    def trash(self, ids: list[str]) -> None:
        """Move variations to the trash; one step of undo."""
        if self._undo_stack is None:
            self._trash(ids)
        else:
            self._undo_stack.push(TrashVariations(self.tr("Move to trash"), list(ids), self._trash, self.restore))

    def restore(self, ids: list[str]) -> None:
        """Bring variations back from the trash."""
        if self._trashed:
            self._remove_rows(ids)
        self._change(ids, partial(for_each, self._gallery.restore, ids))

    def empty_trash(self) -> None:
        """Hand what is in the trash to the system's trash."""
        self._run(self._gallery.empty_trash, self._on_trash_emptied, self._on_empty_trash_failed)

    def close(self) -> None:
        """Finish what was asked for, and take on no more."""
        self._is_closed = True
        self._thumbnails.close()
        self._runner.wait()

    def _trash(self, ids: list[str]) -> None:
        """The rows go at once; if the disk refuses, they come back."""
        if not self._trashed:
            self._remove_rows(ids)
        self._change(ids, partial(for_each, self._gallery.trash, ids))

    def _change(self, ids: list[str], work: Callable[[], object]) -> None:
        """Change the gallery; the rows follow what has become of it, also where it failed midway."""
        self._run(work, partial(self._on_changed, list(ids)), partial(self._on_change_failed, list(ids)))

    def _on_changed(self, ids: list[str], _nothing: object = None) -> None:
        self._start_placing(ids)
        self.contents_changed.emit()

    def _on_change_failed(self, ids: list[str], error: StudioError) -> None:
        self.error_raised.emit(error)
        self._on_changed(ids)

    def _on_trash_emptied(self, _count: int) -> None:
        if self._trashed:
            self.refresh()
        self.contents_changed.emit()

    def _on_empty_trash_failed(self, error: StudioError) -> None:
        self.error_raised.emit(error)
        self._on_trash_emptied(0)

    # The pool -------------------------------------------------------------------------------------

    def _run(
        self,
        work: Callable[[], object],
        done: Callable[[Any], None],
        failed: Callable[[StudioError], None] | None = None,
    ) -> None:
        if not self._is_closed:
            self._runner.start(_Task(done, failed or self.error_raised.emit), work)

    def _on_finished(self, task: _Task, answer: object) -> None:
        task.done(answer)

    def _on_failed(self, task: _Task, error: StudioError) -> None:
        task.failed(error)

    def _list(self, listing: int, search: str, trashed: bool) -> tuple[int, VariationIds | None]:
        """In the pool thread."""
        if listing != self._listing:  # the user has typed on meanwhile
            return listing, None
        return listing, VariationIds(self._gallery.ids(search=search, trashed=trashed))

    def _on_listed(self, answer: tuple[int, VariationIds | None]) -> None:
        listing, ids = answer
        if listing != self._listing or ids is None:
            return
        self.beginResetModel()
        self._ids = ids
        self._is_listed = True
        self._wanted.clear()
        for variation_id in [key for key, known in self._known.items() if known is None]:
            del self._known[variation_id]
        self.endResetModel()

    def _start_placing(self, ids: list[str]) -> None:
        if len(ids) > MAX_SMALL_CHANGE:
            for variation_id in ids:
                self._known.pop(variation_id, None)
            self.refresh()
            return
        work = partial(find_places, self._gallery, ids, self._search, self._trashed)
        self._run(work, partial(self._on_placed, self._listing))

    def _on_placed(self, listing: int, places: list[Place]) -> None:
        """Let the rows follow. ``places`` begins with the oldest, so that each finds its elder among the rows."""
        for place in places:
            self._know(place.id, place.variation)
            self._thumbnails.forget(place.id)
            if listing == self._listing and self._is_listed:
                self._put(place)
            self._tell_changed(place.id)

    def _put(self, place: Place) -> None:
        if not place.is_among:
            self._remove_rows([place.id])
        elif place.id not in self._ids:
            row = len(self._ids) if place.older_id is None else self._ids.row_of(place.older_id)
            if row is None:  # its elder is on its way out or in
                self.refresh()
            else:
                self._insert_row(row, place.id)

    # Rows that come and go ------------------------------------------------------------------------

    def _is_newest(self, variation: Variation) -> bool:
        """Not so where the clock was put back; nor where it cannot be known without a look on the disk."""
        newest = self._known.get(self._ids.at(0)) if len(self._ids) else variation
        return newest is not None and newest.created <= variation.created

    def _insert_row(self, row: int, variation_id: str) -> None:
        self.beginInsertRows(QModelIndex(), row, row)
        self._ids.insert(row, variation_id)
        self.endInsertRows()

    def _remove_rows(self, ids: list[str]) -> None:
        runs = self._ids.runs_of(ids)
        if len(runs) > MAX_SMALL_CHANGE:
            self.beginResetModel()
            for first, last in reversed(runs):
                self._ids.remove(first, last)
            self.endResetModel()
            return
        for first, last in reversed(runs):
            self.beginRemoveRows(QModelIndex(), first, last)
            self._ids.remove(first, last)
            self.endRemoveRows()

    # Variations -----------------------------------------------------------------------------------

    def _variation(self, row: int) -> Variation | None:
        variation_id = self._ids.at(row)
        if variation_id in self._known:
            self._known.move_to_end(variation_id)
            return self._known[variation_id]
        self._wanted[row // PAGE] = None
        self._wanted.move_to_end(row // PAGE)
        if len(self._wanted) > MAX_WANTED_PAGES:
            self._wanted.popitem(last=False)
        self._read_next()
        return None

    def _read_next(self) -> None:
        """The page asked for last comes first: the user looks at it."""
        while self._wanted and not self._is_reading and not self._is_closed:
            page, _ = self._wanted.popitem()
            rows = range(page * PAGE, min((page + 1) * PAGE, len(self._ids)))
            ids = [variation_id for variation_id in map(self._ids.at, rows) if variation_id not in self._known]
            if ids:
                self._is_reading = True
                work = partial(read_variations, self._gallery, ids)
                self._run(work, partial(self._on_read, ids), partial(self._on_read_failed, ids))

    def _on_read(self, ids: list[str], found: list[Variation | None]) -> None:
        self._is_reading = False
        for variation_id, variation in zip(ids, found, strict=True):
            self._know(variation_id, variation)
        rows = [row for variation_id in ids if (row := self._ids.row_of(variation_id)) is not None]
        if rows:
            self.dataChanged.emit(self.index(min(rows), 0), self.index(max(rows), 0))
        self._read_next()

    def _on_read_failed(self, ids: list[str], error: StudioError) -> None:
        """They stay empty until the next listing; asked for again at each paint, they would fail without end."""
        self.error_raised.emit(error)
        self._on_read(ids, [None] * len(ids))

    def _know(self, variation_id: str, variation: Variation | None) -> None:
        self._known[variation_id] = variation
        self._known.move_to_end(variation_id)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def _on_thumbnail_ready(self, variation_id: str) -> None:
        self._tell_changed(variation_id)
        self.thumbnail_ready.emit(variation_id)

    def _tell_changed(self, variation_id: str) -> None:
        index = self.index_of(variation_id)
        if index.isValid():
            self.dataChanged.emit(index, index)


_ROLES = frozenset(
    (
        GalleryModel.VariationRole,
        Qt.ItemDataRole.DecorationRole,
        Qt.ItemDataRole.ToolTipRole,
        Qt.ItemDataRole.AccessibleTextRole,
    )
)


def describe(variation: Variation) -> str:
    """What is said of ``variation``: prompt, strength, seed, size, checkpoints and date. Plain text."""
    request, prompt = variation.request, variation.request.stages[0].prompt
    seed, size = _tr("seed %1").replace("%1", str(request.seed)), "{} × {}".format(*variation.size)
    facts = " · ".join(filter(None, (strength_text(request), seed, size)))
    made = QLocale().toString(
        QDateTime.fromSecsSinceEpoch(int(variation.created.timestamp())), QLocale.FormatType.ShortFormat
    )
    told = prompt if len(prompt) <= MAX_TOLD else f"{prompt[:MAX_TOLD]}…"
    return "\n".join(text for text in (told, facts, checkpoints_text(request), chain_text(request), made) if text)


def describe_in_full(variation: Variation) -> str:
    """`describe` with the REFs of checkpoints that have a shorter name there, and what was changed or left out when it
    was run.
    """
    refs = [ref for ref in refs_of(variation.request) if ref != checkpoint_name(ref)]
    return "\n".join(filter(None, (describe(variation), *refs, *variation.notes, reused_text(variation))))


def reused_text(variation: Variation) -> str:
    """How many stages were not run again for ``variation``; empty where all were run."""
    if not variation.reused:
        return ""
    text = _tr("%1 of %2 stages were re-used.").replace("%1", str(variation.reused))
    return text.replace("%2", str(len(variation.request.stages)))


def _tr(text: str) -> str:
    return QCoreApplication.translate("GalleryModel", text)


def mime_of(variations: list[Variation]) -> QMimeData:
    """``variations`` as they are dragged or copied."""
    data = QMimeData()
    data.setData(VARIATION_MIME, "\n".join(variation.id for variation in variations).encode())
    data.setUrls([QUrl.fromLocalFile(str(variation.path)) for variation in variations])
    return data
