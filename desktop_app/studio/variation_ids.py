"""VariationIds: the ids of a hundred thousand rows, with quick ways from row to id and back."""

from __future__ import annotations

from collections.abc import Iterable


class VariationIds:
    """Ids by row, the newest first. Kept oldest first, so that the newest comes in without moving the others.

    Made on a pool thread, since that takes long for many; from then on it belongs to the GUI thread.
    """

    def __init__(self, newest_first: list[str]) -> None:
        self._ids = newest_first[::-1]
        self._places: dict[str, int] | None = None
        """Place in ``_ids`` by id; None when they have moved, until it is asked for again."""
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
        if row == 0 and self._places is not None:
            self._places[variation_id] = place
        else:
            self._places = None

    def remove(self, first: int, last: int) -> None:
        """Take the rows ``first`` to ``last`` out."""
        count = len(self._ids)
        del self._ids[count - 1 - last : count - first]
        self._places = None

    def _known_places(self) -> dict[str, int]:
        if self._places is None:
            self._places = {variation_id: place for place, variation_id in enumerate(self._ids)}
        return self._places
