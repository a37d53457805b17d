"""GarbageCollector: Python's collection of cycles, kept to the GUI thread.

Left to itself it runs in whichever thread allocates next. A QObject that is collected there dies in the wrong thread,
which Qt answers with a warning, or with a crash.
"""

from __future__ import annotations

import gc

from PySide6.QtCore import QObject, QTimer

INTERVAL_MS = 2000


class GarbageCollector(QObject):
    """Lives in the GUI thread, one in a process. What exists when it begins is taken to stay and is not looked at."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        gc.collect()
        gc.freeze()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(INTERVAL_MS)

    def collect(self) -> None:
        """Collect the oldest generation that is due, by Python's own thresholds."""
        due = [generation for generation in (2, 1, 0) if gc.get_count()[generation] > gc.get_threshold()[generation]]
        if due:
            gc.collect(due[0])

    def close(self) -> None:
        """Let Python decide again."""
        self._timer.stop()
        gc.enable()
        gc.unfreeze()
