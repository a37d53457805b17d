"""VariationIds: the ids of a hundred thousand rows, with quick ways from row to id and back."""

from __future__ import annotations


class VariationIds:
    """Ids by row, the newest first. Kept oldest first, so that the newest comes in without moving the others.

    Made on a pool thread, since that takes long for many; from then on it belongs to the GUI thread.
    """

    def __init__(self, newest_first: list[str]) -> None:
        self._ids = newest_first[::-1]
        self._places: dict[str, int] = {}
        """Place in ``_ids`` by id, but of those alone that have not moved since it was last made."""
        self._make_places()

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, variation_id: str) -> bool:
        return self.row_of(variation_id) is not None

    def at(self, row: int) -> str:
        """The id of ``row``."""
        return self._ids[len(self._ids) - 1 - row]

    def row_of(self, variation_id: str) -> int | None:
        """The row of an id, None where it has none."""
        if len(self._places) != len(self._ids):
            self._make_places()
        place = self._places.get(variation_id)
        return None if place is None else len(self._ids) - 1 - place

    def insert(self, row: int, variation_id: str) -> None:
        """Put an id that is not there yet at ``row``."""
        place = len(self._ids) - row
        self._ids.insert(place, variation_id)
        if row == 0 and len(self._places) == place:
            self._places[variation_id] = place
        else:
            self._places.clear()

    def remove(self, first: int, last: int) -> None:
        """Take the rows ``first`` to ``last`` out."""
        count = len(self._ids)
        del self._ids[count - 1 - last : count - first]
        self._places.clear()

    def _make_places(self) -> None:
        self._places = {variation_id: place for place, variation_id in enumerate(self._ids)}
