"""CloseUp: where a run that paints the masked part alone will look."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.core.masking import seen_box
from desktop_app.core.placement import Placement, Size, close_up
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.qimage import from_grey


@dataclass(frozen=True)
class _Question:
    """All that decides where the close-up lies; ``revision`` is the mask's."""

    revision: int
    working: Size
    feather: int
    padding: int


class CloseUp(QObject):
    """Lives in the GUI thread; the mask, which may be large, is looked through on the pool. The newest question
    counts.
    """

    found = Signal()
    """`look` knows the answer now."""

    def __init__(self, mask: MaskLayer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._mask = mask
        self._question: _Question | None = None
        self._answer: Placement | None = None
        self._runner = PoolRunner(self)
        self._runner.finished.connect(self._on_finished)
        self._runner.failed.connect(self._on_failed)

    @property
    def is_looking(self) -> bool:
        """Whether there is no answer yet."""
        return self._question is not None and self._answer is None

    def look(self, working: Size, feather: int, padding: int) -> Placement | None:
        """What of the picture is seen at the size ``working``, or was until now; None until that is `found`."""
        question = _Question(self._mask.revision, working, feather, padding)
        mask = self._mask.snapshot()
        if question != self._question and mask is not None:
            self._question = question
            if self._answer and (self._answer.source, self._answer.working) != (mask.size().toTuple(), working):
                self._answer = None
            self._runner.start(question, lambda: _look(mask, question))
        return self._answer

    def forget(self) -> None:
        """Nobody asks any more."""
        self._question = self._answer = None

    def close(self) -> None:
        """Wait for what goes on in the background."""
        self.forget()
        self._runner.wait()

    def _on_finished(self, question: _Question, answer: Placement) -> None:
        if question == self._question:
            self._answer = answer
            self.found.emit()

    def _on_failed(self, question: _Question) -> None:
        """Memory is short: the run will say it."""
        if question == self._question:
            self.forget()


def _look(snapshot: QImage, question: _Question) -> Placement:
    """As `Frames.view` does it, in the run."""
    mask = from_grey(snapshot)
    return close_up(seen_box(mask, question.feather, question.padding), mask.size, question.working)
