"""Run as a program: opens the window on a data folder and tells, as JSON, how soon it stood and how long it ever stalled.

The first paint is counted from the start of the process. The heart beats every few milliseconds in the window's thread;
the longest pause between two beats is the longest time in which the window could not answer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import psutil

BEAT_MS = 2
GENERATE_STEPS = 40


def main(data_dir: Path, image: Path, *, paint: bool) -> None:
    from PySide6.QtCore import QElapsedTimer, QEvent, QObject, QTimer
    from PySide6.QtWidgets import QApplication

    app = QApplication([])

    from desktop_app.app import create_window

    window = create_window(data_dir)
    facts: dict[str, object] = {}
    clock = QElapsedTimer()

    class FirstPaint(QObject):
        def eventFilter(self, watched: QObject, event: QEvent) -> bool:
            if event.type() == QEvent.Type.Paint and "first_paint_s" not in facts:
                facts["first_paint_s"] = round(time.time() - psutil.Process().create_time(), 2)
                if not paint:
                    QTimer.singleShot(0, end)
                else:
                    clock.start()
                    heart.start(BEAT_MS)
            return False

    gaps: list[tuple[float, str]] = []
    phase = ["start"]

    def beat() -> None:
        gaps.append((clock.nsecsElapsed() / 1e6 - BEAT_MS, phase[0]))
        clock.restart()

    def end() -> None:
        facts["torch_in_window"] = "torch" in sys.modules
        if gaps:
            facts["longest_stall_ms"] = round(max(gaps)[0], 1)
            facts["stalls_by_phase_ms"] = {
                name: round(max(gap for gap, each in gaps if each == name), 1)
                for name in dict.fromkeys(p for _, p in gaps)
            }
            facts["beats"] = len(gaps)
        window.close_now()
        app.quit()

    def opened() -> None:
        window.document.set_params(
            "Benchmark", prompt="lemon, cartoon icon", steps=GENERATE_STEPS, strength=1.0, count=2
        )
        window.commands.generate()

    def progressed(job: object) -> None:
        phase[0] = window.jobs.current.progress.phase.value

    done = []

    def finished(*_: object) -> None:
        done.append(1)
        if len(done) == 2:
            QTimer.singleShot(500, end)

    heart = QTimer()
    heart.timeout.connect(beat)
    window.jobs.progressed.connect(progressed)
    window.jobs.finished.connect(finished)
    window.document.init_image_changed.connect(opened)
    probe = FirstPaint()
    window.canvas.installEventFilter(probe)
    window.show()
    if paint:
        QTimer.singleShot(200, lambda: window.document.open_image(image))
    app.exec()
    print(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), paint=sys.argv[3] == "paint")
