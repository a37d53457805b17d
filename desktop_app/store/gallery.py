"""GalleryStore: every finished picture, with what is needed to find it and to make it again.

A picture is a PNG that carries its own request; the database is an index that can be made anew from the pictures.
"""

from __future__ import annotations

import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image
from send2trash import send2trash

from desktop_app.core.engine import Result
from desktop_app.core.errors import ImageError, StoreError, StudioError
from desktop_app.core.image import encode_png, flatten, load_image, thumbnail
from desktop_app.core.mask import EncodedMask
from desktop_app.core.request import ImageRef, Request, hash_pixels
from desktop_app.core.variation import Variation
from desktop_app.store import gallery_rows as rows
from desktop_app.store.files import make_folder, move_new, write_atomic, write_new
from desktop_app.store.gallery_lock import GalleryLock
from desktop_app.store.gallery_pictures import NewPicture, new_pictures
from desktop_app.store.gallery_recovery import RecoveryReport, open_recovered, reconcile
from desktop_app.store.gallery_schema import database_error, match_expression, transaction
from desktop_app.store.paths import Paths

logger = logging.getLogger(__name__)

THUMBNAIL_SIDE = 256
MAX_STARS = 5

Before = tuple[datetime, str]
"""Where a page begins: (created, id) of the last variation of the page before."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class GalleryStore:
    """Any thread may call; one connection behind one lock. Raises `StoreError` where the disk refuses.

    ``recovery`` tells what `open` had to put right.
    """

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._lock = threading.RLock()
        self._file_lock = GalleryLock(paths.gallery / "gallery.lock")
        self._connection: sqlite3.Connection | None = None
        self.recovery = RecoveryReport()

    def open(self) -> None:
        """Take the gallery for this program and put right what a crash or another program left. May take seconds."""
        with self._lock:
            if self._connection:
                return
            self._paths.ensure()
            self._file_lock.acquire()
            self.recovery = RecoveryReport()
            try:
                self._connection = open_recovered(self._paths, self.recovery)
            except sqlite3.Error as e:
                raise database_error(e, self._paths.database) from e
            finally:
                if not self._connection:
                    self._file_lock.release()

    def close(self) -> None:
        """Let the gallery go; does nothing when it is not open."""
        with self._lock:
            if self._connection:
                self._connection.close()
                self._connection = None
            self._file_lock.release()

    # Pictures that others refer to -----------------------------------------------------------------

    def keep_init_image(self, image: Image.Image, name: str) -> ImageRef:
        """Keep the pixels of ``image`` (RGB or RGBA) for as long as the gallery lives; the same pixels only once."""
        return self._keep(hash_pixels(image), image.size, lambda: encode_png(image), name)

    def keep_mask(self, mask: EncodedMask, name: str) -> ImageRef:
        """As `keep_init_image`."""
        return self._keep(mask.sha256, mask.size, lambda: mask.content, name)

    def _keep(self, sha256: str, size: tuple[int, int], encode: Callable[[], bytes], name: str) -> ImageRef:
        path = self._paths.inits / f"{sha256}.png"
        if not path.is_file():
            write_atomic(path, encode())
        return ImageRef(sha256, size, path, name)

    def find_image(self, sha256: str) -> Path | None:
        """The file with those pixels: an init image or a variation."""
        if not _SHA256.fullmatch(sha256):
            return None
        init = self._paths.inits / f"{sha256}.png"
        if init.is_file():
            return init
        found = self._rows("SELECT file, trashed FROM variations WHERE pixels_sha256 = ? ORDER BY key", sha256)
        places = (rows.picture_path(self._paths, row["file"], trashed=bool(row["trashed"])) for row in found)
        return next((path for path in places if path.is_file()), None)

    def load_ref(self, ref: ImageRef) -> Image.Image:
        """The pixels that ``ref`` names, wherever they are. Raises `ImageError`."""
        for path in dict.fromkeys((ref.path, self.find_image(ref.sha256))):
            if path and path.is_file():
                image = load_image(path, ref.name)
                if hash_pixels(image) == ref.sha256:
                    return image
        hint = "Open the picture again from where it came from."
        raise ImageError("The init image is not here any more", ref.name or ref.sha256[:12], hint)

    # Saving ----------------------------------------------------------------------------------------

    def save(self, request: Request, result: Result) -> Variation:
        """Put ``result`` on disk for good, with the pictures of its stages; the final one. Raises `StoreError`; then
        nothing of it is left behind.
        """
        self._keep_request_images(request)
        written: list[NewPicture] = []
        try:
            for picture in new_pictures(self._paths, request, result):
                make_folder(picture.variation.path.parent)
                write_new(picture.variation.path, picture.content)
                written.append(picture)
            with self._writing() as connection:
                for picture in written:
                    rows.insert(connection, picture.variation, picture.file, picture.record)
                rows.link_chains(connection, written[0].variation.id)
        except BaseException:
            for picture in written:
                picture.variation.path.unlink(missing_ok=True)
            raise
        for picture in written:
            self._make_thumbnail(picture.variation.id, picture.image)
        saved = self.get(written[0].variation.id)
        assert saved is not None
        return saved

    def _keep_request_images(self, request: Request) -> None:
        """Without them a picture could not be made again. A variation that serves as init image is kept as such only
        when it is deleted; one that serves as anything else is not found by its children, so it is kept at once.
        """
        for ref in request.images:
            is_init = ref == request.init_image
            if self.find_image(ref.sha256) if is_init else (self._paths.inits / f"{ref.sha256}.png").is_file():
                continue
            try:
                self.keep_init_image(self.load_ref(ref), ref.name)
            except ImageError as e:
                what = "init image" if is_init else "mask or control image"
                logger.warning("The %s of a finished picture could not be kept: %s", what, e)

    # Reading ---------------------------------------------------------------------------------------

    def page(
        self,
        *,
        search: str = "",
        before: Before | None = None,
        limit: int = 200,
        trashed: bool = False,
        with_stages: bool = False,
    ) -> list[Variation]:
        """Up to ``limit`` variations, newest first, whose prompts have words that begin with those of ``search``.

        What a chain's stages made is left out where its final picture is there, unless ``with_stages``.
        """
        where, values = _condition(search, trashed=trashed, with_stages=with_stages)
        if before:
            where += " AND (v.created, v.id) < (?, ?)"
            values += [rows.microseconds(before[0]), before[1]]
        order = "ORDER BY v.created DESC, v.id DESC LIMIT ?"
        return self._variations(f"{rows.SELECT} WHERE {where} {order}", *values, limit)

    def ids(self, *, search: str = "", trashed: bool = False, with_stages: bool = False) -> list[str]:
        """The ids of all that `page` would give, newest first."""
        where, values = _condition(search, trashed=trashed, with_stages=with_stages)
        query = f"SELECT v.id FROM variations v WHERE {where} ORDER BY v.created DESC, v.id DESC"
        with self._translated() as connection:
            cursor = connection.cursor()
            cursor.row_factory = None  # plain tuples: 100,000 rows that know their columns are slow to make
            return [row[0] for row in cursor.execute(query, values)]

    def get(self, variation_id: str) -> Variation | None:
        """The variation with that id, None when there is none."""
        found = self._variations(f"{rows.SELECT} WHERE v.id = ?", variation_id)
        return found[0] if found else None

    def first_with(self, pixels_sha256: str) -> Variation | None:
        """The earliest variation with those pixels that is not in the trash."""
        where = "v.pixels_sha256 = ? AND v.trashed = 0 ORDER BY v.key LIMIT 1"
        return next(iter(self._variations(f"{rows.SELECT} WHERE {where}", pixels_sha256)), None)

    def count(self, *, search: str = "", trashed: bool = False, with_stages: bool = False) -> int:
        """How many `page` would give in all."""
        where, values = _condition(search, trashed=trashed, with_stages=with_stages)
        return int(self._rows(f"SELECT count(*) FROM variations v WHERE {where}", *values)[0][0])

    def thumbnail(self, variation_id: str) -> Path | None:
        """The small picture, made again when it is gone; None when the picture itself is gone or damaged."""
        variation = self.get(variation_id)
        if variation is None or variation.thumbnail:
            return variation.thumbnail if variation else None
        try:
            return self._make_thumbnail(variation_id, load_image(variation.path))
        except ImageError:
            return None

    # Lineage ---------------------------------------------------------------------------------------

    def parent(self, variation_id: str) -> Variation | None:
        """The variation that the init image came from."""
        variation = self.get(variation_id)
        return self.get(variation.parent_id) if variation and variation.parent_id else None

    def ancestors(self, variation_id: str) -> list[Variation]:
        """Parent, its parent, and so on."""
        found: list[Variation] = []
        while parent := self.parent(found[-1].id if found else variation_id):
            found.append(parent)
        return found

    def children(self, variation_id: str) -> list[Variation]:
        """Variations made from this one, with new room or without, that are not in the trash, oldest first."""
        where = (
            "v.init_sha256 = (SELECT pixels_sha256 FROM variations WHERE id = ?) AND p.id = ?"
            " AND v.trashed = 0 AND v.is_stage = 0"
        )
        return self._variations(f"{rows.SELECT} WHERE {where} ORDER BY v.key", variation_id, variation_id)

    def with_children(self, ids: Sequence[str]) -> set[str]:
        """Those of ``ids``, some hundreds at most, that have `children`."""
        query = f"""
            SELECT v.id FROM variations v WHERE v.id IN ({", ".join("?" * len(ids))})
            AND NOT EXISTS (SELECT 1 FROM variations q WHERE q.pixels_sha256 = v.pixels_sha256 AND q.key < v.key)
            AND EXISTS (SELECT 1 FROM variations c
                WHERE c.init_sha256 = v.pixels_sha256 AND c.key > v.key AND +c.trashed = 0 AND +c.is_stage = 0)
        """
        return {str(row["id"]) for row in self._rows(query, *ids)}

    def stages_of(self, variation_id: str) -> list[Variation]:
        """The pictures of the chain that this one, final or not, belongs to: by stage, the final one last. Those in
        the trash are left out, or those that are not when this one is; without a chain it is this one alone.
        """
        variation = self.get(variation_id)
        if variation is None:
            return []
        final = self.get(variation.chain_id) if variation.chain_id else variation
        assert final is not None  # else it would be no stage
        where = "v.chain_id = ? AND v.is_stage AND v.trashed = ? ORDER BY v.stage, v.key"
        return [*self._variations(f"{rows.SELECT} WHERE {where}", final.id, variation.trashed), final]

    def made_from(self, init_sha256: str | None, limit: int = 200, before: Before | None = None) -> list[Variation]:
        """Variations whose init image has those pixels, or is that picture with new room (None: that have no init
        image), newest first.
        """
        # "+" keeps SQLite from walking the whole gallery in order of time for the few that one init image has.
        plus = "" if init_sha256 is None else "+"
        where = f"v.init_sha256 IS ? AND {plus}v.trashed = 0 AND {plus}v.is_stage = 0"
        values: list[Any] = [init_sha256]
        if before:
            where += " AND (v.created, v.id) < (?, ?)"
            values += [rows.microseconds(before[0]), before[1]]
        order = "ORDER BY v.created DESC, v.id DESC"
        # Parents are looked up only for those few that are wanted of maybe very many.
        keys = f"SELECT v.key FROM variations v WHERE {where} {order} LIMIT ?"
        return self._variations(f"{rows.SELECT} WHERE v.key IN ({keys}) {order}", *values, limit)

    # Changing --------------------------------------------------------------------------------------

    def set_stars(self, variation_id: str, stars: int) -> None:
        """Rate with 0 to 5 stars."""
        if not 0 <= stars <= MAX_STARS:
            raise ValueError(f"{stars} stars")
        with self._writing() as connection:
            connection.execute("UPDATE variations SET stars = ? WHERE id = ?", (stars, variation_id))

    def trash(self, ids: Iterable[str]) -> None:
        """Put pictures, each with those of its stages, into the gallery's trash; `restore` brings them back."""
        for variation_id in ids:
            self._move(variation_id, trashed=True)

    def restore(self, ids: Iterable[str]) -> None:
        """Bring pictures back from the gallery's trash."""
        for variation_id in ids:
            self._move(variation_id, trashed=False)

    def empty_trash(self) -> int:
        """Hand all pictures in the gallery's trash to the system's trash; how many."""
        found = self._rows("SELECT key, id, file FROM variations WHERE trashed = 1 ORDER BY key DESC")
        for row in found:  # children before their parents, which nobody needs then
            self._keep_for_children(row["id"])
            self._discard(self._paths.trash / row["file"])
            with self._writing() as connection:
                rows.delete(connection, row["key"])
                rows.link_chains(connection, row["id"])
            (self._paths.thumbnails / f"{row['id']}.jpg").unlink(missing_ok=True)
        return len(found)

    def rebuild(self) -> RecoveryReport:
        """Make the database anew from the pictures alone (and the stars, which only it has). May take minutes.

        All in one transaction: whatever ends it halfway, the rows of before are there again.
        """
        report = RecoveryReport(rebuilt=True)
        with self._writing() as connection:
            stars = {row["id"]: row["stars"] for row in connection.execute("SELECT id, stars FROM variations")}
            connection.execute("DELETE FROM words")
            connection.execute("DELETE FROM variations")
            reconcile(connection, self._paths, report, stars)
        return report

    def _move(self, variation_id: str, *, trashed: bool) -> None:
        """A final picture takes those of its stages along: all of them, or none where the disk refuses."""
        with self._lock:
            known = self._rows("SELECT chain_id, trashed FROM variations WHERE id = ?", variation_id)
            if not known:
                raise StoreError("The picture is not in the gallery", variation_id, "")
            if bool(known[0]["trashed"]) is trashed:
                return
            query = "SELECT key, file FROM variations WHERE id = ? OR (chain_id = ? AND is_stage AND trashed = ?)"
            group = self._rows(query, variation_id, variation_id, not trashed)
            moved: list[tuple[Path, Path]] = []
            try:
                for row in group:
                    moved += self._move_file(str(row["file"]), trashed=trashed)
                with self._writing() as connection:
                    keys = [(trashed, row["key"]) for row in group]
                    connection.executemany("UPDATE variations SET trashed = ? WHERE key = ?", keys)
                    rows.link_chains(connection, known[0]["chain_id"] or variation_id)
            except BaseException:
                for source, target in reversed(moved):
                    move_new(target, source)
                raise

    def _move_file(self, file: str, *, trashed: bool) -> list[tuple[Path, Path]]:
        """From where to where it was moved; nothing where there is no file."""
        source = rows.picture_path(self._paths, file, trashed=not trashed)
        target = rows.picture_path(self._paths, file, trashed=trashed)
        if not source.is_file():
            return []
        make_folder(target.parent)
        move_new(source, target)
        return [(source, target)]

    def _keep_for_children(self, variation_id: str) -> None:
        """What others were made from stays as an init image, so that they can be made again."""
        variation = self.get(variation_id)
        if variation is None or variation.missing or not self._has_offspring(variation):
            return
        try:
            self.keep_init_image(load_image(variation.path), variation.path.name)
        except ImageError as e:
            raise StoreError("The trash cannot be emptied", str(e), "Restore this picture first.") from e

    def _has_offspring(self, variation: Variation) -> bool:
        """Whether any picture, also in the trash and of a stage, has it as init image."""
        query = "SELECT 1 FROM variations WHERE init_sha256 = ? AND id != ? LIMIT 1"
        return bool(self._rows(query, variation.pixels_sha256, variation.id))

    def _discard(self, path: Path) -> None:
        if not path.is_file():
            return
        try:
            send2trash(path)
        except OSError as e:
            hint = "Delete it in a file manager, or leave it in the gallery's trash."
            raise StoreError("The system's trash does not take the picture", f"{path}: {e}", hint) from e

    def _make_thumbnail(self, variation_id: str, image: Image.Image) -> Path | None:
        path = self._paths.thumbnails / f"{variation_id}.jpg"
        content = BytesIO()
        thumbnail(flatten(image), THUMBNAIL_SIDE).save(content, "JPEG", quality=88)
        try:
            write_atomic(path, content.getvalue())
        except StoreError as e:
            logger.warning("A thumbnail could not be kept: %s", e)  # the picture itself is safe
            return None
        return path

    # The database ----------------------------------------------------------------------------------

    def _rows(self, query: str, *values: Any) -> list[sqlite3.Row]:
        with self._translated() as connection:
            return connection.execute(query, values).fetchall()

    def _variations(self, query: str, *values: Any) -> list[Variation]:
        found = [self._variation(row) for row in self._rows(query, *values)]
        return [variation for variation in found if variation]

    def _variation(self, row: sqlite3.Row) -> Variation | None:
        try:
            return rows.read_row(self._paths, row)
        except rows.RowDamaged:
            return self._read_again(row)

    def _read_again(self, row: sqlite3.Row) -> Variation | None:
        """A row that is not as it was written is replaced by what the picture itself tells."""
        trashed = bool(row["trashed"])
        path = rows.picture_path(self._paths, str(row["file"]), trashed=trashed)
        try:
            variation, record = rows.read_picture(path)
        except StudioError as e:
            logger.warning("An entry of the gallery is damaged and its picture cannot be read: %s", e)
            return None
        variation = replace(variation, trashed=trashed)
        with self._writing() as connection:
            rows.delete(connection, row["key"])
            rows.insert(connection, variation, str(row["file"]), record)
        return variation

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._translated() as connection, transaction(connection):
            yield connection

    @contextmanager
    def _translated(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            if self._connection is None:
                raise StoreError("The gallery is closed", str(self._paths.gallery), "Start Underpaint again.")
            try:
                yield self._connection
            except sqlite3.Error as e:
                raise database_error(e, self._paths.database) from e


def _condition(search: str, *, trashed: bool, with_stages: bool = False) -> tuple[str, list[Any]]:
    where = "v.trashed = ?" if with_stages else "v.trashed = ? AND v.is_stage = 0"
    match = match_expression(search)
    if not match:
        return where, [trashed]
    return f"{where} AND v.key IN (SELECT rowid FROM words WHERE words MATCH ?)", [trashed, match]
