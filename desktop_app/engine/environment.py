"""What the libraries below the engine are told before they are imported."""

from __future__ import annotations

import os

ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Nothing is fetched, no code of a checkpoint runs, and threads that have nothing to do sleep instead of taking the
window's processor time."""


def prepare_environment() -> None:
    """Call it before torch and diffusers are imported, in the process that runs the engine."""
    os.environ.update(ENVIRONMENT)
