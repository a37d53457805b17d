"""The schedulers that can be chosen, by name. Their classes in diffusers stand here as text: nothing is imported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from desktop_app.core.params import DEFAULT_SCHEDULER


@dataclass(frozen=True)
class SchedulerSpec:
    """``label`` is what other programs call it, ``class_name`` its class in diffusers (empty: the checkpoint's own),
    ``config`` what is changed in the checkpoint's scheduler configuration.
    """

    name: str
    label: str
    class_name: str = ""
    config: dict[str, Any] = field(default_factory=dict)


SCHEDULERS: dict[str, SchedulerSpec] = {
    spec.name: spec
    for spec in (
        SchedulerSpec(DEFAULT_SCHEDULER, "Checkpoint's own"),
        SchedulerSpec("ddim", "DDIM", "DDIMScheduler"),
        SchedulerSpec("euler", "Euler", "EulerDiscreteScheduler"),
        SchedulerSpec("euler_a", "Euler a", "EulerAncestralDiscreteScheduler"),
        SchedulerSpec("heun", "Heun", "HeunDiscreteScheduler"),
        SchedulerSpec("dpmpp_2m", "DPM++ 2M", "DPMSolverMultistepScheduler"),
        SchedulerSpec("dpmpp_2m_karras", "DPM++ 2M Karras", "DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
        SchedulerSpec(
            "dpmpp_2m_sde", "DPM++ 2M SDE", "DPMSolverMultistepScheduler", {"algorithm_type": "sde-dpmsolver++"}
        ),
        SchedulerSpec("unipc", "UniPC", "UniPCMultistepScheduler"),
        SchedulerSpec("pndm", "PNDM", "PNDMScheduler"),
        SchedulerSpec("ddpm", "DDPM", "DDPMScheduler"),
        SchedulerSpec("lcm", "LCM", "LCMScheduler"),
    )
}
