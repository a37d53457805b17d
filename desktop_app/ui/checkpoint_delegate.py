"""CheckpointDelegate: one checkpoint in the list, with its marks, or its download with bar and buttons."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QPersistentModelIndex, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QFontMetricsF, QHelpEvent, QPainter, QPalette, QPen
from PySide6.QtWidgets import QAbstractItemView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QToolTip

from desktop_app.core.memory import Verdict
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow
from desktop_app.studio.downloads import AT_WORK, DownloadState
from desktop_app.ui.checkpoint_commands import (
    COMMANDS,
    Circumstances,
    Command,
    reason_against,
    row_commands,
    tip_of,
)
from desktop_app.ui.checkpoint_texts import (
    FITS,
    FROM_HUB,
    GATED,
    PICKLED,
    download_text,
    heading_text,
    role_text,
    share_done,
    size_text,
    title_text,
    translate,
)
from desktop_app.ui.icons import Icons
from desktop_app.ui.theme import GRID
from desktop_app.ui.thumbnail_delegate import Index

SIDE = GRID + 4
"""From the edge of the list to the words."""

PADDING = GRID
GAP = 4
BAR_HEIGHT = 4
BUTTON = 24
ICON = 16
MARK_ICON = 14
HEADING_SHARE = 0.92
"""Size of a heading's letters."""

MIN_WORDS = 48
"""Words that have less room than this many pixels are left out."""

AMBER = {False: "#8a5300", True: "#f2b84b"}
"""The colour of a warning that is no error, on a light and on a dark ground."""

HOVER_TINT = 0.05


@dataclass(frozen=True)
class _Ink:
    """The colours of one row."""

    text: QColor
    dim: QColor
    line: QColor
    role: QPalette.ColorRole
    is_selected: bool
    is_dark: bool
    palette: QPalette

    def of_fit(self, fit: Verdict) -> QColor:
        """Good, so-so and bad; on the ground of a selection all words have one colour."""
        if self.is_selected:
            return self.text
        if fit is Verdict.WITH_OFFLOAD:
            return QColor(AMBER[self.is_dark])
        role = QPalette.ColorRole.Accent if fit is Verdict.FITS else QPalette.ColorRole.BrightText
        return self.palette.color(role)


class CheckpointDelegate(QStyledItemDelegate):
    """Paints rows; ``around`` says what decides whether a row's buttons can be pressed."""

    def __init__(self, icons: Icons, around: Callable[[CheckpointRow], Circumstances], view: QAbstractItemView) -> None:
        super().__init__(view)
        self._icons = icons
        self._around = around
        self._used_ref = ""
        self._hot: tuple[QPersistentModelIndex, Command] | None = None

    def set_used(self, ref: str) -> None:
        """The checkpoint that paints now has a mark."""
        self._used_ref = ref

    def set_hot(self, index: Index | None, command: Command | None) -> bool:
        """The pointer is on a button; whether that is news."""
        hot = (QPersistentModelIndex(index), command) if index is not None and command is not None else None
        is_news = hot != self._hot
        self._hot = hot
        return is_news

    # Where things are -----------------------------------------------------------------------------

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """A heading is one line, a checkpoint two, a download two and a bar."""
        line = option.fontMetrics.height()
        row = index.data(CheckpointModel.RowRole)
        if not isinstance(row, CheckpointRow) or row.is_heading:
            return QSize(0, line + 2 * PADDING)
        height = 2 * PADDING + 2 * line + 2 * GAP
        if row.download is not None:
            height += BAR_HEIGHT + max(BUTTON - line, 0) + GAP // 2
        return QSize(0, height)

    def button_rects(self, option: QStyleOptionViewItem, row: CheckpointRow) -> dict[Command, QRect]:
        """The buttons of a row, where they are on the screen."""
        area = _content(option)
        commands = row_commands(row)
        left = area.right() + 1 - len(commands) * BUTTON
        top = area.top() + (_title_height(option, row) - BUTTON) // 2
        rects = {command: QRect(left + number * BUTTON, top, BUTTON, BUTTON) for number, command in enumerate(commands)}
        return {command: _visual(option, rect) for command, rect in rects.items()}

    def command_at(self, option: QStyleOptionViewItem, row: CheckpointRow, position: QPointF) -> Command | None:
        """The button of ``row`` under ``position``."""
        for command, rect in self.button_rects(option, row).items():
            if rect.contains(position.toPoint()):
                return command
        return None

    def helpEvent(self, event: QHelpEvent, view: QAbstractItemView, option: QStyleOptionViewItem, index: Index) -> bool:
        """What the button under the pointer does."""
        row = index.data(CheckpointModel.RowRole)
        if event.type() == QEvent.Type.ToolTip and isinstance(row, CheckpointRow):
            command = self.command_at(option, row, QPointF(event.pos()))
            if command is not None:
                text = f"{translate(COMMANDS[command].text)}: {tip_of(command, self._around(row))}"
                QToolTip.showText(event.globalPos(), text, view)
                return True
        return super().helpEvent(event, view, option, index)

    # Painting -------------------------------------------------------------------------------------

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The ground, the words, and the marks or the bar."""
        row = index.data(CheckpointModel.RowRole)
        if not isinstance(row, CheckpointRow):
            return
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.is_heading:
            self._paint_heading(painter, option, row)
        else:
            ink = _ink(option)
            _paint_ground(painter, option, ink)
            self._paint_title(painter, option, row, ink)
            if row.download is not None:
                self._paint_download(painter, option, row, ink)
                self._paint_buttons(painter, option, row, ink, index)
            else:
                self._paint_marks(painter, option, row, ink)
        painter.restore()

    def _paint_heading(self, painter: QPainter, option: QStyleOptionViewItem, row: CheckpointRow) -> None:
        area = QRect(option.rect).adjusted(SIDE, 0, -SIDE, -GAP)
        font = _bold(option.font)
        font.setPointSizeF(max(font.pointSizeF(), 1.0) * HEADING_SHARE)
        painter.setFont(font)
        painter.setPen(option.palette.color(QPalette.ColorRole.PlaceholderText))
        painter.drawText(area, _leading(option) | Qt.AlignmentFlag.AlignBottom, heading_text(row))

    def _paint_title(self, painter: QPainter, option: QStyleOptionViewItem, row: CheckpointRow, ink: _Ink) -> None:
        """The label, and at the other end its size or what a download's buttons leave."""
        area = _content(option)
        area.setHeight(_title_height(option, row))
        if row.download is not None:
            area.setRight(area.right() - len(row_commands(row)) * BUTTON - GAP)
        else:
            size = size_text(row)
            width = _width(option, size)
            _draw(painter, option, QRect(area.right() + 1 - width, area.top(), width, area.height()), size, ink.dim)
            area.setRight(area.right() - width - GRID)
        if row.ref == self._used_ref:
            spot = QRect(area.left(), area.top() + (area.height() - ICON) // 2, ICON, ICON)
            role = ink.role if ink.is_selected else QPalette.ColorRole.Accent
            self._icons.get("tick", role).paint(painter, _visual(option, spot))
            area.setLeft(area.left() + ICON + GAP)
        _draw(painter, option, area, title_text(row), ink.text, _bold(option.font))

    def _paint_marks(self, painter: QPainter, option: QStyleOptionViewItem, row: CheckpointRow, ink: _Ink) -> None:
        """Family, verdict, what has to be done before, and the licence as far as there is room."""
        line = _Line(painter, option, _second_line(option, row))
        if row.error is not None:
            line.icon(self._icons, "warning", ink.role if ink.is_selected else QPalette.ColorRole.BrightText)
            line.words(row.error.title, ink.text if ink.is_selected else ink.palette.color(_ERROR))
            return
        if row.family:
            line.chip(row.family, ink.dim, ink.line)
        line.words(role_text(row), ink.dim)
        if row.judgement is not None:
            color = ink.of_fit(row.judgement.verdict)
            line.dot(color, is_full=row.judgement.verdict is not Verdict.TOO_LARGE)
            line.words(translate(FITS[row.judgement.verdict]), color)
        for is_so, icon, words in ((row.is_gated, "key", GATED), (row.is_pickled, "swap", PICKLED)):
            if is_so and line.room > MARK_ICON:
                line.icon(self._icons, icon, ink.role if ink.is_selected else QPalette.ColorRole.PlaceholderText)
                line.words(translate(words), ink.dim, is_optional=True)
        line.words(row.licence, ink.dim, is_optional=True)
        if row.is_from_hub:
            line.words(translate(FROM_HUB), ink.dim)

    def _paint_download(self, painter: QPainter, option: QStyleOptionViewItem, row: CheckpointRow, ink: _Ink) -> None:
        """The bar, and below it how far it is."""
        assert row.download is not None
        state = row.download.state
        area = _second_line(option, row)
        bar = QRect(area.left(), area.top() - BAR_HEIGHT - GAP, area.width(), BAR_HEIGHT)
        share = share_done(row.download.progress)
        if share or state in AT_WORK:
            _paint_bar(painter, option, bar, share, ink, is_moving=state in AT_WORK)
        line = _Line(painter, option, area)
        color = ink.dim
        if state is DownloadState.FAILED:
            line.icon(self._icons, "warning", ink.role if ink.is_selected else _ERROR)
            color = ink.text if ink.is_selected else ink.palette.color(_ERROR)
        elif state is DownloadState.ASKING:
            line.icon(self._icons, "info", ink.role)
            color = ink.text
        line.words(download_text(row.download), color)

    def _paint_buttons(
        self, painter: QPainter, option: QStyleOptionViewItem, row: CheckpointRow, ink: _Ink, index: Index
    ) -> None:
        around = self._around(row)
        for command, rect in self.button_rects(option, row).items():
            is_enabled = not reason_against(command, around)
            if is_enabled and self._hot == (QPersistentModelIndex(index), command):
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(_tint(ink.text, 0.16))
                painter.drawRoundedRect(QRectF(rect), 4, 4)
            painter.setOpacity(1.0 if is_enabled else 0.4)
            inner = rect.adjusted(4, 4, -4, -4)
            self._icons.get(COMMANDS[command].icon, ink.role).paint(painter, inner)
            painter.setOpacity(1.0)


class _Line:
    """Marks one after the other, in reading direction, as long as there is room."""

    def __init__(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect) -> None:
        self._painter = painter
        self._option = option
        self._area = area
        self._at = area.left()

    @property
    def room(self) -> int:
        """Pixels that are left."""
        return self._area.right() + 1 - self._at

    def words(self, text: str, color: QColor, *, is_optional: bool = False) -> None:
        """``text``, shortened to the room; optional ones are left out where little of them would be seen."""
        needed = _width(self._option, text)
        if not text or self.room < min(needed, MIN_WORDS) or (is_optional and self.room < MIN_WORDS):
            return
        width = min(needed, self.room)
        _draw(self._painter, self._option, self._take(width), text, color)
        self._at += GRID + GAP

    def chip(self, text: str, color: QColor, frame: QColor) -> None:
        """``text`` in a frame."""
        width = min(_width(self._option, text) + 2 * GRID, self.room)
        rect = self._take(width)
        shown = _visual(self._option, rect)
        self._painter.setPen(QPen(frame, 1))
        self._painter.setBrush(Qt.BrushStyle.NoBrush)
        outer = QRectF(shown).adjusted(0.5, -0.5, -0.5, 0.5)
        self._painter.drawRoundedRect(outer, outer.height() / 2, outer.height() / 2)
        _draw(self._painter, self._option, rect.adjusted(GRID, 0, -GRID, 0), text, color)
        self._at += GRID

    def dot(self, color: QColor, *, is_full: bool) -> None:
        """A small disc, or a ring."""
        shown = QRectF(_visual(self._option, self._take(GRID)))
        disc = QRectF(shown.center() - QPointF(3, 3), shown.center() + QPointF(3, 3))
        self._painter.setPen(QPen(color, 1.5))
        self._painter.setBrush(color if is_full else Qt.BrushStyle.NoBrush)
        self._painter.drawEllipse(disc)
        self._at += GAP

    def icon(self, icons: Icons, name: str, role: QPalette.ColorRole) -> None:
        """A small icon."""
        rect = self._take(MARK_ICON)
        rect.moveTop(rect.top() + (rect.height() - MARK_ICON) // 2)
        rect.setHeight(MARK_ICON)
        icons.get(name, role).paint(self._painter, _visual(self._option, rect))
        self._at += GAP

    def _take(self, width: int) -> QRect:
        rect = QRect(self._at, self._area.top(), width, self._area.height())
        self._at += width
        return rect


_ERROR = QPalette.ColorRole.BrightText


def _ink(option: QStyleOptionViewItem) -> _Ink:
    palette: QPalette = option.palette
    roles = QPalette.ColorRole
    is_selected = bool(option.state & QStyle.StateFlag.State_Selected)
    is_dark = palette.color(roles.Base).lightness() < 128
    if is_selected:
        text = palette.color(roles.HighlightedText)
        return _Ink(text, text, _tint(text, 0.6), roles.HighlightedText, is_selected, is_dark, palette)
    text, dim = palette.color(roles.Text), palette.color(roles.PlaceholderText)
    return _Ink(text, dim, palette.color(roles.Mid), roles.Text, is_selected, is_dark, palette)


def _tint(color: QColor, share: float) -> QColor:
    tinted = QColor(color)
    tinted.setAlphaF(share)
    return tinted


def _bold(font: QFont) -> QFont:
    bold = QFont(font)
    bold.setWeight(QFont.Weight.DemiBold)
    return bold


def _content(option: QStyleOptionViewItem) -> QRect:
    return QRect(option.rect).adjusted(SIDE, PADDING, -SIDE, -PADDING)


def _visual(option: QStyleOptionViewItem, rect: QRect) -> QRect:
    """``rect`` as it lies in the reading direction."""
    return QStyle.visualRect(option.direction, option.rect, rect)


def _width(option: QStyleOptionViewItem, text: str) -> int:
    """Pixels that ``text`` takes whole."""
    return math.ceil(QFontMetricsF(option.font).horizontalAdvance(text)) + 1


def _leading(option: QStyleOptionViewItem) -> Qt.AlignmentFlag:
    is_mirrored = option.direction == Qt.LayoutDirection.RightToLeft
    side = Qt.AlignmentFlag.AlignRight if is_mirrored else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignAbsolute


def _title_height(option: QStyleOptionViewItem, row: CheckpointRow) -> int:
    line = int(option.fontMetrics.height())
    return max(line, BUTTON) if row.download is not None else line


def _second_line(option: QStyleOptionViewItem, row: CheckpointRow) -> QRect:
    area = _content(option)
    line = option.fontMetrics.height()
    return QRect(area.left(), area.bottom() + 1 - line, area.width(), line)


def _direction(text: str) -> Qt.LayoutDirection:
    """The direction of the first letter, so that a name in Latin letters keeps its order in a mirrored list."""
    first = next((kind for kind in map(unicodedata.bidirectional, text) if kind in ("L", "R", "AL")), "L")
    return Qt.LayoutDirection.LeftToRight if first == "L" else Qt.LayoutDirection.RightToLeft


def _draw(
    painter: QPainter, option: QStyleOptionViewItem, rect: QRect, text: str, color: QColor, font: QFont | None = None
) -> None:
    painter.setFont(font or option.font)
    painter.setPen(color)
    metrics = QFontMetrics(font or option.font)
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width())
    painter.setLayoutDirection(_direction(shown))
    painter.drawText(_visual(option, rect), _leading(option) | Qt.AlignmentFlag.AlignVCenter, shown)


def _paint_ground(painter: QPainter, option: QStyleOptionViewItem, ink: _Ink) -> None:
    rect: QRect = option.rect
    state: QStyle.StateFlag = option.state
    if ink.is_selected:
        painter.fillRect(rect, ink.palette.color(QPalette.ColorRole.Highlight))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(rect, _tint(ink.text, HOVER_TINT))
    if not ink.is_selected:
        painter.fillRect(QRect(rect.left() + SIDE, rect.bottom(), rect.width() - 2 * SIDE, 1), _tint(ink.line, 0.5))
    if state & QStyle.StateFlag.State_HasFocus:
        painter.setPen(QPen(ink.text, 1, Qt.PenStyle.DotLine))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(QRectF(rect).adjusted(1.5, 1.5, -1.5, -1.5))


def _paint_bar(
    painter: QPainter, option: QStyleOptionViewItem, bar: QRect, share: float, ink: _Ink, *, is_moving: bool
) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_tint(ink.text, 0.3) if ink.is_selected else ink.line)
    painter.drawRoundedRect(QRectF(_visual(option, bar)), BAR_HEIGHT / 2, BAR_HEIGHT / 2)
    if share <= 0:
        return
    done = QRect(bar)
    done.setWidth(max(round(bar.width() * share), BAR_HEIGHT))
    accent = ink.text if ink.is_selected else ink.palette.color(QPalette.ColorRole.Accent)
    painter.setBrush(accent if is_moving else (_tint(ink.text, 0.7) if ink.is_selected else ink.dim))
    painter.drawRoundedRect(QRectF(_visual(option, done)), BAR_HEIGHT / 2, BAR_HEIGHT / 2)
