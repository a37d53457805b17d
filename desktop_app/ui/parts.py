"""Parts: what app.py hands the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.studio.adapter_shelf import AdapterShelf
from desktop_app.studio.chain_facts import ChainFacts
from desktop_app.studio.checkpoint_model import CheckpointModel
from desktop_app.studio.checkpoint_work import CheckpointWork
from desktop_app.studio.control_deriver import ControlDeriver
from desktop_app.studio.control_pictures import ControlPictures
from desktop_app.studio.document import Document
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.studio.jobs import JobQueue
from desktop_app.studio.lineage_model import LineageModel
from desktop_app.studio.recipe_book import RecipeBook
from desktop_app.studio.settings import Settings
from desktop_app.ui.checkpoint_actions import TokenStore


@dataclass(frozen=True)
class Folders:
    """Folders that the user may want to look into, and the program's own data."""

    data: Path
    checkpoints: Path
    logs: Path
    resources: Path


@dataclass(frozen=True)
class CheckpointParts:
    """What the Checkpoints window works on. ``is_here`` tells whether all of a REF is on this machine; ``is_offline``
    where the program was started with the wish to try no connection.
    """

    model: CheckpointModel
    downloads: Downloads
    work: CheckpointWork
    token: TokenStore
    is_here: Callable[[str], bool]
    is_offline: bool = False


@dataclass(frozen=True)
class ControlParts:
    """What the control images need beside the document."""

    deriver: ControlDeriver
    pictures: ControlPictures


@dataclass(frozen=True)
class Parts:
    """The studio's objects, built by `desktop_app.app`. ``list_checkpoints`` reads the disk: call it on the pool.

    ``close`` ends everything in order, and is called once, when the window has closed.
    """

    document: Document
    chain: ChainFacts
    jobs: JobQueue
    gallery: GalleryModel
    lineage: LineageModel
    settings: Settings
    folders: Folders
    list_checkpoints: Callable[[], Sequence[CheckpointInfo]]
    checkpoints: CheckpointParts
    controls: ControlParts
    adapters: AdapterShelf
    recipes: RecipeBook
    close: Callable[[], None]
