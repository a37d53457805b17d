"""GalleryPanel: every variation ever made, searchable; drag one out, go on from it, restore how it was made."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QItemSelectionModel, QModelIndex, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QListView, QMenu, QToolButton, QVBoxLayout, QWidget

from desktop_app.core.variation import Variation
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.field import set_role
from desktop_app.ui.icons import Icons
from desktop_app.ui.texts import plural
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import CellFacts, Index, ThumbnailDelegate
from desktop_app.ui.trash_bar import TrashBar, TrashNotice, ask_empty_trash
from desktop_app.ui.variation_menu import Wish, add_wishes

SEARCH_DELAY_MS = 200
CELL = 96
"""Least side of a cell; cells grow to fill the width."""

MAX_STARS = 5
KEYBOARD = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason, Qt.FocusReason.ShortcutFocusReason)
"""Ways in which the keyboard comes to the pictures by keys."""


class GalleryList(QListView):
    """The pictures, in as many columns as fit."""

    trash_requested = Signal()
    stars_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("galleryView")
        self.setAccessibleName(self.tr("Gallery"))
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setDragEnabled(True)
        self.setDragDropMode(QListView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self.thumbnails = ThumbnailDelegate(_facts, CELL, self)
        self.setItemDelegate(self.thumbnails)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other width, other columns; there is always room for a scroll bar, so that one that comes moves nothing."""
        width = self.width() - 2 * self.frameWidth() - self.verticalScrollBar().sizeHint().width() - 1
        side = width // max(width // CELL, 1)
        if side != self.thumbnails.side:
            self.thumbnails.side = side
            self.setGridSize(QSize(side, side))
        super().resizeEvent(event)

    def event(self, event: QEvent) -> bool:
        """Digits mean stars here, and not the views of the canvas as elsewhere in the window."""
        if (
            event.type() == QEvent.Type.ShortcutOverride
            and isinstance(event, QKeyEvent)
            and _stars_of(event) is not None
        ):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete trashes, digits give stars, Space is the window's, the rest moves about."""
        stars = _stars_of(event)
        if event.key() == Qt.Key.Key_Space and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            event.ignore()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.trash_requested.emit()
        elif stars is not None:
            self.stars_requested.emit(stars)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Who comes by the keyboard has a picture selected: with only one there is no other to go to and select it."""
        super().focusInEvent(event)
        if event.reason() not in KEYBOARD:
            return
        if not self.selectionModel().hasSelection() and self.currentIndex().isValid():
            self.selectionModel().select(self.currentIndex(), QItemSelectionModel.SelectionFlag.Select)


def _stars_of(event: QKeyEvent) -> int | None:
    """How many stars a key without modifiers gives."""
    plain = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier == Qt.KeyboardModifier.NoModifier
    is_digit = len(event.text()) == 1 and event.text() in "012345"
    return int(event.text()) if plain and is_digit else None


def _facts(index: Index) -> CellFacts:
    variation = index.data(GalleryModel.VariationRole)
    return CellFacts(variation.stars, is_missing=variation.missing) if variation else CellFacts()


class GalleryPanel(QWidget):
    """Search field and pictures. Says what the user wants with a variation; does nothing to it itself."""

    shown = Signal(object)
    """The `Variation` the user picked to look at."""
    use_requested = Signal(object)
    restore_requested = Signal(object)
    reveal_requested = Signal(object)
    copy_requested = Signal(object)
    export_requested = Signal(object)
    grid_requested = Signal()
    """The selected variations as one picture."""
    selection_changed = Signal()
    trashed = Signal(list)
    """Ids of the variations that are on their way to the trash."""

    def __init__(self, model: GalleryModel, icons: Icons) -> None:
        super().__init__()
        self._model = model
        self._icons = icons
        self.search = QLineEdit()
        self.search.setObjectName("gallerySearch")
        self.search.setPlaceholderText(self.tr("Search prompts"))
        self.search.setAccessibleName(self.tr("Search the gallery"))
        self.search.setToolTip(self.tr("Find pictures by words of their prompt"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(96)
        self.search.addAction(icons.get("search"), QLineEdit.ActionPosition.LeadingPosition)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(SEARCH_DELAY_MS)
        self._timer.timeout.connect(self._on_search_due)
        self.search.textChanged.connect(self._timer.start)
        self._count = QLabel()
        set_role(self._count, "caption")
        self.trash_button = QToolButton()
        self.trash_button.setObjectName("trashButton")
        self.trash_button.setIcon(icons.get("trash"))
        self.trash_button.setCheckable(True)
        self.trash_button.setAutoRaise(True)
        self.trash_button.setToolTip(self.tr("Show the trash"))
        self.trash_button.setAccessibleName(self.trash_button.toolTip())
        self.trash_bar = TrashBar()
        self.trash_bar.hide()
        self.trash_notice = TrashNotice()
        self.view = GalleryList()
        self.view.setModel(model)
        self.empty = EmptyState(self.view, model, self._empty_sentence)
        self._lay_out()
        self._connect()

    def selected_ids(self) -> list[str]:
        """Ids of the selected variations, newest first, whether they have been read yet or not."""
        rows = sorted(self.view.selectionModel().selectedIndexes(), key=lambda index: index.row())
        return [index.data(GalleryModel.IdRole) for index in rows]

    @property
    def selected_count(self) -> int:
        """How many variations are selected."""
        return len(self.view.selectionModel().selectedIndexes())

    def trash_selected(self) -> None:
        """Move the selected variations to the trash; undo brings them back."""
        chosen = self.selected_ids()
        if chosen and not self.trash_button.isChecked():
            self._model.trash(chosen)
            self.trashed.emit(chosen)

    def show_trash(self, is_shown: bool) -> None:
        """Show the trash instead of the gallery, or the gallery again."""
        self.trash_button.setChecked(is_shown)
        self.search.setPlaceholderText(self.tr("Search the trash") if is_shown else self.tr("Search prompts"))
        self.trash_bar.setVisible(is_shown)
        self._model.set_trashed(is_shown)
        self.empty.refresh()
        self._refresh_trash_bar()

    def restore_selected(self) -> None:
        """Bring the selected variations back from the trash."""
        if chosen := self.selected_ids():
            self._model.restore(chosen)

    def _lay_out(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(GRID, 0, 4, 0)
        row.setSpacing(GRID // 2)
        row.addWidget(self.search, 1)
        row.addWidget(self._count)
        row.addWidget(self.trash_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.setSpacing(GRID)
        layout.addLayout(row)
        layout.addWidget(self.empty, 1)
        layout.addWidget(self.trash_bar)
        layout.addWidget(self.trash_notice)

    def _connect(self) -> None:
        self.trash_button.clicked.connect(self.show_trash)
        self.trash_bar.restore_requested.connect(self.restore_selected)
        self.trash_bar.empty_requested.connect(self._on_empty_requested)
        self.view.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        self.view.activated.connect(self._on_activated)
        self.view.clicked.connect(self._on_activated)
        self.view.trash_requested.connect(self.trash_selected)
        self.view.stars_requested.connect(self._set_stars)
        for signal in (self._model.rowsInserted, self._model.rowsRemoved, self._model.modelReset):
            signal.connect(self._on_rows_changed)
        self._on_rows_changed()

    def _empty_sentence(self) -> str:
        if text := self.search.text().strip():
            return self.tr("No picture's prompt has “%1”.").replace("%1", text)
        if self.trash_button.isChecked():
            return self.tr("The trash is empty.")
        return self.tr("Nothing here yet.\nEvery picture you make is kept here.")

    def _on_search_due(self) -> None:
        self._model.set_search(self.search.text().strip())
        self.empty.refresh()

    def _on_rows_changed(self) -> None:
        count = self._model.rowCount()
        self._count.setText(plural(count, self.tr("1 picture"), self.tr("%1 pictures")))
        self._count.setVisible(count > 0)
        self._on_selection_changed()

    def _on_selection_changed(self) -> None:
        self._refresh_trash_bar()
        self.selection_changed.emit()

    def _refresh_trash_bar(self) -> None:
        self.trash_bar.show_numbers(self.selected_count, self._model.rowCount())

    def _on_empty_requested(self) -> None:
        if ask_empty_trash(self, self._model.rowCount()):
            self._model.empty_trash()

    def _on_activated(self, index: QModelIndex) -> None:
        if variation := index.data(GalleryModel.VariationRole):
            self.shown.emit(variation)

    def _set_stars(self, stars: int) -> None:
        for variation_id in self.selected_ids():
            self._model.set_stars(variation_id, stars)

    def _on_menu_requested(self, position: QPoint) -> None:
        variation = self.view.indexAt(position).data(GalleryModel.VariationRole)
        if variation is None:
            return
        menu = self.make_trash_menu() if self.trash_button.isChecked() else self.make_menu(variation)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.view.viewport().mapToGlobal(position))

    def make_trash_menu(self) -> QMenu:
        """What can be done with the selected pictures in the trash."""
        menu = QMenu(self)
        menu.addAction(self._icons.get("undo"), self.tr("Put back")).triggered.connect(self.restore_selected)
        return menu

    def make_menu(self, variation: Variation) -> QMenu:
        """What can be done with ``variation``."""
        menu = QMenu(self)
        wishes = (
            Wish("init", self.tr("Use as init image"), self.use_requested),
            Wish("restore", self.tr("Restore settings…"), self.restore_requested),
            Wish("copy", self.tr("Copy"), self.copy_requested),
            Wish("save", self.tr("Export…"), self.export_requested),
            Wish("folder", self.tr("Show in folder"), self.reveal_requested),
        )
        add_wishes(menu, self._icons, wishes, variation)
        if self.selected_count > 1:
            menu.addAction(self.tr("Export selected as grid…")).triggered.connect(self.grid_requested)
        stars = menu.addMenu(self._icons.get("star"), self.tr("Stars"))
        for number in range(MAX_STARS + 1):
            action = stars.addAction("★" * number if number else self.tr("None"))
            action.setShortcut(str(number))
            action.triggered.connect(lambda _checked=False, wanted=number: self._set_stars(wanted))
        menu.addSeparator()
        trash = menu.addAction(self._icons.get("trash"), self.tr("Move to trash"))
        trash.setShortcut(Qt.Key.Key_Delete)
        trash.triggered.connect(self.trash_selected)
        return menu
