"""Where Tab goes: what is made later than the window comes last in it, wherever it lies, unless it is put in turn."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget


def put_in_turn(*widgets: QWidget) -> None:
    """Let Tab go through ``widgets`` in this order, and in each through what is in it, in the order it has there."""
    last: QWidget | None = None
    for widget in widgets:
        for stop in _stops(widget):
            if last is not None:
                QWidget.setTabOrder(last, stop)
            last = stop


def _stops(widget: QWidget) -> list[QWidget]:
    """What in ``widget``, itself included, takes the keyboard by Tab."""
    chain, each = [widget], widget.nextInFocusChain()
    while each is not None and each is not widget:
        chain.append(each)
        each = each.nextInFocusChain()
    return [
        each
        for each in chain
        if (each is widget or widget.isAncestorOf(each))
        and each.focusPolicy() & Qt.FocusPolicy.TabFocus
        and each.focusProxy() is None
    ]
