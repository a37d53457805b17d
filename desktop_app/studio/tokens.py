"""TokenCount: how much of a prompt the checkpoint reads."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from desktop_app.core.checkpoint import CheckpointInfo
from desktop_app.core.errors import CheckpointError
from desktop_app.core.families import family_named
from desktop_app.core.weighting import parse
from desktop_app.store.checkpoints import CheckpointStore
from desktop_app.store.tokens import TokenCounter, Words


@dataclass(frozen=True)
class TokenCount:
    """``used`` of ``limit`` tokens, begin and end marks included; a limit of 0 means that nobody knows.

    ``overflow`` is the index of the first character that is not read, None when all is. What is read in several
    ``chunks`` is counted without the marks, and the limit is that of each chunk. Of a blend the longest text counts.
    """

    used: int = 0
    limit: int = 0
    overflow: int | None = None
    chunks: int = 1


@dataclass(frozen=True)
class KnownCheckpoint:
    """A checkpoint that was read from disk, and its counter, None where its tokenizer cannot be used."""

    info: CheckpointInfo
    counter: TokenCounter | None

    def count(self, text: str, words: Words = ()) -> TokenCount:
        """How much of ``text`` is read, where textual inversions have taught ``words``."""
        if self.counter is None:
            return TokenCount()
        counter = self.counter.knowing(words)
        family = family_named(self.info.family)
        if family and family.takes_weights:
            return _count_chunks(counter, text)
        return TokenCount(counter.count(text), counter.max_tokens, counter.overflow(text))


def _count_chunks(counter: TokenCounter, text: str) -> TokenCount:
    prompt = parse(text)
    parts = [[[fragment.text for fragment in chunk] for chunk in part.chunks] for part in prompt.parts]
    counts = [counter.count_chunks(words) for words in parts]
    if prompt.is_blend:
        counts = [max(counts, key=lambda count: (count[1], count[0]))]
    used, chunks = (sum(numbers) for numbers in zip(*counts, strict=True))
    if chunks == 1:
        return TokenCount(used + counter.marks, counter.max_tokens)
    return TokenCount(used, counter.max_tokens - counter.marks, chunks=chunks)


def read_checkpoint(ref: str, checkpoints: CheckpointStore) -> KnownCheckpoint:
    """Read ``ref`` from disk; may take a moment. Raises `CheckpointError`."""
    info = checkpoints.describe(ref)
    reader = info
    if info.prior and info.tokenizer is None:  # the prompt is read by its prior
        with contextlib.suppress(CheckpointError):
            reader = checkpoints.describe(info.prior)
    return KnownCheckpoint(info, TokenCounter(reader.tokenizer, reader.max_tokens) if reader.tokenizer else None)
