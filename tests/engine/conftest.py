"""The three engines, on the real starter checkpoint; and a tiny checkpoint in Stable Diffusion's layout."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from engine_runs import NEVER, Recorder
from support import LASTING_PIDS, make_picture, make_ref

from desktop_app.core.engine import Engine
from desktop_app.core.request import ImageRef
from desktop_app.engine.diffusers_engine import DiffusersEngine
from desktop_app.engine.fake import FakeEngine
from desktop_app.engine.process import EngineProcess
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.paths import Paths, user_paths


@pytest.fixture(scope="session")
def engine_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engine-data")
    user_paths(folder).ensure()
    return folder


@pytest.fixture(scope="session")
def diffusers_engine(engine_data_dir: Path) -> Iterator[DiffusersEngine]:
    """In this process, with one thread."""
    engine = DiffusersEngine(CheckpointStore(user_paths(engine_data_dir)).resolve, threads=1)
    engine.warm_up("starter")
    with closing(engine):
        yield engine


@pytest.fixture
def own_engine(paths: Paths) -> Iterator[DiffusersEngine]:
    """In this process, for one test alone."""
    with closing(DiffusersEngine(CheckpointStore(paths).resolve, threads=1)) as engine:
        yield engine


@pytest.fixture(scope="session")
def engine_process(engine_data_dir: Path) -> Iterator[EngineProcess]:
    """In a child process, with one thread."""
    engine = EngineProcess(engine_data_dir, threads=1)
    engine.warm_up("starter")
    LASTING_PIDS.append(lambda: engine.pid)
    with closing(engine):
        yield engine


@pytest.fixture(scope="session")
def fake_engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="session", autouse=True)
def _started(diffusers_engine: DiffusersEngine, engine_process: EngineProcess) -> None:
    """Before the first test looks at what runs."""


@pytest.fixture(params=["fake_engine", "diffusers_engine", "engine_process"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the three in turn."""
    return request.getfixturevalue(request.param)


@pytest.fixture(params=["diffusers_engine", "engine_process"])
def real_engine(request: pytest.FixtureRequest) -> Engine:
    """Each of the two that paint."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights in the layout of Stable Diffusion 1."""
    import torch
    from tiny import write_stable_diffusion

    from desktop_app.engine.pipelines import quieten_libraries

    torch.set_num_threads(1)
    quieten_libraries()
    return write_stable_diffusion(tmp_path_factory.mktemp("checkpoints") / "tiny")


@pytest.fixture
def init_ref(tmp_path: Path) -> Callable[..., ImageRef]:
    """Makes init images: ``init_ref((96, 64), "RGBA", seed=1)``."""

    def make(size: tuple[int, int] = (64, 64), mode: str = "RGB", seed: int = 0) -> ImageRef:
        return make_ref(tmp_path / f"init-{mode}-{seed}.png", make_picture(size, mode, seed))

    return make


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def never() -> threading.Event:
    return NEVER
