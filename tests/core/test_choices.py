"""Choices in prompts: which alternative is taken, and that no text whatever is too odd."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.core.choices import (
    BRACE_NOT_CLOSED,
    BRACE_NOT_OPENED,
    is_whole,
    longest_choices,
    read_choices,
    resolve_choices,
    without_escapes,
)
from desktop_app.core.weighting import parse

PROMPTS = st.lists(st.sampled_from([*"{}|\\ ab,(:", "{a|b}", "\\{", "cat"]), max_size=40).map("".join)


def all_of(text, count=40):
    return {resolve_choices(text, seed) for seed in range(count)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a {red|blue} cat", {"a red cat", "a blue cat"}),
        ("{a|b|}", {"a", "b", ""}),
        ("{a|{b|c} d}", {"a", "b d", "c d"}),
        ("{prompt}, {{a|b}}{}", {"{prompt}, {a}{}", "{prompt}, {b}{}"}),
        ("{{prompt}|b}", {"{prompt}", "b"}),
        (r"\{a\|b\} {c\|d|}", {r"\{a\|b\} c\|d", r"\{a\|b\} "}),
        ("a | b", {"a | b"}),
        ("{a|b", {"{a|b"}),
        ("a} {b}", {"a} {b}"}),
        ("{ {a|b}", {"{ a", "{ b"}),
    ],
)
def test_one_alternative_is_taken(text, expected):
    assert all_of(text) == expected


def test_the_seed_alone_decides_and_always_will():
    text = "{a|b|c|d|e|f|g|h} {1|2|3|4|5|6|7|8}"
    assert [resolve_choices(text, seed) for seed in (0, 1, 2**63 - 1)] == ["e 4", "e 4", "g 5"]
    assert resolve_choices(text, 1, "negative") != resolve_choices(text, 1)


def test_each_alternative_has_the_same_chance():
    taken = Counter(resolve_choices("{a|b} {a|b}", seed) for seed in range(2000))
    assert len(taken) == 4
    assert all(400 < count < 600 for count in taken.values())


def test_what_is_chosen_first_stays_when_words_around_it_change():
    before = [resolve_choices("a {red|blue|green} cat", seed) for seed in range(20)]
    after = [resolve_choices("one {red|blue|green} cat in {rain|snow}", seed) for seed in range(20)]
    assert [text.split()[1] for text in before] == [text.split()[1] for text in after]


def test_braces_that_belong_to_none_are_told():
    text = r"a} \} {b|{c}"
    told = [(problem.start, problem.sentence) for problem in read_choices(text).problems]
    assert told == [(1, BRACE_NOT_OPENED), (6, BRACE_NOT_CLOSED)]


def test_the_longest_alternatives_are_where_they_stand():
    text = "a {red|{dark|light} blue|} cat"
    assert "".join(text[start:end] for start, end in longest_choices(text)) == "a light blue cat"
    assert longest_choices("") == ()


def test_brackets_may_stand_around_whole_choices_or_in_one_alternative():
    text = "a {red|dark blue} cat"
    choices = read_choices(text).choices
    whole = {words: is_whole(choices, text.index(words), text.index(words) + len(words)) for words in (
        "a {red|dark blue}", "dark", "red", "cat", "red|dark", "{red", "blue} cat", "|",
    )}  # fmt: skip
    assert [words for words, is_free in whole.items() if is_free] == ["a {red|dark blue}", "dark", "red", "cat"]


@settings(max_examples=1000, deadline=None)
@given(PROMPTS, st.integers(0, 2**63 - 1))
def test_a_text_that_was_chosen_has_nothing_left_to_choose(text, seed):
    resolved = resolve_choices(text, seed)
    assert resolve_choices(resolved, seed + 1) == resolved
    assert not read_choices(resolved).choices
    lengths = [end - start for start, end in longest_choices(text)]
    assert "\\" in text or "{" in text or sum(lengths) == len(text)


@settings(max_examples=500, deadline=None)
@given(PROMPTS)
def test_a_reader_of_weights_reads_what_one_without_is_given(text):
    plain = text.replace("(", "").replace(":", "")
    assert parse(plain).text == without_escapes(plain)


@pytest.mark.parametrize("text", ["{" * 5000, "}" * 5000, "{a|" * 3000 + "}" * 3000, "{a|b}" * 2000, "|" * 9999])
def test_deep_and_long_ones_too(text):
    assert resolve_choices(text, 1) == resolve_choices(resolve_choices(text, 1), 2)
