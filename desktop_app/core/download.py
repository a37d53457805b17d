"""Downloads of checkpoints: what would be fetched, and how far it is. The store does the work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One file of a repository. ``size`` in bytes; ``sha256`` of its bytes, empty for a small file, which has only
    ``git_sha1``, the sha-1 that git gives it.
    """

    path: str
    size: int
    git_sha1: str
    sha256: str = ""


@dataclass(frozen=True)
class DownloadPlan:
    """What fetching the checkpoint ``ref`` takes: the needed files of the repository at ``commit``, and how many of
    their bytes are here already. ``is_pickled``: its weights exist only in an unsafe format, and have to be converted
    once before they can be used.
    """

    ref: str
    commit: str
    files: tuple[RemoteFile, ...]
    present_bytes: int = 0
    is_pickled: bool = False
    licence: str = ""

    @property
    def total_bytes(self) -> int:
        """Of all files, whether they are here or not."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class DownloadProgress:
    """``done`` of ``total`` bytes are here; ``rate`` in bytes a second and ``seconds_left`` are None while unknown."""

    done: int
    total: int
    rate: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True)
class UnfinishedDownload:
    """A download of which ``done`` of ``total`` bytes are here, from this start of the program or one before."""

    ref: str
    done: int
    total: int


ReportDownload = Callable[[DownloadProgress], None]
