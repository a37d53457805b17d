"""Prompts with weights, and longer than an encoder's room, as embeddings for the pipelines of Stable Diffusion.

The arithmetic is that of Compel 2.5 (github.com/damian0815/compel, embeddings_provider.py): what a token's embedding
has beyond that of an empty prompt is multiplied by its weight; and for each fragment that weighs less than 1 the whole
is drawn towards what the encoder makes with those tokens masked. What does not fit into one chunk is cut behind a word.
The texts of a blend are added up by their weights; others come one after another. Of what stands for a text as a whole
Compel knows no weights and no calls: here it is that of the first text's first chunk, or blended as the rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from desktop_app.core.choices import without_escapes
from desktop_app.core.family import Family
from desktop_app.core.request import Stage
from desktop_app.core.weighting import Part, Weighted, cut, parse

LEAST = 1e-5
"""A weight of 0 is taken for this one, which is as good as masked."""

WORD_END = "</w>"
"""How CLIP's tokenizer marks the last token of a word."""


@dataclass(frozen=True)
class _Token:
    """``fragment`` is the number of the fragment that it is from."""

    id: int
    weight: float
    fragment: int


def read_stage(pipeline: Any, family: Family, stage: Stage) -> tuple[Stage, dict[str, Any]]:
    """``stage`` with plain prompts, and no more; or where its prompts need it the embeddings of both as arguments of
    ``pipeline``, that take the prompts' place.
    """
    if not family.takes_weights:
        texts = without_escapes(stage.prompt), without_escapes(stage.negative_prompt)
        return replace(stage, prompt=texts[0], negative_prompt=texts[1]), {}
    prompts = parse(stage.prompt), parse(stage.negative_prompt)
    plain = replace(stage, prompt=prompts[0].text, negative_prompt=prompts[1].text)
    reader = _Reader(pipeline, family.tokenizers[0])
    if all(prompt.is_plain and reader.count(prompt) == 1 for prompt in prompts):
        return plain, {}
    return plain, _embeddings(pipeline, family, prompts)


def _embeddings(pipeline: Any, family: Family, prompts: tuple[Weighted, Weighted]) -> dict[str, Any]:
    """Both prompts' embeddings (1, tokens, width), and those of each as a whole (1, width) for Stable Diffusion XL."""
    import torch

    is_xl = "text_encoder_2" in family.text_encoders
    parts = zip(family.tokenizers, family.text_encoders, strict=True)
    encoders = [_Encoder(pipeline, tokenizer, part, is_xl=is_xl) for tokenizer, part in parts]
    count = max(encoder.reader.count(prompt) for encoder in encoders for prompt in prompts)
    with torch.no_grad():
        made = [torch.cat([encoder.read(prompt, count) for encoder in encoders], dim=-1) for prompt in prompts]
        if not is_xl:
            return {"prompt_embeds": made[0], "negative_prompt_embeds": made[1]}
        wholes = [encoders[-1].whole(prompt) for prompt in prompts]
    if not prompts[1].text and pipeline.config.force_zeros_for_empty_prompt:
        made[1], wholes[1] = torch.zeros_like(made[0]), torch.zeros_like(wholes[0])
    return {
        "prompt_embeds": made[0],
        "negative_prompt_embeds": made[1],
        "pooled_prompt_embeds": wholes[0],
        "negative_pooled_prompt_embeds": wholes[1],
    }


class _Reader:
    """A tokenizer. The word of a textual inversion with several vectors becomes all its tokens, as in ``pipeline``."""

    def __init__(self, pipeline: Any, tokenizer: str) -> None:
        self.tokenizer = getattr(pipeline, tokenizer)
        self._convert: Callable[[str, Any], str] | None = getattr(pipeline, "maybe_convert_prompt", None)

    def count(self, prompt: Weighted) -> int:
        """Of how many chunks ``prompt`` fills the room."""
        counts = [len(self.chunks(part)) for part in prompt.parts]
        return max(counts) if prompt.is_blend else sum(counts)

    def chunks(self, part: Part) -> list[list[_Token]]:
        """The tokens of ``part`` in chunks for its encoder."""
        chunks: list[list[_Token]] = []
        number = 0
        for each in part.chunks:
            tokens = []
            for fragment in each:
                tokens += [_Token(id, fragment.weight, number) for id in self._ids(fragment.text)]
                number += 1
            begin = 0
            for length in cut(self._ends([token.id for token in tokens]), _room(self.tokenizer)):
                chunks.append(tokens[begin : begin + length])
                begin += length
        return chunks

    def _ids(self, text: str) -> list[int]:
        converted = self._convert(text, self.tokenizer) if self._convert else text
        ids: list[int] = self.tokenizer(converted, add_special_tokens=False, truncation=False).input_ids
        return ids

    def _ends(self, ids: Sequence[int]) -> list[bool]:
        """Of each token, whether it ends a word; of a textual inversion only the last one does."""
        names = self.tokenizer.convert_ids_to_tokens(ids)
        added = self.tokenizer.added_tokens_encoder
        following = [*names, ""][1:]
        return [
            name.endswith(WORD_END) or (name in added and not _goes_on(name, after))
            for name, after in zip(names, following, strict=True)
        ]


def _goes_on(name: str, after: str) -> bool:
    """Whether ``after`` is the vector behind ``name``: those of one are ``<word>``, ``<word>_1``, ``<word>_2``."""
    word, _, number = after.rpartition("_")
    if not number.isdecimal():
        return False
    return name == (word if number == "1" else f"{word}_{int(number) - 1}")


class _Encoder:
    """A tokenizer and its text encoder. Those of Stable Diffusion XL give their layer before the last one."""

    def __init__(self, pipeline: Any, tokenizer: str, part: str, *, is_xl: bool) -> None:
        self.reader = _Reader(pipeline, tokenizer)
        self._text_encoder = getattr(pipeline, part)
        self._device = getattr(pipeline, "_execution_device", None)
        self._is_xl = is_xl

    def read(self, prompt: Weighted, count: int) -> Any:
        """``prompt`` in ``count`` chunks (1, tokens, width); those that it does not fill are an empty prompt's."""
        import torch

        empty = self._tokens([])
        parts = prompt.parts
        read = [self._read_part(part, empty) for part in parts]
        weights = [part.weight for part in parts]
        if prompt.is_blend:
            return _add([_fill(each, empty, count) for each in read], weights)
        weighed = [_weigh_part(each, weight, empty) for each, weight in zip(read, weights, strict=True)]
        return _fill(torch.cat(weighed, dim=1), empty, count)

    def whole(self, prompt: Weighted) -> Any:
        """``prompt`` as a whole (1, width): the first chunk of its first text, of a blend those of all, by no weights
        of words.
        """
        parts = prompt.parts if prompt.is_blend else prompt.parts[:1]
        wholes = [self._run(self.reader.chunks(part)[0]).text_embeds for part in parts]
        return _add(wholes, [part.weight for part in parts]) if prompt.is_blend else wholes[0]

    def _read_part(self, part: Part, empty: Any) -> Any:
        """One text (1, tokens, width)."""
        import torch

        chunks = self.reader.chunks(part)
        light = {token.fragment: token.weight for chunk in chunks for token in chunk if token.weight < 1}
        read = []
        for chunk in chunks:
            base = self._weigh(self._tokens(chunk), chunk, empty)
            layers, shares = [base], [1.0]
            for fragment, weight in light.items():
                is_within = any(token.fragment == fragment for token in chunk)
                masked = self._tokens(chunk, without=fragment) if is_within else None
                layers.append(base if masked is None else self._weigh(masked, chunk, empty))
                shares.append(math.tan((1.0 - max(weight, LEAST)) * math.pi / 2))
            read.append(_blend(layers, shares))
        return torch.cat(read, dim=1)

    def _weigh(self, embeds: Any, chunk: Sequence[_Token], empty: Any) -> Any:
        import torch

        if all(token.weight == 1 for token in chunk):
            return embeds
        weights = torch.ones(embeds.shape[1], 1, dtype=torch.float32, device=embeds.device)
        for place, token in enumerate(chunk, start=1):
            weights[place] = token.weight
        return torch.where(weights == 1, embeds, empty + (embeds - empty) * weights).to(embeds.dtype)

    def _tokens(self, chunk: Sequence[_Token], without: int | None = None) -> Any:
        """Embeddings of each token (1, tokens, width)."""
        made = self._run(chunk, without)
        return made.hidden_states[-2] if self._is_xl else made.last_hidden_state

    def _run(self, chunk: Sequence[_Token], without: int | None = None) -> Any:
        """What the encoder makes of ``chunk`` between its marks; the tokens of the fragment ``without`` are masked."""
        import torch

        tokenizer = self.reader.tokenizer
        padding = [tokenizer.pad_token_id] * (_room(tokenizer) - len(chunk))
        ids = [tokenizer.bos_token_id, *(token.id for token in chunk), tokenizer.eos_token_id, *padding]
        mask = None
        if without is not None:
            mask = torch.ones(1, len(ids), dtype=torch.long, device=self._device)
            for place, token in enumerate(chunk, start=1):
                mask[0, place] = int(token.fragment != without)
        values = torch.tensor([ids], dtype=torch.long, device=self._device)
        return self._text_encoder(values, attention_mask=mask, output_hidden_states=self._is_xl)


def _blend(layers: Sequence[Any], shares: Sequence[float]) -> Any:
    """The mean of ``layers`` by their ``shares``."""
    total = sum(shares)
    return _add(layers, [share / total for share in shares])


def _add(layers: Sequence[Any], weights: Sequence[float]) -> Any:
    """The sum of ``layers`` by their ``weights``."""
    if len(layers) == 1 and weights[0] == 1:
        return layers[0]
    return sum(layer.float() * weight for layer, weight in zip(layers, weights, strict=True)).to(layers[0].dtype)


def _fill(embeds: Any, empty: Any, count: int) -> Any:
    """``embeds`` with as many empty chunks behind it as there are to ``count``."""
    import torch

    return torch.cat([embeds, *[empty] * (count - embeds.shape[1] // empty.shape[1])], dim=1)


def _weigh_part(embeds: Any, weight: float, empty: Any) -> Any:
    """What all chunks of a text have beyond an empty prompt, by its ``weight``."""
    if weight == 1:
        return embeds
    base = empty.repeat(1, embeds.shape[1] // empty.shape[1], 1).float()
    return (base + (embeds.float() - base) * weight).to(embeds.dtype)


def _room(tokenizer: Any) -> int:
    """Tokens of a chunk, without its marks."""
    return int(tokenizer.model_max_length) - 2
