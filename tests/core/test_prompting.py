"""From written prompts to those that are run."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desktop_app.core.choices import read_choices
from desktop_app.core.prompting import count_prompt, find_problems, resolve_prompts
from desktop_app.core.styles import Style
from desktop_app.core.weighting import parse

INK = Style("ink", "Ink", 'drawing in "{black|blue} ink" of {prompt}, {fine|bold} lines', "colour, {negative}, blur")
TEXTS = st.lists(st.sampled_from([*'{}|\\ ab,"()', "{a|b}", '("a", "b").and()', "cat"]), max_size=20).map("".join)


def resolve(prompt, negative="", style=None, seed=1):
    return resolve_prompts(prompt, negative, style, seed)


def test_without_style_and_choices_prompts_stay_as_they_are():
    assert resolve(" a cat, ", "dog") == (" a cat, ", "dog")


def test_both_prompts_choose_by_the_seed_each_for_itself():
    text = "{a|b|c|d|e|f|g|h}" * 4
    assert resolve(text, text) == resolve(text, text)
    assert resolve(text, text)[0] != resolve(text, text)[1]
    assert resolve(text, text) != resolve(text, text, seed=2)


def test_a_style_chooses_too_and_changes_no_choice_of_the_prompt():
    text = "{a|b|c|d|e|f|g|h}" * 4
    prompt, negative = resolve(text, text, INK)
    plain, plain_negative = resolve(text, text)
    assert plain in prompt
    assert negative == f"colour, {plain_negative}, blur"
    assert len({resolve("a cat", "", INK, seed)[0] for seed in range(40)}) == 4


def test_each_text_of_a_blend_is_drawn_in_the_style():
    prompt, _ = resolve('("a \\"big\\" cat", \\"dog\\").blend(2, 1)', "", Style("s", "S", 'in "ink", {prompt}, fine'))
    assert [part.chunks[0][0].text for part in parse(prompt).parts] == [
        'in "ink", a "big" cat, fine',
        'in "ink", "dog", fine',
    ]
    assert [part.weight for part in parse(prompt).parts] == [2 / 3, 1 / 3]


@settings(max_examples=500, deadline=None)
@given(TEXTS, TEXTS, st.sampled_from([None, INK]), st.integers(0, 2**63 - 1))
def test_what_was_resolved_stays_as_it_is_when_it_is_run_again(prompt, negative, style, seed):
    resolved = resolve(prompt, negative, style, seed)
    assert resolve(*resolved, None, seed + 1) == resolved
    assert not any(read_choices(text).choices for text in resolved)


def test_the_longest_words_are_counted_with_those_of_the_style():
    counted = count_prompt("a {red|dark blue} cat", ("ink, ", ", {fine|bold} lines"))
    assert counted.text == "ink, a dark blue cat, fine lines"
    assert count_prompt("", ("ink, ", "")).text == "ink"


def test_what_is_counted_is_found_where_it_was_written():
    written = "a {red|dark blue} cat"
    counted = count_prompt(written, ("ink, ", ", black"))
    for word in ("a", "dark", "blue", "cat"):
        assert written.startswith(word, counted.written(counted.text.index(word)))
    assert counted.written(0) is None
    assert counted.written(counted.text.index("black")) is None
    assert counted.written(10**6) is None


@settings(max_examples=500, deadline=None)
@given(TEXTS, st.sampled_from([("", ""), ("ink, ", ", black")]))
def test_any_text_can_be_counted(written, around):
    counted = count_prompt(written, around)
    for index, sign in enumerate(counted.text):
        place = counted.written(index)
        assert place is None or written[place] == sign


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("a {(red|blue:1.2)} car", ["(", ")"]),
        ("{(red|blue} car)", ["("]),
        ("({red|blue}:1.2) {(a:1.2)|[b]}", []),
        ("{(red|blue} car", ["("]),
        (r"{\(red|blue\)}", []),
    ],
)
def test_brackets_that_a_choice_tears_apart_are_told_once(text, marked):
    problems = find_problems(text, takes_weights=True)
    assert [text[problem.start : problem.end] for problem in problems] == marked
    assert not find_problems(text, takes_weights=False)
