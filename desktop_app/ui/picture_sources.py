"""Pictures that the user brings to a panel: asked for, pasted, dropped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QMimeData, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QWidget

from desktop_app.core.errors import ImageError
from desktop_app.core.image import SUFFIXES
from desktop_app.core.variation import Variation
from desktop_app.studio.opener import Source
from desktop_app.studio.settings import Settings
from desktop_app.ui.canvas_sources import offers_picture, read_drop, read_paste, read_variations


def ask_picture(parent: QWidget, settings: Settings, title: str) -> Path | None:
    """The file of a picture that the user chooses; None where he does not."""
    patterns = " ".join(f"*{suffix}" for suffix in SUFFIXES)
    kinds = _tr("Pictures (%1)").replace("%1", patterns)
    name, _kind = QFileDialog.getOpenFileName(parent, title, settings.get("last_folder"), kinds)
    if not name:
        return None
    settings.set("last_folder", str(Path(name).parent))
    return Path(name)


def pasted_picture() -> Source:
    """The picture on the clipboard. Raises `ImageError` where there is none."""
    source = read_paste(QGuiApplication.clipboard().mimeData())
    if source is None:
        hint = _tr("Copy one first, in a browser or another program.")
        raise ImageError(_tr("There is no picture on the clipboard"), "", hint)
    return source


def dropped_picture(mime: QMimeData, find_variation: Callable[[str], Variation | None]) -> Source | None:
    """The picture that was dropped, be it one of the gallery; None where it was none after all."""
    ids = read_variations(mime)
    variation = find_variation(ids[0]) if ids else None
    return variation.path if variation else read_drop(mime)


def accept_picture(event: QDragEnterEvent) -> None:
    """Let a picture hover, which will be copied; and nothing else."""
    if event.possibleActions() & Qt.DropAction.CopyAction and offers_picture(event.mimeData()):
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
    else:
        event.ignore()


def take_drop(event: QDropEvent) -> QMimeData:
    """What was dropped; its owner keeps his."""
    event.setDropAction(Qt.DropAction.CopyAction)
    event.accept()
    return event.mimeData()


def _tr(text: str) -> str:
    return QCoreApplication.translate("PictureSources", text)
