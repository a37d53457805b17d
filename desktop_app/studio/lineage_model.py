"""LineageModel: where the picture on the canvas came from, its relatives, and the stages of chains, as a tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import count
from typing import Any

from PySide6.QtCore import QAbstractItemModel, QMimeData, QModelIndex, QObject, Qt, QTimer, QUrl, Signal
from PySide6.QtGui import QImage

from desktop_app.core.errors import StudioError
from desktop_app.core.request import ImageRef
from desktop_app.core.variation import Variation
from desktop_app.store.gallery import Before, GalleryStore
from desktop_app.studio.gallery_model import GalleryModel, describe, describe_in_full, mime_of
from desktop_app.studio.jobs import Index
from desktop_app.studio.lineage import PHOTO_KEY, Offspring, Spot, Tree, read_offspring, read_tree
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.request_texts import WITH_STRENGTH, checkpoint_name, numbered_stage_text
from desktop_app.studio.tips import plain_tip


class NodeKind(Enum):
    """What a row of the tree is."""

    PHOTO = "photo"
    """The picture from outside that all began with."""
    VARIATION = "variation"
    STAGE = "stage"
    """What a stage of a chain made, under the chain's final picture."""
    MORE = "more"
    """Stands for those that have not been read yet."""


@dataclass(eq=False)
class _Node:
    number: int
    key: str
    kind: NodeKind
    parent: _Node | None
    variation: Variation | None = None
    has_offspring: bool = False
    is_read: bool = False
    is_reading: bool = False
    before: Before | None = None
    children: list[_Node] = field(default_factory=list)

    @property
    def made(self) -> int:
        """How many variations made from this one are shown."""
        return sum(child.kind is NodeKind.VARIATION for child in self.children)

    @property
    def row(self) -> int:
        return self.parent.children.index(self) if self.parent else 0


@dataclass(frozen=True)
class _PageOrder:
    """The page of a node's offspring that begins at ``before``."""

    node: _Node
    before: Before | None


@dataclass(frozen=True)
class _Row:
    """A child that a node shall have."""

    kind: NodeKind
    key: str
    variation: Variation | None = None


class LineageModel(QAbstractItemModel):
    """Lives in the GUI thread; a thread of its own reads the gallery, a page of one picture's offspring at a time.

    One row at the top: the photo, or the variation that was made of nothing. `show` says which picture the tree is
    about; it comes later, with `current_changed`.
    """

    VariationRole = GalleryModel.VariationRole
    KindRole = Qt.ItemDataRole.UserRole + 4
    PhotoRole = Qt.ItemDataRole.UserRole + 5
    """The `ImageRef` of the photo."""
    CurrentRole = Qt.ItemDataRole.UserRole + 6
    """Whether it is the picture on the canvas."""

    current_changed = Signal()
    """The tree is up to date with what was asked for."""
    error_raised = Signal(object)

    def __init__(self, gallery: GalleryStore, pictures: GalleryModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._gallery = gallery
        self._pictures = pictures
        self._spot = Spot()
        self._numbers = count(1)
        self._root: _Node | None = None
        self._photo: ImageRef | None = None
        self._photo_picture: QImage | None = None
        self._nodes: dict[int, _Node] = {}
        self._by_key: dict[str, _Node] = {}
        self._current_key = ""
        self._asked = 0
        self._answered = 0
        self._is_layout_due = False
        self._is_closed = False
        self._reader = PoolRunner(self, serial=True)
        self._reader.finished.connect(self._on_read)
        self._reader.failed.connect(self._on_failed)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._ask)
        pictures.thumbnail_ready.connect(self._on_thumbnail_ready)
        pictures.contents_changed.connect(self.refresh)

    # What is wanted -------------------------------------------------------------------------------

    def show(self, shown: Variation | None, init_image: ImageRef | None) -> None:
        """Lead to ``shown``, or without it to ``init_image``."""
        self._spot = Spot(shown, init_image)
        self.refresh()

    def refresh(self) -> None:
        """Read anew what is shown: pictures were made, trashed or restored. Several wishes at once are one."""
        if not self._is_closed:
            self._timer.start()

    def show_more(self, index: Index) -> None:
        """Read the next page, for a row of kind MORE."""
        node = self._node(index)
        if node is not None and node.kind is NodeKind.MORE and node.parent is not None:
            self._read_page(node.parent)

    def current_index(self) -> QModelIndex:
        """Where the picture on the canvas is, or an invalid index."""
        node = self._by_key.get(self._current_key)
        return self._index_of(node) if node else QModelIndex()

    def close(self) -> None:
        """Ask for no more, and return when the thread has ended."""
        self._is_closed = True
        self._timer.stop()
        self._reader.wait()

    # The tree, as Qt asks for it ------------------------------------------------------------------

    def index(self, row: int, column: int, parent: Index = QModelIndex()) -> QModelIndex:  # noqa: B008 - Qt's own
        """As Qt has it."""
        if not self.hasIndex(row, column, parent):
            return QModelIndex()
        node = self._node(parent)
        child = node.children[row] if node else self._root
        assert child is not None
        return self.createIndex(row, column, child.number)

    def parent(self, index: Index = QModelIndex()) -> QModelIndex:  # type: ignore[override]  # noqa: B008
        """As Qt has it."""
        node = self._node(index)
        return self._index_of(node.parent) if node and node.parent else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """Those that have been read."""
        if not parent.isValid():
            return int(self._root is not None)
        node = self._node(parent)
        return len(node.children) if node and parent.column() == 0 else 0

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default
        """One."""
        return 1

    def hasChildren(self, parent: Index = QModelIndex()) -> bool:  # noqa: B008 - Qt's own default
        """Also where they have not been read yet."""
        node = self._node(parent)
        if node is None:
            return self._root is not None and not parent.isValid()
        return bool(node.children) or (node.has_offspring and not node.is_read)

    def canFetchMore(self, parent: Index) -> bool:
        """Whether there is a first page to read; the next ones are asked for by hand."""
        node = self._node(parent)
        return node is not None and node.has_offspring and not node.is_read and not node.is_reading

    def fetchMore(self, parent: Index) -> None:
        """Read the first page; its rows come later."""
        node = self._node(parent)
        if node is not None and self.canFetchMore(parent):
            self._read_page(node)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Title, thumbnail, the `Variation` or the photo's `ImageRef`, and what is said of it."""
        node = self._node(index)
        if node is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._title(node)
        if role == self.KindRole:
            return node.kind
        if role == self.CurrentRole:
            return node.key == self._current_key
        if node.variation is not None:
            return self._variation_data(node.variation, role)
        return self._photo_data(self._photo, role) if node.kind is NodeKind.PHOTO and self._photo else None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Pictures can be dragged out."""
        flags = super().flags(index)
        node = self._node(index)
        is_picture = node is not None and node.kind is not NodeKind.MORE
        return flags | Qt.ItemFlag.ItemIsDragEnabled if is_picture else flags

    def mimeTypes(self) -> list[str]:
        """As the gallery's."""
        return self._pictures.mimeTypes()

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        """As the gallery's; the photo is its file alone."""
        variations = [index.data(self.VariationRole) for index in indexes]
        data = mime_of([variation for variation in variations if variation])
        photos = [index.data(self.PhotoRole) for index in indexes]
        files = [QUrl.fromLocalFile(str(photo.path)) for photo in photos if photo]
        data.setUrls([*files, *data.urls()])
        return data

    def supportedDragActions(self) -> Qt.DropAction:
        """The gallery keeps what is dragged out of it."""
        return Qt.DropAction.CopyAction

    def _variation_data(self, variation: Variation, role: int) -> Any:
        if role == self.VariationRole:
            return variation
        if role == Qt.ItemDataRole.DecorationRole:
            return self._pictures.thumbnail(variation)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(describe_in_full(variation))
        return describe(variation) if role == Qt.ItemDataRole.AccessibleTextRole else None

    def _photo_data(self, photo: ImageRef, role: int) -> Any:
        if role == self.PhotoRole:
            return photo
        if role == Qt.ItemDataRole.DecorationRole:
            return self._photo_picture
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip("{}\n{} × {}".format(photo.name, *photo.size).strip())
        return None

    def _title(self, node: _Node) -> str:
        if node.kind is NodeKind.MORE:
            return self.tr("Show more")
        if node.variation is None:
            return (self._photo.name if self._photo else "") or self.tr("Init image")
        title = self._stage_title(node.variation) if node.kind is NodeKind.STAGE else self._made_title(node.variation)
        if node.variation.trashed:
            return self.tr("%1 (in the trash)").replace("%1", title)
        return self.tr("%1 (file missing)").replace("%1", title) if node.variation.missing else title

    def _stage_title(self, variation: Variation) -> str:
        return numbered_stage_text(variation.request, len(variation.request.stages) - 1)

    def _made_title(self, variation: Variation) -> str:
        """Such as "0.6 a comic": what differs between brothers comes first."""
        stage = variation.request.stages[0]
        what = " ".join(stage.prompt.split()) or checkpoint_name(stage.checkpoint)
        strength = f"{stage.strength:g} " if stage.kind in WITH_STRENGTH else ""
        return f"{strength}{what}"

    # Nodes ----------------------------------------------------------------------------------------

    def _node(self, index: Index) -> _Node | None:
        return self._nodes.get(index.internalId()) if index.isValid() else None

    def _index_of(self, node: _Node) -> QModelIndex:
        return self.createIndex(node.row, 0, node.number)

    def _make_node(self, row: _Row, parent: _Node | None) -> _Node:
        node = _Node(next(self._numbers), row.key, row.kind, parent, row.variation)
        self._nodes[node.number] = node
        if row.kind is not NodeKind.MORE:
            self._by_key[row.key] = node
        return node

    def _forget(self, node: _Node) -> None:
        for child in node.children:
            self._forget(child)
        del self._nodes[node.number]
        if self._by_key.get(node.key) is node:
            del self._by_key[node.key]

    # Reading --------------------------------------------------------------------------------------

    def _ask(self) -> None:
        self._asked += 1
        is_open = {node.key: node.made for node in self._by_key.values() if node.is_read or node.is_reading}
        self._reader.start(self._asked, partial(read_tree, self._gallery, self._spot, is_open))

    def _read_page(self, node: _Node) -> None:
        what = node.variation or self._photo
        if what is not None and not node.is_reading and not self._is_closed:
            node.is_reading = True
            order = _PageOrder(node, node.before)
            self._reader.start(order, partial(read_offspring, self._gallery, what, 0, node.before))

    def _on_read(self, key: object, found: object) -> None:
        if isinstance(found, Tree):
            if key == self._asked:
                self._answered = self._asked
                self._show_tree(found)
        elif isinstance(key, _PageOrder) and isinstance(found, Offspring):
            key.node.is_reading = False
            if self._nodes.get(key.node.number) is key.node and key.node.before == key.before:
                self._show_page(key.node, found)
                if self._asked != self._answered:
                    self._ask()  # the answer on its way does not know of these rows

    def _on_failed(self, key: object, error: StudioError) -> None:
        if isinstance(key, _PageOrder):
            key.node.is_reading, key.node.is_read = False, True  # else the view would ask again and again
        else:
            self._answered = self._asked
        self.error_raised.emit(error)

    def _show_tree(self, tree: Tree) -> None:
        top = _Row(NodeKind.PHOTO, PHOTO_KEY) if tree.photo else None
        if top is None and tree.path:
            top = _Row(NodeKind.VARIATION, tree.path[0].id, tree.path[0])
        if self._root is None or top is None or self._root.key != top.key or self._photo != tree.photo:
            self._reset(top, tree)
        self._photo, self._photo_picture = tree.photo, tree.photo_picture
        before, self._current_key = self._current_key, tree.path[-1].id if tree.path else PHOTO_KEY
        if self._root is not None and top is not None:
            self._root.variation = top.variation
            self._root.has_offspring = bool(self._root.children) or self._root.key in tree.parents
            self._update(self._root, tree)
            self._tell_changed(self._root)
        for key in {before, self._current_key}:
            if node := self._by_key.get(key):
                self._tell_changed(node)
        self._lay_out()
        self.current_changed.emit()

    def _reset(self, top: _Row | None, tree: Tree) -> None:
        self.beginResetModel()
        self._nodes, self._by_key = {}, {}
        self._photo, self._photo_picture = tree.photo, tree.photo_picture
        self._root = self._make_node(top, None) if top else None
        self.endResetModel()

    def _update(self, node: _Node, tree: Tree) -> None:
        """Bring the rows below ``node`` in agreement with what was read; what was not read stays as it is."""
        offspring = tree.offspring.get(node.key)
        if offspring is None:
            return
        wanted = _rows_of(offspring)
        on_path = _child_on_path(node, tree)
        if on_path and on_path.key not in {row.key for row in wanted}:
            wanted.append(on_path)
        node.before = offspring.before
        self._set_children(node, wanted, offspring.parents | tree.parents)
        for child in node.children:
            self._update(child, tree)

    def _show_page(self, node: _Node, offspring: Offspring) -> None:
        known = [_Row(child.kind, child.key, child.variation) for child in node.children]
        kept = [row for row in known if row.kind is not NodeKind.MORE]
        keys = {row.key for row in kept}
        new = [row for row in _rows_of(offspring) if row.key not in keys]
        parents = {child.key for child in node.children if child.has_offspring} | offspring.parents
        node.before = offspring.before
        self._set_children(node, [*kept, *new], parents)
        self._lay_out()

    def _set_children(self, node: _Node, wanted: list[_Row], parents: frozenset[str] | set[str]) -> None:
        """Row by row, so that the view keeps its place and what is open stays open."""
        node.is_read, node.is_reading = True, False
        if node.before:
            wanted = [*wanted, _Row(NodeKind.MORE, f"more {node.key}")]
        self._drop_children(node, wanted)
        for place, row in enumerate(wanted):
            if place < len(node.children) and node.children[place].key == row.key:
                node.children[place].variation = row.variation
            elif place == len(node.children):
                self._insert(node, place, wanted[place:])
            else:
                self._insert(node, place, [row])
        for child in node.children:
            has_offspring = child.key in parents
            self._is_layout_due |= has_offspring != child.has_offspring and not child.children
            child.has_offspring = has_offspring
        if node.children:
            self.dataChanged.emit(self._index_of(node.children[0]), self._index_of(node.children[-1]))
        self._is_layout_due |= node.has_offspring != bool(node.children)
        node.has_offspring = bool(node.children)

    def _drop_children(self, node: _Node, wanted: list[_Row]) -> None:
        """Those that are not wanted, and those that stand before one that should come first."""
        places = {row.key: place for place, row in enumerate(wanted)}
        highest, kept = -1, set()
        for child in node.children:
            if places.get(child.key, -1) > highest:
                highest = places[child.key]
                kept.add(child.key)
        for place in reversed(range(len(node.children))):
            child = node.children[place]
            if child.key not in kept:
                self.beginRemoveRows(self._index_of(node), place, place)
                self._forget(node.children.pop(place))
                self.endRemoveRows()

    def _insert(self, node: _Node, place: int, rows: list[_Row]) -> None:
        self.beginInsertRows(self._index_of(node), place, place + len(rows) - 1)
        node.children[place:place] = [self._make_node(row, node) for row in rows]
        self.endInsertRows()

    def _lay_out(self) -> None:
        """A view looks for new arrows only when it is laid out anew."""
        if self._is_layout_due:
            self._is_layout_due = False
            self.layoutAboutToBeChanged.emit()
            self.layoutChanged.emit()

    def _tell_changed(self, node: _Node) -> None:
        index = self._index_of(node)
        self.dataChanged.emit(index, index)

    def _on_thumbnail_ready(self, variation_id: str) -> None:
        if node := self._by_key.get(variation_id):
            self._tell_changed(node)


def _rows_of(offspring: Offspring) -> list[_Row]:
    stages = [_Row(NodeKind.STAGE, each.id, each) for each in offspring.stages]
    return [*stages, *(_Row(NodeKind.VARIATION, each.id, each) for each in offspring.made)]


def _child_on_path(node: _Node, tree: Tree) -> _Row | None:
    """The next step on the way to the picture in question, which the first page may not have."""
    keys = [each.id for each in tree.path]
    place = 0 if node.kind is NodeKind.PHOTO else keys.index(node.key) + 1 if node.key in keys else len(keys)
    if place >= len(keys):
        return None
    step = tree.path[place]
    return _Row(NodeKind.STAGE if step.chain_id == node.key else NodeKind.VARIATION, step.id, step)
