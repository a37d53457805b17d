"""TokenCounter: how many tokens of a prompt a checkpoint reads, counted as its tokenizer does. No torch."""

from __future__ import annotations

import importlib
import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from desktop_app.core.errors import CheckpointError
from desktop_app.core.weighting import cut

BEGIN, END = "<|startoftext|>", "<|endoftext|>"
PIECES = "tokenizer.model"
"""A tokenizer of the library sentencepiece."""

CHATGLM_MARKS = 2
"""[gMASK] and sop, which ChatGLM sets before each text; its file does not say so."""

_CLIP_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text into words before it cuts words into tokens (openai/CLIP, simple_tokenizer.py)."""

Spans = list[tuple[int, int, bool]]
"""Begin and end of each token, in characters of the text, and whether it ends a word."""

Words = tuple[tuple[str, int], ...]
"""The words of textual inversions, and how many vectors each has."""

WORD_END = "</w>"
"""How CLIP's tokenizer marks the last token of a word."""


class TokenCounter:
    """Counts the marks that its tokenizer sets at the begin and the end too: an empty prompt may have 2. Quick enough
    for every keystroke; any thread.
    """

    def __init__(self, tokenizer_folder: Path, max_tokens: int, words: Words = ()) -> None:
        self.max_tokens = max_tokens
        self._folder = tokenizer_folder
        self.words = words
        self._cut, self._marks = _load(tokenizer_folder, words)
        self._lock = threading.Lock()
        self._other: TokenCounter | None = None

    def knowing(self, words: Words) -> TokenCounter:
        """One for the same tokenizer that was taught ``words``; made anew only when they are others."""
        if words == self.words:
            return self
        if self._other is None or self._other.words != words:
            self._other = TokenCounter(self._folder, self.max_tokens, words)
        return self._other

    def count(self, text: str) -> int:
        """Tokens of ``text`` with the marks."""
        return len(self._spans(text)) + self._marks

    def overflow(self, text: str) -> int | None:
        """Index of the first character that is not read, None when all of ``text`` is."""
        spans = self._spans(text)
        room = max(self.max_tokens - self._marks, 0)
        return spans[room][0] if len(spans) > room else None

    def count_chunks(self, chunks: Sequence[Sequence[str]]) -> tuple[int, int]:
        """Tokens of all texts of ``chunks`` without the marks, and how many chunks they are where none may have more
        than the checkpoint reads at once.
        """
        room = max(self.max_tokens - self._marks, 1)
        ends = [[is_end for text in chunk for _, _, is_end in self._spans(text)] for chunk in chunks]
        return sum(map(len, ends)), sum(len(cut(each, room)) for each in ends)

    @property
    def marks(self) -> int:
        """How many marks it sets."""
        return self._marks

    def _spans(self, text: str) -> Spans:
        with self._lock:
            return self._cut(text)


def _load(folder: Path, words: Words) -> tuple[Callable[[str], Spans], int]:
    """What cuts a text into tokens, and how many marks come to them. Pieces are taught no words."""
    try:
        if (folder / "tokenizer.json").is_file():
            tokenizer = Tokenizer.from_str((folder / "tokenizer.json").read_text(encoding="utf-8"))
            return _cutter(tokenizer, words), len(tokenizer.encode("").ids)
        if (folder / PIECES).is_file():
            return _load_pieces(folder / PIECES), CHATGLM_MARKS
        return _cutter(_build_clip(folder), words), 2
    except Exception as e:  # the library raises bare Exception for any damage
        detail = f"{folder.name}: {e}"[:300]
        raise CheckpointError("The checkpoint's tokenizer cannot be read", detail, "Fetch its files again.") from e


def _cutter(tokenizer: Tokenizer, words: Words) -> Callable[[str], Spans]:
    tokenizer.no_truncation()
    tokenizer.no_padding()
    vectors = dict(words)
    tokenizer.add_tokens(
        [f"{word}_{number}" if number else word for word in vectors for number in range(vectors[word])]
    )

    def spans(text: str) -> Spans:
        encoded = tokenizer.encode(text, add_special_tokens=False)
        made: Spans = []
        for (begin, end), token in zip(encoded.offsets, encoded.tokens, strict=True):
            made += [(begin, end, False)] * (vectors.get(token, 1) - 1)
            made.append((begin, end, token in vectors or token.endswith(WORD_END)))
        return made

    return spans


def _load_pieces(path: Path) -> Callable[[str], Spans]:
    processor = importlib.import_module("sentencepiece").SentencePieceProcessor(model_file=str(path))

    def spans(text: str) -> Spans:
        return [(begin, end, True) for begin, end in processor.encode(text, return_type="offset_mapping")["offsets"]]

    return spans


def _build_clip(folder: Path) -> Tokenizer:
    """The tokenizer of OpenAI's CLIP from its two old files."""
    vocab: dict[str, Any] = json.loads((folder / "vocab.json").read_bytes())
    lines = (folder / "merges.txt").read_text(encoding="utf-8").strip().split("\n")
    pairs = [(left, right) for left, _, right in (line.partition(" ") for line in lines[1:]) if right]
    model = models.BPE(
        vocab=vocab,
        merges=pairs,
        continuing_subword_prefix="",
        end_of_word_suffix="</w>",
        fuse_unk=False,
        unk_token=END,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CLIP_SPLIT), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([BEGIN, END])
    return tokenizer
