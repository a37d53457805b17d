"""Every error a user can meet, as one tree.

StudioError              title, detail, hint
  RequestError           a value asked for cannot be run; ``param`` names the control
  ImageError             a picture cannot be read, fetched or written as asked
  CheckpointError        a checkpoint is missing, damaged, unsafe or of a family that is not supported
    CheckpointMissing    ... it is on the hub, perhaps, but not on this machine; ``ref`` names it
  DeviceError            the device cannot do it
    OutOfMemory          ... because its memory is full
    DeviceLost           ... ever again in this process: it or its driver has failed
  EngineCrashed          the engine's process died under a job
  StoreError             a file or the database cannot be read or written
  InternalError          a bug; carries the traceback as detail

``Cancelled`` stands outside: to be stopped is not an error.
"""

from __future__ import annotations


class StudioError(Exception):
    """What went wrong, told to the user.

    ``title`` is a short sentence without full stop, ``detail`` the particulars (may be empty), ``hint`` what the
    user can do next (may be empty). Instances pickle, so they cross the engine's pipe.
    """

    def __init__(self, title: str, detail: str = "", hint: str = "") -> None:
        super().__init__(title, detail, hint)
        self.title = title
        self.detail = detail
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.title}: {self.detail}" if self.detail else self.title

    def to_json(self) -> dict[str, str]:
        """The error as plain data, for the queue's file; read back by `error_from_json`."""
        data = {"kind": type(self).__name__, "title": self.title, "detail": self.detail, "hint": self.hint}
        if isinstance(self, RequestError):
            data["param"] = self.param
        return data


class RequestError(StudioError):
    """A value asked for cannot be run. ``param`` is the name of the field of `Params` at fault, or empty."""

    def __init__(self, title: str, detail: str = "", hint: str = "", param: str = "") -> None:
        super().__init__(title, detail, hint)
        self.args = (title, detail, hint, param)
        self.param = param


class ImageError(StudioError):
    """A picture cannot be read, fetched or written as asked."""


class CheckpointError(StudioError):
    """A checkpoint is missing, damaged, unsafe, or of a family that is not supported."""


class CheckpointMissing(CheckpointError):
    """A checkpoint of the hub is not on this machine. ``ref`` is its name there."""

    def __init__(self, title: str, detail: str = "", hint: str = "", ref: str = "") -> None:
        super().__init__(title, detail, hint)
        self.args = (title, detail, hint, ref)
        self.ref = ref


class DeviceError(StudioError):
    """The device cannot do what was asked."""


class OutOfMemory(DeviceError):
    """The device's memory is full."""


class DeviceLost(DeviceError):
    """The device or its driver has failed; only a new process can use it again."""


class EngineCrashed(StudioError):
    """The engine's process died while a job was in it."""


class StoreError(StudioError):
    """A file or the database cannot be read or written."""


class InternalError(StudioError):
    """A bug. ``detail`` carries the traceback."""


class Cancelled(Exception):
    """The run was stopped because the user asked for it."""


_KINDS: dict[str, type[StudioError]] = {
    kind.__name__: kind
    for kind in (
        StudioError,
        ImageError,
        CheckpointError,
        CheckpointMissing,
        DeviceError,
        OutOfMemory,
        DeviceLost,
        EngineCrashed,
        StoreError,
    )
}


def error_from_json(data: dict[str, str]) -> StudioError:
    """The error that `StudioError.to_json` wrote; an unknown kind comes back as `InternalError`."""
    texts = (data.get("title", ""), data.get("detail", ""), data.get("hint", ""))
    if data.get("kind") == RequestError.__name__:
        return RequestError(*texts, param=data.get("param", ""))
    return _KINDS.get(data.get("kind", ""), InternalError)(*texts)
