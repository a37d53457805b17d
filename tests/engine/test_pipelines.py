"""What the libraries say while a checkpoint is loaded; a line that is not known to be harmless fails the test."""

from __future__ import annotations

import logging

import pytest
from tiny import write_stable_diffusion

from desktop_app.core.request import StageKind
from desktop_app.engine.pipelines import load_pipelines, quieten_libraries


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_stable_diffusion(tmp_path_factory.mktemp("pipelines") / "checkpoint")


def test_half_precision_may_wait_in_main_memory_without_a_word_in_the_log(folder):
    import torch

    quieten_libraries()
    assert logging.getLogger("diffusers").propagate
    unet = load_pipelines(folder, torch.float16, "cpu")[StageKind.IMAGE_TO_IMAGE].unet
    assert unet.dtype == torch.float16
