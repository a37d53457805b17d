"""ControlPictures: opens pictures for control images, as the document opens its init image."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop_app.core.conditions import MAX_CONTROLS, Control
from desktop_app.core.errors import RequestError, StudioError
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.document import Document
from desktop_app.studio.opener import InitImage, Source, open_source
from desktop_app.studio.pool import PoolRunner


@dataclass(frozen=True, eq=False)
class _Opening:
    """A picture on its way to ``control``, which stood in ``row``, or will stand there when it ``is_new``."""

    row: int
    control: Control
    is_new: bool
    cancel: threading.Event


class ControlPictures(QObject):
    """Lives in the GUI thread; pictures are opened on the pool. The newest picture of a control counts."""

    opening_changed = Signal()
    error_raised = Signal(object)
    """A `StudioError`: a picture that cannot be opened."""

    def __init__(self, document: Document, gallery: GalleryStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._gallery = gallery
        self._openings: list[_Opening] = []
        self._opener = PoolRunner(self)
        self._opener.finished.connect(self._on_opened)
        self._opener.failed.connect(self._on_failed)

    def is_opening(self, row: int) -> bool:
        """Whether a picture is on its way to the control in ``row``; behind the last one, to a new one."""
        return any(opening.row == row for opening in self._openings)

    def open(self, row: int, source: Source, name: str = "") -> None:
        """Open ``source`` for the control in ``row``."""
        self._start(_Opening(row, self._document.params.controls[row], False, threading.Event()), source, name)

    def add(self, control: Control, source: Source, name: str = "") -> None:
        """Open ``source`` and add ``control`` with it."""
        controls = self._document.params.controls
        if len(controls) >= MAX_CONTROLS:
            self.error_raised.emit(too_many())
            return
        self._start(_Opening(len(controls), control, True, threading.Event()), source, name)

    def close(self) -> None:
        """End what goes on in the background."""
        for opening in self._openings:
            opening.cancel.set()
        self._openings.clear()
        self._opener.wait()

    def _start(self, opening: _Opening, source: Source, name: str) -> None:
        for other in [other for other in self._openings if other.row == opening.row]:
            other.cancel.set()
            self._openings.remove(other)
        self._openings.append(opening)
        online = self._document.is_online
        self._opener.start(opening, partial(open_source, source, name, self._gallery, opening.cancel, is_online=online))
        self.opening_changed.emit()

    def _on_opened(self, opening: _Opening, opened: InitImage) -> None:
        if opening not in self._openings:
            return
        self._openings.remove(opening)
        controls = list(self._document.params.controls)
        row = _row_now(opening, controls)
        if opening.is_new and len(controls) < MAX_CONTROLS:
            controls.append(replace(opening.control, image=opened.ref))
        elif row is not None and not opening.is_new:
            controls[row] = replace(controls[row], image=opened.ref)
        self._document.set_params(self.tr("Picture of a control image"), controls=tuple(controls))
        self.opening_changed.emit()

    def _on_failed(self, opening: _Opening, error: StudioError) -> None:
        if opening in self._openings:
            self._openings.remove(opening)
            self.opening_changed.emit()
            self.error_raised.emit(error)


def too_many() -> RequestError:
    """That no further control image can be added."""
    detail = f"there are {MAX_CONTROLS}, and no more are taken"
    return RequestError("There are too many control images", detail, "Remove one first.", param="controls")


def _row_now(opening: _Opening, controls: list[Control]) -> int | None:
    """Where the control stands now; where it was edited meanwhile, it is the one in its old place. None: it is gone."""
    is_in_place = opening.row < len(controls) and controls[opening.row] == opening.control
    if not is_in_place and opening.control in controls:
        return controls.index(opening.control)
    return opening.row if opening.row < len(controls) else None
