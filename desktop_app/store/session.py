"""SessionStore: what was open, as small JSON files and pictures that are written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from PIL import Image

from desktop_app.core.errors import ImageError, StoreError
from desktop_app.core.image import load_image
from desktop_app.store.files import make_folder, store_error, sweep_temporary, write_atomic
from desktop_app.store.paths import Paths

logger = logging.getLogger(__name__)

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")


class SessionStore:
    """One JSON file a name in the session folder, and pictures beside them. Any thread; two writes of one name must not
    overlap.
    """

    def __init__(self, paths: Paths) -> None:
        self._folder = paths.session
        self.moved_aside: list[Path] = []
        """Damaged files that were met since the program started, under their new names."""
        sweep_temporary(self._folder)

    def save(self, name: str, data: dict[str, Any]) -> None:
        """Put ``data`` on disk, replacing what was there. Raises `StoreError`; then the old file is untouched."""
        path = self._path(name)
        try:
            text = json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False)
            content = text.encode(errors="backslashreplace")  # JSON's own escape of what UTF-8 cannot write
        except (TypeError, ValueError) as e:
            raise StoreError("The session cannot be written", f"{name}: {e}", "Please report this.") from e
        make_folder(self._folder)
        write_atomic(path, content)

    def load(self, name: str) -> dict[str, Any] | None:
        """What `save` wrote, or None. A damaged file is moved aside, kept, and counts as none.

        Raises `StoreError` when the file is there but the disk refuses to read it.
        """
        path = self._path(name)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise store_error("The session cannot be read", path, e) from e
        try:
            data = json.loads(content)
        except (ValueError, RecursionError):
            data = None
        if isinstance(data, dict):
            return data
        self.set_aside(name)
        return None

    def save_picture(self, name: str, content: bytes) -> None:
        """Put a PNG file's ``content`` on disk under ``name``. Raises `StoreError`."""
        path = self._path(name, ".png")
        make_folder(self._folder)
        write_atomic(path, content)

    def load_picture(self, name: str) -> Image.Image:
        """The picture that `save_picture` wrote. A damaged file is moved aside and kept. Raises `ImageError`."""
        path = self._path(name, ".png")
        try:
            return load_image(path, name)
        except ImageError:
            if path.is_file():
                self.set_aside(name, ".png")
            raise

    def drop_pictures(self, prefix: str, keep: Collection[str]) -> None:
        """Remove the pictures whose names begin with ``prefix``, but those named in ``keep``."""
        for path in self._folder.glob(f"{prefix}*.png"):
            if path.stem not in keep and _NAME.fullmatch(path.stem):
                with contextlib.suppress(OSError):
                    path.unlink()

    def set_aside(self, name: str, suffix: str = ".json") -> None:
        """Keep what is under ``name`` as another file, which no later `save` wipes. Raises `StoreError`."""
        path = self._path(name, suffix)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S-%f")
        aside = path.with_name(f"{path.stem}.damaged-{stamp}{suffix}")
        try:
            os.rename(path, aside)
        except OSError as e:
            raise store_error("A damaged file cannot be moved aside", path, e) from e
        self.moved_aside.append(aside)
        logger.info("%s is damaged and was kept as %s", path.name, aside.name)

    def _path(self, name: str, suffix: str = ".json") -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not the name of a part of the session")
        return self._folder / f"{name}{suffix}"
