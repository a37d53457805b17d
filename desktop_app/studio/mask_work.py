"""MaskWork: changes of the whole mask, made on the pool: growing, filling, loading, saving."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PIL import Image
from PySide6.QtCore import QCoreApplication, QObject, Signal

from desktop_app.core import mask as masks
from desktop_app.core.errors import ImageError, StoreError, StudioError
from desktop_app.core.image import encode_png
from desktop_app.store.files import write_atomic
from desktop_app.store.gallery import GalleryStore
from desktop_app.studio.mask_layer import MaskLayer
from desktop_app.studio.mask_steps import NewMask, new_mask
from desktop_app.studio.opener import InitImage, Source, load_source
from desktop_app.studio.pool import PoolRunner
from desktop_app.studio.scenes import fit_mask

Change = Callable[[Image.Image], Image.Image]


@dataclass(frozen=True, eq=False)
class _Task:
    """A change under way; told from others by being this one."""

    text: str


@dataclass(frozen=True)
class _Changed:
    mask: Image.Image
    problem: StudioError | None = None


@dataclass(frozen=True)
class _Made:
    mask: NewMask
    problem: StudioError | None


class MaskWork(QObject):
    """Lives in the GUI thread. One change at a time; each is one step of undo of ``layer``."""

    working_changed = Signal(bool)
    """Whether a change is being made, so that nothing can be painted."""
    error_raised = Signal(object)
    """A `StudioError`: why nothing came of it, or what was done to the mask that was loaded."""
    saved = Signal(object)
    """The `Path` of a mask that was written."""

    def __init__(
        self,
        layer: MaskLayer,
        gallery: GalleryStore,
        init_image: Callable[[], InitImage | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._layer = layer
        self._gallery = gallery
        self._init_image = init_image
        self._task: _Task | None = None
        self._runner = PoolRunner(self)
        self._runner.finished.connect(self._on_changed)
        self._runner.failed.connect(self._on_failed)
        self._writer = PoolRunner(self)
        self._writer.finished.connect(self._on_written)
        self._writer.failed.connect(self._on_write_failed)
        layer.changed.connect(self._on_layer_changed)
        layer.replaced.connect(self._on_layer_changed)

    @property
    def is_working(self) -> bool:
        """Whether a change is being made."""
        return self._task is not None

    def invert(self) -> None:
        """Mark what is not marked, and nothing else."""
        self._start(self.tr("Invert mask"), masks.invert)

    def grow(self, pixels: int) -> None:
        """Let what is marked reach ``pixels`` farther."""
        self._start(self.tr("Grow mask"), partial(masks.grow, pixels=pixels))

    def shrink(self, pixels: int) -> None:
        """Let what is marked reach ``pixels`` less far."""
        self._start(self.tr("Shrink mask"), partial(masks.shrink, pixels=pixels))

    def fill_holes(self) -> None:
        """Mark what is marked all around."""
        self._start(self.tr("Fill holes"), masks.fill_holes)

    def fill(self, at: tuple[int, int], tolerance: int, *, is_taken_away: bool = False) -> None:
        """Mark the region of the init image around ``at`` that has its colour, or take its mark away."""
        text = self.tr("Erase by colour") if is_taken_away else self.tr("Fill by colour")
        merge = masks.take_away if is_taken_away else masks.join
        self._start_with_picture(text, lambda mask, picture: merge(mask, masks.flood(picture, at, tolerance)))

    def from_alpha(self) -> None:
        """Mark what is transparent in the init image."""
        self._start_with_picture(self.tr("Mask from transparency"), lambda _mask, picture: masks.from_alpha(picture))

    def open(self, source: Source, name: str = "", *, text: str = "", is_online: bool = True) -> None:
        """Take the mask from any picture; one of another size is scaled, and that is said. One that marks nothing is
        none.
        """

        def load(mask: Image.Image) -> _Changed:
            picture, found_name = load_source(source, name, self._gallery, is_online=is_online)
            changed = _Changed(*fit_mask(picture, mask.size))
            if changed.mask.getbbox() is None:
                raise _nothing_marked(found_name)
            return changed

        self._run(text or self.tr("Load mask"), load)

    def save(self, path: Path) -> None:
        """Write the mask as a grey PNG."""
        if self._layer.size is not None:
            self._writer.start(path, partial(_write, path, self._layer.copy()))

    def close(self) -> None:
        """Let the threads end."""
        self._runner.wait()
        self._writer.wait()

    def _start(self, text: str, change: Change) -> None:
        self._run(text, lambda mask: _Changed(change(mask)))

    def _start_with_picture(self, text: str, change: Callable[[Image.Image, Image.Image], Image.Image]) -> None:
        init_image = self._init_image()
        if init_image is not None:
            self._run(text, lambda mask: _Changed(change(mask, init_image.picture)))

    def _run(self, text: str, change: Callable[[Image.Image], _Changed]) -> None:
        if self.is_working or self._layer.size is None:
            return
        self._layer.abandon()
        self._task = _Task(text)
        self._runner.start(self._task, partial(_make, change, self._layer.copy()))
        self.working_changed.emit(True)

    def _end(self) -> None:
        if self._task is not None:
            self._task = None
            self.working_changed.emit(False)

    def _on_layer_changed(self) -> None:
        """Whoever undoes, or opens another picture, calls off what is under way."""
        self._end()

    def _on_changed(self, task: _Task, made: _Made) -> None:
        if task is not self._task:
            return
        self._end()
        self._layer.take(task.text, made.mask)
        if made.problem is not None:
            self.error_raised.emit(made.problem)

    def _on_failed(self, task: _Task, error: StudioError) -> None:
        if task is self._task:
            self._end()
            self.error_raised.emit(error)

    def _on_written(self, path: Path, _nothing: object) -> None:
        self.saved.emit(path)

    def _on_write_failed(self, _path: Path, error: StudioError) -> None:
        self.error_raised.emit(error)


def _make(change: Callable[[Image.Image], _Changed], before: Image.Image) -> _Made:
    """Runs on a pool thread: nothing is left to be done to the pixels in the GUI thread."""
    changed = change(before)
    return _Made(new_mask(changed.mask, before), changed.problem)


def _nothing_marked(name: str) -> ImageError:
    translate = QCoreApplication.translate
    title = translate("Mask", "Nothing is marked in this picture")
    return ImageError(title, name, translate("Mask", "A mask is white where the init image shall change."))


def _write(path: Path, mask: Image.Image) -> None:
    """Runs on a pool thread."""
    try:
        write_atomic(path, encode_png(mask), is_private=False)
    except StoreError as e:
        raise StoreError("The mask cannot be saved", e.detail, e.hint) from e
