"""Schedulers as diffusers objects. Each run gets a new one, since they keep state between steps."""

from __future__ import annotations

from typing import Any

from desktop_app.core.errors import RequestError
from desktop_app.core.schedulers import SCHEDULERS


def make_scheduler(name: str, own: Any) -> Any:
    """The scheduler ``name`` for a checkpoint whose own one is ``own``. Raises `RequestError` for an unknown name."""
    spec = SCHEDULERS.get(name)
    if spec is None:
        known = ", ".join(SCHEDULERS)
        raise RequestError("The scheduler is not known", name, f"Choose one of: {known}.", param="scheduler")
    if not spec.class_name:
        return type(own).from_config(own.config)
    import diffusers

    return getattr(diffusers, spec.class_name).from_config(own.config, **spec.config)
