"""Ctrl+Up and Ctrl+Down: the weight of words, changed in the text."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.core.choices import read_choices
from desktop_app.core.prompt_calls import find_call
from desktop_app.core.reweighing import reweigh
from desktop_app.core.weighting import parse

SIGNS = [*'()[]:+-\\ ,ab1\n☂{|}"', "cat", ":1.2)", "++", "(big cat:1.3)", "{a|b}", ".swap(dog)", "<sks>"]
TEXTS = st.lists(st.sampled_from(SIGNS), max_size=25).map("".join)
CALLS = TEXTS.map(lambda text: f'("{text}", "dog").blend(2, -1)')


def changed(marked, change=0.1):
    """The text after the change; the selection is between two bars, the cursor at one."""
    start, end = marked.index("|"), marked.rindex("|")
    text, first, last = reweigh(marked.replace("|", ""), start, max(end - 1, start), change)
    return text[:first] + "|" + text[first:last] + ("|" if last > first else "") + text[last:]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a |cat| sat", "a (|cat|:1.1) sat"),
        ("a (|cat|:1.1) sat", "a (|cat|:1.2) sat"),
        ("a |(cat:1.1)| sat", "a (|cat|:1.2) sat"),
        ("a | two cats | sat", "a  (|two cats|:1.1)  sat"),
        ("a c|at sat", "a (c|at:1.1) sat"),
        ("a (ca|t:1.5) sat", "a (ca|t:1.6) sat"),
        ("a (big ca|t:1.5) sat", "a (big ca|t:1.6) sat"),
        ("a (cat:1.|5) sat", "a (cat|:1.6) sat"),
        ("a (cat:0.9|) sat", "a cat| sat"),
        ("a cat|++ sat", "a (cat|:1.31) sat"),
        ("wet-nos|ed cat", "(wet-nos|ed:1.1) cat"),
        ("☂ 白い|", "☂ (白い|:1.1)"),
        ("a , | , b", "a , | , b"),
        ("|", "|"),
        ("(a |cat) and (dog| b)", "(a |cat) and (dog| b)"),
        ("a |<sks>| cat", "a (|<sks>|:1.1) cat"),
        ("a <sk|s> cat", "a (<sk|s>:1.1) cat"),
        ('("a |cat|", "dog").and()', '("a (|cat|:1.1)", "dog").and()'),
        ('("a |cat", "dog|").and()', '("a |cat", "dog|").and()'),
        ('("cat", "dog").an|d()', '("cat", "dog").an|d()'),
        ("a |cat.swap(dog)|", "a (|cat.swap(dog)|:1.1)"),
        ("a cat.sw|ap(dog)", "a cat.sw|ap(dog)"),
        ("a \\|{cat|", "a \\|{cat|"),
    ],
)
def test_words_become_heavier_where_the_selection_or_the_cursor_is(before, after):
    assert changed(before) == after


def test_lighter_and_heavier_cancel_out_and_weights_have_ends():
    assert changed("a (|cat|:1.1)", -0.1) == "a |cat|"
    assert changed("a |cat|", -0.1) == "a (|cat|:0.9)"
    assert changed("a (|cat|:0)", -0.1) == "a (|cat|:0)"
    assert changed("a (|cat|:10)") == "a (|cat|:10)"


@settings(max_examples=500, deadline=None)
@given(TEXTS | CALLS, st.data())
def test_any_text_and_place_will_do_and_no_word_is_lost(text, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    for change in (0.1, -0.1):
        made, first, last = reweigh(text, start, end, change)
        assert 0 <= first <= last <= len(made)
        letters = [sign for sign in parse(text).text if sign.isalpha()]
        assert [sign for sign in parse(made).text if sign.isalpha()] == letters
        assert (find_call(made) is None) == (find_call(text) is None)
        assert len(read_choices(made).choices) == len(read_choices(text).choices)


@pytest.mark.parametrize("tear", [False, True])
def test_a_choice_is_not_torn(tear):
    text = "a {red|dark blue} cat"
    start, end = (text.index("red"), text.index(" blue")) if tear else (text.index("dark"), text.index("}"))
    expected = text if tear else "a {red|(dark blue:1.1)} cat"
    assert reweigh(text, start, end, 0.1)[0] == expected
    assert reweigh(text, 2, text.index("}") + 1, 0.1)[0] == "a ({red|dark blue}:1.1) cat"
