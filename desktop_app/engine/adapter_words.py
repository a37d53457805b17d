"""Textual inversions: words that a text encoder has not known, for the time of a call."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

from desktop_app.core.adapter import AdapterInfo, token_of
from desktop_app.core.conditions import Adapter
from desktop_app.core.errors import RequestError
from desktop_app.core.family import Family
from desktop_app.engine.faults import loading_adapter, quiet
from desktop_app.engine.offload import Offload

VECTORS = {"text_encoder": "clip_l", "text_encoder_2": "clip_g"}
"""How a file with vectors for two encoders calls them."""


@contextlib.contextmanager
def knowing(
    offload: Offload, pipeline: Any, family: Family, words: Sequence[tuple[Adapter, AdapterInfo]]
) -> Iterator[None]:
    """Inside, the text encoders know ``words``. Raises `RequestError`, `OutOfMemory`; then they are as they were."""
    if not words:
        yield
        return
    encoders = [
        _Encoder(pipeline, part, name) for part, name in zip(family.text_encoders, family.tokenizers, strict=True)
    ]
    try:
        with offload.lifted(pipeline):
            for encoder in encoders:
                encoder.open()
            for adapter, info in words:
                _load(pipeline, encoders, adapter, info)
        yield
    finally:
        with offload.lifted(pipeline):
            for encoder in encoders:
                encoder.close()


class _Encoder:
    """A text encoder and its tokenizer. The pipeline gets a copy of the tokenizer, that learns the words."""

    def __init__(self, pipeline: Any, part: str, tokenizer_name: str) -> None:
        self.part = part
        self._pipeline = pipeline
        self._name = tokenizer_name
        self._own = getattr(pipeline, tokenizer_name)
        self._is_open = False
        self.model = getattr(pipeline, part)
        self.tokenizer = self._own

    @property
    def width(self) -> int:
        """Numbers of a vector."""
        return int(self.model.get_input_embeddings().weight.shape[-1])

    def open(self) -> None:
        """Write down what will be changed."""
        self._embeddings = self.model.get_input_embeddings()
        self._weight, self._values = self._embeddings.weight, self._embeddings.weight.data
        self._count, self._vocabulary = self._embeddings.num_embeddings, self.model.config.vocab_size
        self.tokenizer = copy.deepcopy(self._own)
        self._pipeline.register_modules(**{self._name: self.tokenizer})
        self._is_open = True

    def close(self) -> None:
        """All is as it was."""
        if not self._is_open:
            return
        self._pipeline.register_modules(**{self._name: self._own})
        self._weight.data = self._values
        self._embeddings.weight, self._embeddings.num_embeddings = self._weight, self._count
        self.model.set_input_embeddings(self._embeddings)
        self.model.config.vocab_size = self._vocabulary


def _load(pipeline: Any, encoders: Sequence[_Encoder], adapter: Adapter, info: AdapterInfo) -> None:
    """Teach the encoders one word."""
    from safetensors.torch import load_file

    token = token_of(adapter, info)
    with loading_adapter(info.label):
        tensors = load_file(info.path)
    vectors = {encoder.part: _vectors(tensors, encoder, info) for encoder in encoders}
    for encoder in encoders:
        if token in encoder.tokenizer.get_vocab():
            detail = f"{info.label}: the checkpoint, or another textual inversion, knows “{token}” already"
            raise RequestError("The word is taken", detail, "Give the textual inversion another word.", "adapters")
    for encoder in encoders:
        with loading_adapter(info.label), quiet():
            pipeline.load_textual_inversion(
                {token: vectors[encoder.part] * adapter.weight},
                token=token,
                tokenizer=encoder.tokenizer,
                text_encoder=encoder.model,
            )


def _vectors(tensors: dict[str, Any], encoder: _Encoder, info: AdapterInfo) -> Any:
    """The vectors for ``encoder``, (count, width)."""
    name = VECTORS[encoder.part] if info.encoders else next(iter(tensors))
    found = tensors.get(name)
    width = found.shape[-1] if found is not None else 0
    if found is None or width != encoder.width:
        known = f"vectors of {width} numbers" if width else f"no vectors for {encoder.part}"
        detail = f"{info.label} has {known}, and the words of the checkpoint have {encoder.width}"
        hint = "Switch it off, or choose a checkpoint that it is for."
        raise RequestError("The adapter does not fit the checkpoint", detail, hint, param="adapters")
    return found if found.dim() == 2 else found[None]
