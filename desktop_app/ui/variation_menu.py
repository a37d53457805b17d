"""What menus of pictures have in common: entries that say what the user wants with a variation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from PySide6.QtCore import SignalInstance
from PySide6.QtWidgets import QMenu

from desktop_app.core.variation import Variation
from desktop_app.ui.icons import Icons


@dataclass(frozen=True)
class Wish:
    """An entry; ``signal`` is emitted with the variation."""

    icon: str
    text: str
    signal: SignalInstance


def add_wishes(menu: QMenu, icons: Icons, wishes: Iterable[Wish], variation: Variation) -> None:
    """Append an entry for each of ``wishes``."""
    for wish in wishes:
        action = menu.addAction(icons.get(wish.icon), wish.text)
        action.triggered.connect(lambda _checked=False, wanted=wish.signal: wanted.emit(variation))
