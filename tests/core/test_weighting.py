"""Weights in prompts: what each way to write them means, and that no text whatever is too odd."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from desktop_app.core.weighting import (
    BELOW_ZERO,
    FULL_WIDTH,
    NO_AND,
    NO_CALL,
    NO_NUMBER,
    NO_SUM,
    NO_SWAP,
    NO_WEIGHTS,
    NO_WILDCARD,
    NOT_A_WORD,
    NOT_CLOSED,
    NOT_OPENED,
    NOT_WHOLE,
    ONE_NUMBER,
    TAKES_TURNS,
    TOO_HEAVY,
    cut,
    parse,
    unweighted,
)

SIGNS = [*'()[]:+-<>.\\|{}" ,ab1\n☂', "BREAK", " BREAK ", "cat", "1.3", "++", "--", "<lora:x", ":1.2)", ")1.3"]
CALLS = ['("', '", "', '").blend(', '").and()', "0.7, -0.3)", "no_normalize)", ".swap(dog)", '".swap("']
SIGNS += ["<sks>", "{a|b}", "\\{", "AND", " AND ", "__", "_", "（", "）", "："]
ENDS = [").and()", ").blend(1, .5)", ").blend(2,-1)"]
LOOSE = st.one_of(st.lists(st.sampled_from(SIGNS + CALLS), max_size=40).map("".join), st.text(max_size=80))
WHOLE = st.tuples(st.lists(LOOSE, min_size=1, max_size=4), st.sampled_from(ENDS))
PROMPTS = LOOSE | WHOLE.map(lambda each: "(" + ", ".join(f'"{text}"' for text in each[0]) + each[1])
"""Of every other prompt, texts in a call."""


def read(text):
    return [(fragment.text, fragment.weight) for fragment in parse(text).fragments]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(cat:1.3)", [("cat", 1.3)]),
        ("(cat: .5 )", [("cat", 0.5)]),
        ("((cat))", [("cat", 1.21)]),
        ("[cat]", [("cat", 0.909091)]),
        ("cat++", [("cat", 1.21)]),
        ("wet-nosed cat--", [("wet-nosed ", 1.0), ("cat", 0.81)]),
        ("(two cats)++", [("two cats", 1.21)]),
        ("(two cats)1.3, dog", [("two cats", 1.3), (", dog", 1.0)]),
        ("(a (b:1.2) c:1.5)", [("a ", 1.5), ("b", 1.8), (" c", 1.5)]),
        ("قِطّ++", [("قِطّ", 1.21)]),
        (r"\(cat\) c\+\+", [("(cat) c++", 1.0)]),
        ("a <sks>++ cat", [("a ", 1.0), ("<sks>", 1.21), (" cat", 1.0)]),
        (r"\{a\|b\} \"cat\"", [('{a|b} "cat"', 1.0)]),
        ("[{a|b} cat]", [("{a|b} cat", 0.909091)]),
        ("", []),
    ],
)
def test_what_is_written_in_brackets_and_signs_is_a_weight(text, expected):
    assert read(text) == expected
    assert not parse(text).problems


@pytest.mark.parametrize(
    "text", ["a cat - and a dog", "black-and-white", "cat--dog", "f/1.8, 4:3", "don't, (", ":) :["]
)
def test_a_text_without_weights_is_one_fragment_of_it(text):
    assert read(text) == [(text, 1.0)]
    assert parse(text).is_plain


def test_a_weight_of_one_is_none():
    assert read("the (cat:1.0) sat") == [("the cat sat", 1.0)]


def test_a_break_begins_a_chunk_and_empty_ones_are_left_out():
    chunks = parse("BREAK a (cat BREAK dog:2) BREAK BREAK BREAKFAST").chunks
    assert [[(each.text, each.weight) for each in chunk] for chunk in chunks] == [
        [("a ", 1.0), ("cat ", 2.0)],
        [("dog", 2.0), (" ", 1.0)],
        [("BREAKFAST", 1.0)],
    ]
    assert parse("a BREAK b").text == "a b"


@pytest.mark.parametrize(
    ("text", "marked", "sentence"),
    [
        ("a (cat", "(", NOT_CLOSED),
        ("a cat:1.3)", ")", NOT_OPENED),
        ("a cat]", "]", NOT_OPENED),
        ("(cat:1,3)", ":1,3", NO_NUMBER),
        ("(cat:)", ":", NO_NUMBER),
        ("(cat:11)", "11", TOO_HEAVY),
        ("(cat:-1)", "-1", BELOW_ZERO),
        ("[cat|dog]", "|dog", TAKES_TURNS),
        ("[cat:dog:0.5]", ":0.5", TAKES_TURNS),
        ("<lora:ink:0.8> cat", "<lora:ink:0.8>", NOT_A_WORD),
        ('a ("a", "b").blend(1, 1)', ".blend(1, 1)", NOT_WHOLE),
        ('("a", "b").and(), rain', ".and()", NOT_WHOLE),
        ('("a", "b").blend(1)', "1", NO_WEIGHTS),
        ('("a", "b").and(1, much)', "1, much", NO_WEIGHTS),
        ('("a", "b").blend(1, -1)', "1, -1", NO_SUM),
        ('("a", "b").blend(1, 11)', "1, 11", TOO_HEAVY),
        ('("a", "(b").blend()', "(", NOT_CLOSED),
        ('a "cat".swap("dog") sat', '.swap("dog")', NO_SWAP),
        ("a cat.swap((big) dog, s_start=0.1)", ".swap((big) dog, s_start=0.1)", NO_SWAP),
        ("a .swap(dog)", ".swap(dog)", NO_CALL),
        ("cat.attend(1.3)", ".attend(1.3)", NO_CALL),
        ("cat withLora(ink, 0.8)", "withLora(ink, 0.8)", NO_CALL),
        ("a cat AND a dog", "AND", NO_AND),
        ("a __animal__ sat", "__animal__", NO_WILDCARD),
        ("a （cat：1.3） sat", "（cat：1.3）", FULL_WIDTH),
        ("a (cat：1.3) sat", "：1.3", FULL_WIDTH),
        ("(cat:1.3:2)", ":1.3", ONE_NUMBER),
    ],
)
def test_what_means_nothing_is_told_where_it_stands(text, marked, sentence):
    (problem,) = parse(text).problems
    assert (text[problem.start : problem.end], problem.sentence) == (marked, sentence)


def parts(text):
    return [(part.weight, [[each.text for each in chunk] for chunk in part.chunks]) for part in parse(text).parts]


def test_texts_of_a_blend_have_shares_of_the_whole():
    assert parts('("a cat++", "a dog").blend(3, 1)') == [(0.75, [["a ", "cat"]]), (0.25, [["a dog"]])]
    assert parts('("a", "b").blend(1, -.5)') == [(2.0, [["a"]]), (-1.0, [["b"]])]
    assert parts('("a", "b").blend(1, -1, no_normalize)') == [(1.0, [["a"]]), (-1.0, [["b"]])]


def test_texts_that_are_joined_have_chunks_of_their_own():
    assert parts('("a BREAK b", "c, (d)").and(1, 0.5)') == [(1.0, [["a "], ["b"]]), (0.5, [["c, ", "d"]])]
    assert parts('("a", " ", big (b, c)).and()') == [(1.0, [["a"]]), (1.0, [["big ", "b, c"]])]
    assert parse('("a", "b").and()').text == "a b"


def test_one_text_in_a_call_is_that_text():
    assert parse('("a \\"cat\\"").and()').is_plain
    assert parse('("a \\"cat\\"").blend(3)').text == 'a "cat"'
    assert not parse('("a").and(2)').is_plain


def test_words_that_would_be_swapped_are_the_first_ones():
    assert parse('a "big cat".swap("dog") sat').text == "a big cat sat"
    assert parse("a (big cat).swap(dog) sat").text == "a big cat sat"


def test_a_bracket_of_another_kind_does_not_close():
    assert read("(a [b) c]") == [("a [b", 1.1), (" c]", 1.0)]
    assert [problem.sentence for problem in parse("(a [b) c]").problems] == [NOT_CLOSED, NOT_OPENED]


@pytest.mark.parametrize(
    "text", ["CATS AND DOGS", "（日本語）", "snake__case", r"a \AND b", r"\__wild__", "(12:30: cat:1.2)"]
)
def test_what_only_looks_like_other_programs_signs_is_no_problem(text):
    assert not parse(text).problems


@settings(max_examples=1000, deadline=None)
@given(PROMPTS)
def test_every_text_is_understood_and_every_character_has_its_place(text):
    weighted = parse(text)
    assert "".join(text[piece.start : piece.end] for piece in weighted.pieces) == text
    assert all(0 <= piece.weight <= 10 for piece in weighted.pieces)
    assert all(text[problem.start : problem.end] for problem in weighted.problems)


@settings(max_examples=1000, deadline=None)
@given(PROMPTS)
@example("cat++（")
@example("cat++AND a")
@example("cat--__wild__")
@example("cat++BREAK")
def test_a_text_that_lost_its_weights_has_none_to_lose_and_says_the_same(text):
    plain = unweighted(text)
    assert unweighted(plain) == plain
    assert parse(plain).text == parse(text).text
    assert all(fragment.weight == 1 for fragment in parse(plain).fragments)
    assert not parse(plain).problems


LONG = ["(" * 5000 + "a" + ")" * 5000, "[(" * 5000, "(" * 5000 + "]" * 5000, " " * 9999, ":1" * 5000, "a+" * 5000]
LONG_CALLS = ['"' * 9999, '.swap("' * 1400, '"a' * 5000, '("a", ' * 2000, "(a," * 3000 + ").and()", "<" * 9999]


@pytest.mark.parametrize("text", LONG + LONG_CALLS)
def test_deep_and_long_ones_too(text):
    weighted = parse(text)
    assert "".join(text[piece.start : piece.end] for piece in weighted.pieces) == text
    assert max(piece.weight for piece in weighted.pieces) <= 10


def test_chunks_are_cut_behind_a_word_where_that_can_be():
    assert cut([True] * 7, 3) == [3, 3, 1]
    assert cut([True, False, False, True, True], 3) == [1, 3, 1]
    assert cut([False] * 7, 3) == [3, 3, 1]
    assert cut([], 3) == [0]
    assert cut([True] * 3, 3) == [3]
