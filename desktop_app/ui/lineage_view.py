"""LineagePanel: where the picture on the canvas came from, and what became of it, to look at and to go on from."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFont, QIcon, QImage, QKeyEvent, QPainter, QPainterPath, QPalette, QPen, QShowEvent
from PySide6.QtWidgets import (
    QApplication,
    QMenu,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from desktop_app.core.variation import Variation
from desktop_app.studio.document import Document
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.lineage_model import LineageModel, NodeKind
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.empty import EmptyState
from desktop_app.ui.icons import Icons
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import Index
from desktop_app.ui.variation_menu import Wish, add_wishes

SIDE = 32
"""Of a thumbnail."""

GAP = 4
INDENT = 18


class LineageDelegate(QStyledItemDelegate):
    """A thumbnail and a title; the picture on the canvas has a frame and bold letters."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are equally high."""
        return QSize(SIDE + 12 * GRID, SIDE + GAP)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The ground of the style, then the picture, then the words."""
        is_mirrored = option.direction == Qt.LayoutDirection.RightToLeft
        rect: QRect = option.rect
        self._paint_ground(painter, option, index)
        kind, is_current = index.data(LineageModel.KindRole), bool(index.data(LineageModel.CurrentRole))
        words = rect.adjusted(GAP, 0, -GAP, 0)
        if kind is not NodeKind.MORE:
            cell = QRect(words.left(), rect.top() + GAP // 2, SIDE, SIDE)
            words.setLeft(cell.right() + GRID)
            if is_mirrored:
                cell = QStyle.visualRect(option.direction, rect, cell)
                words = QStyle.visualRect(option.direction, rect, words)
            _paint_picture(painter, cell, index.data(Qt.ItemDataRole.DecorationRole), option.palette, is_current)
        painter.save()
        font = QFont(option.font)
        font.setBold(is_current)
        painter.setFont(font)
        painter.setPen(_ink(option, kind))
        text = painter.fontMetrics().elidedText(index.data(), Qt.TextElideMode.ElideRight, words.width())
        painter.drawText(words, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeading, text)
        painter.restore()

    def _paint_ground(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        whole = QStyleOptionViewItem(option)
        self.initStyleOption(whole, index)
        whole.text, whole.icon = "", QIcon()
        style = whole.widget.style() if whole.widget else QApplication.style()
        style.drawControl(QStyle.ControlElement.CE_ItemViewItem, whole, painter, whole.widget)


def _ink(option: QStyleOptionViewItem, kind: object) -> object:
    roles = QPalette.ColorRole
    if option.state & QStyle.StateFlag.State_Selected:
        return option.palette.color(roles.HighlightedText)
    return option.palette.color(roles.Link if kind is NodeKind.MORE else roles.Text)


def _paint_picture(painter: QPainter, cell: QRect, picture: object, palette: QPalette, is_current: bool) -> None:
    painter.save()
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    area = cell
    if isinstance(picture, QImage):
        ratio = painter.device().devicePixelRatio()
        keep, smooth = Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation
        small = picture.scaled(cell.size() * ratio, keep, smooth)
        small.setDevicePixelRatio(ratio)
        area = QRect(QPoint(), small.deviceIndependentSize().toSize())
        area.moveCenter(cell.center())
        path = QPainterPath()
        path.addRoundedRect(area, 3, 3)
        painter.setClipPath(path)
        painter.drawImage(area, small)
        painter.setClipping(False)
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(palette.color(QPalette.ColorRole.AlternateBase))
        painter.drawRoundedRect(cell, 3, 3)
    if is_current:
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(palette.color(QPalette.ColorRole.Accent), 2))
        painter.drawRoundedRect(area, 3, 3)
    painter.restore()


class LineageTree(QTreeView):
    """The tree. Space is left to the window, which shows the init image."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("lineageView")
        self.setAccessibleName(self.tr("Lineage"))
        self.setHeaderHidden(True)
        self.setUniformRowHeights(True)
        self.setIndentation(INDENT)
        self.setExpandsOnDoubleClick(False)
        self.setDragEnabled(True)
        self.setDragDropMode(QTreeView.DragDropMode.DragOnly)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)
        self.setItemDelegate(LineageDelegate(self))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go through the tree."""
        if event.key() == Qt.Key.Key_Space:
            event.ignore()
        else:
            super().keyPressEvent(event)


class LineagePanel(QWidget):
    """Says what the user wants with a picture of the tree; does nothing to it itself."""

    shown = Signal(object)
    """The `Variation` the user picked to look at."""
    init_shown = Signal()
    """The init image was picked to look at."""
    photo_requested = Signal(object)
    """The `ImageRef` of the photo at the root that shall be the init image."""
    use_requested = Signal(object)
    branch_requested = Signal(object)
    restore_requested = Signal(object)
    reveal_requested = Signal(object)
    copy_requested = Signal(object)
    export_requested = Signal(object)
    trash_requested = Signal(object)

    def __init__(
        self, model: LineageModel, document: Document, jobs: JobQueue, presenter: CanvasPresenter, icons: Icons
    ) -> None:
        super().__init__()
        self.model = model
        self._document = document
        self._presenter = presenter
        self._icons = icons
        self._followed = ""
        self.view = LineageTree()
        self.view.setModel(model)
        self.empty = EmptyState(self.view, model, self._empty_sentence)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.empty)
        self.view.clicked.connect(self._on_activated)
        self.view.activated.connect(self._on_activated)
        self.view.doubleClicked.connect(self._on_double_clicked)
        self.view.customContextMenuRequested.connect(self._on_menu_requested)
        model.current_changed.connect(self._on_current_changed)
        for signal in (presenter.shown_changed, document.init_image_changed, jobs.finished):
            signal.connect(self._follow_canvas)

    def showEvent(self, event: QShowEvent) -> None:
        """What was hidden has not followed the canvas."""
        super().showEvent(event)
        self._follow_canvas()

    def make_menu(self, index: Index) -> QMenu | None:
        """What can be done with the picture of ``index``; None where there is none."""
        menu = QMenu(self)
        variation, photo = index.data(LineageModel.VariationRole), index.data(LineageModel.PhotoRole)
        if variation is not None:
            is_stage = index.data(LineageModel.KindRole) is NodeKind.STAGE
            add_wishes(menu, self._icons, self._wishes(is_stage=is_stage), variation)
            menu.addSeparator()
            add_wishes(menu, self._icons, [Wish("trash", self.tr("Move to trash"), self.trash_requested)], variation)
        elif photo is not None:
            action = menu.addAction(self._icons.get("init"), self.tr("Use as init image"))
            action.triggered.connect(lambda: self.photo_requested.emit(photo))
        else:
            menu.deleteLater()
            return None
        return menu

    def _wishes(self, *, is_stage: bool) -> list[Wish]:
        branch = [Wish("branch", self.tr("Branch from this stage"), self.branch_requested)] if is_stage else []
        return [
            Wish("init", self.tr("Use as init image"), self.use_requested),
            *branch,
            Wish("restore", self.tr("Restore settings…"), self.restore_requested),
            Wish("copy", self.tr("Copy"), self.copy_requested),
            Wish("save", self.tr("Export…"), self.export_requested),
            Wish("folder", self.tr("Show in folder"), self.reveal_requested),
        ]

    def _empty_sentence(self) -> str:
        return self.tr("Where the picture on the canvas came from, and what was made from it, is shown here.")

    def _follow_canvas(self) -> None:
        if self.isVisible():
            init_image = self._document.init_image
            self.model.show(self._presenter.shown, init_image.ref if init_image else None)

    def _on_current_changed(self) -> None:
        """Lead the eye to a picture that is new on the canvas; else leave the tree as the user has opened it."""
        index = self.model.current_index()
        variation = index.data(LineageModel.VariationRole) if index.isValid() else None
        key = variation.id if isinstance(variation, Variation) else "photo" if index.isValid() else ""
        if key == self._followed and not (index.isValid() and not self.view.isExpanded(index.parent())):
            return
        self._followed = key
        above = index.parent()
        while above.isValid():
            self.view.expand(above)
            above = above.parent()
        if index.isValid():
            if not isinstance(variation, Variation) or variation.intermediates:
                self.view.expand(index)
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index)

    def _on_activated(self, index: QModelIndex) -> None:
        init_image, photo = self._document.init_image, index.data(LineageModel.PhotoRole)
        if variation := index.data(LineageModel.VariationRole):
            self.shown.emit(variation)
        elif index.data(LineageModel.KindRole) is NodeKind.MORE:
            self.model.show_more(index)
        elif init_image is not None and photo == init_image.ref:
            self.init_shown.emit()

    def _on_double_clicked(self, index: QModelIndex) -> None:
        if variation := index.data(LineageModel.VariationRole):
            self.use_requested.emit(variation)
        elif photo := index.data(LineageModel.PhotoRole):
            self.photo_requested.emit(photo)

    def _on_menu_requested(self, position: QPoint) -> None:
        if menu := self.make_menu(self.view.indexAt(position)):
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            menu.popup(self.view.viewport().mapToGlobal(position))
