"""What tests of engines share: progress that is written down, and a cancel that comes at a chosen step."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy
from PIL import Image

from desktop_app.core.engine import Engine, Phase, Progress
from desktop_app.core.errors import DeviceLost
from desktop_app.core.request import Request
from desktop_app.engine.messages import Failed, Run
from desktop_app.studio.share_done import ShareDone

NEVER = threading.Event()
"""A cancel flag that nobody sets."""


SAME = 1e-6
"""Pictures whose `distance` is less differ in the last bit of some colours at most."""


@dataclass
class Recorder:
    """Writes progress down; ``at_step`` is called after each denoising step."""

    events: list[Progress] = field(default_factory=list)
    at_step: Callable[[int], object] = lambda step: None

    def __call__(self, progress: Progress) -> None:
        self.events.append(progress)
        if progress.phase is Phase.DENOISING:
            self.at_step(progress.step)

    @property
    def steps(self) -> list[int]:
        """Numbers of the denoising steps that were told."""
        return [event.step for event in self.events if event.phase is Phase.DENOISING]

    @property
    def phases(self) -> list[Phase]:
        """Phases in their order, each once."""
        return list(dict.fromkeys(event.phase for event in self.events))


def paint(engine: Engine, request: Request) -> Image.Image:
    """The picture of ``request``."""
    return engine.run(request, Recorder(), NEVER).image


def shares_of(request: Request, events: list[Progress]) -> list[float]:
    """Where the bar of a run of ``request`` stands at each of ``events``."""
    done, shares = ShareDone(request), []
    for event in events:
        done.note(event)
        shares.append(done.share)
    return shares


def distance(first: Image.Image, second: Image.Image) -> float:
    """Mean squared difference of two pictures of one size, 0 to 1."""
    pair = [numpy.asarray(picture.convert("RGB"), dtype=numpy.float64) / 255 for picture in (first, second)]
    return float(((pair[0] - pair[1]) ** 2).mean())


def lose_device(connection: Connection, data_dir: Path, threads: int | None) -> None:
    """An engine's process whose device has failed for good."""
    while isinstance(order := connection.recv(), Run):
        connection.send(Failed(order.call, DeviceLost("The device has failed")))
