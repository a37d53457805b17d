"""VariationIds: rows and places through changes."""

from __future__ import annotations

from desktop_app.studio.variation_ids import VariationIds


def test_ids_keep_rows_and_places_through_changes():
    ids = VariationIds(["d", "c", "b", "a"])
    ids.insert(0, "e")
    ids.insert(5, "_")
    ids.insert(2, "x")
    assert ids.row_of("_") == 6
    ids.remove(3, 4)
    assert [ids.at(row) for row in range(len(ids))] == ["e", "d", "x", "a", "_"]
    assert [ids.row_of(each) for each in ("e", "d", "x", "a", "_", "c")] == [0, 1, 2, 3, 4, None]


def test_ids_tell_the_runs_of_neighbours():
    ids = VariationIds(["e", "d", "c", "b", "a"])
    assert ids.runs_of(["a", "e", "d", "b", "d", "strange"]) == [(0, 1), (3, 4)]
