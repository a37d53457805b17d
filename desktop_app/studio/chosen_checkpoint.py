"""ChosenCheckpoint: what is known of the checkpoint that paints, and of those that work with it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QObject, Signal

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError, CheckpointMissing, StudioError
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.tokens import KnownCheckpoint, read_checkpoint


class NotRead(Exception):
    """A checkpoint that is asked for is still being read from disk."""


class ChosenCheckpoint(QObject):
    """Lives in the GUI thread; checkpoints are read on the pool. Partners are priors, refiners and those of cards."""

    changed = Signal()
    """More is known, or another was chosen."""

    def __init__(self, checkpoints: CheckpointStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._checkpoints = checkpoints
        self._ref = ""
        self._partners: dict[str, CheckpointInfo | StudioError | None] = {}
        self._reader = self._runner(self._on_read, self._on_failed)
        self._partner_reader = self._runner(self._on_partner_known, self._on_partner_known)
        self.known: KnownCheckpoint | None = None
        """None until it is read, or when it cannot be."""
        self.error: StudioError | None = None
        """Why it cannot be used."""

    @property
    def info(self) -> CheckpointInfo | None:
        """What is known of it; None until it is read, or when it cannot be."""
        return self.known.info if self.known else None

    @property
    def is_read(self) -> bool:
        """Whether it, or why it cannot be used, is known."""
        return self.known is not None or self.error is not None

    @property
    def absent(self) -> set[str]:
        """The REFs, its own and those of partners, of which it is known that they are not on this machine."""
        errors = (self.error, *self._partners.values())
        return {error.ref for error in errors if isinstance(error, CheckpointMissing)}

    def choose(self, ref: str) -> None:
        """Read ``ref``, on the pool."""
        self._ref = ref
        self.known = None
        self.error = None
        self._reader.start(ref, partial(read_checkpoint, ref, self._checkpoints))
        self.changed.emit()

    def read_again(self) -> None:
        """Look anew, at partners too: something was downloaded or removed."""
        self._partners.clear()
        self.choose(self._ref)

    def read_now(self) -> None:
        """Be read, for who cannot wait for the pool."""
        if self.is_read:
            return
        try:
            self.known = KnownCheckpoint(self._checkpoints.describe(self._ref), None)
        except CheckpointError as e:
            self.error = e

    def describe_partner(self, ref: str) -> CheckpointInfo:
        """A partner, as it was read; raises `NotRead`, and `changed` follows, until it is."""
        if ref not in self._partners:
            self._partners[ref] = None
            self._partner_reader.start(ref, partial(self._checkpoints.describe, ref))
        known = self._partners[ref]
        if known is None:
            raise NotRead
        if isinstance(known, StudioError):
            raise known
        return known

    def describe_partner_now(self, ref: str) -> CheckpointInfo:
        """A partner, for who cannot wait for the pool."""
        known = self._partners.get(ref)
        return known if isinstance(known, CheckpointInfo) else self._checkpoints.describe(ref)

    def wait(self) -> None:
        """Block until no thread reads any more."""
        self._reader.wait()
        self._partner_reader.wait()

    def _on_read(self, ref: str, known: KnownCheckpoint) -> None:
        if ref == self._ref:
            self.known = known
            self.changed.emit()

    def _on_failed(self, ref: str, error: StudioError) -> None:
        if ref == self._ref:
            self.error = error
            self.changed.emit()

    def _on_partner_known(self, ref: str, known: CheckpointInfo | StudioError) -> None:
        self._partners[ref] = known
        self.changed.emit()

    def _runner(self, done: Callable[..., None], failed: Callable[..., None]) -> PoolRunner:
        runner = PoolRunner(self)
        runner.finished.connect(done)
        runner.failed.connect(failed)
        return runner
