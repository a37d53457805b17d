"""What a checkpoint needs of memory: the sizes of its parts, known from the headers of its weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PartSize:
    """One part of a checkpoint: its ``name`` as in ``model_index.json`` ("unet"), its number of parameters, and the
    ``bytes`` that they take in the files.
    """

    name: str
    parameters: int
    bytes: int
