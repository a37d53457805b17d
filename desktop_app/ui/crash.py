"""CrashReporter: the last net. What nobody caught is logged and shown with a text to copy; Qt's messages are logged."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

from PySide6.QtCore import QMessageLogContext, QObject, Qt, QtMsgType, Signal, qInstallMessageHandler
from PySide6.QtWidgets import QApplication, QDialog

from desktop_app.core.errors import InternalError
from desktop_app.ui.dialogs import DetailsDialog

log = logging.getLogger("desktop_app.crash")

LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
    QtMsgType.QtCriticalMsg: logging.ERROR,
    QtMsgType.QtFatalMsg: logging.CRITICAL,
}


class CrashReporter(QObject):
    """Lives in the GUI thread. `install` takes the hooks of the interpreter over, `remove` gives them back."""

    caught = Signal(object)
    """An `InternalError`; emitted from whichever thread it happened in."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._dialog: QDialog | None = None
        self.caught.connect(self._on_caught, Qt.ConnectionType.QueuedConnection)

    def install(self) -> None:
        """Watch this process."""
        sys.excepthook = self.report
        threading.excepthook = self._report_thread
        qInstallMessageHandler(log_qt_message)

    def remove(self) -> None:
        """Watch no more."""
        sys.excepthook = sys.__excepthook__
        threading.excepthook = threading.__excepthook__
        qInstallMessageHandler(None)

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Log ``error`` and show it; an interrupt from the keyboard closes the program instead."""
        if issubclass(kind, KeyboardInterrupt):
            QApplication.quit()
            return
        text = "".join(traceback.format_exception(kind, error, trace))
        log.critical("Unexpected error\n%s", text)
        self.caught.emit(
            InternalError(
                f"Something went wrong inside the program ({kind.__name__})",
                text,
                "Your work is kept. If it happens again, please report it with the text above.",
            )
        )

    def _report_thread(self, args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            self.report(args.exc_type, args.exc_value, args.exc_traceback)

    def _on_caught(self, error: InternalError) -> None:
        """One dialog at a time: a fault that repeats must not bury the window; the log has them all."""
        if self._dialog is not None and self._dialog.isVisible():
            return
        self._dialog = DetailsDialog(error, QApplication.activeWindow())
        self._dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
        self._dialog.open()


def log_qt_message(kind: QtMsgType, context: QMessageLogContext, message: str) -> None:
    """Write one message of Qt to the log."""
    logging.getLogger("desktop_app.qt").log(LEVELS.get(kind, logging.WARNING), "%s: %s", context.category, message)
