"""Previews: of which latents a picture can be made."""

from __future__ import annotations

import pytest

from desktop_app.engine.preview import Previewer


@pytest.fixture
def tiny():
    """A decoder that is quick enough to make previews itself."""
    import diffusers

    channels = (8, 8)
    blocks = {"num_encoder_blocks": (1, 1), "num_decoder_blocks": (1, 1)}
    return diffusers.AutoencoderTiny(encoder_block_out_channels=channels, decoder_block_out_channels=channels, **blocks)


def test_a_small_decoder_makes_its_own_preview(tiny):
    import torch

    assert Previewer(tiny).make(torch.zeros(1, 4, 8, 8), is_last=True).size == (16, 16)


def test_packed_latents_give_no_preview_and_no_error(tiny):
    import torch

    assert Previewer(tiny).make(torch.zeros(1, 16, 64), is_last=True) is None
