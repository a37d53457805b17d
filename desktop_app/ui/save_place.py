"""Asks where a file shall be written."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget


def ask_where(parent: QWidget, title: str, proposal: Path, kind: str) -> Path | None:
    """The file that the user names, with the suffix of ``proposal``; None where he thinks better of it. ``kind`` is a
    filter of `QFileDialog`, which asks before a file is replaced, but does not know of a suffix that is added.
    """
    name, _kind = QFileDialog.getSaveFileName(parent, title, str(proposal), kind)
    if not name or Path(name).suffix.lower() == proposal.suffix:
        return Path(name) if name else None
    path = Path(f"{name}{proposal.suffix}")
    if path.exists():
        words = QCoreApplication.translate("SavePlace", "%1 is there already. Replace it?").replace("%1", path.name)
        if QMessageBox.question(parent, title, words) != QMessageBox.StandardButton.Yes:
            return None
    return path
