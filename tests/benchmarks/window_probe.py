"""Run as a program: opens the window, and tells as JSON how soon it stood and how long it ever stalled.

The first paint is counted from the start of the process. The heart beats every few milliseconds in the window's thread;
the longest pause between two beats is the longest time in which the window could not answer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil
from PySide6.QtCore import QElapsedTimer, QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication

from desktop_app.app import create_window

BEAT_MS = 2
STEPS = 40
PICTURES = 2
SETTLE_MS = 500


class Probe(QObject):
    """Watches one window, and paints with it when given an image."""

    def __init__(self, data_dir: Path, image: Path | None) -> None:
        super().__init__()
        self._image = image
        self._first_paint_s = 0.0
        self._phase = "start"
        self._finished = 0
        self._gaps: dict[str, float] = {}
        self._beats = 0
        self._clock = QElapsedTimer()
        self._heart = QTimer(self)
        self._heart.timeout.connect(self._beat)
        self.window = create_window(data_dir)
        self.window.canvas.installEventFilter(self)
        self.window.jobs.progressed.connect(self._on_progressed)
        self.window.jobs.finished.connect(self._on_finished)
        self.window.document.init_image_changed.connect(self._generate)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The first paint is over once the event loop comes round again."""
        if event.type() == QEvent.Type.Paint and not self._first_paint_s:
            self._first_paint_s = time.time() - psutil.Process().create_time()
            QTimer.singleShot(0, self, self._begin)
        return False

    def _begin(self) -> None:
        if self._image is None:
            self.end()
            return
        self._clock.start()
        self._heart.start(BEAT_MS)
        self.window.document.open_image(self._image)

    def _generate(self) -> None:
        values = {"prompt": "lemon, cartoon icon", "steps": STEPS, "strength": 1.0, "count": PICTURES}
        self.window.document.set_params("Benchmark", **values)
        self.window.commands.generate()

    def _beat(self) -> None:
        gap = self._clock.nsecsElapsed() / 1e6 - BEAT_MS
        self._clock.restart()
        self._beats += 1
        self._gaps[self._phase] = max(self._gaps.get(self._phase, 0.0), round(gap, 1))

    def _on_progressed(self, job) -> None:
        self._phase = job.progress.phase.value

    def _on_finished(self) -> None:
        self._finished += 1
        if self._finished == PICTURES:
            QTimer.singleShot(SETTLE_MS, self, self.end)

    def end(self) -> None:
        """Tell, and close the window."""
        facts = {
            "first_paint_s": round(self._first_paint_s, 2),
            "torch_in_window": "torch" in sys.modules,
            "stalls_by_phase_ms": self._gaps,
            "longest_stall_ms": max(self._gaps.values(), default=0.0),
            "beats": self._beats,
        }
        print(json.dumps(facts), flush=True)
        self.window.close_now()
        QApplication.quit()


def main(data_dir: Path, image: Path | None) -> None:
    """Open the window and watch it until it is closed."""
    app = QApplication([])
    probe = Probe(data_dir, image)
    probe.window.show()
    app.exec()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
