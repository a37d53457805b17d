"""Schedulers as diffusers objects. Each run gets a new one, since they keep state between steps."""

from __future__ import annotations

from typing import Any

from desktop_app.core.errors import RequestError
from desktop_app.core.schedulers import SCHEDULERS

LEARNED = ("learned", "learned_range")
"""Variance types of denoisers that tell the variance of the noise beside the noise."""


def make_scheduler(name: str, own: Any) -> Any:
    """The scheduler ``name`` for a checkpoint whose own one is ``own``. Raises `RequestError` for an unknown name."""
    spec = SCHEDULERS.get(name)
    if spec is None:
        known = ", ".join(SCHEDULERS)
        raise RequestError("The scheduler is not known", name, f"Choose one of: {known}.", param="scheduler")
    if not spec.class_name:
        return type(own).from_config(own.config)
    import diffusers

    config = dict(own.config)
    if spec.class_name != "DDPMScheduler" and str(config.get("variance_type")) in LEARNED:
        del config["variance_type"]  # or pipelines hand over the variance too, which no other scheduler understands
    return getattr(diffusers, spec.class_name).from_config(config, **spec.config)
