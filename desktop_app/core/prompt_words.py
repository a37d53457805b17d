"""What a word and a number are in a prompt, as patterns."""

from __future__ import annotations

NUMBER = r"(?:\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})"
LETTER = r"[^\s()\[\]{}<>|\\,.;:!?\"+\-]"
TOKEN = r"<[^\s()\[\]{}<>|\\,:\"]+>"
"""The word of a textual inversion, as most are called."""

WORD = rf"(?:{TOKEN}|{LETTER}(?:{LETTER}|-(?={LETTER}))*)"
