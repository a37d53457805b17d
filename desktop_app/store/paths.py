"""Where files live: the user's data folder and what the program brought along. The only place that knows."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import platformdirs

from desktop_app.core.errors import StoreError
from desktop_app.store.files import TEMPORARY_SUFFIX, make_folder, store_error

APP_NAME = "underpaint"
DATA_DIR_VARIABLE = "UNDERPAINT_DATA_DIR"


@dataclass(frozen=True)
class Paths:
    """The folders of one user. Nothing is made before `ensure`."""

    data_dir: Path

    @property
    def checkpoints(self) -> Path:
        """Folders in diffusers layout, imported files, and what was fetched, in the layout of the hub's cache."""
        return self.data_dir / "checkpoints"

    @property
    def all_converted(self) -> Path:
        """What became of fetched checkpoints whose weights were pickles, a folder each."""
        return self.checkpoints / "converted"

    def converted(self, ref: str) -> Path:
        """Where the hub's checkpoint ``ref`` lies after its pickles were converted."""
        return self.all_converted / quote(ref, safe="")

    @property
    def adapters(self) -> Path:
        """Adapters that were imported, and image encoders for them."""
        return self.data_dir / "adapters"

    @property
    def recipes(self) -> Path:
        """The user's own recipes."""
        return self.data_dir / "recipes"

    @property
    def gallery(self) -> Path:
        """Pictures, in one folder a year, and the database."""
        return self.data_dir / "gallery"

    @property
    def database(self) -> Path:
        """The index of the gallery."""
        return self.gallery / "gallery.db"

    @property
    def inits(self) -> Path:
        """Init images, named by the hash of their pixels."""
        return self.gallery / "inits"

    @property
    def thumbnails(self) -> Path:
        """Small copies that are made again when they are gone."""
        return self.gallery / "thumbnails"

    @property
    def trash(self) -> Path:
        """Pictures that the user threw away and can still have back."""
        return self.gallery / "trash"

    @property
    def session(self) -> Path:
        """What was open: document, queue, settings."""
        return self.data_dir / "session"

    @property
    def logs(self) -> Path:
        """The program's log."""
        return self.data_dir / "logs"

    def ensure(self) -> None:
        """Make the folders, readable by the user alone. Raises `StoreError` when one cannot be written to."""
        for folder in (
            self.data_dir,
            self.checkpoints,
            self.adapters,
            self.recipes,
            self.gallery,
            self.inits,
            self.thumbnails,
            self.trash,
            self.session,
            self.logs,
        ):
            make_folder(folder)
        for folder in (self.data_dir, self.gallery, self.session):
            _check_writable(folder)


def user_paths(data_dir: Path | None = None) -> Paths:
    """The folders under ``data_dir``, else under UNDERPAINT_DATA_DIR, else where the platform keeps users' data."""
    chosen = data_dir or os.environ.get(DATA_DIR_VARIABLE) or platformdirs.user_data_dir(APP_NAME, appauthor=False)
    return Paths(Path(os.path.abspath(Path(chosen).expanduser())))


def resources_dir() -> Path:
    """What the program brought along: in a source tree, in an installed wheel, or in a frozen bundle."""
    package = Path(__file__).resolve().parent.parent
    frozen = getattr(sys, "_MEIPASS", None)
    places = [Path(frozen) / "resources"] if frozen else [package / "_resources", package.parent / "resources"]
    for place in places:
        if place.is_dir():
            return place
    raise StoreError("The program's own files are missing", str(places[-1]), "Install Underpaint again.")


def _check_writable(folder: Path) -> None:
    probe = folder / f".probe-{os.getpid()}{TEMPORARY_SUFFIX}"
    try:
        probe.touch(mode=0o600)
        probe.unlink()
    except OSError as e:
        raise store_error("The data folder cannot be written to", folder, e) from e
