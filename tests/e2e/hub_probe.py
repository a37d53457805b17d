"""Run as a program: a user who picks a recipe, downloads what it needs and paints. Tells each step as a line of JSON.

Arguments: the data folder, the recipe's name, steps of the picture. What an earlier run left is resumed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from desktop_app.app import create_window
from desktop_app.studio.downloads import DownloadState


class Probe(QObject):
    """Waits for each thing to be there, and does the next."""

    def __init__(self, data_dir: Path, recipe: str, steps: int) -> None:
        super().__init__()
        self._recipe, self._steps = recipe, steps
        self.window = create_window(data_dir)
        self._downloads = self.window.parts.checkpoints.downloads
        self._downloads.changed.connect(self._on_changed)
        self._downloads.failed.connect(lambda ref, error: self._fail(error))
        self.window.jobs.failed.connect(lambda job, error: self._fail(error))
        self.window.jobs.finished.connect(self._on_finished)
        self.window.document.checkpoint_changed.connect(self._on_checkpoint_changed)
        self.window.first_painted.connect(self._begin)
        self._is_asked = self._is_painting = False

    def _begin(self) -> None:
        combo = self.window.prompt_panel.recipe
        combo.setCurrentIndex(combo.findData(self._recipe))
        combo.activated.emit(combo.currentIndex())

    def _on_checkpoint_changed(self) -> None:
        document = self.window.document
        if document.params.recipe != self._recipe:
            return
        if document.missing and not self._is_asked:
            self._is_asked = True
            QTimer.singleShot(300, self, self._download)
        elif document.checkpoint_info and not self._is_painting:
            self._is_painting = True
            tell(step="here", family=document.checkpoint_info.family)
            document.set_params("Quick", prompt="the cat", steps=self._steps, seed=7)
            QTimer.singleShot(0, self, self.window.commands.generate)

    def _download(self) -> None:
        """What an earlier run left stands there paused, with its bytes."""
        for download in self._downloads.all:
            done = download.progress.done if download.progress else 0
            tell(step="left", state=download.state.value, done=done)
        self.window.prompt_panel.download.click()

    def _on_changed(self, ref: str) -> None:
        download = self._downloads.find(ref)
        if download and download.state is DownloadState.RUNNING and download.progress:
            tell(step="downloading", done=download.progress.done, total=download.progress.total)

    def _on_finished(self, _job: object, variation) -> None:
        tell(step="painted", path=str(variation.path), checkpoint=variation.request.stages[0].checkpoint)
        self._end(0)

    def _fail(self, error: object) -> None:
        tell(step="failed", error=str(error))
        self._end(1)

    def _end(self, status: int) -> None:
        self.window.close_now()
        QApplication.exit(status)


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    app = QApplication(sys.argv[:1])
    probe = Probe(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
    probe.window.show()
    sys.exit(app.exec())
