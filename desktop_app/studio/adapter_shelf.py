"""AdapterShelf: the adapters on this machine, what is known of those in use, and their pictures. Disk work is on the
pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QImage

from desktop_app.core.adapter import AdapterInfo, DescribeAdapter, misfit, token_of
from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.conditions import MAX_ADAPTERS, Adapter, AdapterKind
from desktop_app.core.errors import Cancelled, CheckpointError, RequestError, StudioError
from desktop_app.core.families import family_named
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.parameters import LoraTag
from desktop_app.store.adapters import AdapterStore
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.adapter_tags import FoundTags, find_tags, with_found
from desktop_app.studio.document import Document
from desktop_app.studio.opener import InitImage, Source, open_source
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.qimage import to_qimage

PARAM = "adapters"

_T = TypeVar("_T")


@dataclass(frozen=True)
class Offer:
    """An adapter that can be added. ``reason`` is why it does not fit the checkpoint, or cannot be used; else empty."""

    ref: str
    label: str
    info: AdapterInfo | None
    reason: str = ""


@dataclass(frozen=True)
class _Chosen:
    """An adapter with its hash, and what is to be told of how it was found."""

    adapter: Adapter
    info: AdapterInfo


@dataclass(frozen=True, eq=False)
class _Opening:
    """A picture on its way to ``adapter``, which stood in ``row``."""

    row: int
    adapter: Adapter
    cancel: threading.Event


_Key = tuple[str, str]
"""REF and hash of an adapter."""

_Found = dict[str, AdapterInfo | CheckpointError]
"""As `AdapterStore.survey` tells of them."""


class AdapterShelf(QObject):
    """Lives in the GUI thread. `changed` tells that something is known that was not."""

    changed = Signal()
    told_apart = Signal(list, list)
    """Files that are adapters, and those that are not."""
    error_raised = Signal(object)
    """A `StudioError` of something that went on in the background."""

    def __init__(
        self, document: Document, store: AdapterStore, gallery: GalleryStore, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.folder = store.folder
        self._document = document
        self._store = store
        self._gallery = gallery
        self._found: _Found = {}
        self._known: dict[_Key, AdapterInfo | StudioError | None] = {}
        self._pictures: dict[str, QImage | None] = {}
        self._coming: list[str] = []
        self._openings: list[_Opening] = []
        self._cancel = threading.Event()
        self._runners: list[PoolRunner] = []
        self._looker = self._runner(self._on_looked, self._on_failed)
        self._teller = self._runner(self._on_told, self._on_failed)
        self._reader = self._runner(self._on_read, self._on_read)
        self._chooser = self._runner(self._on_chosen, self._on_choice_failed)
        self._namer = self._runner(self._on_named, self._on_naming_failed)
        self._opener = self._runner(self._on_opened, self._on_open_failed)
        self._thumbs = self._runner(self._on_thumb, self._on_thumb_failed)
        document.describe_adapters = self.describer
        document.describe_adapter_now = self.describe_now
        document.taught_words = self.words
        document.take_loras = self.take_loras

    # What is known --------------------------------------------------------------------------------

    @property
    def coming(self) -> tuple[str, ...]:
        """Names of the files that are being read or copied, to be added then."""
        return tuple(self._coming)

    def offers(self) -> list[Offer]:
        """What can be added: those that fit the checkpoint first, then the others, by their names."""
        made = [self._offer(ref, found) for ref, found in self._found.items()]
        return sorted(made, key=lambda offer: (bool(offer.reason), offer.label.casefold()))

    def look(self) -> None:
        """Look for adapters on the disk, and whether those in use are still there as they were; `changed` follows."""
        used = self._document.params.adapters
        self._looker.start("look", lambda: (self._store.survey(), {_key_of(each): self._find(each) for each in used}))

    def known(self, adapter: Adapter) -> AdapterInfo | StudioError | None:
        """What is known of ``adapter``, or why it cannot be used; None while it is read, and `changed` follows."""
        key = _key_of(adapter)
        if key not in self._known:
            self._known[key] = None
            self._reader.start(key, lambda: self._find(adapter))
        return self._known[key]

    def reason(self, info: AdapterInfo) -> str:
        """Why the adapter does not fit the checkpoint, in one sentence; else empty."""
        return _reason(info, self._document.checkpoint_info)

    def describer(self) -> DescribeAdapter | None:
        """Tells of the adapters in use; None until all of them are read."""
        for adapter in self._document.params.adapters:
            if adapter.is_on and self.known(adapter) is None:
                return None
        return self._describe

    def describe_now(self, adapter: Adapter) -> AdapterInfo:
        """For who cannot wait for the pool. Raises `StudioError`."""
        if self.known(adapter) is None:
            return self._store.find(adapter).info
        return self._describe(adapter)

    def words(self) -> tuple[tuple[str, int], ...]:
        """The words of the textual inversions that are on, and how many vectors each has."""
        found = []
        for adapter in self._document.params.adapters:
            info = self.known(adapter) if adapter.kind is AdapterKind.TEXTUAL_INVERSION and adapter.is_on else None
            if isinstance(info, AdapterInfo):
                found.append((token_of(adapter, info), info.vectors))
        return tuple(found)

    def picture(self, ref: ImageRef) -> QImage | None:
        """The picture of an IP-Adapter; None while it is read, and `changed` follows, or where it cannot be."""
        if ref.sha256 not in self._pictures:
            self._pictures[ref.sha256] = None
            self._thumbs.start(ref.sha256, lambda: to_qimage(self._gallery.load_ref(ref)))
        return self._pictures[ref.sha256]

    def is_opening(self, row: int) -> bool:
        """Whether a picture is on its way to the adapter in ``row``."""
        return any(opening.row == row for opening in self._openings)

    # What is done ---------------------------------------------------------------------------------

    def add(self, ref: str) -> None:
        """Read ``ref``, and add it."""
        self._choose(Path(ref).name, partial(self._read_to_add, ref))

    def bring_in(self, paths: Sequence[Path], *, in_place: bool = False) -> None:
        """Copy files into the folder, or use them where they are, and add them."""
        for path in paths:
            self._choose(path.name, partial(self._bring_in_to_add, path, in_place))

    def take_loras(self, tags: Sequence[LoraTag]) -> None:
        """Add those LoRAs of a text that are on this machine, and say which are not."""
        self._coming += [tag.name for tag in tags]
        self._namer.start(tuple(tags), partial(_unless_cancelled, lambda: find_tags(self._store, tags, self._cancel)))
        self.changed.emit()

    def tell_apart(self, paths: Sequence[Path]) -> None:
        """Look which of ``paths`` are adapters and not checkpoints; `told_apart` follows."""
        self._teller.start(tuple(paths), lambda: [self._store.is_adapter(path) for path in paths])

    def open_picture(self, row: int, source: Source, name: str = "") -> None:
        """Open ``source`` for the IP-Adapter in ``row``. The newest picture counts."""
        self._drop_openings(row)
        opening = _Opening(row, self._document.params.adapters[row], threading.Event())
        self._openings.append(opening)
        is_online = self._document.is_online
        work = partial(open_source, source, name, self._gallery, opening.cancel, is_online=is_online)
        self._opener.start(opening, work)
        self.changed.emit()

    def close(self) -> None:
        """End what goes on in the background."""
        self._cancel.set()
        for opening in self._openings:
            opening.cancel.set()
        self._openings.clear()
        for runner in self._runners:
            runner.wait()

    # In the pool ----------------------------------------------------------------------------------

    def _find(self, adapter: Adapter) -> AdapterInfo | CheckpointError:
        """What is known of it, or why it cannot be used; anything at the end of the program."""
        try:
            return self._store.find(adapter, self._cancel).info
        except CheckpointError as e:
            return e
        except Cancelled:
            return CheckpointError("The adapter was not read", adapter.ref, "Try again.")

    def _read_to_add(self, ref: str) -> _Chosen:
        info = self._store.describe(ref)
        sha256 = self._store.hash_of(ref, self._cancel)
        return _Chosen(Adapter(info.kind, ref, sha256=sha256, token=info.token), replace(info, sha256=sha256))

    def _bring_in_to_add(self, path: Path, in_place: bool) -> _Chosen:
        return self._read_to_add(self._store.bring_in(path, None, self._cancel, in_place=in_place))

    # Back from it ---------------------------------------------------------------------------------

    def _choose(self, name: str, work: Callable[[], _Chosen]) -> None:
        self._coming.append(name)
        self._chooser.start(name, partial(_unless_cancelled, work))
        self.changed.emit()

    def _on_chosen(self, name: str, chosen: _Chosen | None) -> None:
        self._coming.remove(name)
        if chosen is not None:
            self._known[_key_of(chosen.adapter)] = chosen.info
            self._found[chosen.adapter.ref] = chosen.info
            self._add(chosen)
        self.changed.emit()

    def _add(self, chosen: _Chosen) -> None:
        adapters = self._document.params.adapters
        same = next((adapter for adapter in adapters if adapter.ref == chosen.adapter.ref), None)
        if same and same.kind is chosen.adapter.kind and same.sha256 != chosen.adapter.sha256:
            text, now = self.tr("Adapter as it is now"), replace(same, sha256=chosen.adapter.sha256)
            self._document.set_params(text, adapters=tuple(now if each is same else each for each in adapters))
        elif same:
            title = self.tr("This adapter is there already")
            hint = self.tr("Change its weight instead.")
            self.error_raised.emit(RequestError(title, chosen.info.label, hint, param=PARAM))
        elif len(adapters) >= MAX_ADAPTERS:
            self.error_raised.emit(too_many())
        else:
            self._document.set_params(self.tr("Add an adapter"), adapters=(*adapters, chosen.adapter))

    def _on_choice_failed(self, name: str, error: StudioError) -> None:
        self._coming.remove(name)
        self.error_raised.emit(error)
        self.changed.emit()

    def _on_named(self, tags: tuple[LoraTag, ...], found: FoundTags | None) -> None:
        self._forget_coming(tags)
        if found is not None:
            self._known |= {_key_of(adapter): info for adapter, info in found.adapters}
            adapters = with_found(self._document.params.adapters, [adapter for adapter, _info in found.adapters])
            if len(adapters) > MAX_ADAPTERS:
                self.error_raised.emit(too_many())
            self._document.set_params(self.tr("LoRAs of the text"), adapters=adapters[:MAX_ADAPTERS])
            if found.left_out:
                title = self.tr("Not every LoRA of the text could be taken over")
                self.error_raised.emit(CheckpointError(title, " ".join(found.left_out), ""))
        self.changed.emit()

    def _on_naming_failed(self, tags: tuple[LoraTag, ...], error: StudioError) -> None:
        self._forget_coming(tags)
        self._on_failed(tags, error)

    def _forget_coming(self, tags: Sequence[LoraTag]) -> None:
        for tag in tags:
            self._coming.remove(tag.name)

    def _on_looked(self, _key: object, looked: tuple[_Found, dict[_Key, AdapterInfo | CheckpointError]]) -> None:
        """What could not be found may be there now, and what was there may be gone or another."""
        self._found, used = looked
        known = {key: known for key, known in self._known.items() if not isinstance(known, StudioError)}
        self._known = {**known, **used}
        self.changed.emit()

    def _on_told(self, paths: tuple[Path, ...], are_adapters: list[bool]) -> None:
        adapters = [path for path, is_adapter in zip(paths, are_adapters, strict=True) if is_adapter]
        self.told_apart.emit(adapters, [path for path in paths if path not in adapters])

    def _on_failed(self, _key: object, error: StudioError) -> None:
        self.error_raised.emit(error)

    def _on_read(self, key: _Key, known: AdapterInfo | StudioError) -> None:
        self._known[key] = known
        self.changed.emit()

    def _on_opened(self, opening: _Opening, opened: InitImage) -> None:
        if opening not in self._openings:
            return
        self._openings.remove(opening)
        self._pictures[opened.ref.sha256] = opened.qimage
        adapters = list(self._document.params.adapters)
        row = opening.row if opening.row < len(adapters) else -1
        if row < 0 or adapters[row].ref != opening.adapter.ref:
            row = next((number for number, each in enumerate(adapters) if each.ref == opening.adapter.ref), -1)
        if row >= 0:
            adapters[row] = replace(adapters[row], image=opened.ref)
            self._document.set_params(self.tr("Picture of an IP-Adapter"), adapters=tuple(adapters))
        self.changed.emit()

    def _on_open_failed(self, opening: _Opening, error: StudioError) -> None:
        if opening in self._openings:
            self._openings.remove(opening)
            self.error_raised.emit(error)
            self.changed.emit()

    def _on_thumb(self, sha256: str, image: QImage) -> None:
        self._pictures[sha256] = image
        self.changed.emit()

    def _on_thumb_failed(self, _sha256: str, error: StudioError) -> None:
        self.error_raised.emit(error)

    def _describe(self, adapter: Adapter) -> AdapterInfo:
        known = self.known(adapter)
        if isinstance(known, StudioError):
            raise known
        assert known is not None, adapter.ref
        return known

    def _offer(self, ref: str, found: AdapterInfo | CheckpointError) -> Offer:
        if isinstance(found, CheckpointError):
            return Offer(ref, Path(ref).stem, None, f"{found.title}. {found.detail}")
        return Offer(ref, found.label, found, self.reason(found))

    def _drop_openings(self, row: int) -> None:
        for other in [other for other in self._openings if other.row == row]:
            other.cancel.set()
            self._openings.remove(other)

    def _runner(self, done: Callable[..., Any], failed: Callable[..., Any]) -> PoolRunner:
        runner = PoolRunner(self)
        self._runners.append(runner)
        runner.finished.connect(done)
        runner.failed.connect(failed)
        return runner


def too_many() -> RequestError:
    """That no further adapter can be added."""
    detail = f"there are {MAX_ADAPTERS}, and no more are taken"
    return RequestError("There are too many adapters", detail, "Remove one first.", param=PARAM)


def _key_of(adapter: Adapter) -> _Key:
    return adapter.ref, adapter.sha256


def _unless_cancelled(work: Callable[[], _T]) -> _T | None:
    """None at the end of the program."""
    try:
        return work()
    except Cancelled:
        return None


def _reason(info: AdapterInfo, checkpoint: CheckpointInfo | None) -> str:
    family = family_named(checkpoint.family) if checkpoint else None
    return misfit(info, checkpoint, family) if checkpoint and family else ""
