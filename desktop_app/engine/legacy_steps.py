"""Legacy steps: older pipelines of diffusers tell of a step by ``callback(step, timestep, latents)``, newer ones by
``callback_on_step_end(pipeline, step, timestep, tensors)``. Here an older one is called as if it were newer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OnStepEnd = Callable[[Any, int, Any, dict[str, Any]], dict[str, Any]]
"""What a newer pipeline calls after each step; the tensors have ``latents`` in them."""


def legacy_callback(on_step_end: OnStepEnd, pipeline: Any) -> dict[str, Any]:
    """The arguments by which an older ``pipeline`` calls ``on_step_end`` after each step. What that is given in the
    place of the pipeline knows ``num_timesteps`` alone.
    """
    counted = _Counted(pipeline)

    def callback(step: int, timestep: Any, latents: Any) -> None:
        counted.see(timestep)
        on_step_end(counted, step, timestep, {"latents": latents})

    return {"callback": callback, "callback_steps": 1}


def read_hint(pipeline: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a newer pipeline as Kandinsky 2.2's with a control image takes them; it brings that to its
    device only where it is guided.
    """
    taken = dict(arguments)
    taken.pop("callback_on_step_end_tensor_inputs", None)
    on_step_end = taken.pop("callback_on_step_end", None)
    device = getattr(pipeline, "_execution_device")  # noqa: B009
    taken["hint"] = taken["hint"].to(device, pipeline.unet.dtype)
    return {**taken, **(legacy_callback(on_step_end, pipeline) if on_step_end else {})}


class _Counted:
    """Stands for a pipeline that does not say how many steps it takes: those before the first that is seen were left
    out, and the others of the schedule are taken.
    """

    def __init__(self, pipeline: Any) -> None:
        self._scheduler = pipeline.scheduler
        self.num_timesteps = 0

    def see(self, timestep: Any) -> None:
        """The step at ``timestep`` is done."""
        if not self.num_timesteps:
            timesteps = self._scheduler.timesteps
            first = int((timesteps == timestep).nonzero()[0])
            self.num_timesteps = len(timesteps) - first
