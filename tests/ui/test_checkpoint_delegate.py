"""What a row of the Checkpoints window looks like, in both reading directions."""

from __future__ import annotations

import pytest
from checkpoint_cases import CATALOG
from PySide6.QtCore import QAbstractListModel, QPointF, QRect, QSize, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPalette
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from desktop_app.core.download import DownloadProgress
from desktop_app.core.engine import EngineStatus
from desktop_app.core.memory import PartSize
from desktop_app.studio.checkpoint_judge import judge_by
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow, Section
from desktop_app.studio.downloads import Download, DownloadState
from desktop_app.ui.checkpoint_commands import Circumstances, Command
from desktop_app.ui.checkpoint_delegate import AMBER, CheckpointDelegate
from desktop_app.ui.theme import DARK, LIGHT, make_palette

WIDTH = 420
BAR = QColor("#00ff00")


class OneRow(QAbstractListModel):
    """A list of one checkpoint."""

    def __init__(self, row: CheckpointRow, parent) -> None:
        super().__init__(parent)
        self.row = row

    def rowCount(self, _parent=None) -> int:
        return 1

    def data(self, _index, role=Qt.ItemDataRole.DisplayRole):
        return self.row if role == CheckpointModel.RowRole else None


@pytest.fixture
def view(qtbot):
    made = QListView()
    qtbot.addWidget(made)
    return made


@pytest.fixture
def delegate(view, icons):
    return CheckpointDelegate(icons, lambda _row: Circumstances(), view)


@pytest.fixture
def paint(view, delegate):
    """Paints a row as it would be on the screen."""

    def paint_row(row: CheckpointRow, option: QStyleOptionViewItem) -> QImage:
        model = OneRow(row, view)
        image = QImage(option.rect.size(), QImage.Format.Format_RGB32)
        image.fill(option.palette.color(QPalette.ColorRole.Base))
        painter = QPainter(image)
        delegate.paint(painter, option, model.index(0))
        painter.end()
        return image

    return paint_row


def make_option(view, delegate, row: CheckpointRow, *, is_mirrored: bool = False, scheme=LIGHT) -> QStyleOptionViewItem:
    option = QStyleOptionViewItem()
    option.initFrom(view)
    option.palette = make_palette(scheme)
    option.palette.setColor(QPalette.ColorRole.Accent, BAR)
    option.state = QStyle.StateFlag.State_Enabled
    option.direction = Qt.LayoutDirection.RightToLeft if is_mirrored else Qt.LayoutDirection.LeftToRight
    height = delegate.sizeHint(option, OneRow(row, view).index(0)).height()
    option.rect = QRect(0, 0, WIDTH, height)
    return option


def make_download(done: int = 0, state: DownloadState = DownloadState.RUNNING) -> CheckpointRow:
    download = Download("org/one", state, progress=DownloadProgress(done, 100))
    return CheckpointRow(Section.DOWNLOADING, "org/one", "One", download=download)


def count(image: QImage, color: QColor) -> int:
    places = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(image.pixelColor(x, y) == color for x, y in places)


def bar_columns(image: QImage) -> list[int]:
    return [x for x in range(image.width()) if any(image.pixelColor(x, y) == BAR for y in range(image.height()))]


def test_the_bar_is_as_long_as_what_is_here(view, delegate, paint):
    lengths = {}
    for done in (25, 50, 100):
        row = make_download(done)
        lengths[done] = len(bar_columns(paint(row, make_option(view, delegate, row))))
    assert lengths[50] == pytest.approx(2 * lengths[25], abs=6)
    assert lengths[100] == pytest.approx(WIDTH - 24, abs=6)


def test_the_bar_grows_in_reading_direction(view, delegate, paint):
    row = make_download(25)
    there = bar_columns(paint(row, make_option(view, delegate, row)))
    mirrored = bar_columns(paint(row, make_option(view, delegate, row, is_mirrored=True)))
    assert max(there) < WIDTH / 2 < min(mirrored)


def test_a_paused_bar_does_not_look_as_if_it_moved(view, delegate, paint):
    row = make_download(50, DownloadState.PAUSED)
    assert not bar_columns(paint(row, make_option(view, delegate, row)))


@pytest.mark.parametrize("is_mirrored", [False, True])
def test_buttons_are_at_the_end_of_the_line_and_found_there(view, delegate, is_mirrored):
    row = make_download(50)
    option = make_option(view, delegate, row, is_mirrored=is_mirrored)
    rects = delegate.button_rects(option, row)
    assert list(rects) == [Command.PAUSE, Command.CANCEL]
    assert all(rect.width() >= 24 <= rect.height() for rect in rects.values())
    assert all((rect.center().x() < WIDTH / 2) == is_mirrored for rect in rects.values())
    for command, rect in rects.items():
        assert delegate.command_at(option, row, QPointF(rect.center())) is command
    assert delegate.command_at(option, row, QPointF(WIDTH / 2, 10)) is None


def test_rows_have_room_for_all_their_lines(view, delegate):
    option = QStyleOptionViewItem()
    option.initFrom(view)
    heights = [
        delegate.sizeHint(option, OneRow(row, view).index(0)).height()
        for row in (
            CheckpointRow(Section.AVAILABLE),
            CheckpointRow(Section.AVAILABLE, "org/one", "One"),
            make_download(),
        )
    ]
    line = option.fontMetrics.height()
    assert heights[0] > line
    assert heights[1] > 2 * line
    assert heights[2] > heights[1]


def test_a_long_name_leaves_the_size_alone(view, delegate, paint):
    short, long = (CheckpointRow(Section.AVAILABLE, "org/one", name, size_bytes=5 * 10**9) for name in ("A", "A" * 200))
    images = [paint(row, make_option(view, delegate, row)) for row in (short, long)]
    ends = [image.copy(WIDTH - 60, 0, 60, image.height() // 2) for image in images]
    assert ends[0] == ends[1]


def test_the_one_in_use_has_a_mark_and_a_selected_row_its_ground(view, delegate, paint):
    row = CheckpointRow(Section.INSTALLED, "org/one", "One")
    option = make_option(view, delegate, row)
    plain = paint(row, option)
    delegate.set_used("org/one")
    assert paint(row, option) != plain
    option.state |= QStyle.StateFlag.State_Selected
    ground = option.palette.color(QPalette.ColorRole.Highlight)
    assert count(paint(row, option), ground) > WIDTH * option.rect.height() / 2


@pytest.mark.parametrize(("billions", "color"), [(1, BAR), (6, QColor(AMBER[False])), (40, QColor(LIGHT.error))])
def test_the_verdict_is_said_in_its_own_colour(view, delegate, paint, billions, color):
    status = EngineStatus("cuda", "Card", 0, 12 * 2**30, {}, 10 * 2**30, 16 * 2**30, "float16")
    part = PartSize("unet", billions * 10**9, 2 * billions * 10**9)
    row = CheckpointRow(Section.AVAILABLE, "org/one", "One", judgement=judge_by(status)((part,), 512))
    assert count(paint(row, make_option(view, delegate, row)), color) > 0


def contrast(text: str, ground: str) -> float:
    """As the accessibility guidelines of the W3C define it."""

    def luminance(name: str) -> float:
        parts = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in QColor(name).getRgbF()
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    dark, light = sorted((luminance(text), luminance(ground)))
    return (light + 0.05) / (dark + 0.05)


def test_the_colour_of_a_warning_stands_out_in_both_themes():
    assert contrast(AMBER[False], LIGHT.base) >= 4.5
    assert contrast(AMBER[True], DARK.base) >= 4.5


def test_every_entry_of_a_catalog_can_be_painted(view, delegate, paint):
    for entry in CATALOG:
        row = CheckpointRow(Section.AVAILABLE, entry.ref, entry.label, entry.family, entry.size_bytes, entry=entry)
        option = make_option(view, delegate, row, scheme=DARK)
        image = paint(row, option)
        assert image.size() == QSize(WIDTH, option.rect.height())
        assert count(image, option.palette.color(QPalette.ColorRole.Base)) < image.width() * image.height()
