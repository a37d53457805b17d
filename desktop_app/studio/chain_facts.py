"""ChainFacts: what a chain does not say by itself: what goes from stage to stage, and which stages need not be run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication

from desktop_app.core.engine import EngineStatus
from desktop_app.core.errors import CheckpointError, StudioError
from desktop_app.core.handover import Handover
from desktop_app.core.kinds import StageKind
from desktop_app.core.params import Params
from desktop_app.core.request import Request, Stage
from desktop_app.core.stage_keys import stage_keys
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.handover import describe_handover
from desktop_app.studio.document import Document
from desktop_app.studio.plan import RunPlan
from desktop_app.studio.pool import PoolRunner

PAUSE_MS = 400
"""So long a mask must be left alone before it is looked at."""

MOST_COUNTED = 4
"""Pictures of which is counted what they re-use: it is done at every slider tick."""

Joint = tuple[int, Stage, Stage]
"""The number of a card in `Params.chain`, the stage before it and its own."""


class ChainFacts(QObject):
    """Lives in the GUI thread. Checkpoints are compared on a thread of its own, since that may read all of a VAE."""

    changed = Signal()
    """Something is known that was not: look at the plan again."""
    status_wanted = Signal()
    """What the engine still has may be less now: it shall tell its status."""
    error_raised = Signal(object)

    def __init__(self, document: Document, checkpoints: CheckpointStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._checkpoints = checkpoints
        self._handovers: dict[int, Handover] = {}
        self._joints: tuple[Joint, ...] = ()
        self._is_known = True
        self._number = 0
        self._keys: frozenset[str] = frozenset()
        self._counted: tuple[object, int] = (None, 0)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(PAUSE_MS)
        self._pause.timeout.connect(self._on_pause)
        self._runner = PoolRunner(self, serial=True)
        self._runner.finished.connect(self._on_compared)
        self._runner.failed.connect(self._on_failed)
        document.checkpoint_changed.connect(self._on_checkpoint_changed)
        self._is_asked = False
        application = QCoreApplication.instance()
        assert isinstance(application, QGuiApplication)
        application.applicationStateChanged.connect(self._on_application_state_changed)

    @property
    def handovers(self) -> Mapping[int, Handover]:
        """By number of a card in `Params.chain`, what it gets of the stage before it, as far as that is known."""
        return self._handovers

    def look(self, plan: RunPlan) -> RunPlan:
        """``plan`` of the document with what is re-used; what goes from stage to stage is found out, and `changed`
        follows where it is another than before.
        """
        joints = tuple(_joints(self._document.params, plan))
        if joints != self._joints or not self._is_known:
            self._compare(joints)
        return replace(plan, reused=self._count_reused(plan))

    def show_engine(self, status: EngineStatus) -> None:
        """Take note of the stages whose pictures the engine still has."""
        self._is_asked = False
        if status.stage_keys != self._keys:
            self._keys = status.stage_keys
            self.changed.emit()

    def ask_engine(self) -> None:
        """Files or settings may be others now: have the engine asked what it still has, if it had anything."""
        if self._keys and not self._is_asked:
            self._is_asked = True
            self.status_wanted.emit()

    def close(self) -> None:
        """Let the thread end."""
        self._pause.stop()
        self._counted = (None, 0)
        self._number += 1
        self._runner.wait()

    def _count_reused(self, plan: RunPlan) -> int:
        """With another seed for each picture nothing is; nor is the last stage, which makes the result."""
        document = self._document
        if plan.error or plan.stages < 2 or document.params.seed is None or not self._keys:
            return 0
        if StageKind.INPAINT not in plan.kinds:
            return self._count_now()
        picture = document.init_image.ref if document.init_image else None
        situation = (document.params, picture, document.mask.revision, self._keys)
        if situation != self._counted[0]:  # a request keeps the mask on the disk, which takes too long for each stroke
            self._counted = situation, 0
            self._pause.start()
        return self._counted[1]

    def _count_now(self) -> int:
        try:
            return self._count_in(self._document.make_requests(self._counted_at_most()))
        except StudioError:  # Generate will tell it
            return 0

    def _counted_at_most(self) -> int:
        return min(self._document.params.count, MOST_COUNTED)

    def _count_in(self, requests: Sequence[Request]) -> int:
        return sum(count_reused(request, self._keys) for request in requests)

    def _on_pause(self) -> None:
        self._document.make_requests_soon(partial(self._on_requests, self._counted[0]), self._counted_at_most())

    def _on_requests(self, situation: object, made: list[Request] | StudioError) -> None:
        if situation is not self._counted[0]:
            return
        count = 0 if isinstance(made, StudioError) else self._count_in(made)
        if count != self._counted[1]:
            self._counted = self._counted[0], count
            self.changed.emit()

    def _compare(self, joints: tuple[Joint, ...]) -> None:
        if joints != self._joints:
            self._handovers = {}
        self._joints = joints
        self._is_known = True
        self._number = number = self._number + 1
        if joints:
            is_wanted = partial(self._is_current, number)
            self._runner.start(number, partial(_compare, self._checkpoints, joints, is_wanted))

    def _is_current(self, number: int) -> bool:
        """On any thread."""
        return number == self._number

    def _on_checkpoint_changed(self) -> None:
        """Something else may lie under the same REF."""
        self._is_known = False
        self.ask_engine()

    def _on_application_state_changed(self, state: Qt.ApplicationState) -> None:
        """Another program may have replaced files."""
        if state == Qt.ApplicationState.ApplicationActive:
            self.ask_engine()

    def _on_compared(self, number: int, handovers: dict[int, Handover]) -> None:
        if self._is_current(number):
            self._handovers = handovers
            self.changed.emit()

    def _on_failed(self, number: int, error: object) -> None:
        if self._is_current(number):
            self.error_raised.emit(error)


def count_reused(request: Request, keys: frozenset[str]) -> int:
    """How many of the first stages of ``request`` need not be run where the stages of ``keys`` are still there."""
    count = 0
    for key in stage_keys(request)[:-1]:
        if key not in keys:
            break
        count += 1
    return count


def _joints(params: Params, plan: RunPlan) -> Sequence[Joint]:
    """Where one stage that runs meets a card that is on."""
    joints: list[Joint] = []
    before = _last_own_stage(params, plan)
    for index, card in enumerate(params.chain):
        if card.is_on:
            stage = Stage(card.kind, card.checkpoint or params.checkpoint, "", begin=card.begin)
            if before is not None:
                joints.append((index, before, stage))
            before = stage
    return joints


def _last_own_stage(params: Params, plan: RunPlan) -> Stage | None:
    """What runs before the first card: the stage of the controls, or its refiner."""
    if not params.first_stage:
        return None
    own = plan.stages - sum(card.is_on for card in params.chain)
    if own > 1:
        return Stage(plan.kinds[own - 1], params.refiner, "")
    return Stage(plan.kinds[0] if plan.kinds else StageKind.IMAGE_TO_IMAGE, params.checkpoint, "")


def _compare(
    checkpoints: CheckpointStore, joints: Sequence[Joint], is_wanted: Callable[[], bool]
) -> dict[int, Handover]:
    """On the pool. Of a checkpoint that cannot be read, the card itself says why."""
    found: dict[int, Handover] = {}
    for index, before, stage in joints:
        if not is_wanted():
            break
        try:
            paths = [_path(checkpoints, each) for each in (before, stage)]
            found[index] = describe_handover(paths[0], before, paths[1], stage)
        except CheckpointError:
            continue
    return found


def _path(checkpoints: CheckpointStore, stage: Stage) -> Path:
    if stage.kind is StageKind.PIXEL_UPSCALE:
        return Path(stage.checkpoint)
    return checkpoints.describe(stage.checkpoint).path
