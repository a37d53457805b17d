"""Windows on a data folder, with the real engine in its own process, or with one that needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QWidget

from desktop_app.app import create_window
from desktop_app.core.engine import Engine
from desktop_app.ui.main_window import MainWindow


@pytest.fixture
def open_window(qtbot, data_dir: Path) -> Iterator[Callable[..., MainWindow]]:
    """Opens windows on the same data folder, one after the other; ``close()`` on one makes place for the next."""
    windows: list[MainWindow] = []

    def open_one(engine: Engine | None = None) -> MainWindow:
        window = create_window(data_dir, engine=engine)
        windows.append(window)
        window.resize(1280, 800)
        window.show()
        qtbot.waitExposed(window)
        qtbot.waitUntil(lambda: window.document.checkpoint_info is not None)
        return window

    yield open_one
    for window in windows:
        window.close_now()
        window.deleteLater()


def drop_file(widget: QWidget, *paths: Path) -> None:
    """Send ``widget`` what it gets when files are dropped on its middle from a file manager."""
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    at = QPoint(widget.width() // 3, widget.height() // 2)
    buttons, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(at, Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(widget, enter)
    assert enter.isAccepted()
    drop = QDropEvent(QPointF(at), Qt.DropAction.CopyAction, data, buttons, keys)
    QApplication.sendEvent(widget, drop)
    assert drop.isAccepted()


@pytest.fixture
def drop() -> Callable[..., None]:
    return drop_file
