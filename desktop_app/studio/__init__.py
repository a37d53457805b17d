"""Application state and threads: document, queue, worker. QtCore and QtGui, never QtWidgets."""
