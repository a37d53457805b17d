"""CheckpointModel: rows that follow the disk and the downloads, and keep their place while they do."""

from __future__ import annotations

from contextlib import closing

import pytest
from checkpoint_cases import BASE, CATALOG, REFINER, SLICE, FolderDownloads, convert_by_renaming, make_access, make_info
from PySide6.QtCore import QPersistentModelIndex, Qt

from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import CheckpointError, StoreError
from desktop_app.core.memory import Verdict
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_rows import CheckpointRow, RowFilter, Section
from desktop_app.studio.downloads import Downloads, DownloadState


@pytest.fixture
def found(tmp_path):
    """What the disk holds; tests change it."""
    return {"starter": make_info("starter", tmp_path / "starter", "Starter")}


def survey(found: dict) -> dict:
    if isinstance(found.get("disk"), StoreError):
        raise found["disk"]
    return dict(found)


@pytest.fixture
def source(tmp_path):
    made = FolderDownloads(tmp_path / "hub", tmp_path / "checkpoints")
    made.add(BASE)
    return made


@pytest.fixture
def downloads(qapp, source):
    with closing(Downloads(source, convert_by_renaming)) as made:
        yield made


@pytest.fixture
def model(tmp_path, found, downloads):
    (tmp_path / "checkpoints").mkdir()
    homes = Homes(tmp_path / "checkpoints", tmp_path / "program")
    access = make_access(homes, survey=lambda: survey(found))
    with closing(CheckpointModel(access, CATALOG, downloads, lambda row: f"row {row.label}")) as made:
        yield made


def look(qtbot, model: CheckpointModel) -> None:
    with qtbot.waitSignal(model.surveyed):
        model.refresh()


def rows(model: CheckpointModel) -> list[CheckpointRow]:
    return [model.row_at(number) for number in range(model.rowCount())]


def test_the_model_keeps_the_rules_of_qt(qtbot, qtmodeltester, model, downloads, source):
    look(qtbot, model)
    downloads.start(BASE)
    source.allow(1)
    qtbot.waitUntil(lambda: downloads.find(BASE).progress is not None)
    qtmodeltester.check(model)


def test_the_catalog_is_not_offered_before_the_disk_was_looked_at(qtbot, model):
    assert model.rowCount() == 0
    look(qtbot, model)
    assert [row.ref for row in rows(model)] == ["", "starter", "", *(entry.ref for entry in CATALOG)]


def test_headings_cannot_be_selected_and_every_row_says_itself_to_a_screen_reader(qtbot, model):
    look(qtbot, model)
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert model.flags(model.index(1)) & Qt.ItemFlag.ItemIsSelectable
    assert model.index(1).data(Qt.ItemDataRole.AccessibleTextRole) == "row Starter"


def test_a_download_goes_from_available_to_downloading_to_installed(qtbot, model, downloads, source, found, tmp_path):
    look(qtbot, model)
    found[BASE] = make_info(BASE, tmp_path / "checkpoints" / BASE)
    downloads.start(BASE)
    assert model.row_at(model.row_of(BASE)).section is Section.DOWNLOADING
    source.allow()
    qtbot.waitUntil(lambda: model.row_at(model.row_of(BASE)).section is Section.INSTALLED)
    qtbot.waitUntil(lambda: downloads.find(BASE) is None)


def test_a_row_that_stays_is_not_removed_when_others_come_and_go(qtbot, model, downloads):
    look(qtbot, model)
    kept = QPersistentModelIndex(model.index(model.row_of(REFINER)))
    downloads.start(BASE)
    assert kept.isValid()
    assert kept.data(CheckpointModel.RowRole).ref == REFINER


def test_progress_changes_one_row_and_no_other(qtbot, model, downloads, source):
    look(qtbot, model)
    downloads.start(BASE)
    qtbot.waitUntil(lambda: downloads.find(BASE).state is DownloadState.RUNNING)
    changed = []
    model.dataChanged.connect(lambda first, last: changed.append((first.row(), last.row())))
    source.allow(1)
    qtbot.waitUntil(lambda: downloads.find(BASE).progress.done == SLICE)
    assert set(changed) == {(1, 1)}


def test_the_filter_is_applied_at_once(qtbot, model):
    look(qtbot, model)
    model.filter_by(RowFilter("refiner"))
    assert [row.ref for row in rows(model)] == ["", REFINER]
    model.filter_by(RowFilter())
    assert model.row_of("starter") == 1


def test_a_look_that_is_asked_for_during_another_follows_it(qtbot, model, found):
    model.refresh()
    found["later"] = make_info("later", found["starter"].path, "Later")
    model.refresh()
    qtbot.waitUntil(lambda: model.row_of("later") > 0)


def test_a_damaged_checkpoint_is_a_row_with_its_error(qtbot, model, found):
    found["/x/bad"] = CheckpointError("It is damaged")
    look(qtbot, model)
    assert model.row_at(model.row_of("/x/bad")).error.title == "It is damaged"


def test_a_disk_that_cannot_be_read_is_told_and_the_catalog_is_there(qtbot, model, found):
    found["disk"] = StoreError("The folder cannot be read")
    with qtbot.waitSignal(model.error_raised) as told:
        model.refresh()
    assert told.args[0].title == "The folder cannot be read"
    assert model.row_of(BASE) > 0


def test_rows_are_judged_as_soon_as_the_engine_tells_of_its_memory(qtbot, model):
    look(qtbot, model)
    assert model.row_at(model.row_of(BASE)).judgement is None
    model.show_engine(EngineStatus("cuda", "Card", 0, 2**33, {}, 2**33, 2**34, "float16"))
    assert model.row_at(model.row_of(BASE)).judgement.verdict is Verdict.FITS
    assert model.row_at(model.row_of("starter")).judgement.verdict is Verdict.FITS
    assert model.row_at(model.row_of(REFINER)).judgement is None


def test_needs_are_rows_of_their_own(qtbot, model, found):
    look(qtbot, model)
    base = model.row_at(model.row_of(BASE))
    assert [(need.label, need.is_missing) for need in model.needs(base)] == [("Refiner", True)]
    found[REFINER] = make_info(REFINER, found["starter"].path)
    look(qtbot, model)
    assert [(need.label, need.is_missing) for need in model.needs(base)] == [("Refiner", False)]
