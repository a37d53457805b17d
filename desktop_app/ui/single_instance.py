"""SingleInstance: one window for one data directory; a second start hands its pictures over to the first."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

MAX_MESSAGE = 64 * 1024
"""Bytes. Who sends more is not a second start of this program."""

TIMEOUT_MS = 2000
MAX_CALLERS = 8


class SingleInstance(QObject):
    """Owns the lock in the data directory and the socket on which later starts call. Lives in the GUI thread."""

    called = Signal(list)
    """Another start handed over its pictures (paths, maybe none): come to the front and open them."""

    def __init__(self, data_dir: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = QLockFile(str(data_dir / "window.lock"))
        self._lock.setStaleLockTime(0)
        self._name = _socket_name(data_dir)
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.setMaxPendingConnections(MAX_CALLERS)
        self._server.newConnection.connect(self._on_new_connection)
        self._texts: dict[QLocalSocket, bytes] = {}

    def claim(self) -> bool:
        """Become the one window of the data directory; False where another lives."""
        if not self._lock.tryLock(0):
            return False
        QLocalServer.removeServer(self._name)
        self._server.listen(self._name)
        return True

    def call_other(self, images: list[Path]) -> bool:
        """Hand ``images`` to the window that lives; whether it listened."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(TIMEOUT_MS):
            return False
        socket.write(json.dumps([str(path.absolute()) for path in images]).encode() + b"\n")
        is_sent = socket.waitForBytesWritten(TIMEOUT_MS)
        socket.disconnectFromServer()
        return is_sent

    def release(self) -> None:
        """Let the next start be the one window."""
        self._server.close()
        self._lock.unlock()

    def _on_new_connection(self) -> None:
        while (socket := self._server.nextPendingConnection()) is not None:
            self._texts[socket] = b""
            socket.readyRead.connect(self._on_ready_read)
            socket.disconnected.connect(self._on_disconnected)
            self._read(socket)

    def _on_ready_read(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket):
            self._read(socket)

    def _on_disconnected(self) -> None:
        socket = self.sender()
        if isinstance(socket, QLocalSocket):
            self._texts.pop(socket, None)
            socket.deleteLater()

    def _read(self, socket: QLocalSocket) -> None:
        text = self._texts.get(socket, b"") + bytes(socket.readAll().data())
        if len(text) > MAX_MESSAGE:
            socket.abort()
            return
        self._texts[socket] = text
        if text.endswith(b"\n"):
            socket.disconnectFromServer()
            paths = read_message(text)
            if paths is not None:
                self.called.emit(paths)


def read_message(text: bytes) -> list[Path] | None:
    """The paths that a second start sent, or None where it was something else."""
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) and "\0" not in name for name in names):
        return None
    return [Path(name) for name in names]


def _socket_name(data_dir: Path) -> str:
    """A socket in a folder only this user can enter where the system has one; a name of its own for each folder."""
    digest = hashlib.sha256(str(data_dir.absolute()).encode()).hexdigest()[:16]
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return str(Path(folder) / f"underpaint-{digest}")
