"""What the engine's process and its owner tell each other over their pipe. Every answer carries the number of its call,
so that what a call left behind is known for what it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from desktop_app.core.conditions import Control
from desktop_app.core.engine import Derived, EngineOptions, EngineStatus, Progress, Result
from desktop_app.core.errors import StudioError
from desktop_app.core.image_ref import ImageRef
from desktop_app.core.placement import Placement
from desktop_app.core.request import Request

# To the child -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Make the picture of ``request``."""

    call: int
    request: Request


@dataclass(frozen=True)
class Derive:
    """Make the control image of ``picture``; see `Engine.derive`."""

    call: int
    control: Control
    picture: ImageRef
    placement: Placement | None


@dataclass(frozen=True)
class WarmUp:
    """Import, and load ``checkpoint`` if given."""

    call: int
    checkpoint: str | None


@dataclass(frozen=True)
class AskStatus:
    """Tell device and memory."""

    call: int


@dataclass(frozen=True)
class Configure:
    """Use ``options`` from the next call on; there is no answer."""

    options: EngineOptions


@dataclass(frozen=True)
class Cancel:
    """Stop the call; it may have ended already."""

    call: int


@dataclass(frozen=True)
class Close:
    """End the process."""


# From the child -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reported:
    """Progress number ``sequence`` of the call."""

    call: int
    sequence: int
    progress: Progress


@dataclass(frozen=True)
class Done:
    """The call has ended; with ``result`` for `Run`, with ``derived`` for `Derive`, with ``status`` for `AskStatus`."""

    call: int
    result: Result | None = None
    derived: Derived | None = None
    status: EngineStatus = field(default_factory=EngineStatus)


@dataclass(frozen=True)
class Failed:
    """The call has ended with ``error``; None when it was cancelled."""

    call: int
    error: StudioError | None


Answer = Reported | Done | Failed
Call = Run | Derive | WarmUp | AskStatus
"""What is answered by one `Done` or `Failed`."""

Order = Call | Configure | Cancel | Close
