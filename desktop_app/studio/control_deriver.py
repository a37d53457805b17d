"""ControlDeriver: the control images of the document as they will be used, made while the engine has nothing to run."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from desktop_app.core.conditions import Control, ControlMode
from desktop_app.core.engine import Progress
from desktop_app.core.errors import StudioError
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import MULTIPLE
from desktop_app.core.placement import Placement, beside, masked_fit, plan_placement, working_size
from desktop_app.studio.close_up import CloseUp
from desktop_app.studio.document import Document
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.worker import DerivedPicture, DeriveOrder, Worker

DELAY_MS = 300
"""After a change, so that a slider that moves does not start the work at every tick."""

KEPT_BYTES = 256 * 1024 * 1024
"""Of control images that are no longer in use; an undo has them back at once."""


class DeriveState(Enum):
    """Where the control image of one control stands."""

    NO_PICTURE = "no picture"
    """There is nothing to derive it from."""
    WAITING = "waiting"
    """It is not made yet, and nobody makes it at the moment."""
    QUEUED = "queued"
    """It is made as soon as the engine is free."""
    DERIVING = "deriving"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class DeriveView:
    """What can be shown of one control: ``picture`` when done, ``progress`` of the deriving, ``error`` when failed."""

    state: DeriveState
    picture: DerivedPicture | None = None
    progress: Progress | None = None
    error: StudioError | None = None


@dataclass(frozen=True)
class _Wish:
    """A control image by all that decides its pixels. Two controls that differ in nothing of it share one."""

    control: Control
    picture: ImageRef
    placement: Placement | None


class ControlDeriver(QObject):
    """Lives in the GUI thread; the worker derives. Jobs go first: deriving stops for them, and goes on afterwards.

    While it `is_watching`, it derives by itself what is on and not there yet; anything else on `derive_now` only.
    """

    changed = Signal()
    """What `view` says of some control."""
    _requested = Signal(object)

    def __init__(self, document: Document, jobs: JobQueue, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._jobs = jobs
        self._made: OrderedDict[_Wish, DerivedPicture | StudioError] = OrderedDict()
        self._asked: list[_Wish] = []
        self._running: tuple[DeriveOrder, _Wish] | None = None
        self._progress: Progress | None = None
        self._size: tuple[int, int] | None = None
        self._seen: Placement | None = None
        self._close_up = CloseUp(document.mask, self)
        self._is_watching = False
        self._is_attached = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.timeout.connect(self._start_next)
        document.params_changed.connect(self._on_document_changed)
        document.init_image_changed.connect(self._on_document_changed)
        document.checkpoint_changed.connect(self._on_checkpoint_changed)
        document.mask.state_changed.connect(self._on_document_changed)
        self._close_up.found.connect(self._on_document_changed)
        jobs.state_changed.connect(self._on_jobs_changed)
        self._on_document_changed()

    def attach(self, worker: Worker) -> None:
        """Let ``worker`` derive."""
        queued = Qt.ConnectionType.QueuedConnection
        self._requested.connect(worker.derive, queued)
        worker.deriving_progressed.connect(self._on_progressed, queued)
        worker.derived.connect(self._on_ended, queued)
        worker.deriving_failed.connect(self._on_ended, queued)
        self._is_attached = True
        self._start_next()

    @property
    def is_watching(self) -> bool:
        """Whether somebody looks at the control images."""
        return self._is_watching

    @is_watching.setter
    def is_watching(self, is_watching: bool) -> None:
        if is_watching != self._is_watching:
            self._is_watching = is_watching
            self._timer.start()
            self.changed.emit()

    def view(self, control: Control) -> DeriveView:
        """What there is of the control image of ``control``, one of the document's."""
        picture = self._picture(control)
        if picture is None:
            return DeriveView(DeriveState.NO_PICTURE)
        wish = self._wish(control)
        if wish is None:
            is_wanted = self._is_watching and control.is_on
            return DeriveView(DeriveState.QUEUED if is_wanted else DeriveState.WAITING)
        if self._running and self._running[1] == wish:
            return DeriveView(DeriveState.DERIVING, progress=self._progress)
        made = self._made.get(wish)
        if isinstance(made, StudioError):
            return DeriveView(DeriveState.FAILED, error=made)
        if made is not None:
            return DeriveView(DeriveState.DONE, made)
        is_wanted = wish in self._asked or (self._is_watching and control.is_on)
        return DeriveView(DeriveState.QUEUED if is_wanted else DeriveState.WAITING)

    def derive_now(self, control: Control) -> None:
        """Make the control image of ``control`` as soon as the engine is free, anew where that failed."""
        wish = self._wish(control)
        if wish is None:
            return
        if isinstance(self._made.get(wish), StudioError):
            del self._made[wish]
        if wish not in self._asked:
            self._asked.append(wish)
        self._start_next()
        self.changed.emit()

    def close(self) -> None:
        """Stop the work."""
        self._close_up.close()
        self._timer.stop()
        self._is_attached = False
        self._stop_running()

    # What is wanted -------------------------------------------------------------------------------

    def _picture(self, control: Control) -> ImageRef | None:
        """What it is made from."""
        init_image = self._document.init_image
        return control.image or (init_image.ref if init_image else None)

    def _wish(self, control: Control) -> _Wish | None:
        """None without a picture, and until it is known what of that is seen."""
        picture = self._picture(control)
        if picture is None or self._close_up.is_looking:
            return None
        size, fit = self._size, self._document.params.fit
        return _Wish(_deciding(control), picture, beside(self._seen, picture.size, size, fit) if size else None)

    def _wishes(self) -> list[_Wish]:
        """Of all controls of the document."""
        return [wish for control in self._document.params.controls if (wish := self._wish(control))]

    def _next(self) -> _Wish | None:
        """What was asked for expressly comes first. Nothing is made before it is known how large."""
        if self._document.checkpoint_info is None and self._document.checkpoint_error is None:
            return None
        return next((wish for wish in self._wanted() if wish not in self._made), None)

    def _wanted(self) -> list[_Wish]:
        """What was asked for, and what is on while somebody watches."""
        controls = self._document.params.controls if self._is_watching else ()
        return [*self._asked, *(wish for control in controls if control.is_on and (wish := self._wish(control)))]

    def _planned_size(self) -> tuple[int, int] | None:
        """The working size; where the plan has none, since something cannot be run yet, what it would usually be."""
        if (size := self._document.plan().working_size) is not None:
            return size
        params, info, init_image = self._document.params, self._document.checkpoint_info, self._document.init_image
        if params.width is not None and params.height is not None:
            return params.width, params.height
        if info is None or not info.native_size:
            return None
        native = info.native_size
        multiple = math.lcm(MULTIPLE, info.multiple or 1)
        return working_size(init_image.ref.size, native, multiple) if init_image else (native, native)

    def _planned_view(self) -> Placement | None:
        """What of the init image will be seen: with a mask perhaps the masked part alone."""
        document, params, plan = self._document, self._document.params, self._document.plan()
        if document.init_image is None or self._size is None:
            self._close_up.forget()
            return None
        is_masked = plan.kinds[0] is StageKind.INPAINT if plan.kinds else not document.mask.is_empty
        if is_masked and params.masked_only and not document.mask.is_empty:
            return self._close_up.look(self._size, params.mask_feather, params.mask_padding)
        self._close_up.forget()
        source = document.init_image.ref.size
        fit = masked_fit(source, self._size, params.fit) if is_masked else params.fit
        return plan.placement or plan_placement(source, self._size, fit)

    def _on_document_changed(self, _params: object = None) -> None:
        if not self._document.params.controls:
            self._asked.clear()
            self._stop_running()
            return
        self._size = self._planned_size()
        self._seen = self._planned_view()
        wishes = self._wishes()
        self._asked = [wish for wish in self._asked if wish in wishes]
        if self._running and self._running[1] not in self._wanted():
            self._stop_running()
        self._timer.start()
        self.changed.emit()

    def _on_checkpoint_changed(self) -> None:
        """What was missing may be there now, so what failed may be tried again."""
        for wish in [wish for wish, made in self._made.items() if isinstance(made, StudioError)]:
            del self._made[wish]
        self._on_document_changed()

    # The work -------------------------------------------------------------------------------------

    def _start_next(self) -> None:
        if not self._is_attached or self._running or self._timer.isActive() or self._jobs.current is not None:
            return
        wish = self._next()
        if wish is None:
            return
        order = DeriveOrder(wish.control, wish.picture, wish.placement, threading.Event())
        self._running, self._progress = (order, wish), None
        self._requested.emit(order)
        self.changed.emit()

    def _stop_running(self) -> None:
        """What still comes of it comes too late."""
        if self._running:
            self._running[0].cancel.set()
            self._running = None

    def _on_jobs_changed(self) -> None:
        if self._jobs.current is None:
            self._start_next()
        elif self._running:
            self._stop_running()
            self.changed.emit()

    def _on_progressed(self, order: DeriveOrder, progress: Progress) -> None:
        if self._running and self._running[0] is order:
            self._progress = progress
            self.changed.emit()

    def _on_ended(self, order: DeriveOrder, outcome: DerivedPicture | StudioError) -> None:
        if not self._running or self._running[0] is not order:
            return
        _order, wish = self._running
        self._running = None
        self._keep(wish, outcome)
        self._start_next()
        self.changed.emit()

    def _keep(self, wish: _Wish, outcome: DerivedPicture | StudioError) -> None:
        """Of what is not in use, the oldest goes first when there is too much."""
        self._made[wish] = outcome
        self._asked = [other for other in self._asked if other != wish]
        wishes = self._wishes()
        for other in [each for each in self._made if each not in wishes]:
            if sum(map(_size_of, self._made.values())) <= KEPT_BYTES:
                return
            del self._made[other]


def _size_of(made: DerivedPicture | StudioError) -> int:
    return made.qimage.sizeInBytes() if isinstance(made, DerivedPicture) else 0


def _deciding(control: Control) -> Control:
    """``control`` with the usual values in place of all that has no say in the pixels of its control image."""
    if not control.derive:
        return Control(ControlMode.TILE, derive=False)
    plain = Control(control.mode, annotator=control.annotator)
    if control.mode is ControlMode.CANNY and not control.annotator:
        return replace(plain, low=control.low, high=control.high)
    return plain
