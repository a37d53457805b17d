"""Fetching the contents of one file: on from where it stopped, hashed while it comes, put in place only when it is
right.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from desktop_app.core.errors import StoreError
from desktop_app.store.files import move_new, store_error, write_atomic
from desktop_app.store.hub_cache import new_hash, part_of
from desktop_app.store.hub_errors import Interrupted, Patience, from_disk, given_up, wrong_bytes
from desktop_app.store.hub_http import Answer, Connections, Origin

CHUNK = 256 * 1024
SYNC_BYTES = 64 * 1024 * 1024
"""So often a growing part is put on disk for good: else the last sync would take long, and no cancel ends that."""

_ROUNDS = 2
"""Wrong contents are fetched once more."""


class _Wrong(Exception):
    """What the server has is not what was listed."""


@dataclass(frozen=True)
class Source:
    """Where contents come from, and what they have to be. ``name`` is their hash, ``size`` their bytes; ``token``
    is for ``home`` alone.
    """

    repo: str
    path: str
    url: str
    name: str
    size: int
    home: Origin
    token: str | None = field(default=None, repr=False)


class PartFetcher:
    """Fetches one blob into ``folder``, on one thread. ``count`` is told how many of its bytes are here."""

    def __init__(
        self, source: Source, folder: Path, connections: Connections, patience: Patience, count: Callable[[int], None]
    ) -> None:
        self._source = source
        self._blob = folder / source.name
        self._part = part_of(self._blob)
        self._tag = self._part.with_name(f"{self._part.name}.etag")
        self._connections = connections
        self._patience = patience
        self._count = count
        self._have = 0
        self._best = 0
        self._unsynced = 0
        self._digest: Any = None

    def run(self) -> None:
        """Have the blob when this returns. Raises `Cancelled` (the part stays), `CheckpointError`, `Refused`."""
        try:
            for _ in range(_ROUNDS):
                with contextlib.suppress(_Wrong):
                    self._gather()
                    self._put_in_place()
                    return
                self._drop()
            raise wrong_bytes(self._source.repo, self._source.path)
        except StoreError as e:
            raise from_disk(e) from e
        except OSError as e:
            raise from_disk(store_error("The checkpoint cannot be written", self._part, e)) from e

    def _gather(self) -> None:
        """Have all bytes in the part, over as many connections as it takes."""
        tries, self._best = 0, 0
        descriptor = _open(self._part)
        try:
            self._read_what_is_here(descriptor)
            while self._have < self._source.size:
                best = self._best
                try:
                    self._transfer(descriptor)
                except Interrupted as e:
                    tries = 1 if self._best > best else tries + 1
                    if tries >= self._patience.tries:
                        raise given_up(e, self._source.url, self._source.path) from e
                    self._connections.wait(self._patience.delay(tries, e.wait_s))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def _read_what_is_here(self, descriptor: int) -> None:
        """Hash the bytes of an earlier time."""
        self._restart(descriptor, keep=os.fstat(descriptor).st_size)
        os.lseek(descriptor, 0, os.SEEK_SET)
        position = 0
        while position < self._have and (chunk := os.read(descriptor, CHUNK * 4)):
            self._digest.update(chunk)
            position += len(chunk)
            self._connections.check()
        self._have = position
        self._found(0)

    def _restart(self, descriptor: int, *, keep: int = 0) -> None:
        """Forget what is here, but the first ``keep`` bytes, which have to be hashed then."""
        self._have = keep if keep <= self._source.size else 0
        os.ftruncate(descriptor, self._have)
        self._digest = new_hash(self._source.name, self._source.size)

    def _transfer(self, descriptor: int) -> None:
        """One connection's worth of bytes. Raises `Interrupted`, `_Wrong`."""
        source, headers = self._source, {}
        if self._have:
            headers["Range"] = f"bytes={self._have}-"
            if tag := self._read_tag():
                headers["If-Range"] = tag
        with self._connections.get(source.url, token=source.token, home=source.home, headers=headers) as answer:
            self._place(descriptor, answer)
            while self._have < source.size:
                chunk = answer.read(min(CHUNK, source.size - self._have))
                if not chunk:
                    raise Interrupted("the connection was cut")
                self._write(descriptor, chunk)

    def _place(self, descriptor: int, answer: Answer) -> None:
        """Be where the bytes of ``answer`` begin; raises `_Wrong` when they cannot be those that were listed."""
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise Interrupted("the server sends it packed")
        start = 0
        if answer.status == 206:
            match = re.fullmatch(r"bytes (\d{1,18})-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
            if match is None or int(match[1]) != self._have:
                raise Interrupted("the server sends another part than was asked for")
            start = self._have
            if match[2] not in ("*", str(self._source.size)):
                raise _Wrong
        elif answer.status == 416 or answer.length not in (None, self._source.size):
            raise _Wrong
        if start != self._have:
            self._restart(descriptor)
        self._write_tag(answer)

    def _write(self, descriptor: int, chunk: bytes) -> None:
        view = memoryview(chunk)
        os.lseek(descriptor, self._have, os.SEEK_SET)
        while view:
            view = view[os.write(descriptor, view) :]
        self._digest.update(chunk)
        self._unsynced += len(chunk)
        if self._unsynced >= SYNC_BYTES:
            os.fsync(descriptor)
            self._unsynced = 0
        self._found(len(chunk))

    def _found(self, count: int) -> None:
        self._have += count
        self._best = max(self._best, self._have)
        self._count(self._have)

    def _put_in_place(self) -> None:
        if self._digest.hexdigest() != self._source.name:
            raise _Wrong
        self._blob.unlink(missing_ok=True)
        move_new(self._part, self._blob)
        self._tag.unlink(missing_ok=True)

    def _drop(self) -> None:
        self._have = 0
        self._count(0)
        self._part.unlink(missing_ok=True)
        self._tag.unlink(missing_ok=True)

    def _read_tag(self) -> str:
        """What the server called this state of the file; empty where it did not, or not in a way that can be asked
        for.
        """
        with contextlib.suppress(OSError, ValueError):
            text = self._tag.read_text(encoding="ascii")
            return text if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', text) else ""
        return ""

    def _write_tag(self, answer: Answer) -> None:
        tag = answer.headers.get("ETag", "")
        if not tag.isascii() or tag.startswith("W/"):
            tag = ""
        if tag != self._read_tag():
            write_atomic(self._tag, tag.encode())


def _open(part: Path) -> int:
    """The part, to read and write; never through a link."""
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    return os.open(part, flags, 0o600)
