"""What the user has to type to call the program, for hints that name a command."""

from __future__ import annotations

import os
import shlex

VARIABLE = "UNDERPAINT_COMMAND"
"""Set by whatever starts the program under another name than that of its installed script."""


def typed(command: str) -> str:
    """``command`` behind the program's name, such as "underpaint doctor"."""
    return f"{os.environ.get(VARIABLE) or 'underpaint'} {command}"


def typed_download(ref: str) -> str:
    """What fetches ``ref``, a checkpoint of the hub or a recipe."""
    return typed(f"checkpoints download {shlex.quote(ref)}")
