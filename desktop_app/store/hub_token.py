"""HubToken: the user's access token for the hub, in the system's keyring where there is one. Never in a file of
ours, a log record or a text.
"""

from __future__ import annotations

import os
import re
import threading
from typing import Any

from desktop_app.core.errors import StoreError

VARIABLE = "HF_TOKEN"
SERVICE, ACCOUNT = "Underpaint", "Hugging Face access token"
_TOKEN = re.compile(r"[\x21-\x7e]{1,512}")


def clean_token(text: str | None) -> str | None:
    """``text`` without the spaces around it; None where it cannot be a token."""
    stripped = (text or "").strip()
    return stripped if _TOKEN.fullmatch(stripped) else None


class HubToken:
    """Usable from any thread. A token that was `set` goes before the one in the environment. The keyring is asked
    once; where it is missing or fails, a token that is set is kept for this run of the program only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_read = False
        self._token: str | None = None
        self._place = ""

    def __repr__(self) -> str:
        return "HubToken()"

    def get(self) -> str | None:
        """The token, or None."""
        return self._read()[0]

    def where(self) -> str:
        """Where the token is kept: "keyring", "memory" (until the program ends), "environment", or "" without one."""
        return self._read()[1]

    def set(self, text: str) -> None:
        """Keep ``text``. Raises `StoreError` when it is no token."""
        token = clean_token(text)
        if token is None:
            hint = "It is one word that begins with hf_; copy it from the settings page of the hub."
            raise StoreError("This is no access token", "It is empty, too long, or has spaces in it", hint)
        is_kept = _ask_keyring("set_password", token) is not None and _ask_keyring("get_password") == (token,)
        with self._lock:
            self._token, self._place, self._is_read = token, "keyring" if is_kept else "memory", True

    def clear(self) -> None:
        """Forget the token, here and in the keyring. One in the environment stays."""
        _ask_keyring("delete_password")
        with self._lock:
            self._token, self._place, self._is_read = None, "", True

    def _read(self) -> tuple[str | None, str]:
        with self._lock:
            if not self._is_read:
                answer = _ask_keyring("get_password")
                self._token = clean_token(answer[0]) if answer else None
                self._place, self._is_read = "keyring" if self._token else "", True
            if self._token is not None:
                return self._token, self._place
        token = clean_token(os.environ.get(VARIABLE))
        return token, "environment" if token else ""


def _ask_keyring(action: str, *secrets: str) -> tuple[Any] | None:
    """The keyring's answer; None where there is none or it fails. Its backends raise exceptions of many libraries,
    and their texts may hold what was asked for: so none is passed on.
    """
    try:
        import keyring

        return (getattr(keyring, action)(SERVICE, ACCOUNT, *secrets),)
    except Exception:
        return None
