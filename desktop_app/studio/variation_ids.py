"""VariationIds: the ids of a hundred thousand rows, with quick ways from row to id and back."""

from __future__ import annotations

from collections.abc import Iterable


class VariationIds:
    """Ids by row, the newest first. Kept oldest first, so that the newest comes in without moving the others.

    Made on a pool thread, since that takes long for many; from then on it belongs to the GUI thread.
    """

    def __init__(self, newest_first: list[str]) -> None:
        self._ids = newest_first[::-1]
        self._places: dict[str, int] = {}
        """Place in ``_ids`` by id, right for those before ``_moved``; the others are put right when asked for."""
        self._moved = 0
        self._known_places()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, variation_id: str) -> bool:
        return variation_id in self._known_places()

    def at(self, row: int) -> str:
        """The id of ``row``."""
        return self._ids[len(self._ids) - 1 - row]

    def row_of(self, variation_id: str) -> int | None:
        """The row of an id, None where it has none."""
        place = self._known_places().get(variation_id)
        return None if place is None else len(self._ids) - 1 - place

    def runs_of(self, ids: Iterable[str]) -> list[tuple[int, int]]:
        """First and last row of each run of neighbours that ``ids`` make up; ids without a row are passed over."""
        runs: list[tuple[int, int]] = []
        for row in sorted(row for each in set(ids) if (row := self.row_of(each)) is not None):
            if runs and runs[-1][1] == row - 1:
                runs[-1] = (runs[-1][0], row)
            else:
                runs.append((row, row))
        return runs

    def insert(self, row: int, variation_id: str) -> None:
        """Put an id that is not there yet at ``row``."""
        place = len(self._ids) - row
        self._ids.insert(place, variation_id)
        self._moved = min(self._moved, place)

    def remove(self, first: int, last: int) -> None:
        """Take the rows ``first`` to ``last`` out."""
        oldest, newest = len(self._ids) - 1 - last, len(self._ids) - 1 - first
        for variation_id in self._ids[oldest : newest + 1]:
            self._places.pop(variation_id, None)
        del self._ids[oldest : newest + 1]
        self._moved = min(self._moved, oldest)

    def _known_places(self) -> dict[str, int]:
        count = len(self._ids)
        if self._moved < count:
            self._places.update(zip(self._ids[self._moved :], range(self._moved, count), strict=True))
        self._moved = count
        return self._places
