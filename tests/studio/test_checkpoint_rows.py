"""What the Checkpoints window lists, and in which section."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from checkpoint_cases import BASE, CATALOG, GATED, PICKLED, REFINER, make_access, make_info

from desktop_app.core.catalog import Role
from desktop_app.core.checkpoint import Home
from desktop_app.core.download import DownloadPlan, DownloadProgress, RemoteFile
from desktop_app.core.errors import CheckpointError
from desktop_app.core.memory import UPSCALER_ELEMENTS
from desktop_app.core.request import StageKind
from desktop_app.store.checkpoint_care import Homes
from desktop_app.studio.checkpoint_rows import (
    CheckpointRow,
    Installed,
    RowFilter,
    Section,
    Survey,
    families_of,
    hub_id,
    make_rows,
    read_disk_use,
    read_survey,
)
from desktop_app.studio.downloads import Download, DownloadState


def refs(rows: list[CheckpointRow], section: Section) -> list[str]:
    return [row.ref for row in rows if row.section is section and not row.is_heading]


def list_rows(survey: Survey = Survey(), downloads=(), **wanted) -> list[CheckpointRow]:  # noqa: B008 - frozen
    return make_rows(survey, CATALOG, downloads, RowFilter(**wanted))


@pytest.fixture
def access(tmp_path):
    """Two checkpoints of which one is damaged."""
    found = {
        "starter": make_info("starter", tmp_path / "program" / "starter", "Starter"),
        str(tmp_path / "own" / "bad"): CheckpointError("It is damaged"),
    }
    homes = Homes(tmp_path / "own", tmp_path / "program", (tmp_path / "shared",))
    (tmp_path / "own").mkdir()
    return make_access(homes, survey=lambda: found, find=Path)


def test_what_is_neither_here_nor_on_its_way_is_available():
    survey = Survey((Installed(REFINER, "refiner"),))
    rows = list_rows(survey, [Download(PICKLED)])
    assert refs(rows, Section.DOWNLOADING) == [PICKLED]
    assert refs(rows, Section.INSTALLED) == [REFINER]
    assert refs(rows, Section.AVAILABLE) == [BASE, GATED]


def test_each_section_has_a_heading_that_counts():
    rows = list_rows(Survey((Installed(REFINER, "refiner"),)))
    headings = [(row.section, row.count) for row in rows if row.is_heading]
    assert headings == [(Section.INSTALLED, 1), (Section.AVAILABLE, 3)]


def test_the_catalog_names_what_was_found_on_the_disk():
    row = list_rows(Survey((Installed(REFINER, "snapshot-5d4cfe"),)))[1]
    assert (row.label, row.licence) == ("Refiner", "OpenRAIL")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("comic", [PICKLED]),
        ("CHARLIEBO", [PICKLED]),
        ("diffusion xl", [BASE, REFINER]),
        ("xl large", [BASE]),
        ("zzz", []),
    ],
)
def test_all_words_of_a_search_are_found_somewhere_in_a_row(text, found):
    assert refs(list_rows(text=text), Section.AVAILABLE) == found


def test_one_family_is_shown_alone():
    assert refs(list_rows(family="Flux"), Section.AVAILABLE) == [GATED]


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("org/name", "org/name"),
        (" org/name@v1.0 ", "org/name@v1.0"),
        ("https://huggingface.co/org/name", "org/name"),
        ("https://huggingface.co/org/name/", "org/name"),
        ("https://example.org/org/name", ""),
        ("a cat", ""),
        ("../name", ""),
        ("/org/name", ""),
        ("org/name/more", ""),
    ],
)
def test_a_hub_id_is_known_among_what_is_typed(text, ref):
    assert hub_id(text) == ref


def test_a_hub_id_that_is_typed_can_be_downloaded():
    row = list_rows(text="https://huggingface.co/some/one")[1]
    assert (row.ref, row.section, row.is_from_hub) == ("some/one", Section.AVAILABLE, True)
    assert not list_rows(text=BASE)[1].is_from_hub


def test_what_is_done_is_listed_once(tmp_path):
    done = Download(BASE, DownloadState.DONE)
    assert refs(list_rows(downloads=[done]), Section.DOWNLOADING) == [BASE]
    rows = list_rows(Survey((Installed(BASE, "base"),)), [done])
    assert not refs(rows, Section.DOWNLOADING)
    assert refs(rows, Section.INSTALLED) == [BASE]


def test_a_download_knows_its_size_from_the_plan_and_before_from_what_was_left():
    plan = DownloadPlan("some/one", "0" * 40, (RemoteFile("a", 70, ""), RemoteFile("b", 30, "")), licence="mit")
    planned, left = Download("some/one", plan=plan), Download("some/two", progress=DownloadProgress(5, 50))
    rows = list_rows(downloads=[planned, left])
    assert [row.size_bytes for row in rows[1:3]] == [100, 50]
    assert rows[1].licence == "mit"


def test_what_is_here_is_listed_by_name_after_what_ships_with_the_program():
    places = {"org/z": Home.OWN, "starter": Home.PROGRAM, BASE: Home.OWN, "org/a": Home.ELSEWHERE}
    labels = {"org/z": "zebra", "starter": "Starter", BASE: "unused", "org/a": "Ant"}
    found = [Installed(ref, labels[ref], place=place) for ref, place in places.items()]
    assert refs(list_rows(Survey(tuple(found))), Section.INSTALLED) == ["starter", "org/a", BASE, "org/z"]


def test_what_is_here_has_no_licence_to_accept_any_more():
    here, available = list_rows(Survey((Installed(GATED, "Gated"),))), list_rows()
    assert not next(row for row in here if row.ref == GATED).is_gated
    assert next(row for row in available if row.ref == GATED).is_gated


def test_what_cannot_be_used_is_missing():
    assert list_rows()[1].is_missing
    assert not list_rows(Survey((Installed(BASE, "base"),)))[1].is_missing
    assert list_rows(Survey((Installed(BASE, "base", error=CheckpointError("It is damaged")),)))[1].is_missing
    assert not list_rows(downloads=[Download(BASE)])[1].is_missing


def test_the_catalog_knows_every_revision():
    rows = list_rows(Survey((Installed(f"{BASE}@v1", "snapshot"),)))
    assert (rows[1].ref, rows[1].label) == (f"{BASE}@v1", "Base")
    assert BASE not in refs(rows, Section.AVAILABLE)


@pytest.mark.parametrize(
    ("kinds", "family", "role"),
    [
        ((StageKind.INPAINT,), "Stable Diffusion inpainting", Role.CHECKPOINT),
        ((), "Kandinsky 2.2 prior", Role.PRIOR),
        ((StageKind.UPSCALE,), "Upscaler x4", Role.UPSCALER),
        ((StageKind.PIXEL_UPSCALE,), "Pixel upscaler", Role.UPSCALER),
        ((), "ControlNet", Role.CONTROL),
        ((), "Annotator", Role.CONTROL),
    ],
)
def test_what_is_installed_is_listed_as_what_it_is(access, tmp_path, kinds, family, role):
    info = replace(make_info("org/it", tmp_path, family=family), kinds=kinds)
    row = list_rows(read_survey(replace(access, survey=lambda: {"org/it": info})))[1]
    assert (row.role, row.can_paint) == (role, role is Role.CHECKPOINT)


def test_an_upscaler_of_the_catalog_is_judged_by_what_it_needs_itself():
    seen = []
    entry = replace(CATALOG[0], family="Upscaler x4", role=Role.UPSCALER, parts={"unet": 473, "vae": 55})
    rows = make_rows(Survey(), [entry], [], RowFilter(), lambda parts, side: seen.append(parts))
    assert [part.elements for part in seen[0]] == [UPSCALER_ELEMENTS, 0]
    assert not rows[1].can_paint


def test_a_survey_tells_what_is_here_where_it_lies_and_what_is_damaged(access):
    survey = read_survey(access)
    starter, bad = survey.installed
    assert (starter.label, starter.place, starter.error) == ("Starter", Home.PROGRAM, None)
    assert (bad.label, bad.place, bad.error.title) == ("bad", Home.OWN, "It is damaged")
    assert survey.disk.free > 0


def test_families_are_those_of_the_catalog_and_of_what_is_here(access):
    assert families_of(read_survey(access), CATALOG[:1]) == ["Stable Diffusion", "Stable Diffusion XL"]


@pytest.mark.parametrize(
    ("path", "place"),
    [("own/x", Home.OWN), ("program/x", Home.PROGRAM), ("shared/x", Home.SHARED), ("art/x", Home.ELSEWHERE)],
)
def test_the_folder_says_to_whom_a_checkpoint_belongs(path, place):
    assert Homes(Path("/own"), Path("/program"), (Path("/shared"),)).home_of(Path("/") / path) is place


def test_disk_use_counts_files_once_and_no_links(tmp_path):
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_bytes(b"x" * 5000)
    (tmp_path / "snapshot").symlink_to(tmp_path / "blobs" / "a")
    assert 5000 <= read_disk_use(tmp_path).used < 6000
