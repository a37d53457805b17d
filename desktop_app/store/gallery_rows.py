"""Rows of the gallery's database, to and from `Variation`; and the names that pictures get."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import unicodedata
import zlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from desktop_app.core.errors import ImageError, RequestError
from desktop_app.core.image import read_texts
from desktop_app.core.request import Request
from desktop_app.core.variation import PROGRAM_KEY, ChainPlace, Variation, read_variation
from desktop_app.store.gallery_schema import fold
from desktop_app.store.paths import Paths

SELECT = """
    SELECT v.*, p.id AS parent_id, p.file AS parent_file, p.trashed AS parent_trashed,
        (SELECT count(*) FROM variations c WHERE c.chain_id = v.id AND c.is_stage AND c.trashed = v.trashed)
        AS intermediates
    FROM variations v LEFT JOIN variations p ON p.key = (
        SELECT min(q.key) FROM variations q
        WHERE q.pixels_sha256 = v.init_sha256 AND q.key < v.key AND q.chain_id IS NOT v.id)
"""
"""The parent is the earliest variation that has the init image's pixels, or those of what was given new room to make
it, as ``init_sha256`` says; an earlier key rules out circles."""

_HAS_FINAL = """
    EXISTS (SELECT 1 FROM variations f WHERE f.id = variations.chain_id AND f.chain_id IS NULL
        AND f.trashed = variations.trashed)
"""

MAX_SLUG_BYTES = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_IEND = b"IEND\xae\x42\x60\x82"


class RowDamaged(Exception):
    """A row is not as it was written."""


def new_id() -> str:
    """A name for a variation that no other has."""
    return secrets.token_hex(8)


def file_name(request: Request, variation_id: str, created: datetime, place: ChainPlace | None = None) -> str:
    """Path below the gallery's folder, with "/": readable, unique, and allowed on every system."""
    local = created.astimezone()
    stage = f"stage-{place.stage + 1}" if place else ""
    parts = (local.strftime("%Y-%m-%d_%H%M%S"), _slug(request.stages[0].prompt), str(request.seed), stage, variation_id)
    return f"{local:%Y}/{'_'.join(part for part in parts if part)}.png"


def _slug(prompt: str) -> str:
    """Letters and digits of ``prompt``, in any script, with "-" for all between them."""
    kept = "".join(char if unicodedata.category(char)[0] in "LNM" else " " for char in prompt[:200].lower())
    slug = "-".join(unicodedata.normalize("NFC", kept).split())
    return slug.encode()[:MAX_SLUG_BYTES].decode(errors="ignore").rstrip("-")


def microseconds(moment: datetime) -> int:
    """``moment`` as the database keeps it."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def picture_path(paths: Paths, file: str, *, trashed: bool) -> Path:
    """Where the picture with that row lies."""
    return (paths.trash if trashed else paths.gallery) / file


def insert(connection: sqlite3.Connection, variation: Variation, file: str, record: str) -> None:
    """Add the row and the words it is found by."""
    request = variation.request
    cursor = connection.execute(
        "INSERT INTO variations (id, file, created, width, height, pixels_sha256, init_sha256, record, checksum, stars,"
        " trashed, chain_id, stage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            variation.id,
            file,
            microseconds(variation.created),
            *variation.size,
            variation.pixels_sha256,
            request.init_image.ancestor.sha256 if request.init_image else None,
            record,
            _checksum(variation.id, record),
            variation.stars,
            variation.trashed,
            variation.chain_id,
            variation.stage,
        ),
    )
    connection.execute("INSERT INTO words (rowid, text) VALUES (?, ?)", (cursor.lastrowid, _words(request)))


def link_chains(connection: sqlite3.Connection, chain_id: str | None = None) -> None:
    """Find out anew which pictures of stages have their final picture beside them: of one chain, or of all."""
    where, values = ("chain_id IS NOT NULL", ()) if chain_id is None else ("chain_id = ?", (chain_id,))
    found = f"UPDATE variations SET is_stage = {_HAS_FINAL} WHERE {where} AND is_stage IS NOT {_HAS_FINAL}"
    connection.execute(found, values)


def delete(connection: sqlite3.Connection, key: int) -> None:
    """Take the row and its words out."""
    connection.execute("DELETE FROM words WHERE rowid = ?", (key,))
    connection.execute("DELETE FROM variations WHERE key = ?", (key,))


def read_row(paths: Paths, row: sqlite3.Row) -> Variation:
    """The variation of a row of `SELECT`. Raises `RowDamaged`."""
    file, trashed = str(row["file"]), bool(row["trashed"])
    path = picture_path(paths, file, trashed=trashed)
    thumbnail = paths.thumbnails / f"{row['id']}.jpg"
    if row["checksum"] != _checksum(row["id"], row["record"]):
        raise RowDamaged(row["id"])
    try:
        made = read_variation(row["record"], path, lambda sha256: _image_path(paths, row, sha256))
    except RequestError as e:
        raise RowDamaged(row["id"]) from e
    return Variation(
        **{
            **made.__dict__,
            "id": row["id"],
            "stars": int(row["stars"]),
            "parent_id": row["parent_id"],
            "thumbnail": thumbnail if thumbnail.is_file() else None,
            "trashed": trashed,
            "missing": not path.is_file(),
            "chain": made.chain if row["is_stage"] else None,
            "intermediates": int(row["intermediates"]),
        }
    )


def read_picture(path: Path) -> tuple[Variation, str]:
    """The variation that the file ``path`` tells of, and its record. Raises `ImageError`, `RequestError`.

    One that was made outside of a gallery has no id, and gets the same one whenever it is read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-len(_IEND), 2)
            is_whole = file.read() == _IEND
    except OSError as e:
        raise ImageError("The picture cannot be read", str(e), "") from e
    if not is_whole:
        raise ImageError("The picture is cut off", path.name, "")
    record = read_texts(path).get(PROGRAM_KEY)
    if record is None:
        raise RequestError("Underpaint did not make this picture", path.name, "")
    variation = read_variation(record, path)
    own_id = variation.id or hashlib.sha256(record.encode()).hexdigest()[:16]
    return replace(variation, id=own_id), record


def _image_path(paths: Paths, row: sqlite3.Row, sha256: str) -> Path:
    if row["parent_file"] is not None and sha256 == row["init_sha256"]:
        parent = picture_path(paths, row["parent_file"], trashed=bool(row["parent_trashed"]))
        if parent.is_file():
            return parent
    return paths.inits / f"{sha256}.png"


def _checksum(variation_id: str, record: str) -> int:
    return zlib.crc32(f"{variation_id}\n{record}".encode("utf-8", "surrogatepass"))


def _words(request: Request) -> str:
    texts = [stage.prompt for stage in request.stages]
    if request.init_image:
        texts.append(request.init_image.name)
    return fold("\n".join(texts))
