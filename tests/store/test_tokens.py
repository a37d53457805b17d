"""TokenCounter: counts as the checkpoint's own tokenizer does."""

from __future__ import annotations

import pytest
from support import STARTER
from tiny import write_tokenizer

from desktop_app.core.errors import CheckpointError
from desktop_app.store.tokens import TokenCounter

TEXTS = (
    "",
    "a lemon",
    "Lemon,  cartoon icon!",
    "don't 12,345 ☂ umbrella",
    "قطة بيضاء",
    "白い猫",
    "a" * 200,
    "line\nbreak\ttab",
)


@pytest.fixture(scope="module", params=["starter", "two old files"])
def tokenizer_folder(request, tmp_path_factory):
    if request.param == "starter":
        return STARTER / "tokenizer"
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder)
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_the_count_is_that_of_transformers(tokenizer_folder, text):
    from transformers import CLIPTokenizer

    expected = CLIPTokenizer.from_pretrained(tokenizer_folder)(text).input_ids
    assert TokenCounter(tokenizer_folder, 77).count(text) == len(expected)


def test_the_cut_falls_where_the_room_ends():
    counter = TokenCounter(STARTER / "tokenizer", 24)
    text = "lemon " * 22 + "umbrella"
    cut = counter.overflow(text)
    assert cut is not None
    assert counter.count(text[:cut]) == 24
    assert counter.count(text[: cut + 1]) > 24
    assert counter.overflow("lemon") is None


def test_a_tokenizer_that_cannot_be_read_is_told(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer"):
        TokenCounter(tmp_path, 77)
