"""How the gallery feels with 100,000 pictures: what the user waits for, and how long the window stands still."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer
from support import PROJECT, make_picture, make_request, make_result

from desktop_app.core.variation import PROGRAM_KEY, read_variation, write_texts
from desktop_app.store import gallery_rows
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import Paths, user_paths
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.ui.gallery_view import GalleryPanel
from desktop_app.ui.icons import Icons

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(600)]

ROWS = 100_000
WORDS = ("lemon", "plum", "cat", "hen", "fig", "boat", "cloud", "tower", "river", "lamp")


def fill(gallery: GalleryStore, paths: Paths, count: int) -> None:
    """Rows as `GalleryStore.save` writes them, in one transaction; thumbnails are links to one file."""
    request = make_request(prompt="PROMPT", width=512, height=512)
    texts = write_texts(request, make_result(request, make_picture((512, 512))), "ID", datetime.now(UTC))
    template, begin = json.loads(texts[PROGRAM_KEY]), datetime(2025, 1, 1, tzinfo=UTC)
    picture = gallery.save(request, make_result(request, make_picture((512, 512))))
    with gallery._writing() as connection:
        for number in range(count - 1):
            created = begin + timedelta(seconds=number)
            words = (WORDS[number % 10], WORDS[number // 10 % 10], WORDS[number // 100 % 10])
            made = {**template["variation"], "id": f"{number:016x}", "created": created.isoformat()}
            stages = [{**template["stages"][0], "prompt": f"a {' and a '.join(words)}, picture {number}"}]
            record = json.dumps({**template, "stages": stages, "variation": made})
            variation = read_variation(record, Path())
            gallery_rows.insert(connection, variation, f"2025/{number}.png", record)
    for number in range(count - 1 - 3000, count - 1):
        (paths.thumbnails / f"{number:016x}.jpg").hardlink_to(picture.thumbnail)


@pytest.fixture(scope="module")
def full_paths(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paths]:
    paths = user_paths(tmp_path_factory.mktemp("full"))
    paths.ensure()
    with closing(GalleryStore(paths)) as gallery:
        gallery.open()
        fill(gallery, paths, ROWS)
    yield paths
    shutil.rmtree(paths.data_dir)


@pytest.fixture
def full_gallery(full_paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[GalleryStore]:
    """Opened without the look for lost files: the rows have none."""
    monkeypatch.setattr("desktop_app.store.gallery_recovery.reconcile", lambda *_: None)
    with closing(GalleryStore(full_paths)) as gallery:
        gallery.open()
        yield gallery


@dataclass
class Stalls:
    """Longest time between two turns of the event loop, by a timer of one millisecond."""

    longest: float = 0.0
    turns: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._last = time.perf_counter()
        self._timer = QTimer()
        self._timer.timeout.connect(self._turn)
        self._timer.start(1)

    def _turn(self) -> None:
        now = time.perf_counter()
        self.turns.append(now - self._last)
        self._last = now

    def take(self) -> str:
        """Tell the figures since the last call, and begin anew."""
        self._turn()
        turns, self.turns = sorted(self.turns), []
        return f"longest stall {1000 * turns[-1]:6.1f} ms, 99th of 100 {1000 * turns[len(turns) * 99 // 100]:6.1f} ms"


def wait(condition: Callable[[], bool]) -> float:
    """Seconds until ``condition`` holds, with the event loop running."""
    begin = time.perf_counter()
    while not condition():
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    return time.perf_counter() - begin


def run_for(seconds: float) -> None:
    """Let the event loop run, as between two turns of the wheel."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end)


def test_opens_scrolls_searches_and_takes_rows_in_and_out(qtbot, full_gallery, capsys):
    stalls, told = Stalls(), []
    model = GalleryModel(full_gallery)
    panel = GalleryPanel(model, Icons(PROJECT / "resources" / "icons"))
    qtbot.addWidget(panel)
    panel.resize(700, 800)
    panel.show()

    def report(what: str, condition: Callable[[], bool]) -> None:
        told.append(f"{what:<34}{1000 * wait(condition):8.1f} ms, {stalls.take()}")

    def is_row_whole(row: int) -> bool:
        return bool(model.index(row).data(1)) and not model._is_reading

    stalls.take()
    report("ids of 100,000 rows", lambda: model.rowCount() == ROWS)
    report("first screen, thumbnails included", lambda: is_row_whole(30))
    bar = panel.view.verticalScrollBar()
    wait(lambda: bar.maximum() > ROWS)
    told.append(f"{'the view has laid out all rows':<34}{'':11}  {stalls.take()}")
    for _ in range(100):
        bar.setValue(bar.value() + 97)
        run_for(0.01)
    report("scrolled 100 times 97 pixels", lambda: not model._is_reading)
    for place in range(1, 20):
        bar.setValue(bar.maximum() * place // 20)
        run_for(0.05)
    report("jumped 20 times", lambda: not model._is_reading)
    bar.setValue(0)
    new = full_gallery.save(request := make_request(prompt="a fig"), make_result(request))
    stalls.take()
    model.insert(new)
    report("a new picture", lambda: model.rowCount() == ROWS + 1)
    model.trash([model.index(50_000).data(model.IdRole)])
    report("one to the trash", lambda: model._runner.running == 0)
    model.set_search("lemon cat")
    report("a search", lambda: model.rowCount() < ROWS)
    model.set_search("")
    report("all again", lambda: model.rowCount() == ROWS)
    wait(lambda: bar.maximum() > ROWS)
    told.append(f"{'laid out again':<34}{'':11}  {stalls.take()}")
    model.close()
    with capsys.disabled():
        print("\n" + "\n".join(told))
