"""Tool tips of foreign words. Qt takes a text that looks like HTML for HTML, and would fetch the pictures it names."""

from __future__ import annotations

import html


def plain_tip(text: str) -> str:
    """``text`` so that a tool tip shows it as it is, lines kept."""
    return f'<span style="white-space: pre-wrap">{html.escape(text)}</span>' if text else ""
