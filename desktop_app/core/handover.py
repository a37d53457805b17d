"""Handover: what goes from one stage of a chain to the next, and why."""

from __future__ import annotations

from dataclasses import dataclass

SAME_VAE = "same VAE"
OTHER_VAE = "different VAE"
NOT_COMPARED = "the VAE of a file is not compared with that of a folder"
ON_PIXELS = "this stage works on pixels"
FROM_PIXELS = "the stage before works on pixels"
MASKED = "outside the mask the picture is put back"
OTHER_CHANNELS = "only latents of 4 channels can be handed on"
OWN_LATENTS = "the latents of one of them mean nothing to the other"
TAKES_OVER = "takes over at {share:g} of the schedule"


@dataclass(frozen=True)
class Handover:
    """``by_latents``: the latents go on as they are; if not, they are decoded, and the next stage encodes the picture.
    ``reason`` is why, in a few words: one of this module's constants.
    """

    by_latents: bool
    reason: str

    @property
    def words(self) -> str:
        """Such as "latents: same VAE"."""
        return f"{'latents' if self.by_latents else 'pixels'}: {self.reason}"
