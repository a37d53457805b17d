"""TokenCounter: counts as the checkpoint's own tokenizer does."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from support import STARTER
from tiny import write_tokenizer
from tiny_flow import qwen_tokenizer, t5_tokenizer
from tiny_other import write_pieces

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


def write_t5(folder):
    t5_tokenizer().save_pretrained(folder)


def write_qwen(folder):
    qwen_tokenizer().save_pretrained(folder)


@pytest.mark.parametrize("write", [write_t5, write_qwen])
@pytest.mark.parametrize("text", ["", "the cat", "don't 12,345", "line\nbreak"])
def test_tokenizers_of_other_kinds_are_counted_with_their_own_marks(tmp_path, write, text):
    from transformers import AutoTokenizer

    write(tmp_path)
    expected = AutoTokenizer.from_pretrained(tmp_path)(text).input_ids
    assert TokenCounter(tmp_path, 512).count(text) == len(expected)


def test_the_room_of_a_tokenizer_with_one_mark_has_one_mark_less(tmp_path):
    write_t5(tmp_path)
    counter = TokenCounter(tmp_path, 4)
    text = "the cat the cat the cat"
    assert counter.overflow("the cat the") is None
    cut = counter.overflow(text)
    assert text[:cut].split() == ["the", "cat", "the"]


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
def test_pieces_are_counted_as_chatglm_does(tmp_path):
    pytest.importorskip("sentencepiece")
    from diffusers.pipelines.kolors import ChatGLMTokenizer

    folder = write_pieces(tmp_path / "pieces")
    expected = ChatGLMTokenizer(str(folder / "tokenizer.model"))("the cat and the dog").input_ids
    counter = TokenCounter(folder, 6)
    assert counter.count("the cat and the dog") == len(expected)
    assert 0 < counter.overflow("the cat and the dog") < 12


def test_chunks_are_cut_as_the_engine_cuts_them(tokenizer_folder):
    from transformers import CLIPTokenizer

    from desktop_app.core.weighting import parse
    from desktop_app.engine.weighting import _Reader

    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    reader = _Reader(SimpleNamespace(tokenizer=tokenizer), "tokenizer")
    for text in ("", "the cat " * 100, "catastrophe, " * 30, "a" * 400, "a BREAK b", "the (cat:1.3) ☂"):
        (part,) = parse(text).parts
        expected = reader.chunks(part)
        words = [[fragment.text for fragment in chunk] for chunk in part.chunks]
        counter = TokenCounter(tokenizer_folder, tokenizer.model_max_length)
        assert counter.count_chunks(words) == (sum(map(len, expected)), len(expected))


def test_words_that_were_taught_are_counted_as_the_engine_counts_them(tokenizer_folder):
    from diffusers.loaders import TextualInversionLoaderMixin
    from transformers import CLIPTokenizer

    from desktop_app.core.weighting import parse
    from desktop_app.engine.weighting import _Reader

    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.add_tokens(["<one>", "<style>", "<style>_1", "<style>_2"])
    convert = TextualInversionLoaderMixin().maybe_convert_prompt
    reader = _Reader(SimpleNamespace(tokenizer=tokenizer, maybe_convert_prompt=convert), "tokenizer")
    room = tokenizer.model_max_length
    counter = TokenCounter(tokenizer_folder, room).knowing((("<one>", 1), ("<style>", 3)))
    for text in ("a <style> cat", "<one>", "<style><one>, <style>", "the <style> " * 40, "<style> " * 60):
        (part,) = parse(text).parts
        expected = reader.chunks(part)
        words = [[fragment.text for fragment in chunk] for chunk in part.chunks]
        assert counter.count_chunks(words) == (sum(map(len, expected)), len(expected))


def test_a_counter_forgets_words_that_it_was_taught_before():
    counter = TokenCounter(STARTER / "tokenizer", 24)
    plain = counter.count("a <style>")
    assert counter.knowing((("<style>", 9),)).count("a <style>") == 12
    assert counter.knowing(()).count("a <style>") == plain
    assert counter.knowing((("<style>", 9),)) is counter.knowing((("<style>", 9),))
