"""The studio's objects on an empty data folder, as the widgets get them; the worker does what the test tells it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from checkpoint_cases import FolderDownloads, convert_by_renaming
from checkpoint_windows import Disk, MemoryToken, make_hub, open_window
from PySide6.QtCore import Slot
from support import PROJECT, make_request, make_result

from desktop_app.app import create_window
from desktop_app.core.engine import Phase, Progress
from desktop_app.core.recipe import read_recipes
from desktop_app.core.request import ImageRef
from desktop_app.core.variation import Variation
from desktop_app.engine.fake import FakeEngine
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.gallery import GalleryStore
from desktop_app.store.paths import resources_dir
from desktop_app.studio.document import Document
from desktop_app.studio.downloads import Downloads
from desktop_app.studio.gallery_model import GalleryModel
from desktop_app.studio.jobs import Job, JobQueue
from desktop_app.studio.qimage import to_qimage
from desktop_app.studio.worker import Report, RunOrder, Worker
from desktop_app.ui.canvas import Canvas
from desktop_app.ui.canvas_presenter import CanvasPresenter
from desktop_app.ui.icons import Icons
from desktop_app.ui.main_window import MainWindow


class HeldWorker(Worker):
    """In the GUI thread; runs nothing by itself, so that a test sees a job at whatever moment it wants."""

    @Slot(object)
    def run(self, order: RunOrder) -> None:
        self.begun.emit(order.job_id)

    def tell_step(self, job: Job, step: int, total: int) -> None:
        preview = to_qimage(make_result(job.request).image)
        self.progressed.emit(job.id, Report(Progress(Phase.DENOISING, 0, 1, step, total), preview, 2.0, 1.0))

    def finish(self, job: Job) -> Variation:
        variation = self._gallery.save(job.request, make_result(job.request))
        self.finished.emit(job.id, variation)
        return variation


@pytest.fixture
def save(gallery: GalleryStore) -> Callable[..., Variation]:
    """Saves a variation: ``save("a cat", seed=2, init_image=ref)``."""

    def save(prompt: str = "a lemon", seed: int = 1, init_image: ImageRef | None = None) -> Variation:
        request = make_request(init_image, prompt=prompt, seed=seed)
        return gallery.save(request, make_result(request))

    return save


@pytest.fixture
def document(qtbot, gallery, paths, session) -> Iterator[Document]:
    """After its checkpoint has been read."""
    with closing(Document(gallery, CheckpointStore(paths), read_recipes(resources_dir() / "recipes"), session)) as made:
        qtbot.waitUntil(lambda: made.checkpoint_info is not None)
        yield made


@pytest.fixture
def worker(qapp, gallery) -> HeldWorker:
    return HeldWorker(FakeEngine(), gallery)


@pytest.fixture
def jobs(worker, session, gallery) -> Iterator[JobQueue]:
    with closing(JobQueue(session, gallery)) as queue:
        queue.attach(worker)
        yield queue


@pytest.fixture
def gallery_model(gallery, document) -> Iterator[GalleryModel]:
    with closing(GalleryModel(gallery, document.undo_stack)) as model:
        yield model


@pytest.fixture
def canvas(qtbot) -> Canvas:
    made = Canvas(PROJECT / "resources" / "samples")
    qtbot.addWidget(made)
    return made


@pytest.fixture
def presenter(canvas, document, jobs) -> Iterator[CanvasPresenter]:
    with closing(CanvasPresenter(canvas, document, jobs, canvas)) as made:
        yield made


@pytest.fixture
def icons(qapp) -> Icons:
    return Icons(PROJECT / "resources" / "icons")


@pytest.fixture
def open_picture(qtbot, document, picture) -> Callable[[str], ImageRef]:
    """Makes a picture the init image: ``open_picture("cat.png", seed=2)``."""

    def open_one(name: str = "picture.png", seed: int = 0) -> ImageRef:
        with qtbot.waitSignal(document.init_image_changed):
            document.open_image(picture(name, seed=seed))
        return document.init_image.ref

    return open_one


@pytest.fixture
def window(qtbot, data_dir) -> Iterator[MainWindow]:
    """The whole window, shown, with an engine that needs no torch."""
    made = create_window(data_dir, engine=FakeEngine(step_s=0.01))
    made.resize(1280, 800)
    made.show()
    qtbot.waitExposed(made)
    qtbot.waitUntil(lambda: made.document.checkpoint_info is not None)
    yield made
    made.close_now()
    made.deleteLater()


@pytest.fixture
def paint_seeds(qtbot, window):
    """Makes results: ``paint_seeds(1, 2)`` gives their variations, one a seed."""

    def paint(*seeds: int):
        made = []
        for seed in seeds:
            window.document.set_params("Quick", steps=2, seed=seed)
            with qtbot.waitSignal(window.jobs.finished) as finished:
                window.commands.generate()
            made.append(finished.args[1])
        return made

    return paint


@pytest.fixture
def pretend(window):
    """Lets the document's checkpoint be of another family, as its description says it."""

    def be(family: str, **changes):
        document = window.document
        known = replace(document.checkpoint_info, family=family, **changes)
        document._chosen.known = replace(document._chosen.known, info=known)
        document.checkpoint_changed.emit()
        return known

    return be


# The Checkpoints window ---------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path) -> Disk:
    return Disk(tmp_path)


@pytest.fixture
def source(tmp_path, disk) -> FolderDownloads:
    return make_hub(tmp_path, disk)


@pytest.fixture
def downloads(qapp, source):
    with closing(Downloads(source, convert_by_renaming)) as made:
        yield made


@pytest.fixture
def token() -> MemoryToken:
    return MemoryToken()


@pytest.fixture
def shown(qtbot, disk, downloads, token, icons):
    with open_window(qtbot, disk, downloads, token, icons) as window:
        yield window
