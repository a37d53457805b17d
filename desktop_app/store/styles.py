"""StyleStore: the styles that the program brought along, and the user's own beside them, in one TOML file each."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from desktop_app.core.errors import RequestError
from desktop_app.core.styles import Style, read_styles


class StyleStore:
    """Reads two files at each call and keeps nothing, so it can be used from any thread. ``own`` need not be there."""

    def __init__(self, own: Path, shipped: Path) -> None:
        self._own = own
        self._shipped = shipped

    def list(self) -> list[Style]:
        """All that can be read: those of the program, then the user's own. Raises `RequestError` when one of the
        program's own is damaged.
        """
        shipped = read_styles(self._shipped)
        return [*shipped, *self._read_own(shipped)[0]]

    def damaged(self) -> RequestError | None:
        """Why the user's own cannot be read."""
        return self._read_own(read_styles(self._shipped))[1]

    def _read_own(self, shipped: Sequence[Style]) -> tuple[Sequence[Style], RequestError | None]:
        if not self._own.exists():
            return (), None
        try:
            own = read_styles(self._own)
        except RequestError as e:
            return (), e
        known = {style.name for style in shipped}
        taken = ", ".join(style.name for style in own if style.name in known)
        if not taken:
            return own, None
        detail = f"{self._own.name}: the program brought styles along that are called {taken}"
        return (), RequestError("The styles cannot be read", detail, "Give yours another name.", "style")
