"""TokenCounter: how many tokens of a prompt a checkpoint reads, counted as its tokenizer does. No torch."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from desktop_app.core.errors import CheckpointError

BEGIN, END = "<|startoftext|>", "<|endoftext|>"

_CLIP_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP cuts a text into words before it cuts words into tokens (openai/CLIP, simple_tokenizer.py)."""


class TokenCounter:
    """Counts begin and end marks too: an empty prompt has 2. Quick enough for every keystroke; any thread."""

    def __init__(self, tokenizer_folder: Path, max_tokens: int) -> None:
        self.max_tokens = max_tokens
        self._tokenizer = _load(tokenizer_folder)
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._lock = threading.Lock()

    def count(self, text: str) -> int:
        """Tokens of ``text`` with the begin and the end mark."""
        return len(self._offsets(text)) + 2

    def overflow(self, text: str) -> int | None:
        """Index of the first character that is not read, None when all of ``text`` is."""
        offsets = self._offsets(text)
        room = max(self.max_tokens - 2, 0)
        return offsets[room][0] if len(offsets) > room else None

    def _offsets(self, text: str) -> list[tuple[int, int]]:
        with self._lock:
            return list(self._tokenizer.encode(text, add_special_tokens=False).offsets)


def _load(folder: Path) -> Tokenizer:
    whole = folder / "tokenizer.json"
    try:
        if whole.is_file():
            return Tokenizer.from_str(whole.read_text(encoding="utf-8"))
        return _build_clip(folder)
    except Exception as e:  # the library raises bare Exception for any damage
        detail = f"{folder.name}: {e}"[:300]
        raise CheckpointError("The checkpoint's tokenizer cannot be read", detail, "Fetch its files again.") from e


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
