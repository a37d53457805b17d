"""Edits: the undo commands. What they change is told them as functions, so that they know no document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from PySide6.QtGui import QImage, QUndoCommand

from desktop_app.core.params import PARAM_SPECS, Params
from desktop_app.studio.opener import InitImage

MERGE_PAUSE_S = 1.0
"""Edits of one value with a longer pause between them are undone one by one."""

T = TypeVar("T")
Show = Callable[[T], None]


@dataclass(frozen=True)
class Scene:
    """An init image and its mask, grey and of the same size; None for none, or for an empty mask."""

    init_image: InitImage | None = None
    mask: QImage | None = None


ShowScene = Show[Scene]


class DoStep(Protocol):
    """Does a step of a mask, or undoes it."""

    def __call__(self, step: Any, *, is_undone: bool) -> None: ...


_MERGE_IDS = {name: number for number, name in enumerate(PARAM_SPECS, start=1)}


class SetParams(QUndoCommand):
    """From one `Params` to another. With ``name`` it takes later edits of that field in, while they come quickly."""

    def __init__(
        self, text: str, show: Show[Params], before: Params, after: Params, name: str = "", when: float = 0.0
    ) -> None:
        super().__init__(text)
        self._show = show
        self._before = before
        self.after = after
        self._name = name
        self.when = when

    def redo(self) -> None:
        """Show the new values."""
        self._show(self.after)

    def undo(self) -> None:
        """Show the old values."""
        self._show(self._before)

    def id(self) -> int:
        """Commands of one number may merge; -1 never does."""
        return _MERGE_IDS.get(self._name, -1)

    def mergeWith(self, other: QUndoCommand) -> bool:
        """Take in ``other``, the edit just made of the same field."""
        if not isinstance(other, SetParams) or other.when - self.when > MERGE_PAUSE_S:
            return False
        self.after = other.after
        self.when = other.when
        self.setObsolete(self.after == self._before)
        return True


class SetInitImage(QUndoCommand):
    """From one init image with its mask, or none, to another."""

    def __init__(self, text: str, show: ShowScene, before: Scene, after: Scene) -> None:
        super().__init__(text)
        self._show = show
        self._before = before
        self._after = after

    def redo(self) -> None:
        """Show the new picture."""
        self._show(self._after)

    def undo(self) -> None:
        """Show the old picture."""
        self._show(self._before)


class EditMask(QUndoCommand):
    """A change of the mask, which has been done already when the command is made."""

    def __init__(self, text: str, do: DoStep, step: Any) -> None:
        super().__init__(text)
        self._do = do
        self._step = step
        self._is_done = True

    def redo(self) -> None:
        """Make the change again."""
        if not self._is_done:
            self._do(self._step, is_undone=False)
        self._is_done = True

    def undo(self) -> None:
        """Take the change back."""
        self._do(self._step, is_undone=True)
        self._is_done = False


class TrashVariations(QUndoCommand):
    """Variations to the trash, and back."""

    def __init__(self, text: str, ids: list[str], trash: Show[list[str]], restore: Show[list[str]]) -> None:
        super().__init__(text)
        self._ids = ids
        self._trash = trash
        self._restore = restore

    def redo(self) -> None:
        """To the trash."""
        self._trash(self._ids)

    def undo(self) -> None:
        """Back from the trash."""
        self._restore(self._ids)
